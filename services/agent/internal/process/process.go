package process

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/cgroup"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/user"
)

const (
	// How long the agent waits for the output of an ended program while a child holds it open.
	outputGrace = 50 * time.Millisecond
	// How long a process that was interrupted at a limit may take to end.
	interruptGrace = 100 * time.Millisecond
	// How much of a command List shows.
	maxListedBytes = 4 << 10
)

// ErrProcessLimit: the sandbox has room for no further process.
var ErrProcessLimit = fault.New(pb.Reason_PROCESS_LIMIT_REACHED, "process limit reached; end some processes")

var errEnded = fault.New(pb.Reason_PROCESS_ENDED, "the process has ended")

// Host is a place where processes run: the sandbox itself, or a cell in it.
type Host interface {
	// Launch makes a process with its standard streams. Its end is told to p.Reaped.
	Launch(p *Process, request *pb.StartRequest, environment []string, files []*os.File) error
	// Sweep ends the processes that an ended one left behind.
	Sweep(p *Process)
	// KillTree ends a process with everything that it started.
	KillTree(p *Process)
	// KillAllFor ends everything because of a process, unless that has ended: processes started since then are not meant.
	KillAllFor(p *Process)
	// Interrupt sends a signal to a process, unless that has ended.
	Interrupt(p *Process, number syscall.Signal)
}

// Process is one started command. Fields above the mutex are immutable once ready is closed.
type Process struct {
	id       string
	command  []string
	detached bool
	limits   limits
	// interrupt is sent before the process is ended at a limit of time; 0 is none.
	interrupt syscall.Signal
	host      Host
	user      user.User
	counters  *cgroup.Counters
	// windows counts the bytes of all streams' windows.
	windows  *atomic.Int64
	started  time.Time
	before   *pb.Usage
	input    *input
	terminal *os.File
	failure  error
	// grace is how long the process outlives a lost connection.
	grace  time.Duration
	ready  chan struct{}
	reaped chan WaitStatus
	// starter reads from before the first byte: a program may have ended before its start is told.
	starter *reader

	mutex          sync.Mutex
	changed        chan struct{}
	pid            int
	stdout, stderr stream
	readers        map[*reader]struct{}
	// owner is the reader that keeps the process alive; nil since the last was lost, while another may take over.
	owner  *reader
	lostAt time.Time
	limit  pb.LimitKind
	killed bool
	exited *pb.Exited
}

// New prepares a process that Start makes at a host.
func (t *Table) New(host Host, request *pb.StartRequest) *Process {
	p := &Process{
		id: request.ProcessId, command: request.Command, detached: request.Detached,
		host: host, user: t.user, counters: t.counters, windows: &t.windows,
		interrupt: syscall.Signal(request.InterruptSignal),
		limits:    limits{wall: request.WallNanoseconds, cpu: request.CpuNanoseconds},
		changed:   make(chan struct{}), ready: make(chan struct{}), reaped: make(chan WaitStatus, 1),
	}
	p.starter = &reader{process: p}
	p.readers = map[*reader]struct{}{p.starter: {}}
	p.owner = p.starter
	p.stdout = stream{process: p, limit: request.OutputBytes}
	p.stderr = stream{process: p, limit: request.OutputBytes}
	return p
}

// Start makes the process and closes the program's ends of its streams here, whatever happens.
func (p *Process) Start(request *pb.StartRequest, environment []string) error {
	theirs, outputs, err := p.openFiles(request)
	defer closeAll(theirs)
	if err != nil {
		p.abandon(outputs)
		return fault.New(pb.Reason_PROCESS_LIMIT_REACHED, "no room for standard streams: %v; end some processes", err)
	}
	p.before = p.counters.Read()
	p.started = time.Now()
	if err := p.host.Launch(p, request, environment, theirs); err != nil {
		p.abandon(outputs)
		return err
	}
	if p.input != nil {
		p.input.begin(request.Stdin, request.OpenStdin)
	}
	go p.run(outputs)
	return nil
}

func (p *Process) abandon(outputs []*os.File) {
	closeAll(outputs)
	if p.input != nil {
		p.input.close()
	}
}

// run lives as long as the process does.
func (p *Process) run(outputs []*os.File) {
	stop := p.watchLimits()
	var pumps sync.WaitGroup
	var stillOpen [2]bool
	for i, target := range []*stream{&p.stdout, &p.stderr}[:len(outputs)] {
		pumps.Go(func() { stillOpen[i] = target.pump(outputs[i]) })
	}
	ended := <-p.reaped
	wall := time.Since(p.started)
	stop()
	for _, output := range outputs {
		_ = output.SetReadDeadline(time.Now().Add(outputGrace))
	}
	pumps.Wait()
	if !p.detached {
		p.host.Sweep(p)
	}
	p.finish(ended, wall, stillOpen[0] || stillOpen[1])
}

// SetPID tells the process's id, as seen in its host.
func (p *Process) SetPID(pid int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.pid = pid
}

// Reaped tells the process's end. Once.
func (p *Process) Reaped(ended WaitStatus) { p.reaped <- ended }

func (p *Process) finish(ended WaitStatus, wall time.Duration, stillOpen bool) {
	after := p.counters.Read()
	exited := &pb.Exited{
		ExitCode: -1, WallNanoseconds: wall.Nanoseconds(),
		CpuNanoseconds: after.CpuNanoseconds - p.before.CpuNanoseconds, PeakMemoryBytes: after.PeakMemoryBytes,
		OomKills: after.OomKills - p.before.OomKills, OutputStillOpen: stillOpen,
		ResidentBytes: ended.Usage.Maxrss << 10,
	}
	if after.CpuNanoseconds == 0 {
		exited.CpuNanoseconds = ended.Usage.Utime.Nano() + ended.Usage.Stime.Nano()
	}
	if after.PeakMemoryBytes == 0 {
		exited.PeakMemoryBytes = ended.Usage.Maxrss << 10
	}
	if ended.Status.Signaled() {
		exited.Signal = int32(ended.Status.Signal())
	} else {
		exited.ExitCode = int32(ended.Status.ExitStatus())
	}
	if p.input != nil {
		p.input.close()
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	exited.Limit = p.limit
	if exited.Limit == pb.LimitKind_LIMIT_KIND_UNSPECIFIED {
		exited.Limit = p.limits.passed(exited)
	}
	exited.StdoutTruncated, exited.StderrTruncated = p.stdout.truncated, p.stderr.truncated
	p.exited = exited
	p.letGo()
	p.broadcast()
}

func (p *Process) release() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.free()
}

// Kill ends the process with everything that it started, and frees a pump that waits for a reader.
func (p *Process) Kill() {
	p.MarkKilled()
	p.host.KillTree(p)
}

// MarkKilled lets the process run ahead of readers that may never come: it is about to end.
func (p *Process) MarkKilled() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.killed = true
	p.broadcast()
}

// exceed ends everything because a limit was reached; the first one reached is the reason.
func (p *Process) exceed(limit pb.LimitKind) {
	p.mutex.Lock()
	if p.limit == pb.LimitKind_LIMIT_KIND_UNSPECIFIED && p.exited == nil {
		p.limit = limit
	}
	p.mutex.Unlock()
	if p.interrupt == 0 || limit == pb.LimitKind_LIMIT_KIND_OUTPUT {
		p.host.KillAllFor(p)
		return
	}
	p.host.Interrupt(p, p.interrupt)
	time.AfterFunc(interruptGrace, func() { p.host.KillAllFor(p) })
}

// broadcast wakes all goroutines that wait for a change. The mutex is held.
func (p *Process) broadcast() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Process) isReady() bool {
	select {
	case <-p.ready:
		return p.failure == nil
	default:
		return false
	}
}

func (p *Process) running() bool {
	ended, _ := p.ended()
	return !ended
}

// ended says whether the process has ended, and when.
func (p *Process) ended() (bool, time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.exited == nil {
		return false, time.Time{}
	}
	return true, p.started.Add(time.Duration(p.exited.WallNanoseconds))
}

func (p *Process) info() *pb.ProcessInfo {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return &pb.ProcessInfo{
		ProcessId: p.id, Pid: int32(p.pid), Command: shortened(p.command), Detached: p.detached,
		StartUnixMicroseconds: p.started.UnixMicro(), Exited: p.exited,
	}
}

func shortened(command []string) []string {
	left := maxListedBytes
	for i, word := range command {
		if left -= len(word) + 1; left < 0 {
			return append(command[:i:i], "…")
		}
	}
	return command
}
