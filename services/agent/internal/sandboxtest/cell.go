package sandboxtest

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

// Cell is a call of CellService.Run.
type Cell struct {
	T      testing.TB
	Stream grpc.BidiStreamingClient[pb.RunRequest, pb.RunResponse]
	Cancel context.CancelFunc
	// seen is output of the step that Until has read.
	seen string
}

// OpenCell opens one that has room for small programs.
func (s *Sandbox) OpenCell() *Cell {
	s.T.Helper()
	c, err := s.TryCell(s.Context(60 * time.Second))
	Must(s.T, err)
	return c
}

// OpenBigCell opens one with a disk of this size.
func (s *Sandbox) OpenBigCell(bytes int64) *Cell {
	s.T.Helper()
	c, err := s.TryCellOf(s.Context(60*time.Second), &pb.OpenCell{DiskBytes: bytes, SharedMemoryBytes: 1 << 20})
	Must(s.T, err)
	return c
}

// TryCell opens one like OpenCell, and returns an error.
func (s *Sandbox) TryCell(ctx context.Context) (*Cell, error) {
	return s.TryCellOf(ctx, &pb.OpenCell{DiskBytes: 80 << 20, SharedMemoryBytes: 16 << 20})
}

// TryCellOf opens one of these sizes.
func (s *Sandbox) TryCellOf(ctx context.Context, open *pb.OpenCell) (*Cell, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := s.Cells.Run(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	c := &Cell{T: s.T, Stream: stream, Cancel: cancel}
	// If the request is refused, the answer says why.
	_ = stream.Send(&pb.RunRequest{Request: &pb.RunRequest_Open{Open: open}})
	response, err := stream.Recv()
	if err == nil && response.GetOpened() == nil {
		err = fmt.Errorf("instead of opened: %v", response)
	}
	return c, err
}

// File sends a piece of a file.
func (c *Cell) File(path string, mode uint32, data string) {
	c.T.Helper()
	Must(c.T, c.Stream.Send(&pb.RunRequest{Request: &pb.RunRequest_File{File: &pb.CellFile{Path: path, Mode: mode, Data: []byte(data)}}}))
}

// Input sends input of the running step.
func (c *Cell) Input(data string, last bool) {
	Must(c.T, c.Stream.Send(&pb.RunRequest{Request: &pb.RunRequest_Input{Input: &pb.CellInput{Data: []byte(data), Close: last}}}))
}

// Begin starts a step.
func (c *Cell) Begin(request *pb.StartRequest) {
	c.T.Helper()
	Must(c.T, c.Stream.Send(&pb.RunRequest{Request: &pb.RunRequest_Start{Start: request}}))
}

// StepResult is the outcome of a step: a result, or the reason why it was refused.
type StepResult struct {
	Result
	Refused string
}

// Finish reads the step's events to its end.
func (c *Cell) Finish() (r StepResult, err error) {
	var stdout strings.Builder
	stdout.WriteString(c.seen)
	c.seen = ""
	defer func() { r.Stdout = stdout.String() }()
	for {
		response, err := c.Stream.Recv()
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
			r.Stderr += string(event.Stderr.Data)
		case *pb.RunResponse_Refused:
			r.Refused = event.Refused.Message
			return r, nil
		case *pb.RunResponse_Exited:
			r.Exited = event.Exited
			return r, nil
		}
	}
}

// Run runs a step to its end.
func (c *Cell) Run(request *pb.StartRequest) StepResult {
	c.T.Helper()
	c.Begin(request)
	r, err := c.Finish()
	Must(c.T, err)
	return r
}

// Sh runs a script of the shell as a step.
func (c *Cell) Sh(script string) StepResult {
	c.T.Helper()
	return c.Run(&pb.StartRequest{Command: []string{"sh", "-c", script}})
}

// Until reads until the step has written the text.
func (c *Cell) Until(text string) {
	c.T.Helper()
	for !strings.Contains(c.seen, text) {
		response, err := c.Stream.Recv()
		Must(c.T, err)
		if response.GetExited() != nil || response.GetRefused() != nil {
			c.T.Fatalf("ended early: %v", response)
		}
		c.seen += string(response.GetStdout().GetData())
	}
}

// End closes the call's requests and waits for its end.
func (c *Cell) End() {
	c.T.Helper()
	Must(c.T, c.Stream.CloseSend())
	if _, err := c.Stream.Recv(); !errors.Is(err, io.EOF) {
		c.T.Fatalf("the end: %v", err)
	}
}

// CellWorks checks that the next cell works, with which every hostile test ends.
func (s *Sandbox) CellWorks() {
	s.T.Helper()
	c := s.OpenCell()
	if r := c.Sh("echo works"); r.Stdout != "works\n" || r.Exited.GetExitCode() != 0 {
		s.T.Fatalf("the next cell: %+v %v", r, r.Exited)
	}
	c.End()
}

var buildCell = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("drydock-cell-test-%d", os.Getpid()))
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "drydock.dev/agent/cmd/cell")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s", output)
	}
	return path, nil
})

func cellBinary(t testing.TB) string {
	t.Helper()
	path, err := buildCell()
	Must(t, err)
	return path
}

// Keep keeps the program's directory.
func (c *Cell) Keep() {
	c.T.Helper()
	Must(c.T, c.Stream.Send(&pb.RunRequest{Request: &pb.RunRequest_Keep{Keep: &pb.KeepRequest{}}}))
	response, err := c.Stream.Recv()
	Must(c.T, err)
	if response.GetKept() == nil {
		c.T.Fatalf("instead of kept: %v", response)
	}
}

// Renew has a fresh cell with what was kept.
func (c *Cell) Renew() {
	c.T.Helper()
	Must(c.T, c.Stream.Send(&pb.RunRequest{Request: &pb.RunRequest_Renew{Renew: &pb.RenewRequest{}}}))
	response, err := c.Stream.Recv()
	Must(c.T, err)
	if response.GetOpened() == nil {
		c.T.Fatalf("instead of opened: %v", response)
	}
}
