package process_test

import (
	"strings"
	"testing"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestLimitsThatTheKernelKeeps(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	limited := func(script string) sandboxtest.Result {
		t.Helper()
		r, err := s.Run(&pb.StartRequest{
			Command: []string{"sh", "-c", script}, StackBytes: 5 << 20, FileBytes: 100 << 10, OpenFiles: 20,
		})
		sandboxtest.Must(t, err)
		return r
	}
	for _, others := range []string{"none", "some"} {
		r := limited("ulimit -s; ulimit -Hs; ulimit -f; ulimit -Hf; ulimit -n; ulimit -Hn; ulimit -c; ulimit -Hc")
		if r.Stdout != "5120\n5120\n200\n200\n20\n20\n0\n0\n" {
			t.Errorf("with %s running beside: %q %s", others, r.Stdout, r.Stderr)
		}
		r = limited("ulimit -n 21 || head -c 200000 /dev/zero > big; wc -c < big")
		if r.Stdout != "102400\n" {
			t.Errorf("with %s running beside: %+v", others, r)
		}
		_, cancel := s.Start(&pb.StartRequest{Detached: true, Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
		defer cancel()
	}
	if r := s.MustRun("sh", "-c", "ulimit -s; ulimit -f; head -c 200000 /dev/zero | wc -c"); !strings.HasSuffix(r.Stdout, "unlimited\n200000\n") {
		t.Errorf("without limits: %q", r.Stdout)
	}
}

func TestLimits(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	for _, test := range []struct {
		request *pb.StartRequest
		limit   pb.LimitKind
	}{
		{&pb.StartRequest{Command: []string{"sh", "-c", "setsid sleep 100 & exec sleep 100"}, WallNanoseconds: 2e8}, pb.LimitKind_LIMIT_KIND_WALL_TIME},
		{&pb.StartRequest{Command: []string{"sh", "-c", "while :; do :; done"}, CpuNanoseconds: 2e8, WallNanoseconds: 2e10}, pb.LimitKind_LIMIT_KIND_CPU_TIME},
		{&pb.StartRequest{Command: []string{"sh", "-c", "yes & yes >&2"}, OutputBytes: 100001}, pb.LimitKind_LIMIT_KIND_OUTPUT},
	} {
		r, err := s.Run(test.request)
		sandboxtest.Must(t, err)
		if r.Exited.Limit != test.limit || r.Exited.Signal != 9 {
			t.Errorf("%v", r.Exited)
		}
		if alive := s.Processes(); alive != 0 {
			t.Errorf("%d left", alive)
		}
		switch test.limit {
		case pb.LimitKind_LIMIT_KIND_WALL_TIME:
			if r.Exited.WallNanoseconds > 4e8 {
				t.Errorf("late: %v", r.Exited)
			}
		case pb.LimitKind_LIMIT_KIND_CPU_TIME:
			if r.Exited.CpuNanoseconds > 3e8 {
				t.Errorf("late: %v", r.Exited)
			}
		case pb.LimitKind_LIMIT_KIND_OUTPUT:
			truncated := r.Exited.StdoutTruncated && len(r.Stdout) == 100001 || r.Exited.StderrTruncated && len(r.Stderr) == 100001
			if !truncated || len(r.Stdout) > 100001 || len(r.Stderr) > 100001 {
				t.Errorf("%d and %d bytes: %v", len(r.Stdout), len(r.Stderr), r.Exited)
			}
		}
	}
	exact, err := s.Run(&pb.StartRequest{Command: []string{"head", "-c", "1000", "/dev/zero"}, OutputBytes: 1000})
	sandboxtest.Must(t, err)
	if exact.Exited.StdoutTruncated || exact.Exited.Limit != 0 || len(exact.Stdout) != 1000 {
		t.Errorf("exactly the limit: %v", exact.Exited)
	}
	s.Works()
}

func TestALimitEndsOnlyWhatRanThen(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	for range 50 {
		r, err := s.Run(&pb.StartRequest{Command: []string{"sh", "-c", "yes & yes >&2"}, OutputBytes: 1000})
		sandboxtest.Must(t, err)
		if r.Exited.Limit != pb.LimitKind_LIMIT_KIND_OUTPUT {
			t.Fatalf("%v", r.Exited)
		}
		if next := s.MustRun("true").Exited; next.ExitCode != 0 {
			t.Fatalf("the next one: %v", next)
		}
	}
}
