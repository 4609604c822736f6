package process_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/chunk"
	"drydock.dev/agent/internal/process"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestLostLinkIsFollowedByATakeOver(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Listen: true, SameUser: true})
	const numbers = 200_000
	count := []string{"sh", "-c", "read go; seq 200000; echo done >&2; read end; exit 3"}
	first, err := s.Process.Start(s.Context(20*time.Second), &pb.StartRequest{ProcessId: "prc_count", OpenStdin: true, Command: count})
	sandboxtest.Must(t, err)
	_, err = first.Recv()
	sandboxtest.Must(t, err)
	write := func() {
		_, err := s.Process.WriteInput(s.Context(5*time.Second), &pb.WriteInputRequest{ProcessId: "prc_count", Data: []byte("\n")})
		sandboxtest.Must(t, err)
	}
	write()
	output := collector{t: t}
	for len(output.bytes) < 200_000 {
		response, err := first.Recv()
		sandboxtest.Must(t, err)
		output.add(response.GetStdout())
	}
	// As much as possible is on its way, and is lost: nobody reads the first call again.
	s.UntilBlocked("seq")
	s.DropLink()
	second, err := s.Process.Connect(s.Context(20*time.Second), &pb.ConnectRequest{
		ProcessId: "prc_count", StdoutOffset: int64(len(output.bytes)), TakeOver: true,
	})
	sandboxtest.Must(t, err)
	for {
		response, err := second.Recv()
		sandboxtest.Must(t, err)
		output.add(response.GetStdout())
		if response.GetStderr() != nil {
			write()
		}
		if exited := response.GetExited(); exited != nil {
			if exited.ExitCode != 3 {
				t.Errorf("%v", exited)
			}
			break
		}
	}
	if lines := strings.Split(string(output.bytes), "\n"); len(lines) != numbers+1 || lines[numbers-1] != "200000" {
		t.Errorf("%d lines", len(lines)-1)
	}
}

func TestProgramThatWaitsForAReaderGoesOnWithTheNext(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Listen: true, SameUser: true})
	const most = process.WindowBytes + chunk.Bytes
	write := []string{"sh", "-c", fmt.Sprintf("head -c %d /dev/zero; read go; head -c %d /dev/zero", most, 2*chunk.Bytes)}
	first, err := s.Process.Start(s.Context(20*time.Second), &pb.StartRequest{ProcessId: "prc_wait", OpenStdin: true, Command: write})
	sandboxtest.Must(t, err)
	seen := 0
	for seen < most {
		response, err := first.Recv()
		sandboxtest.Must(t, err)
		seen += len(response.GetStdout().GetData())
	}
	s.DropLink()
	_, err = s.Process.WriteInput(s.Context(5*time.Second), &pb.WriteInputRequest{ProcessId: "prc_wait", Data: []byte("\n")})
	sandboxtest.Must(t, err)
	second, err := s.Process.Connect(s.Context(20*time.Second), &pb.ConnectRequest{ProcessId: "prc_wait", StdoutOffset: int64(seen), TakeOver: true})
	sandboxtest.Must(t, err)
	for {
		response, err := second.Recv()
		sandboxtest.Must(t, err)
		seen += len(response.GetStdout().GetData())
		if response.GetExited() != nil {
			break
		}
	}
	if seen != most+2*chunk.Bytes {
		t.Errorf("%d bytes", seen)
	}
}

func TestLastWordsAreNotLostWithTheLink(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Listen: true, SameUser: true})
	r := s.MustRun("seq", "10000")
	s.DropLink()
	s.Eventually("it is reached again", func() bool {
		_, err := s.Control.Ping(s.Context(5*time.Second), &pb.PingRequest{})
		return err == nil
	})
	list, err := s.Process.List(s.Context(5*time.Second), &pb.ListRequest{})
	sandboxtest.Must(t, err)
	again, err := s.Process.Connect(s.Context(5*time.Second), &pb.ConnectRequest{ProcessId: list.Processes[0].ProcessId})
	sandboxtest.Must(t, err)
	output := collector{t: t}
	for {
		response, err := again.Recv()
		sandboxtest.Must(t, err)
		output.add(response.GetStdout())
		if response.GetExited() != nil {
			break
		}
	}
	if string(output.bytes) != r.Stdout {
		t.Errorf("%d bytes", len(output.bytes))
	}
}

func TestOwnerOfAProcess(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Listen: true, SameUser: true})
	sleep := &pb.StartRequest{Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}}
	// Beside the end of its own link.
	ended := func() bool { return s.Processes() == 1 }
	_, cancel := s.Start(sleep)
	cancel()
	s.Eventually("its call was cancelled", ended)

	id, cancel := s.Start(&pb.StartRequest{Command: sleep.Command})
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	for _, takeOver := range []bool{true, false} {
		joined, err := s.Process.Connect(ctx, &pb.ConnectRequest{ProcessId: id, TakeOver: takeOver})
		sandboxtest.Must(t, err)
		_, err = joined.Recv()
		sandboxtest.Must(t, err)
	}
	cancel()
	s.Works()
	if s.Processes() != 2 {
		t.Error("it ended with a call that no longer owned it")
	}
	leave()
	s.Eventually("the call that took it over was cancelled", ended)

	s.Start(&pb.StartRequest{Command: sleep.Command})
	s.DropLink()
	started := time.Now()
	s.Works()
	s.Eventually("nobody took it over", ended)
	if took := time.Since(started); took < process.LostGrace/2 {
		t.Errorf("after %v", took)
	}
}

// collector puts output together. Each piece must continue the one before.
type collector struct {
	t     *testing.T
	bytes []byte
}

func (c *collector) add(output *pb.Output) {
	if output != nil && output.Offset != int64(len(c.bytes)) {
		c.t.Fatalf("at %d, after %d bytes", output.Offset, len(c.bytes))
	}
	c.bytes = append(c.bytes, output.GetData()...)
}
