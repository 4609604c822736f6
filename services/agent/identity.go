package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	userID  = 1000
	groupID = 1000
	homeDir = "/home/user"
)

// separated says whether programs run as another user than the agent. Kubernetes' restricted profile allows one user only.
var separated = os.Geteuid() == 0

func credential() *syscall.Credential {
	if !separated {
		return nil
	}
	return &syscall.Credential{Uid: userID, Gid: groupID, Groups: []uint32{}}
}

// asUser does something with the rights of the sandbox's user as far as files are concerned. The kernel checks the
// file system ids of the thread, so the work stays on one thread, whose ids are put back afterwards.
func asUser[T any](work func() (T, error)) (T, error) {
	if !separated {
		return work()
	}
	runtime.LockOSThread()
	_ = unix.Setfsgid(groupID)
	_ = unix.Setfsuid(userID)
	if current, _ := unix.SetfsuidRetUid(-1); current != userID {
		// The thread stays locked and ends with its goroutine: it must serve nobody else.
		var none T
		return none, syscall.EPERM
	}
	result, err := work()
	_ = unix.Setfsuid(0)
	_ = unix.Setfsgid(0)
	runtime.UnlockOSThread()
	return result, err
}

func unixNanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
