package agent

import (
	"os"
	"os/signal"
	"syscall"

	"drydock.dev/agent/internal/spawn"
	"drydock.dev/agent/internal/user"
)

// dropSignals makes the agent survive every signal. Caught signals return to their default in every program, where ignored ones
// would stay ignored.
func dropSignals(u user.User) {
	dropped := make(chan os.Signal, 1)
	signal.Notify(dropped, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGUSR1,
		syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	if u.Separate {
		return
	}
	// A program of the same user may send any signal, also those of our own faults.
	signal.Notify(dropped, syscall.SIGTERM)
	if os.Getpid() == 1 {
		spawn.IgnoreSignals(syscall.SIGCHLD, syscall.SIGURG)
	}
}

// terminations tells when the agent is asked to end. If programs share its user the sender is unknown, so it never is.
func terminations(u user.User) <-chan os.Signal {
	asked := make(chan os.Signal, 1)
	if u.Separate {
		signal.Notify(asked, syscall.SIGTERM)
	}
	return asked
}
