package main

import (
	"os"
	"os/signal"
	"syscall"

	"drydock.dev/agent/internal/spawn"
)

// dropSignals makes the agent survive whatever it is sent. What is caught goes back to its default in every program,
// where what is ignored would stay ignored.
func dropSignals() {
	dropped := make(chan os.Signal, 1)
	signal.Notify(dropped, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGUSR1,
		syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	if separated {
		return
	}
	// A program of the same user may send anything, also what looks like a fault of our own.
	signal.Notify(dropped, syscall.SIGTERM)
	if os.Getpid() == 1 {
		spawn.IgnoreSignals(syscall.SIGCHLD, syscall.SIGURG)
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
