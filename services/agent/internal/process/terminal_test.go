package process_test

import (
	"strings"
	"testing"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestAProcessWithATerminalEndsWithoutItsBackgroundJobs(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	started := time.Now()
	r, err := s.Run(&pb.StartRequest{
		ProcessId: sandboxtest.NewID(), Command: []string{"bash", "-c", "set -m; sleep 1000 & echo hi; exit 7"},
		Terminal: &pb.TerminalSize{Columns: 80, Rows: 24},
	})
	sandboxtest.Must(t, err)
	if took := time.Since(started); took > 5*time.Second || r.Exited.GetExitCode() != 7 || !strings.HasPrefix(r.Stdout, "hi") {
		t.Errorf("after %v: %+v %v", took, r, r.Exited)
	}
	s.Eventually("its job has ended", func() bool { return s.Processes() == 0 })
}
