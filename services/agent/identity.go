package main

import (
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/spawn"
)

const (
	userID  = 1000
	groupID = 1000
	homeDir = "/home/user"
)

// separated says whether programs run as another user than the agent. Kubernetes' restricted profile allows one user only.
var separated = os.Geteuid() == 0

// scoreIsOurs says whether the agent may write its own /proc/self/oom_score_adj, though it is not to be looked at.
var scoreIsOurs bool

func credential() *spawn.Credential {
	if !separated {
		return nil
	}
	return &spawn.Credential{User: userID, Group: groupID}
}

// asUser does something with the effective ids of the sandbox's user, so that the kernel checks files, and counts what
// is counted per user, as it would for a program. The ids belong to the thread: the work stays on it, and they are put
// back afterwards. The real id stays the agent's, so that no program may signal the thread meanwhile.
func asUser[T any](work func() (T, error)) (T, error) {
	return blocking(func() (T, error) {
		if !separated {
			return work()
		}
		runtime.LockOSThread()
		if err := setEffective(userID, groupID); err != nil {
			// The thread stays locked and ends with its goroutine: it must serve nobody else.
			var none T
			return none, err
		}
		result, err := work()
		if setEffective(0, 0) == nil {
			runtime.UnlockOSThread()
		}
		return result, err
	})
}

// setEffective sets the calling thread's effective ids. The syscall package would set those of all threads.
func setEffective(user, group uintptr) error {
	const unchanged = ^uintptr(0)
	if user == 0 {
		// The capability to change groups comes back with the user.
		if _, _, failed := unix.RawSyscall(unix.SYS_SETRESUID, unchanged, 0, unchanged); failed != 0 {
			return failed
		}
	}
	if _, _, failed := unix.RawSyscall(unix.SYS_SETRESGID, unchanged, group, unchanged); failed != 0 {
		return failed
	}
	if user != 0 {
		if _, _, failed := unix.RawSyscall(unix.SYS_SETRESUID, unchanged, user, unchanged); failed != 0 {
			_, _, _ = unix.RawSyscall(unix.SYS_SETRESGID, unchanged, 0, unchanged)
			return failed
		}
	}
	return nil
}

func unixNanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
