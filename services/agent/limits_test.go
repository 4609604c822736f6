package main

import (
	"strings"
	"testing"

	pb "drydock.dev/agent/internal/agentv1"
)

func TestLimitsThatTheKernelKeeps(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	limited := func(script string) result {
		t.Helper()
		r, err := s.run(&pb.StartRequest{
			Command: []string{"sh", "-c", script}, StackBytes: 5 << 20, FileBytes: 100 << 10, OpenFiles: 20,
		})
		must(t, err)
		return r
	}
	for _, others := range []string{"none", "some"} {
		r := limited("ulimit -s; ulimit -Hs; ulimit -f; ulimit -Hf; ulimit -n; ulimit -Hn; ulimit -c; ulimit -Hc")
		if r.stdout != "5120\n5120\n200\n200\n20\n20\n0\n0\n" {
			t.Errorf("with %s running beside: %q %s", others, r.stdout, r.stderr)
		}
		r = limited("ulimit -n 21 || head -c 200000 /dev/zero > big; wc -c < big")
		if r.stdout != "102400\n" {
			t.Errorf("with %s running beside: %+v", others, r)
		}
		_, cancel := s.start(&pb.StartRequest{Detached: true, Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
		defer cancel()
	}
	if r := s.mustRun("sh", "-c", "ulimit -s; ulimit -f; head -c 200000 /dev/zero | wc -c"); !strings.HasSuffix(r.stdout, "unlimited\n200000\n") {
		t.Errorf("without limits: %q", r.stdout)
	}
}

func TestLimits(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	for _, test := range []struct {
		request *pb.StartRequest
		limit   pb.LimitKind
	}{
		{&pb.StartRequest{Command: []string{"sh", "-c", "setsid sleep 100 & exec sleep 100"}, WallNanoseconds: 2e8}, pb.LimitKind_LIMIT_KIND_WALL_TIME},
		{&pb.StartRequest{Command: []string{"sh", "-c", "while :; do :; done"}, CpuNanoseconds: 2e8, WallNanoseconds: 2e10}, pb.LimitKind_LIMIT_KIND_CPU_TIME},
		{&pb.StartRequest{Command: []string{"sh", "-c", "yes & yes >&2"}, OutputBytes: 100001}, pb.LimitKind_LIMIT_KIND_OUTPUT},
	} {
		r, err := s.run(test.request)
		must(t, err)
		if r.exited.Limit != test.limit || r.exited.Signal != 9 {
			t.Errorf("%v", r.exited)
		}
		if alive := s.processes(); alive != 0 {
			t.Errorf("%d left", alive)
		}
		switch test.limit {
		case pb.LimitKind_LIMIT_KIND_WALL_TIME:
			if r.exited.WallNanoseconds > 4e8 {
				t.Errorf("late: %v", r.exited)
			}
		case pb.LimitKind_LIMIT_KIND_CPU_TIME:
			if r.exited.CpuNanoseconds > 3e8 {
				t.Errorf("late: %v", r.exited)
			}
		case pb.LimitKind_LIMIT_KIND_OUTPUT:
			truncated := r.exited.StdoutTruncated && len(r.stdout) == 100001 || r.exited.StderrTruncated && len(r.stderr) == 100001
			if !truncated || len(r.stdout) > 100001 || len(r.stderr) > 100001 {
				t.Errorf("%d and %d bytes: %v", len(r.stdout), len(r.stderr), r.exited)
			}
		}
	}
	exact, err := s.run(&pb.StartRequest{Command: []string{"head", "-c", "1000", "/dev/zero"}, OutputBytes: 1000})
	must(t, err)
	if exact.exited.StdoutTruncated || exact.exited.Limit != 0 || len(exact.stdout) != 1000 {
		t.Errorf("exactly the limit: %v", exact.exited)
	}
	s.works()
}

func TestALimitEndsOnlyWhatRanThen(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	for range 50 {
		r, err := s.run(&pb.StartRequest{Command: []string{"sh", "-c", "yes & yes >&2"}, OutputBytes: 1000})
		must(t, err)
		if r.exited.Limit != pb.LimitKind_LIMIT_KIND_OUTPUT {
			t.Fatalf("%v", r.exited)
		}
		if next := s.mustRun("true").exited; next.ExitCode != 0 {
			t.Fatalf("the next one: %v", next)
		}
	}
}
