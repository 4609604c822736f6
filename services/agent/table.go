package main

import (
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

const (
	maxProcesses = 1000
	keepEnded    = time.Minute
)

// processTable knows every process that was started here, until a while after its end.
type processTable struct {
	counters *counters
	reaper   *reaper

	// gate is held by forks, and exclusively while everything is ended: what is started later is not meant.
	gate sync.RWMutex

	mutex       sync.Mutex
	environment map[string]string
	byID        map[string]*process
	order       []*process
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

// start makes a process, or finds the one that an earlier request with this id made.
func (t *processTable) start(request *pb.StartRequest) (p *process, found bool, err error) {
	if len(request.Command) == 0 || request.ProcessId == "" {
		return nil, false, status.Error(codes.InvalidArgument, "command and process_id are required")
	}
	t.mutex.Lock()
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
	p = newProcess(t, request)
	t.byID[p.id] = p
	t.order = append(t.order, p)
	t.leaves = t.leaves || p.detached
	environment := environmentOf(t.environment, request)
	t.mutex.Unlock()
	p.failure = p.start(request, environment)
	close(p.ready)
	if p.failure != nil {
		t.remove(p)
		return nil, false, p.failure
	}
	return p, false, nil
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
