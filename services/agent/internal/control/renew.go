package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/files"
	"drydock.dev/agent/internal/tree"
	"drydock.dev/agent/internal/user"
)

// programDirectory is where the steps of an execution run.
const programDirectory = user.Home + "/program"

// writable are the directories that a sandbox's user can write to. Not every sandbox has all.
var writable = []string{user.Home, "/tmp", "/dev/shm", "/dev/mqueue", "/var/tmp", "/run/lock"}

func (s *Service) Keep(context.Context, *pb.KeepRequest) (*pb.KeepResponse, error) {
	s.processes.KillAll()
	kept, err := files.Do(s.user, func() (*tree.Tree, error) {
		directory, err := openProgram()
		if err != nil {
			return nil, err
		}
		defer directory.Close()
		return tree.Save(int(directory.Fd()))
	})
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.kept.Close()
	s.kept = kept
	return &pb.KeepResponse{}, nil
}

func (s *Service) Renew(context.Context, *pb.RenewRequest) (*pb.RenewResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.kept == nil {
		return nil, fault.New(pb.Reason_NOTHING_KEPT, "no program was kept")
	}
	s.processes.KillAll()
	return files.Do(s.user, func() (*pb.RenewResponse, error) {
		if err := errors.Join(removeIPC(), emptyAll()); err != nil {
			return nil, err
		}
		if err := os.Mkdir(programDirectory, 0o755); err != nil {
			return nil, err
		}
		directory, err := openProgram()
		if err != nil {
			return nil, err
		}
		defer directory.Close()
		return &pb.RenewResponse{}, s.kept.Write(int(directory.Fd()))
	})
}

func openProgram() (*os.File, error) {
	fd, err := unix.Open(programDirectory, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: programDirectory, Err: err}
	}
	return os.NewFile(uintptr(fd), programDirectory), nil
}

func emptyAll() error {
	// A program may have changed the mode of its home. That of a pod is root's, and nobody inside can change it.
	if err := unix.Chmod(user.Home, 0o755); err != nil && err != unix.EPERM {
		return &os.PathError{Op: "chmod", Path: user.Home, Err: err}
	}
	for _, directory := range writable {
		if err := tree.Empty(directory); err != nil {
			return err
		}
	}
	return nil
}

// removeIPC removes the shared memory, semaphores and message queues of System V. A kernel without them lists none.
func removeIPC() error {
	for kind, call := range map[string]uintptr{"shm": unix.SYS_SHMCTL, "sem": unix.SYS_SEMCTL, "msg": unix.SYS_MSGCTL} {
		text, _ := os.ReadFile("/proc/sysvipc/" + kind)
		for line := range strings.Lines(string(text)) {
			var key, id int
			if count, _ := fmt.Sscan(line, &key, &id); count != 2 {
				continue
			}
			command := [3]uintptr{uintptr(id), unix.IPC_RMID, 0}
			if kind == "sem" {
				command = [3]uintptr{uintptr(id), 0, unix.IPC_RMID}
			}
			if _, _, number := unix.Syscall(call, command[0], command[1], command[2]); number != 0 && number != unix.EINVAL {
				return fmt.Errorf("removing %s %d: %w", kind, id, number)
			}
		}
	}
	return nil
}
