package main

import (
	"slices"
	"syscall"
	"testing"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
)

// BenchmarkTrue is a whole command; BenchmarkRawExec is its floor, from a process that is as large as the agent.
func BenchmarkTrue(b *testing.B) {
	s := newSandbox(b, sandboxOptions{})
	times := make([]time.Duration, 0, b.N)
	for b.Loop() {
		started := time.Now()
		r, err := s.run(&pb.StartRequest{Command: []string{"/bin/true"}})
		must(b, err)
		if r.exited.GetExitCode() != 0 {
			b.Fatal(r)
		}
		times = append(times, time.Since(started))
	}
	report(b, times)
}

func BenchmarkRawExec(b *testing.B) {
	var times []time.Duration
	for b.Loop() {
		started := time.Now()
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}})
		must(b, err)
		_, err = syscall.Wait4(pid, nil, 0, nil)
		must(b, err)
		times = append(times, time.Since(started))
	}
	report(b, times)
}

func BenchmarkPing(b *testing.B) {
	s := newSandbox(b, sandboxOptions{})
	ctx := b.Context()
	for b.Loop() {
		_, err := s.control.Ping(ctx, &pb.PingRequest{})
		must(b, err)
	}
}

func report(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*95/100].Microseconds()), "p95-µs")
}
