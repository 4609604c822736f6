package main

import (
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

const (
	maxProcesses = 1000
	keepEnded    = time.Minute
	// How long the output of an ended program is waited for while a child holds it open.
	outputGrace = 50 * time.Millisecond
	forkRetries = 200
	forkPause   = 10 * time.Millisecond
)

// process is one started command. Its mutex guards everything below it.
type process struct {
	id       string
	command  []string
	detached bool
	started  time.Time
	table    *processTable
	before   *pb.Usage
	request  *pb.StartRequest
	terminal *os.File

	mutex          sync.Mutex
	changed        chan struct{}
	pid            int
	stdin          *os.File
	stdout, stderr stream
	readers        map[*reader]struct{}
	limit          pb.LimitKind
	killed         bool
	exited         *pb.Exited
	reaped         chan waitStatus
}

func newProcess(table *processTable, request *pb.StartRequest) *process {
	p := &process{
		id: request.ProcessId, command: request.Command, detached: request.Detached, table: table, request: request,
		changed: make(chan struct{}), readers: map[*reader]struct{}{}, reaped: make(chan waitStatus, 1),
	}
	window := int64(windowBytes)
	if p.detached {
		window = detachedWindowBytes
	}
	p.stdout = stream{process: p, window: window, limit: request.OutputBytes}
	p.stderr = stream{process: p, window: window, limit: request.OutputBytes}
	return p
}

// start makes the process. What it opens for the program is closed again here, whatever happens.
func (p *process) start(environment []string) error {
	program, err := resolve(p.request, environment)
	if err != nil {
		return err
	}
	files, ours, err := p.openFiles()
	defer closeAll(files)
	if err != nil {
		closeAll(ours)
		return status.Errorf(codes.ResourceExhausted, "no pipe can be made: %v", err)
	}
	attributes := &syscall.ProcAttr{
		Dir: directoryOf(p.request), Env: environment, Files: descriptors(files),
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: p.terminal != nil, Credential: credential()},
	}
	p.before = p.table.counters.read()
	p.started = time.Now()
	if err := p.table.fork(p, program, attributes); err != nil {
		closeAll(ours)
		return err
	}
	go p.run(ours)
	return nil
}

// run lives as long as the process does.
func (p *process) run(outputs []*os.File) {
	stop := p.watchLimits()
	var pumps sync.WaitGroup
	var stillOpen [2]bool
	for i, target := range []*stream{&p.stdout, &p.stderr}[:len(outputs)] {
		pumps.Go(func() { stillOpen[i] = target.pump(outputs[i]) })
	}
	if p.stdin != nil && !p.request.OpenStdin && p.terminal == nil {
		go p.feed(p.request.Stdin)
	}
	ended := <-p.reaped
	wall := time.Since(p.started)
	stop()
	for _, output := range outputs {
		_ = output.SetReadDeadline(time.Now().Add(outputGrace))
	}
	pumps.Wait()
	p.finish(ended, wall, stillOpen[0] || stillOpen[1])
}

func (p *process) finish(ended waitStatus, wall time.Duration, stillOpen bool) {
	after := p.table.counters.read()
	exited := &pb.Exited{
		ExitCode: -1, WallNanoseconds: wall.Nanoseconds(),
		CpuNanoseconds: after.CpuNanoseconds - p.before.CpuNanoseconds, PeakMemoryBytes: after.PeakMemoryBytes,
		OomKills: after.OomKills - p.before.OomKills, OutputStillOpen: stillOpen,
	}
	if after.CpuNanoseconds == 0 {
		exited.CpuNanoseconds = ended.usage.Utime.Nano() + ended.usage.Stime.Nano()
	}
	if ended.status.Signaled() {
		exited.Signal = int32(ended.status.Signal())
	} else {
		exited.ExitCode = int32(ended.status.ExitStatus())
	}
	p.mutex.Lock()
	exited.Limit = p.limit
	if exited.Limit == pb.LimitKind_LIMIT_KIND_UNSPECIFIED {
		exited.Limit = overLimit(p.request, exited)
	}
	exited.StdoutTruncated, exited.StderrTruncated = p.stdout.truncated, p.stderr.truncated
	p.exited = exited
	if p.stdin != nil && p.terminal == nil {
		_ = p.stdin.Close()
	}
	p.broadcast()
	p.mutex.Unlock()
	p.table.ended(p)
}

// openFiles makes what the program has as descriptors 0 to 2, and our ends of its outputs.
func (p *process) openFiles() (files, outputs []*os.File, err error) {
	if size := p.request.Terminal; size != nil {
		controller, terminal, err := pty.Open()
		if err != nil {
			return nil, nil, err
		}
		_ = pty.Setsize(controller, &pty.Winsize{Cols: uint16(size.Columns), Rows: uint16(size.Rows)})
		p.terminal, p.stdin = controller, controller
		return []*os.File{terminal, terminal, terminal}, []*os.File{controller}, nil
	}
	input, err := p.openInput()
	if err != nil {
		return nil, nil, err
	}
	files = append(files, input)
	for range 2 {
		ours, theirs, err := pipe()
		if err != nil {
			return files, outputs, err
		}
		files, outputs = append(files, theirs), append(outputs, ours)
	}
	return files, outputs, nil
}

func (p *process) openInput() (*os.File, error) {
	if !p.request.OpenStdin && len(p.request.Stdin) == 0 {
		return os.Open(os.DevNull)
	}
	theirs, ours, err := os.Pipe()
	p.stdin = ours
	return theirs, err
}

// feed gives a program its whole input. One that does not read it is its own affair.
func (p *process) feed(input []byte) {
	_, _ = p.stdin.Write(input)
	_ = p.stdin.Close()
}

func (p *process) signal(number syscall.Signal) error {
	if number == syscall.SIGKILL {
		p.kill()
		return nil
	}
	return p.table.signalGroup(p, number)
}

// kill ends the process with everything that it started, and frees a pump that waits for a reader.
func (p *process) kill() {
	p.mutex.Lock()
	p.killed = true
	p.broadcast()
	p.mutex.Unlock()
	p.table.killTree(p)
}

// exceed ends everything because a limit was reached; the first one reached is the reason.
func (p *process) exceed(limit pb.LimitKind) {
	p.mutex.Lock()
	if p.limit == pb.LimitKind_LIMIT_KIND_UNSPECIFIED && p.exited == nil {
		p.limit = limit
	}
	p.mutex.Unlock()
	p.table.killAllFor(p)
}

// broadcast wakes everybody who waits for a change. The mutex is held.
func (p *process) broadcast() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *process) info() *pb.ProcessInfo {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return &pb.ProcessInfo{
		ProcessId: p.id, Pid: int32(p.pid), Command: p.command, Detached: p.detached,
		StartUnixMicroseconds: p.started.UnixMicro(), Exited: p.exited,
	}
}

func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}

func descriptors(files []*os.File) []uintptr {
	fds := make([]uintptr, len(files))
	for i, file := range files {
		fds[i] = file.Fd()
	}
	return fds
}

// environmentOf lists a process's variables: ours, then the sandbox's, then its own.
func environmentOf(bound map[string]string, request *pb.StartRequest) []string {
	variables := map[string]string{
		"HOME": homeDir, "USER": "user", "LOGNAME": "user", "LANG": "C.UTF-8",
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	if request.Terminal != nil {
		variables["TERM"] = "xterm-256color"
	}
	maps.Copy(variables, bound)
	maps.Copy(variables, request.Environment)
	variables[markerVariable] = request.ProcessId
	list := make([]string, 0, len(variables))
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		list = append(list, name+"="+variables[name])
	}
	return list
}
