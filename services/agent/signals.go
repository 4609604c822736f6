package main

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const lastSignal = 64

// dropSignals makes the agent survive whatever it is sent. What is caught goes back to its default in every program,
// where what is ignored would stay ignored.
func dropSignals() {
	dropped := make(chan os.Signal, 1)
	signal.Notify(dropped, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGUSR1,
		syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	if separated {
		return
	}
	// A program of the same user may send anything, also what looks like a fault of our own. The kernel drops a signal
	// to the first process of a sandbox that has left it at its default, but Go's runtime catches nearly all of them.
	signal.Notify(dropped, syscall.SIGTERM)
	if os.Getpid() != 1 {
		return
	}
	for number := 1; number <= lastSignal; number++ {
		switch number {
		case int(unix.SIGKILL), int(unix.SIGSTOP), int(unix.SIGCHLD), int(unix.SIGURG):
		default:
			var byDefault [4]uint64
			_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(number), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
		}
	}
}

// terminations tells when the agent is asked to end. Where programs share its user nobody can tell who asks, so it never is.
func terminations() <-chan os.Signal {
	asked := make(chan os.Signal, 1)
	if separated {
		signal.Notify(asked, syscall.SIGTERM)
	}
	return asked
}
