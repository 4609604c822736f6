package main

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"drydock.dev/agent/internal/spawn"
)

const (
	forkRetries = 200
	forkPause   = 10 * time.Millisecond
)

type waitStatus struct {
	status syscall.WaitStatus
	usage  syscall.Rusage
}

// reaper makes children and waits for them, and for every orphan. Its mutex guards fork and wait against each other:
// an exit is never reaped before its process is known, and an id is not signalled after it was reaped.
type reaper struct {
	mutex sync.Mutex
	byPid map[int]*process
	// cells are the first processes of cells. Each channel is closed when that has ended, and the cell with it.
	cells map[int]chan struct{}
}

func newReaper() *reaper {
	r := &reaper{byPid: map[int]*process{}, cells: map[int]chan struct{}{}}
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
func (r *reaper) fork(p *process, gate sync.Locker, program string, attributes *spawn.Attributes) error {
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
			return status.Error(codes.ResourceExhausted, "the sandbox has as many processes as it may")
		default:
			return status.Errorf(codes.InvalidArgument, "%s: cannot be executed: %v", program, err)
		}
	}
}

func (r *reaper) forkOnce(p *process, program string, attributes *spawn.Attributes) (*spawn.Child, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	attributes.Share = scoreIsOurs && nobodyElse()
	child, err := spawn.Start(program, p.command, attributes)
	if err != nil {
		return nil, err
	}
	r.byPid[child.Pid] = p
	p.mutex.Lock()
	p.pid = child.Pid
	p.mutex.Unlock()
	return child, nil
}

// forget leaves a child that did not become its program to be reaped like an orphan.
func (r *reaper) forget(p *process) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.byPid, p.pid)
	select {
	case <-p.reaped:
	default:
	}
}

// forkCell makes the first process of a cell.
func (r *reaper) forkCell(program string, attributes *spawn.Attributes) (pid int, gone <-chan struct{}, err error) {
	r.mutex.Lock()
	child, err := spawn.Start(program, []string{"cell"}, attributes)
	ended := make(chan struct{})
	if err == nil {
		r.cells[child.Pid] = ended
	}
	r.mutex.Unlock()
	if err != nil {
		return 0, nil, err
	}
	return child.Pid, ended, child.Wait()
}

// signalCell sends a signal to the first process of a cell, unless that has ended.
func (r *reaper) signalCell(pid int, number syscall.Signal) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.cells[pid] != nil {
		_ = syscall.Kill(pid, number)
	}
}

func (r *reaper) reap() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for {
		var ended waitStatus
		pid, err := syscall.Wait4(-1, &ended.status, syscall.WNOHANG, &ended.usage)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if p := r.byPid[pid]; p != nil {
			delete(r.byPid, pid)
			p.reaped <- ended
		} else if gone := r.cells[pid]; gone != nil {
			delete(r.cells, pid)
			close(gone)
		}
	}
}

// living tells which process ids are processes started here that have not been reaped.
func (r *reaper) living() map[int]*process {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	living := make(map[int]*process, len(r.byPid))
	for pid, p := range r.byPid {
		living[pid] = p
	}
	return living
}

// signalGroup sends a signal to a process's group.
func (r *reaper) signalGroup(p *process, number syscall.Signal) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.byPid[p.pid] != p {
		return errEnded
	}
	if err := syscall.Kill(-p.pid, number); err != nil {
		return status.Errorf(codes.InvalidArgument, "signal %d: %v", number, err)
	}
	return nil
}
