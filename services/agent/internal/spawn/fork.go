package spawn

import (
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What syscall.ForkExec does around its fork: the runtime keeps these names for packages that fork by themselves.

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// clone is the system call with a stack that the child may share.
//
//go:noescape
func clone(flags uintptr) (result uintptr)

const (
	// failedDescriptor comes after the three standard ones.
	failedDescriptor = 3
	exitFailed       = 253
	maxErrno         = 4095
)

var firstChoice = []byte("1000")

// fork makes the child, where it does not return. The child has no runtime: it can neither allocate nor let its stack grow,
// and makes system calls only.
//
//go:noinline
//go:norace
//go:nocheckptr
func fork(o *order) (pid uintptr, number syscall.Errno) {
	beforeFork()
	pid = clone(o.flags)
	if pid != 0 {
		afterFork()
		if pid > ^uintptr(maxErrno) {
			return 0, syscall.Errno(-pid)
		}
		return pid, 0
	}
	afterForkInChild()
	number = become(o)
	_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, failedDescriptor, uintptr(unsafe.Pointer(&number)), unsafe.Sizeof(number))
	for {
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, exitFailed, 0, 0)
	}
}

// become makes the child its program. It returns where that fails.
//
//go:norace
//go:nocheckptr
//go:nosplit
func become(o *order) syscall.Errno {
	for i, file := range o.files {
		if _, _, number := syscall.RawSyscall(syscall.SYS_DUP3, file, uintptr(i), 0); number != 0 {
			return number
		}
	}
	if o.failed != failedDescriptor {
		_, _, _ = syscall.RawSyscall(syscall.SYS_DUP3, o.failed, failedDescriptor, syscall.O_CLOEXEC)
	}
	_, _, _ = syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0)
	if o.terminal {
		if _, _, number := syscall.RawSyscall(syscall.SYS_IOCTL, 0, syscall.TIOCSCTTY, 0); number != 0 {
			return number
		}
	}
	raiseScore(o)
	for i := range o.limits {
		_, _, number := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, o.limits[i].resource, uintptr(unsafe.Pointer(&o.limits[i].value)), 0, 0, 0)
		if number != 0 {
			return number
		}
	}
	if number := identify(o.credential); number != 0 {
		return number
	}
	if _, _, number := syscall.RawSyscall(syscall.SYS_CHDIR, uintptr(unsafe.Pointer(o.directory)), 0, 0); number != 0 {
		return number
	}
	_, _, number := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(o.program)),
		uintptr(unsafe.Pointer(&o.arguments[0])), uintptr(unsafe.Pointer(&o.environment[0])))
	return number
}

// raiseScore makes the child the first choice when memory runs out. Memory of its own is made such that it may be looked at by
// whoever has its user, since only then its file belongs to it; what the parent had open is closed before.
//
//go:norace
//go:nocheckptr
//go:nosplit
func raiseScore(o *order) {
	first := uintptr(failedDescriptor + 1)
	if o.proc != 0 {
		_, _, _ = syscall.RawSyscall(syscall.SYS_DUP3, o.proc, first, syscall.O_CLOEXEC)
		first++
	}
	_, _, _ = syscall.RawSyscall(unix.SYS_CLOSE_RANGE, first, math.MaxUint32, 0)
	if o.flags&syscall.CLONE_VM == 0 {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 1, 0, 0, 0, 0)
	}
	fd, _, number := syscall.RawSyscall6(syscall.SYS_OPENAT, failedDescriptor+1, uintptr(unsafe.Pointer(o.score)),
		syscall.O_WRONLY|syscall.O_CLOEXEC, 0, 0, 0)
	if number == 0 {
		_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&firstChoice[0])), uintptr(len(firstChoice)))
	}
}

//go:norace
//go:nocheckptr
//go:nosplit
func identify(as *Credential) syscall.Errno {
	if as == nil {
		return 0
	}
	if _, _, number := syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0); number != 0 {
		return number
	}
	group, user := uintptr(as.Group), uintptr(as.User)
	if _, _, number := syscall.RawSyscall(syscall.SYS_SETRESGID, group, group, group); number != 0 {
		return number
	}
	_, _, number := syscall.RawSyscall(syscall.SYS_SETRESUID, user, user, user)
	return number
}
