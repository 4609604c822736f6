package agent

import (
	"fmt"
	"math"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/spawn"
	"drydock.dev/agent/internal/threads"
	"drydock.dev/agent/internal/user"
)

// prepareProcess makes the agent small, and unreachable for programs. ownScore says whether it may still write its own
// oom_score_adj.
func prepareProcess(u user.User) (ownScore bool, err error) {
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(24 << 20)
	// Descriptors that an engine left open by mistake must not reach a program.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if u.Separate {
		// Groups that an image gives its root would count for work done as the user.
		_ = syscall.Setgroups(nil)
	}
	if _, _, number := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); number != 0 {
		return false, fmt.Errorf("no_new_privs, which needs a build with CGO_ENABLED=0: %w", number)
	}
	_, _, _ = syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, spawn.OurTimerSlack, 0, 0, 0, 0)
	// A program must not read or trace the agent: not one of the same user, nor a child before it is another program.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	ownScore = unix.Access("/proc/self/oom_score_adj", unix.W_OK) == nil
	syscall.Umask(0o022)
	threads.Start()
	// Last: the runtime reaches all threads by a signal, as was done above.
	dropSignals(u)
	return ownScore, nil
}
