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

	pb "drydock.dev/agent/internal/agentv1"
)

type waitStatus struct {
	status syscall.WaitStatus
	usage  syscall.Rusage
}

// processTable knows every process that was started here, and reaps those and everything that they left behind.
type processTable struct {
	counters *counters

	// children guards fork and wait against each other: an exit is never reaped before its process is known, and a
	// process id is not signalled after it was reaped.
	children sync.Mutex
	byPid    map[int]*process

	mutex       sync.Mutex
	environment map[string]string
	byID        map[string]*process
	order       []*process
}

func newProcessTable() (*processTable, error) {
	t := &processTable{counters: openCounters(), byPid: map[int]*process{}, byID: map[string]*process{}}
	exits := make(chan os.Signal, 1)
	signal.Notify(exits, syscall.SIGCHLD)
	go func() {
		for range exits {
			t.reap()
		}
	}()
	return t, nil
}

func (t *processTable) setEnvironment(environment map[string]string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.environment = environment
}

// start makes a process, or finds the one that an earlier request with this id made.
func (t *processTable) start(request *pb.StartRequest) (p *process, found bool, err error) {
	if len(request.Command) == 0 || request.ProcessId == "" {
		return nil, false, status.Error(codes.InvalidArgument, "command and process_id are required")
	}
	t.mutex.Lock()
	if p := t.byID[request.ProcessId]; p != nil {
		t.mutex.Unlock()
		return p, true, nil
	}
	t.forget(time.Now())
	if len(t.order) >= maxProcesses {
		t.mutex.Unlock()
		return nil, false, status.Errorf(codes.ResourceExhausted, "the sandbox has %d processes", maxProcesses)
	}
	p = newProcess(t, request)
	t.byID[p.id] = p
	t.order = append(t.order, p)
	environment := environmentOf(t.environment, request)
	t.mutex.Unlock()
	if err := p.start(environment); err != nil {
		t.remove(p)
		return nil, false, err
	}
	return p, false, nil
}

func (t *processTable) find(id string) (*process, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if p := t.byID[id]; p != nil {
		return p, nil
	}
	return nil, status.Errorf(codes.NotFound, "no process %q", id)
}

func (t *processTable) list() []*pb.ProcessInfo {
	t.mutex.Lock()
	t.forget(time.Now())
	processes := append([]*process(nil), t.order...)
	t.mutex.Unlock()
	infos := make([]*pb.ProcessInfo, 0, len(processes))
	for _, p := range processes {
		infos = append(infos, p.info())
	}
	return infos
}

// forget drops processes that ended a while ago, and the oldest ended ones where there are too many. The mutex is held.
func (t *processTable) forget(now time.Time) {
	kept := t.order[:0]
	tooMany := len(t.order) - maxProcesses + 1
	for _, p := range t.order {
		p.mutex.Lock()
		ended := p.exited != nil
		old := ended && now.Sub(p.started.Add(time.Duration(p.exited.WallNanoseconds))) > keepEnded
		p.mutex.Unlock()
		if old || (ended && tooMany > 0) {
			delete(t.byID, p.id)
			tooMany--
			continue
		}
		kept = append(kept, p)
	}
	clear(t.order[len(kept):])
	t.order = kept
}

func (t *processTable) remove(p *process) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.byID, p.id)
	for i, other := range t.order {
		if other == p {
			t.order = append(t.order[:i], t.order[i+1:]...)
			return
		}
	}
}

// ended lets go of what only a running process needs.
func (t *processTable) ended(p *process) {
	t.children.Lock()
	delete(t.byPid, p.pid)
	t.children.Unlock()
}

// fork makes the process and remembers its id. At the process limit it waits a little for room.
func (t *processTable) fork(p *process, program string, attributes *syscall.ProcAttr) error {
	for tries := 0; ; tries++ {
		pid, err := t.forkOnce(p, program, attributes)
		switch {
		case err == nil:
			p.mutex.Lock()
			p.pid = pid
			p.mutex.Unlock()
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

func (t *processTable) forkOnce(p *process, program string, attributes *syscall.ProcAttr) (int, error) {
	t.children.Lock()
	defer t.children.Unlock()
	defer preferForOutOfMemory()()
	pid, err := syscall.ForkExec(program, p.command, attributes)
	if err == nil {
		t.byPid[pid] = p
	}
	return pid, err
}

// preferForOutOfMemory makes the process that is forked now the kernel's first choice when memory runs out: it inherits
// the agent's score, which goes back to what it was. Lowering it that far needs no privilege.
func preferForOutOfMemory() (restore func()) {
	const file = "/proc/self/oom_score_adj"
	before, err := os.ReadFile(file)
	if err != nil || os.WriteFile(file, []byte("1000"), 0) != nil {
		return func() {}
	}
	return func() { _ = os.WriteFile(file, before, 0) }
}

func (t *processTable) reap() {
	t.children.Lock()
	defer t.children.Unlock()
	for {
		var ended waitStatus
		pid, err := syscall.Wait4(-1, &ended.status, syscall.WNOHANG, &ended.usage)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if p := t.byPid[pid]; p != nil {
			delete(t.byPid, pid)
			p.reaped <- ended
		}
	}
}

// signalGroup sends a signal to a process's group.
func (t *processTable) signalGroup(p *process, number syscall.Signal) error {
	t.children.Lock()
	defer t.children.Unlock()
	if t.byPid[p.pid] != p {
		return status.Error(codes.FailedPrecondition, "the process has ended")
	}
	if err := syscall.Kill(-p.pid, number); err != nil {
		return status.Errorf(codes.InvalidArgument, "signal %d: %v", number, err)
	}
	return nil
}
