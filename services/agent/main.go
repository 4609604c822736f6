// Command drydock-agent is the first process of a sandbox: it runs commands, moves files and reaps what is left over.
package main

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/spawn"
)

const usage = `drydock-agent runs as the first process of a sandbox.

  drydock-agent serve SOCKET    dials out to a unix socket and serves gRPC on it, for ever
  drydock-agent listen SOCKET   serves gRPC on a unix socket of its own; @NAME is an abstract one
  drydock-agent connect SOCKET  pipes its standard streams to a listening agent
  drydock-agent install FILE    copies itself, so that it can be executed there and not read
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
	switch mode {
	case "connect":
		return connectStdio(socket)
	case "install":
		if err := install(socket); err != nil {
			return err
		}
		return ensureExecutable(socket)
	case "serve", "listen":
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err := prepareProcess(); err != nil {
		return err
	}
	agent := newAgent(socket)
	go func() {
		<-terminations()
		agent.stop()
		os.Exit(0)
	}()
	if mode == "listen" {
		return agent.listen(socket)
	}
	return agent.dial(socket)
}

// prepareProcess makes the agent small, and unreachable for what runs beside it.
func prepareProcess() error {
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(24 << 20)
	// What an engine left open by mistake must not reach a program.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if separated {
		// Groups that an image gives its root would count for work done as the user.
		_ = syscall.Setgroups(nil)
	}
	if _, _, number := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); number != 0 {
		return fmt.Errorf("no_new_privs, which needs a build with CGO_ENABLED=0: %w", number)
	}
	_, _, _ = syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, spawn.OurTimerSlack, 0, 0, 0, 0)
	// A program must not read or trace the agent: not one of the same user, nor a child before it is another program.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	scoreIsOurs = unix.Access("/proc/self/oom_score_adj", unix.W_OK) == nil
	syscall.Umask(0o022)
	startThreads()
	// Last: the runtime reaches all threads by a signal, as was done above.
	dropSignals()
	return nil
}
