package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	pb "drydock.dev/agent/internal/agentv1"
)

// testCell is a call of CellService.Run.
type testCell struct {
	t      testing.TB
	stream grpc.BidiStreamingClient[pb.RunRequest, pb.RunResponse]
	cancel context.CancelFunc
	// seen is the output of the step that was read already.
	seen string
}

func (s *sandbox) openCell() *testCell {
	s.t.Helper()
	c, err := s.tryCell(s.context(60 * time.Second))
	must(s.t, err)
	return c
}

// openBigCell has room for so much in /tmp.
func (s *sandbox) openBigCell(bytes int64) *testCell {
	s.t.Helper()
	c, err := s.tryCellOf(s.context(60*time.Second), &pb.OpenCell{HomeBytes: 1 << 20, TemporaryBytes: bytes, SharedMemoryBytes: 1 << 20})
	must(s.t, err)
	return c
}

func (s *sandbox) tryCell(ctx context.Context) (*testCell, error) {
	return s.tryCellOf(ctx, &pb.OpenCell{HomeBytes: 64 << 20, TemporaryBytes: 16 << 20, SharedMemoryBytes: 16 << 20})
}

func (s *sandbox) tryCellOf(ctx context.Context, open *pb.OpenCell) (*testCell, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := s.cells.Run(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	c := &testCell{t: s.t, stream: stream, cancel: cancel}
	// What is wrong with it is told by the answer.
	_ = stream.Send(&pb.RunRequest{Request: &pb.RunRequest_Open{Open: open}})
	response, err := stream.Recv()
	if err == nil && response.GetOpened() == nil {
		err = fmt.Errorf("instead of opened: %v", response)
	}
	return c, err
}

func (c *testCell) file(path string, mode uint32, data string) {
	c.t.Helper()
	must(c.t, c.stream.Send(&pb.RunRequest{Request: &pb.RunRequest_File{File: &pb.CellFile{Path: path, Mode: mode, Data: []byte(data)}}}))
}

func (c *testCell) input(data string, last bool) {
	must(c.t, c.stream.Send(&pb.RunRequest{Request: &pb.RunRequest_Input{Input: &pb.CellInput{Data: []byte(data), Close: last}}}))
}

func (c *testCell) begin(request *pb.StartRequest) {
	c.t.Helper()
	must(c.t, c.stream.Send(&pb.RunRequest{Request: &pb.RunRequest_Start{Start: request}}))
}

type stepResult struct {
	result
	refused string
}

// finish reads what the step does to its end.
func (c *testCell) finish() (r stepResult, err error) {
	var stdout strings.Builder
	stdout.WriteString(c.seen)
	c.seen = ""
	defer func() { r.stdout = stdout.String() }()
	for {
		response, err := c.stream.Recv()
		if err != nil {
			return r, err
		}
		switch event := response.Event.(type) {
		case *pb.RunResponse_Stdout:
			if event.Stdout.Offset != int64(stdout.Len()) {
				return r, fmt.Errorf("stdout offset %d after %d bytes", event.Stdout.Offset, stdout.Len())
			}
			stdout.Write(event.Stdout.Data)
		case *pb.RunResponse_Stderr:
			r.stderr += string(event.Stderr.Data)
		case *pb.RunResponse_Refused:
			r.refused = event.Refused.Message
			return r, nil
		case *pb.RunResponse_Exited:
			r.exited = event.Exited
			return r, nil
		}
	}
}

func (c *testCell) run(request *pb.StartRequest) stepResult {
	c.t.Helper()
	c.begin(request)
	r, err := c.finish()
	must(c.t, err)
	return r
}

func (c *testCell) sh(script string) stepResult {
	c.t.Helper()
	return c.run(&pb.StartRequest{Command: []string{"sh", "-c", script}})
}

// until reads until the step has said something.
func (c *testCell) until(text string) {
	c.t.Helper()
	for !strings.Contains(c.seen, text) {
		response, err := c.stream.Recv()
		must(c.t, err)
		if response.GetExited() != nil || response.GetRefused() != nil {
			c.t.Fatalf("ended early: %v", response)
		}
		c.seen += string(response.GetStdout().GetData())
	}
}

// end ends the call, and waits for its end.
func (c *testCell) end() {
	c.t.Helper()
	must(c.t, c.stream.CloseSend())
	if _, err := c.stream.Recv(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("the end: %v", err)
	}
}

// cellWorks checks what every hostile test ends with.
func (s *sandbox) cellWorks() {
	s.t.Helper()
	c := s.openCell()
	if r := c.sh("echo works"); r.stdout != "works\n" || r.exited.GetExitCode() != 0 {
		s.t.Fatalf("the next cell: %+v %v", r, r.exited)
	}
	c.end()
}

var buildCell = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("drydock-cell-test-%d", os.Getpid()))
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/cell")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s", output)
	}
	return path, nil
})

func cellBinary(t testing.TB) string {
	t.Helper()
	path, err := buildCell()
	must(t, err)
	return path
}
