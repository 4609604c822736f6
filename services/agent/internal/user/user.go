package user

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/spawn"
	"drydock.dev/agent/internal/threads"
)

const (
	// InCells is the id that programs have in cells, as user and as group, whatever it is outside.
	InCells = 1000
	// Home is where relative paths begin.
	Home = "/home/user"
)

// User is the sandbox's user as seen by this agent.
type User struct {
	// Separate is set if programs run as another user than the agent. Kubernetes' restricted profile allows one user only.
	Separate bool
	// ID is the programs' user and group. No other sandbox of the host has it: what the kernel counts by user is their own.
	ID int
	// Owner is a second id of this sandbox alone, which no program has: it owns the user namespaces of cells, to whose owner the
	// kernel charges what is used in them, and the pipes that the agent makes for programs. 0 if programs share the agent's user.
	Owner int
}

// Parse reads the two ids of a user for an agent that is root, and may so act as others. Of any other agent programs have its own.
func Parse(ids []string) (User, error) {
	if os.Geteuid() != 0 {
		return User{ID: os.Geteuid()}, nil
	}
	if len(ids) != 2 {
		return User{}, errors.New("an agent that is root needs two ids: of programs, and of the owner of what is made for them")
	}
	id, err := parseID(ids[0])
	owner, ownerErr := parseID(ids[1])
	if err = errors.Join(err, ownerErr); err == nil && id == owner {
		err = fmt.Errorf("%d: programs must not be the owner", id)
	}
	return User{Separate: true, ID: id, Owner: owner}, err
}

func parseID(text string) (int, error) {
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil || id < 1 {
		return 0, fmt.Errorf("%q: an id is a number from 1 to %d", text, math.MaxInt32)
	}
	return int(id), nil
}

// Credential is the identity a program starts with; nil keeps the agent's.
func (u User) Credential() *spawn.Credential {
	if !u.Separate {
		return nil
	}
	return &spawn.Credential{User: u.ID, Group: u.ID}
}

// As does work with the effective ids of the sandbox's user, so that the kernel checks files, and charges counters per user,
// as it would for a program. The ids belong to the thread: the work stays on it, and they are restored afterwards. The real
// id stays the agent's, so that no program may signal the thread meanwhile.
func As[T any](u User, work func() (T, error)) (T, error) {
	return onThread(u, threadIDs{real: unchanged, effective: uintptr(u.ID)}, work)
}

// AsOwner does work with the effective and real ids of the sandbox's second user, to whom the kernel charges pipes and
// namespaces. Its thread has no capability, but may raise those that the agent has.
func AsOwner[T any](u User, work func() (T, error)) (T, error) {
	return onThread(u, threadIDs{real: uintptr(u.Owner), effective: uintptr(u.Owner)}, work)
}

// threadIDs are a thread's user and group. The saved ones stay the agent's, which lets the thread return to them.
type threadIDs struct{ real, effective uintptr }

const unchanged = ^uintptr(0)

func onThread[T any](u User, ids threadIDs, work func() (T, error)) (T, error) {
	return threads.Blocking(func() (T, error) {
		if !u.Separate {
			return work()
		}
		runtime.LockOSThread()
		if err := ids.take(); err != nil {
			// The thread stays locked and ends with its goroutine: nothing else may run on it.
			var none T
			return none, err
		}
		result, err := work()
		if ids.giveBack() == nil {
			runtime.UnlockOSThread()
		}
		return result, err
	})
}

// take sets the calling thread's ids. The syscall package would set those of all threads.
func (ids threadIDs) take() error {
	if err := set(unix.SYS_SETRESGID, ids.real, ids.effective); err != nil {
		return err
	}
	if err := set(unix.SYS_SETRESUID, ids.real, ids.effective); err != nil {
		_ = set(unix.SYS_SETRESGID, 0, 0)
		return err
	}
	return nil
}

func (threadIDs) giveBack() error {
	// The capability to change groups comes back with the user.
	if err := set(unix.SYS_SETRESUID, 0, 0); err != nil {
		return err
	}
	return set(unix.SYS_SETRESGID, 0, 0)
}

func set(call, real, effective uintptr) error {
	if _, _, failed := unix.RawSyscall(call, real, effective, unchanged); failed != 0 {
		return failed
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
