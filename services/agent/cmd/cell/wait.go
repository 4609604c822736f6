package main

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/cells"
)

// A fork bomb leaves no room for another thread, and the Go runtime ends the process when it cannot make one that it wants.
// It wants one for whatever else could run while a system call lasts, and has one for that which it made at the start; the
// calls that wait are made without its knowledge.

const pollForever = time.Duration(-1)

// waitFor waits until there is something to read from one of the descriptors, and says whether it is the first.
func waitFor(timeout time.Duration, descriptors ...int) (first bool) {
	fds := make([]unix.PollFd, len(descriptors))
	for i, descriptor := range descriptors {
		fds[i] = unix.PollFd{Fd: int32(descriptor), Events: unix.POLLIN}
	}
	var until *unix.Timespec
	if timeout >= 0 {
		span := unix.NsecToTimespec(timeout.Nanoseconds())
		until = &span
	}
	_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), uintptr(unsafe.Pointer(until)), 0, 0, 0)
	return fds[0].Revents != 0
}

// wait4 waits for a child, or any where pid is -1. What it gives is 0 where none has ended, and -1 where there is none.
func wait4(pid int, status *uint32, options int, usage *unix.Rusage) int {
	for {
		ended, _, number := unix.RawSyscall6(unix.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(status)), uintptr(options),
			uintptr(unsafe.Pointer(usage)), 0, 0)
		switch number {
		case 0:
			return int(ended)
		case unix.EINTR:
		default:
			return -1
		}
	}
}

// reap takes everything that has ended, and tells of the end of one process, and whether it left nothing behind.
func reap(pid int) (end cells.End, over, reaped bool) {
	for {
		var status uint32
		var usage unix.Rusage
		switch ended := wait4(-1, &status, unix.WNOHANG, &usage); ended {
		case 0:
			return end, over, reaped
		case -1:
			end.Alone = true
			return end, over, reaped
		case pid:
			end = cells.End{Status: unix.WaitStatus(status), CPU: usage.Utime.Nano() + usage.Stime.Nano(), PeakBytes: usage.Maxrss << 10}
			over = true
		}
		reaped = true
	}
}

// killAll ends everything beside this process. One signal to all is atomic, so that no fork escapes it.
func killAll() {
	everything := -1
	_, _, _ = unix.RawSyscall(unix.SYS_KILL, uintptr(everything), uintptr(unix.SIGKILL), 0)
}

// sweep ends everything, and waits until nothing is left.
func sweep() {
	killAll()
	for wait4(-1, nil, 0, nil) != -1 {
	}
}
