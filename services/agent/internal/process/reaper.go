package process

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/spawn"
)

const (
	forkRetries = 200
	forkPause   = 10 * time.Millisecond
)

// WaitStatus is how a process ended and what it used.
type WaitStatus struct {
	Status syscall.WaitStatus
	Usage  syscall.Rusage
}

// reaper makes children and waits for them, and for every orphan. Its mutex guards fork and wait against each other: an exit is
// never reaped before its process is known, and an id is never signalled after it was reaped.
type reaper struct {
	mutex sync.Mutex
	byPid map[int]*Process
	// inits are the first processes of PID namespaces. Each channel is closed at the end of its process.
	inits map[int]chan struct{}
	// ownScore: see Options.
	ownScore bool
}

func newReaper(ownScore bool) *reaper {
	r := &reaper{byPid: map[int]*Process{}, inits: map[int]chan struct{}{}, ownScore: ownScore}
	exits := make(chan os.Signal, 1)
	signal.Notify(exits, syscall.SIGCHLD)
	go func() {
		for range exits {
			r.reap()
		}
	}()
	return r
}

// fork makes the process and remembers its id. At the process limit it waits a little for room.
func (r *reaper) fork(p *Process, gate sync.Locker, program string, attributes *spawn.Attributes) error {
	for tries := 0; ; tries++ {
		gate.Lock()
		child, err := r.forkOnce(p, program, attributes)
		gate.Unlock()
		if err == nil {
			if err = child.Wait(); err != nil {
				r.forget(p)
			}
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EAGAIN) && tries < forkRetries:
			time.Sleep(forkPause)
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
			return ErrProcessLimit
		default:
			return fault.New(pb.Reason_COMMAND_NOT_FOUND, "%s: cannot be executed: %v", program, err)
		}
	}
}

func (r *reaper) forkOnce(p *Process, program string, attributes *spawn.Attributes) (*spawn.Child, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	attributes.Share = r.ownScore && nobodyElse()
	child, err := spawn.Start(program, p.command, attributes)
	if err != nil {
		return nil, err
	}
	r.byPid[child.Pid] = p
	p.SetPID(child.Pid)
	return child, nil
}

// forget leaves a child that did not become its program to be reaped like an orphan.
func (r *reaper) forget(p *Process) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.byPid, p.pid)
	select {
	case <-p.reaped:
	default:
	}
}

func (r *reaper) reap() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for {
		var ended WaitStatus
		pid, err := syscall.Wait4(-1, &ended.Status, syscall.WNOHANG, &ended.Usage)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if p := r.byPid[pid]; p != nil {
			delete(r.byPid, pid)
			p.Reaped(ended)
		} else if gone := r.inits[pid]; gone != nil {
			delete(r.inits, pid)
			close(gone)
		}
	}
}

// living lists the processes started here that have not been reaped, by id.
func (r *reaper) living() map[int]*Process {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	living := make(map[int]*Process, len(r.byPid))
	for pid, p := range r.byPid {
		living[pid] = p
	}
	return living
}

// signalGroup sends a signal to a process's group.
func (r *reaper) signalGroup(p *Process, number syscall.Signal) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.byPid[p.pid] != p {
		return errEnded
	}
	if err := syscall.Kill(-p.pid, number); err != nil {
		return fault.New(pb.Reason_INVALID_REQUEST, "signal %d: %v", number, err)
	}
	return nil
}
