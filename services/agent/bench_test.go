package main

import (
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
)

var (
	benchTrue   = []string{"/bin/true"}
	benchPython = []string{"/usr/bin/python3", "-c", "pass"}
)

// BenchmarkRawExec is the floor of the others, from a process that is as large as the agent.
func BenchmarkRawExec(b *testing.B)       { benchRawExec(b, benchTrue) }
func BenchmarkRawExecPython(b *testing.B) { benchRawExec(b, benchPython) }

func benchRawExec(b *testing.B, command []string) {
	measure(b, childrensTime, func() {
		pid, err := syscall.ForkExec(command[0], command, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}})
		must(b, err)
		_, err = syscall.Wait4(pid, nil, 0, nil)
		must(b, err)
	})
}

// BenchmarkProcess is a whole command.
func BenchmarkProcess(b *testing.B)       { benchProcess(b, benchTrue) }
func BenchmarkProcessPython(b *testing.B) { benchProcess(b, benchPython) }

func benchProcess(b *testing.B, command []string) {
	s := newSandbox(b, sandboxOptions{})
	measure(b, s.cpuTime, func() {
		r, err := s.run(&pb.StartRequest{Command: command})
		must(b, err)
		if r.exited.GetExitCode() != 0 {
			b.Fatal(r)
		}
	})
}

// BenchmarkCell is a whole cell with one command, and the making of the next one.
func BenchmarkCell(b *testing.B)       { benchCell(b, benchTrue) }
func BenchmarkCellPython(b *testing.B) { benchCell(b, benchPython) }

func benchCell(b *testing.B, command []string) {
	s := newSandbox(b, sandboxOptions{cells: true})
	measure(b, s.cpuTime, func() { s.oneCell(command) })
}

// BenchmarkCellMadeInAdvance is what a caller waits who comes a little later.
func BenchmarkCellMadeInAdvance(b *testing.B)       { benchCellMadeInAdvance(b, benchTrue) }
func BenchmarkCellMadeInAdvancePython(b *testing.B) { benchCellMadeInAdvance(b, benchPython) }

func benchCellMadeInAdvance(b *testing.B, command []string) {
	s := newSandbox(b, sandboxOptions{cells: true})
	var times []time.Duration
	for b.Loop() {
		_, err := s.cells.Prepare(s.context(time.Minute), &pb.PrepareRequest{})
		must(b, err)
		started := time.Now()
		s.oneCell(command)
		times = append(times, time.Since(started))
	}
	report(b, times)
}

// BenchmarkCells is what two sandboxes do at once.
func BenchmarkCells(b *testing.B)       { benchCells(b, benchTrue) }
func BenchmarkCellsPython(b *testing.B) { benchCells(b, benchPython) }

func benchCells(b *testing.B, command []string) {
	sandboxes := []*sandbox{newSandbox(b, sandboxOptions{cells: true}), newSandbox(b, sandboxOptions{cells: true})}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var callers sync.WaitGroup
	for _, s := range sandboxes {
		callers.Go(func() {
			for left.Add(-1) >= 0 {
				s.oneCell(command)
			}
		})
	}
	callers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per-s")
}

// BenchmarkStep is a further command in a cell.
func BenchmarkStep(b *testing.B) {
	s := newSandbox(b, sandboxOptions{cells: true})
	c := s.openCell()
	measure(b, s.cpuTime, func() {
		if r := c.run(&pb.StartRequest{Command: benchTrue}); r.exited.GetExitCode() != 0 {
			b.Fatal(r)
		}
	})
}

func (s *sandbox) oneCell(command []string) {
	c := s.openCell()
	if r := c.run(&pb.StartRequest{Command: command}); r.exited.GetExitCode() != 0 {
		s.t.Errorf("%+v %v", r, r.exited)
	}
	c.end()
}

// measure tells of an iteration's time and of what it took of the processors, with its share of what was made in advance.
func measure(b *testing.B, cpuTime func() time.Duration, once func()) {
	times := make([]time.Duration, 0, b.N)
	before := cpuTime()
	for b.Loop() {
		started := time.Now()
		once()
		times = append(times, time.Since(started))
	}
	report(b, times)
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(len(times)), "cpu-µs")
}

func report(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*95/100].Microseconds()), "p95-µs")
}

func (s *sandbox) cpuTime() time.Duration {
	response, err := s.control.GetUsage(s.context(time.Minute), &pb.GetUsageRequest{})
	must(s.t, err)
	return time.Duration(response.Usage.CpuNanoseconds)
}

func childrensTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkPing(b *testing.B) {
	s := newSandbox(b, sandboxOptions{})
	ctx := b.Context()
	for b.Loop() {
		_, err := s.control.Ping(ctx, &pb.PingRequest{})
		must(b, err)
	}
}
