// Command drydock-agent is the first process of a sandbox: it runs commands, moves files and reaps what is left over.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"
)

const usage = `drydock-agent runs as the first process of a sandbox.

  drydock-agent serve SOCKET    dials out to a unix socket and serves gRPC on it, for ever
  drydock-agent listen SOCKET   serves gRPC on a unix socket of its own
  drydock-agent connect SOCKET  pipes its standard streams to a listening agent
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "drydock-agent:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 1 && (arguments[0] == "--help" || arguments[0] == "help") {
		fmt.Print(usage)
		return nil
	}
	if len(arguments) != 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	mode, socket := arguments[0], arguments[1]
	if mode == "connect" {
		return connectStdio(socket)
	}
	if mode != "serve" && mode != "listen" {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	prepareProcess()
	agent, err := newAgent()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if mode == "listen" {
		return agent.listen(ctx, socket)
	}
	return agent.dial(ctx, socket)
}

// prepareProcess makes the agent small, and unreachable for what runs beside it.
func prepareProcess() {
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(24 << 20)
	// Caught and dropped, not ignored: what is ignored would stay ignored in every program.
	dropped := make(chan os.Signal, 1)
	signal.Notify(dropped, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGUSR1,
		syscall.SIGUSR2, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	startThreads()
	// A program of the same uid must not read or trace the agent, where there is no second uid to tell them apart.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	syscall.Umask(0o022)
}
