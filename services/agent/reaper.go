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
)

const (
	forkRetries = 200
	forkPause   = 10 * time.Millisecond
	// A fork takes a millisecond. One that takes longer has had its child stopped by a program.
	slowFork      = 100 * time.Millisecond
	slowForkPause = 20 * time.Millisecond
	slowForkTries = 50
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
}

func newReaper() *reaper {
	r := &reaper{byPid: map[int]*process{}}
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
func (r *reaper) fork(p *process, gate sync.Locker, program string, attributes *syscall.ProcAttr) error {
	for tries := 0; ; tries++ {
		gate.Lock()
		err := r.forkOnce(p, program, attributes)
		gate.Unlock()
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

func (r *reaper) forkOnce(p *process, program string, attributes *syscall.ProcAttr) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	defer preferForOutOfMemory()()
	forked, watched := make(chan struct{}), make(chan struct{})
	watch := time.AfterFunc(slowFork, func() {
		defer close(watched)
		r.wakeChild(forked)
	})
	pid, err := syscall.ForkExec(program, p.command, attributes)
	close(forked)
	if !watch.Stop() {
		<-watched
	}
	if err != nil {
		return err
	}
	r.byPid[pid] = p
	p.mutex.Lock()
	p.pid = pid
	p.mutex.Unlock()
	return nil
}

// wakeChild helps a fork that hangs, until it is done. Until its child has become another program it is the user's already,
// shares our memory and keeps us waiting, and another program can stop it, now or later.
func (r *reaper) wakeChild(forked <-chan struct{}) {
	self, _ := readStat(os.Getpid())
	for try := 0; ; try++ {
		for _, s := range readStats() {
			if s.parent == self.pid && s.name == self.name && s.state == 'T' && r.byPid[s.pid] == nil {
				number := syscall.SIGCONT
				if try >= slowForkTries {
					number = syscall.SIGKILL
				}
				_ = syscall.Kill(s.pid, number)
			}
		}
		select {
		case <-forked:
			return
		case <-time.After(slowForkPause):
		}
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

// score is opened before the agent becomes unreadable, which takes its files in /proc away from a user other than root.
var score *os.File

func openScore() { score, _ = os.OpenFile("/proc/self/oom_score_adj", os.O_RDWR, 0) }

// preferForOutOfMemory makes the process that is forked now the kernel's first choice when memory runs out: it inherits
// the agent's score, which goes back to what it was. Lowering it that far needs no privilege; a program may do the same.
func preferForOutOfMemory() (restore func()) {
	if score == nil {
		return func() {}
	}
	var buffer [16]byte
	count, err := score.ReadAt(buffer[:], 0)
	if count == 0 {
		_ = err
		return func() {}
	}
	before := buffer[:count]
	if _, err := score.WriteAt([]byte("1000"), 0); err != nil {
		return func() {}
	}
	return func() { _, _ = score.WriteAt(before, 0) }
}
