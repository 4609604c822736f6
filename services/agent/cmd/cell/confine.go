package main

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kept are the capabilities needed to start programs as another user, and to end them.
var kept = []uint{unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_KILL}

// identify takes the ids that the namespace has been given. Outside they are those that this process has already, so that the
// kernel lets it be read and traced, unlike a process that changes its user.
func identify() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("not dumpable: %w", err)
	}
	if _, _, number := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); number != 0 {
		return fmt.Errorf("no groups: %w", number)
	}
	if _, _, number := unix.RawSyscall(unix.SYS_SETRESGID, 0, 0, 0); number != 0 {
		return fmt.Errorf("a group: %w", number)
	}
	if _, _, number := unix.RawSyscall(unix.SYS_SETRESUID, 0, 0, 0); number != 0 {
		return fmt.Errorf("a user: %w", number)
	}
	return nil
}

// confine drops the capabilities that a cell was made with, so that no program can gain any, and filters the calls that make
// namespaces and mounts.
func confine() error {
	for capability := uintptr(0); ; capability++ {
		// EINVAL: the kernel knows no further capability.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err == unix.EINVAL {
			break
		} else if err != nil {
			return fmt.Errorf("capability %d: %w", capability, err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, capability := range kept {
		data[capability/32].Permitted |= 1 << (capability % 32)
	}
	for i := range data {
		data[i].Effective = data[i].Permitted
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	filter, err := compileFilter()
	if err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	different, _, number := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	if number != 0 {
		return fmt.Errorf("filter: %w", number)
	}
	if different != 0 {
		return fmt.Errorf("filter: thread %d has another one", different)
	}
	return nil
}
