package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

// testCell is a call of CellService.Run.
type testCell struct {
	t      testing.TB
	stream grpc.BidiStreamingClient[pb.RunRequest, pb.RunResponse]
	cancel context.CancelFunc
}

func (s *sandbox) openCell() *testCell {
	s.t.Helper()
	c, err := s.tryCell(s.context(60 * time.Second))
	must(s.t, err)
	return c
}

func (s *sandbox) tryCell(ctx context.Context) (*testCell, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := s.cells.Run(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	c := &testCell{t: s.t, stream: stream, cancel: cancel}
	open := &pb.OpenCell{HomeBytes: 64 << 20, TemporaryBytes: 16 << 20, SharedMemoryBytes: 16 << 20}
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

// begin starts a step, and waits until it says "ready" where asked to.
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
	for {
		response, err := c.stream.Recv()
		if err != nil {
			return r, err
		}
		switch event := response.Event.(type) {
		case *pb.RunResponse_Stdout:
			if event.Stdout.Offset != int64(len(r.stdout)) {
				return r, fmt.Errorf("stdout offset %d after %d bytes", event.Stdout.Offset, len(r.stdout))
			}
			r.stdout += string(event.Stdout.Data)
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

func TestCellRunsSteps(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	c := s.openCell()
	c.file("main.sh", 0o755, "#!/bin/sh\necho $#")
	c.file("main.sh", 0, "; cat lib/text; id -u; id -g; id -G; pwd; hostname; echo $HOME $X; ps ax | wc -l\n")
	c.file("lib/text", 0, "text\n")
	r := c.run(&pb.StartRequest{Command: []string{"./main.sh", "a", "b"}, Environment: map[string]string{"X": "y"}})
	t.Logf("%+v %v", r, r.exited)
	c.end()
	s.cellWorks()
	_ = os.Stdout
	_ = strings.Contains
	_ = codes.OK
	_ = status.Code
}
