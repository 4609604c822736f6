package main

import (
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/spawn"
)

const (
	maxProcesses = 1000
	keepEnded    = time.Minute
)

// processTable knows every process that was started here, until a while after its end.
type processTable struct {
	counters *counters
	reaper   *reaper
	// grace is that of every process.
	grace time.Duration

	// gate is held by forks, and exclusively while everything is ended: what is started later is not meant.
	gate sync.RWMutex

	mutex       sync.Mutex
	environment map[string]string
	byID        map[string]*process
	order       []*process
	// forCells says that what runs here runs in cells.
	forCells bool
	// leaves says that a detached process was started. What it leaves behind may live on.
	leaves bool
}

func newProcessTable() *processTable {
	return &processTable{counters: openCounters(), reaper: newReaper(), byID: map[string]*process{}}
}

func (t *processTable) setEnvironment(environment map[string]string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.environment = environment
}

func (t *processTable) environmentOf(request *pb.StartRequest) []string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return environmentOf(t.environment, request)
}

// leaveToCells says that nothing runs here from now on but in cells.
func (t *processTable) leaveToCells() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.forCells = true
}

// start makes a process, or finds the one that an earlier request with this id made.
func (t *processTable) start(request *pb.StartRequest) (p *process, found bool, err error) {
	if len(request.Command) == 0 || request.ProcessId == "" {
		return nil, false, status.Error(codes.InvalidArgument, "command and process_id are required")
	}
	t.mutex.Lock()
	if t.forCells {
		t.mutex.Unlock()
		return nil, false, status.Error(codes.FailedPrecondition, "the sandbox is for cells")
	}
	if p := t.byID[request.ProcessId]; p != nil {
		t.mutex.Unlock()
		<-p.ready
		return p, true, p.failure
	}
	t.forget(time.Now())
	if len(t.order) >= maxProcesses {
		t.mutex.Unlock()
		return nil, false, status.Errorf(codes.ResourceExhausted, "the sandbox has %d processes", maxProcesses)
	}
	p = newProcess(t, t.counters, request)
	p.grace = t.grace
	t.byID[p.id] = p
	t.order = append(t.order, p)
	t.leaves = t.leaves || p.detached
	environment := append(environmentOf(t.environment, request), markerVariable+"="+p.id)
	t.mutex.Unlock()
	p.failure = p.start(request, environment)
	close(p.ready)
	if p.failure != nil {
		t.remove(p)
		return nil, false, p.failure
	}
	return p, false, nil
}

func (t *processTable) launch(p *process, request *pb.StartRequest, environment []string, files []*os.File) error {
	program, err := resolve(request, environment)
	if err != nil {
		return err
	}
	return t.reaper.fork(p, t.gate.RLocker(), program, &spawn.Attributes{
		Directory: absolute(request.WorkingDirectory), Environment: environment, Files: descriptors(files),
		Terminal: p.terminal != nil, Credential: credential(), Limits: kernelLimits(request), Score: spawn.FirstChoice,
		TimerSlack: spawn.UsualTimerSlack,
	})
}

func descriptors(files []*os.File) []uintptr {
	fds := make([]uintptr, len(files))
	for i, file := range files {
		fds[i] = file.Fd()
	}
	return fds
}

// signal reaches a process's group, and its whole tree to end it.
func (t *processTable) signal(p *process, number syscall.Signal) error {
	if number == syscall.SIGKILL {
		p.kill()
		return nil
	}
	return t.reaper.signalGroup(p, number)
}

func (t *processTable) find(id string) (*process, error) {
	t.mutex.Lock()
	p := t.byID[id]
	t.mutex.Unlock()
	if p != nil {
		<-p.ready
		if p.failure == nil {
			return p, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "no process %q", id)
}

func (t *processTable) all() []*process {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return slices.Clone(t.order)
}

func (t *processTable) list() []*pb.ProcessInfo {
	t.mutex.Lock()
	t.forget(time.Now())
	t.mutex.Unlock()
	processes := t.all()
	infos := make([]*pb.ProcessInfo, 0, len(processes))
	for _, p := range processes {
		if p.isReady() {
			infos = append(infos, p.info())
		}
	}
	return infos
}

// forget drops processes that ended a while ago, and the oldest ended ones where there are too many. The mutex is held.
func (t *processTable) forget(now time.Time) {
	tooMany := len(t.order) - maxProcesses + 1
	t.order = slices.DeleteFunc(t.order, func(p *process) bool {
		ended, at := p.ended()
		if !ended || (now.Sub(at) <= keepEnded && tooMany <= 0) {
			return false
		}
		delete(t.byID, p.id)
		p.release()
		tooMany--
		return true
	})
}

func (t *processTable) remove(p *process) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.byID, p.id)
	t.order = slices.DeleteFunc(t.order, func(other *process) bool { return other == p })
}
