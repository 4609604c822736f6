package main

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestMain(m *testing.M) { sandboxtest.Main(m) }

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
		sandboxtest.Must(b, err)
		_, err = syscall.Wait4(pid, nil, 0, nil)
		sandboxtest.Must(b, err)
	})
}

// BenchmarkProcess is a whole command.
func BenchmarkProcess(b *testing.B)       { benchProcess(b, benchTrue) }
func BenchmarkProcessPython(b *testing.B) { benchProcess(b, benchPython) }

func benchProcess(b *testing.B, command []string) {
	s := sandboxtest.New(b, sandboxtest.Options{})
	measure(b, cpuTimeOf(s), func() {
		r, err := s.Run(&pb.StartRequest{Command: command})
		sandboxtest.Must(b, err)
		if r.Exited.GetExitCode() != 0 {
			b.Fatal(r)
		}
	})
}

// BenchmarkCell is a whole cell with one command, and the making of the next one.
func BenchmarkCell(b *testing.B)       { benchCell(b, benchTrue) }
func BenchmarkCellPython(b *testing.B) { benchCell(b, benchPython) }

func benchCell(b *testing.B, command []string) {
	s := sandboxtest.New(b, sandboxtest.Options{Cells: true})
	measure(b, cpuTimeOf(s), func() { oneCell(s, command) })
}

// BenchmarkCellMadeInAdvance is the wait of a caller that finds a prepared cell.
func BenchmarkCellMadeInAdvance(b *testing.B)       { benchCellMadeInAdvance(b, benchTrue) }
func BenchmarkCellMadeInAdvancePython(b *testing.B) { benchCellMadeInAdvance(b, benchPython) }

func benchCellMadeInAdvance(b *testing.B, command []string) {
	s := sandboxtest.New(b, sandboxtest.Options{Cells: true})
	var times []time.Duration
	for b.Loop() {
		_, err := s.Cells.Prepare(s.Context(time.Minute), &pb.PrepareRequest{})
		sandboxtest.Must(b, err)
		started := time.Now()
		oneCell(s, command)
		times = append(times, time.Since(started))
	}
	report(b, times)
}

// BenchmarkCells is the rate of two sandboxes side by side.
func BenchmarkCells(b *testing.B)       { benchCells(b, benchTrue) }
func BenchmarkCellsPython(b *testing.B) { benchCells(b, benchPython) }

func benchCells(b *testing.B, command []string) {
	sandboxes := []*sandboxtest.Sandbox{sandboxtest.New(b, sandboxtest.Options{Cells: true}), sandboxtest.New(b, sandboxtest.Options{Cells: true})}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var callers sync.WaitGroup
	for _, s := range sandboxes {
		callers.Go(func() {
			for left.Add(-1) >= 0 {
				oneCell(s, command)
			}
		})
	}
	callers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per-s")
}

// BenchmarkStep is a further command in a cell.
func BenchmarkStep(b *testing.B) {
	s := sandboxtest.New(b, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	measure(b, cpuTimeOf(s), func() {
		if r := c.Run(&pb.StartRequest{Command: benchTrue}); r.Exited.GetExitCode() != 0 {
			b.Fatal(r)
		}
	})
}

// BenchmarkRenewedStep is a command in a fresh cell with a program of 2 MiB, as each further test case has it.
func BenchmarkRenewedStep(b *testing.B) {
	s := sandboxtest.New(b, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	c.File("main.out", 0o755, strings.Repeat("x", 1<<20))
	c.File("main.out", 0, strings.Repeat("x", 1<<20))
	c.Keep()
	measure(b, cpuTimeOf(s), func() {
		c.Renew()
		if r := c.Run(&pb.StartRequest{Command: benchTrue}); r.Exited.GetExitCode() != 0 {
			b.Fatal(r)
		}
	})
}

func oneCell(s *sandboxtest.Sandbox, command []string) {
	c := s.OpenCell()
	if r := c.Run(&pb.StartRequest{Command: command}); r.Exited.GetExitCode() != 0 {
		s.T.Errorf("%+v %v", r, r.Exited)
	}
	c.End()
}

// measure reports an iteration's time, and its CPU time with its share of cells made in advance.
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

func cpuTimeOf(s *sandboxtest.Sandbox) func() time.Duration {
	return func() time.Duration {
		response, err := s.Control.GetUsage(s.Context(time.Minute), &pb.GetUsageRequest{})
		sandboxtest.Must(s.T, err)
		return time.Duration(response.Usage.CpuNanoseconds)
	}
}

func childrensTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkPing(b *testing.B) {
	s := sandboxtest.New(b, sandboxtest.Options{})
	ctx := b.Context()
	for b.Loop() {
		_, err := s.Control.Ping(ctx, &pb.PingRequest{})
		sandboxtest.Must(b, err)
	}
}
