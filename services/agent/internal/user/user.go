package user

import (
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/spawn"
	"drydock.dev/agent/internal/threads"
)

const (
	ID    = 1000
	Group = 1000
	// Home is where relative paths begin.
	Home = "/home/user"
)

// User is the sandbox's user as seen by this agent.
type User struct {
	// Separate is set if programs run as another user than the agent. Kubernetes' restricted profile allows one user only.
	Separate bool
}

// Current is the user as seen by this process, which may act as another one if it is root.
func Current() User { return User{Separate: os.Geteuid() == 0} }

// Credential is the identity a program starts with; nil keeps the agent's.
func (u User) Credential() *spawn.Credential {
	if !u.Separate {
		return nil
	}
	return &spawn.Credential{User: ID, Group: Group}
}

// As does work with the effective ids of the sandbox's user, so that the kernel checks files, and charges counters per user,
// as it would for a program. The ids belong to the thread: the work stays on it, and they are restored afterwards. The real
// id stays the agent's, so that no program may signal the thread meanwhile.
func As[T any](u User, work func() (T, error)) (T, error) {
	return threads.Blocking(func() (T, error) {
		if !u.Separate {
			return work()
		}
		runtime.LockOSThread()
		if err := setEffective(ID, Group); err != nil {
			// The thread stays locked and ends with its goroutine: nothing else may run on it.
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

// Path makes a path absolute: relative ones are below the home.
func Path(path string) string { return PathIn(Home, path) }

// PathIn makes a path absolute: relative ones are below the directory.
func PathIn(directory, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(directory, path)
}
