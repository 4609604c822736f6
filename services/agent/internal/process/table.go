package process

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/cgroup"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/spawn"
	"drydock.dev/agent/internal/user"
)

const (
	maxProcesses = 1000
	keepEnded    = time.Minute
)

// Table holds every process started here until a minute after its end. It is the Host of those outside cells.
type Table struct {
	user     user.User
	counters *cgroup.Counters
	reaper   *reaper
	grace    time.Duration
	// windows counts the bytes of all streams' windows.
	windows atomic.Int64

	// gate is held by forks, and exclusively while everything is ended, so that later processes are spared.
	gate sync.RWMutex

	mutex       sync.Mutex
	environment map[string]string
	byID        map[string]*Process
	order       []*Process
	// forCells is set once processes run in cells only.
	forCells bool
	// leaves is set once a detached process was started, whose leftovers may live on.
	leaves bool
}

// Options are facts about the agent.
type Options struct {
	User     user.User
	Counters *cgroup.Counters
	// OwnScore is set if the agent may write its own /proc/self/oom_score_adj although it is not dumpable: a child that shares
	// the agent's memory then may, too.
	OwnScore bool
	// Grace is how long a process outlives a lost connection.
	Grace time.Duration
}

// NewTable makes an empty one, and reaps this process's children from now on.
func NewTable(options Options) *Table {
	return &Table{
		user: options.User, counters: options.Counters, grace: options.Grace,
		reaper: newReaper(options.OwnScore), byID: map[string]*Process{},
	}
}

// SetEnvironment gives all later processes the sandbox's variables.
func (t *Table) SetEnvironment(environment map[string]string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.environment = environment
}

// EnvironmentOf lists the variables of a process.
func (t *Table) EnvironmentOf(request *pb.StartRequest) []string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return environmentOf(t.environment, request)
}

// LeaveToCells refuses processes outside cells from now on.
func (t *Table) LeaveToCells() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.forCells = true
}

// start makes a process, or finds the process of an earlier request with this id.
func (t *Table) start(request *pb.StartRequest) (p *Process, found bool, err error) {
	if len(request.Command) == 0 || request.ProcessId == "" {
		return nil, false, fault.New(pb.Reason_INVALID_REQUEST, "command and process_id are required")
	}
	t.mutex.Lock()
	if t.forCells {
		t.mutex.Unlock()
		return nil, false, fault.New(pb.Reason_SANDBOX_FOR_CELLS, "the sandbox is for cells")
	}
	if p := t.byID[request.ProcessId]; p != nil {
		t.mutex.Unlock()
		<-p.ready
		return p, true, p.failure
	}
	t.forget(time.Now())
	if len(t.order) >= maxProcesses {
		t.mutex.Unlock()
		return nil, false, ErrProcessLimit
	}
	p = t.New(t, request)
	p.grace = t.grace
	t.byID[p.id] = p
	t.order = append(t.order, p)
	t.leaves = t.leaves || p.detached
	environment := append(environmentOf(t.environment, request), markerVariable+"="+p.id)
	t.mutex.Unlock()
	p.failure = p.Start(request, environment)
	close(p.ready)
	if p.failure != nil {
		t.remove(p)
		return nil, false, p.failure
	}
	return p, false, nil
}

// Launch makes a process in the sandbox itself.
func (t *Table) Launch(p *Process, request *pb.StartRequest, environment []string, files []*os.File) error {
	program, err := resolve(t.user, request, environment)
	if err != nil {
		return err
	}
	return t.reaper.fork(p, t.gate.RLocker(), program, &spawn.Attributes{
		Directory: user.Path(request.WorkingDirectory), Environment: environment, Files: descriptors(files),
		Terminal: p.terminal != nil, Credential: t.user.Credential(), Limits: KernelLimits(request), Score: spawn.FirstChoice,
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

// Interrupt reaches a process's group.
func (t *Table) Interrupt(p *Process, number syscall.Signal) { _ = t.reaper.signalGroup(p, number) }

// signal reaches a process's group; SIGKILL ends its whole tree.
func (t *Table) signal(p *Process, number syscall.Signal) error {
	if number == syscall.SIGKILL {
		p.Kill()
		return nil
	}
	return t.reaper.signalGroup(p, number)
}

func (t *Table) find(id string) (*Process, error) {
	t.mutex.Lock()
	p := t.byID[id]
	t.mutex.Unlock()
	if p != nil {
		<-p.ready
		if p.failure == nil {
			return p, nil
		}
	}
	return nil, fault.New(pb.Reason_PROCESS_NOT_FOUND, "no process %q", id)
}

func (t *Table) all() []*Process {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return slices.Clone(t.order)
}

func (t *Table) list() []*pb.ProcessInfo {
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
func (t *Table) forget(now time.Time) {
	tooMany := len(t.order) - maxProcesses + 1
	t.order = slices.DeleteFunc(t.order, func(p *Process) bool {
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

func (t *Table) remove(p *Process) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.byID, p.id)
	t.order = slices.DeleteFunc(t.order, func(other *Process) bool { return other == p })
}
