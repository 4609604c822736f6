package main

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/cell/wire"
)

// A fork bomb leaves no room for another thread, and the Go runtime ends the process if it cannot make one. It makes one to run
// other goroutines during a long system call, so calls that wait bypass the runtime.

const pollForever = time.Duration(-1)

// waitFor waits until one of the descriptors is readable, and says whether the first is.
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

// wait4 waits for a child, or for any if pid is -1. It returns 0 if none has ended, and -1 if there is none.
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

// reap waits for all ended processes, and returns the end of one of them and whether it left nothing behind.
func reap(pid int) (end wire.End, over, reaped bool) {
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
			end = wire.End{Status: unix.WaitStatus(status), CPU: usage.Utime.Nano() + usage.Stime.Nano(), PeakBytes: usage.Maxrss << 10}
			over = true
		}
		reaped = true
	}
}

// killAll ends every other process. One signal to all is atomic, so that no fork escapes it.
func killAll() {
	everything := -1
	_, _, _ = unix.RawSyscall(unix.SYS_KILL, uintptr(everything), uintptr(unix.SIGKILL), 0)
}

// sweep ends every other process, and waits until none is left.
func sweep() {
	killAll()
	for wait4(-1, nil, 0, nil) != -1 {
	}
}
