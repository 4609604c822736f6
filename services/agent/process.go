package main

import (
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

const (
	// How long the output of an ended program is waited for while a child holds it open.
	outputGrace = 50 * time.Millisecond
	// What List tells of a command at most.
	maxListedBytes = 4 << 10
)

var errEnded = status.Error(codes.FailedPrecondition, "the process has ended")

// home is where processes run: the sandbox itself, or a cell in it.
type home interface {
	// launch makes a process with its standard streams. Its end is told to p.reaped.
	launch(p *process, request *pb.StartRequest, environment []string, files []*os.File) error
	// sweep ends what a process that has ended left behind.
	sweep(p *process)
	// killTree ends a process with everything that it started.
	killTree(p *process)
	// killAllFor ends everything because of a process, unless that has ended: what was started since then is not meant.
	killAllFor(p *process)
}

// process is one started command. What is above the mutex is settled once ready is closed.
type process struct {
	id       string
	command  []string
	detached bool
	limits   limits
	home     home
	counters *counters
	started  time.Time
	before   *pb.Usage
	input    *input
	terminal *os.File
	failure  error
	// grace is for how long a process outlives a lost connection.
	grace  time.Duration
	ready  chan struct{}
	reaped chan waitStatus
	// starter follows from before the first byte: a program may have ended by the time that its start is told.
	starter *reader

	mutex          sync.Mutex
	changed        chan struct{}
	pid            int
	stdout, stderr stream
	readers        map[*reader]struct{}
	// owner is whom the process lives for; nil while the next is waited for, since the last one was lost.
	owner  *reader
	lostAt time.Time
	limit  pb.LimitKind
	killed bool
	exited *pb.Exited
}

func newProcess(home home, counters *counters, request *pb.StartRequest) *process {
	p := &process{
		id: request.ProcessId, command: request.Command, detached: request.Detached, home: home, counters: counters,
		limits:  limits{wall: request.WallNanoseconds, cpu: request.CpuNanoseconds},
		changed: make(chan struct{}), ready: make(chan struct{}), reaped: make(chan waitStatus, 1),
	}
	p.starter = &reader{process: p}
	p.readers = map[*reader]struct{}{p.starter: {}}
	p.owner = p.starter
	p.stdout = stream{process: p, limit: request.OutputBytes}
	p.stderr = stream{process: p, limit: request.OutputBytes}
	return p
}

// start makes the process. What it opens for the program is closed again here, whatever happens.
func (p *process) start(request *pb.StartRequest, environment []string) error {
	theirs, outputs, err := p.openFiles(request)
	defer closeAll(theirs)
	if err != nil {
		p.abandon(outputs)
		return status.Errorf(codes.ResourceExhausted, "standard streams cannot be made: %v", err)
	}
	p.before = p.counters.read()
	p.started = time.Now()
	if err := p.home.launch(p, request, environment, theirs); err != nil {
		p.abandon(outputs)
		return err
	}
	if p.input != nil {
		p.input.begin(request.Stdin, request.OpenStdin)
	}
	go p.run(outputs)
	return nil
}

func (p *process) abandon(outputs []*os.File) {
	closeAll(outputs)
	if p.input != nil {
		p.input.close()
	}
}

// openFiles makes what the program has as descriptors 0 to 2, and our ends of its outputs.
func (p *process) openFiles(request *pb.StartRequest) (theirs, outputs []*os.File, err error) {
	if request.Terminal != nil {
		return p.openTerminal(request.Terminal)
	}
	var stdin *os.File
	if request.OpenStdin || len(request.Stdin) > 0 {
		var ours *os.File
		if stdin, ours, err = pipe(ourWriting); err != nil {
			return nil, nil, err
		}
		p.input = &input{file: ours}
	} else if stdin, err = os.Open(os.DevNull); err != nil {
		return nil, nil, err
	}
	theirs = append(theirs, stdin)
	for range 2 {
		output, ours, err := pipe(ourReading)
		if err != nil {
			return theirs, outputs, err
		}
		theirs, outputs = append(theirs, output), append(outputs, ours)
	}
	return theirs, outputs, nil
}

// openTerminal makes a terminal that belongs to the user: it gets the owner who opens it.
func (p *process) openTerminal(size *pb.TerminalSize) (theirs, outputs []*os.File, err error) {
	controller, err := asUser(func() (controller *os.File, err error) {
		var terminal *os.File
		controller, terminal, err = pty.Open()
		theirs = []*os.File{terminal, terminal, terminal}
		return controller, err
	})
	if err != nil {
		return nil, nil, err
	}
	_ = resize(controller, size)
	p.terminal, p.input = controller, &input{file: controller, terminal: true}
	return theirs, []*os.File{controller}, nil
}

func resize(terminal *os.File, size *pb.TerminalSize) error {
	return pty.Setsize(terminal, &pty.Winsize{Cols: uint16(size.GetColumns()), Rows: uint16(size.GetRows())})
}

// run lives as long as the process does.
func (p *process) run(outputs []*os.File) {
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
		p.home.sweep(p)
	}
	p.finish(ended, wall, stillOpen[0] || stillOpen[1])
}

func (p *process) finish(ended waitStatus, wall time.Duration, stillOpen bool) {
	after := p.counters.read()
	exited := &pb.Exited{
		ExitCode: -1, WallNanoseconds: wall.Nanoseconds(),
		CpuNanoseconds: after.CpuNanoseconds - p.before.CpuNanoseconds, PeakMemoryBytes: after.PeakMemoryBytes,
		OomKills: after.OomKills - p.before.OomKills, OutputStillOpen: stillOpen,
	}
	if after.CpuNanoseconds == 0 {
		exited.CpuNanoseconds = ended.usage.Utime.Nano() + ended.usage.Stime.Nano()
	}
	if after.PeakMemoryBytes == 0 {
		exited.PeakMemoryBytes = ended.usage.Maxrss << 10
	}
	if ended.status.Signaled() {
		exited.Signal = int32(ended.status.Signal())
	} else {
		exited.ExitCode = int32(ended.status.ExitStatus())
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

func (p *process) release() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.free()
}

// kill ends the process with everything that it started, and frees a pump that waits for a reader to come.
func (p *process) kill() {
	p.markKilled()
	p.home.killTree(p)
}

func (p *process) markKilled() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.killed = true
	p.broadcast()
}

// exceed ends everything because a limit was reached; the first one reached is the reason.
func (p *process) exceed(limit pb.LimitKind) {
	p.mutex.Lock()
	if p.limit == pb.LimitKind_LIMIT_KIND_UNSPECIFIED && p.exited == nil {
		p.limit = limit
	}
	p.mutex.Unlock()
	p.home.killAllFor(p)
}

// broadcast wakes everybody who waits for a change. The mutex is held.
func (p *process) broadcast() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *process) isReady() bool {
	select {
	case <-p.ready:
		return p.failure == nil
	default:
		return false
	}
}

func (p *process) running() bool {
	ended, _ := p.ended()
	return !ended
}

// ended says whether the process has ended, and when.
func (p *process) ended() (bool, time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.exited == nil {
		return false, time.Time{}
	}
	return true, p.started.Add(time.Duration(p.exited.WallNanoseconds))
}

func (p *process) info() *pb.ProcessInfo {
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

func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}
