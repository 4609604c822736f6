package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
)

func TestLostLinkIsFollowedByATakeOver(t *testing.T) {
	s := newSandbox(t, sandboxOptions{listen: true, sameUser: true})
	const numbers = 200_000
	count := []string{"sh", "-c", "read go; seq 200000; echo done >&2; read end; exit 3"}
	first, err := s.process.Start(s.context(20*time.Second), &pb.StartRequest{ProcessId: "prc_count", OpenStdin: true, Command: count})
	must(t, err)
	_, err = first.Recv()
	must(t, err)
	write := func() {
		_, err := s.process.WriteInput(s.context(5*time.Second), &pb.WriteInputRequest{ProcessId: "prc_count", Data: []byte("\n")})
		must(t, err)
	}
	write()
	output, lost := collector{t: t}, false
	for !lost {
		response, err := first.Recv()
		lost = err != nil
		output.add(response.GetStdout())
		if len(output.bytes) > 700_000 {
			s.dropLink()
		}
	}
	// As if so much more had been on its way.
	output.bytes = output.bytes[:len(output.bytes)-128<<10]
	second, err := s.process.Connect(s.context(20*time.Second), &pb.ConnectRequest{
		ProcessId: "prc_count", StdoutOffset: int64(len(output.bytes)), TakeOver: true,
	})
	must(t, err)
	for {
		response, err := second.Recv()
		must(t, err)
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
	s := newSandbox(t, sandboxOptions{listen: true, sameUser: true})
	const most = windowBytes + chunkBytes
	write := []string{"sh", "-c", fmt.Sprintf("head -c %d /dev/zero; read go; head -c %d /dev/zero", most, 2*chunkBytes)}
	first, err := s.process.Start(s.context(20*time.Second), &pb.StartRequest{ProcessId: "prc_wait", OpenStdin: true, Command: write})
	must(t, err)
	seen := 0
	for seen < most {
		response, err := first.Recv()
		must(t, err)
		seen += len(response.GetStdout().GetData())
	}
	s.dropLink()
	_, err = s.process.WriteInput(s.context(5*time.Second), &pb.WriteInputRequest{ProcessId: "prc_wait", Data: []byte("\n")})
	must(t, err)
	second, err := s.process.Connect(s.context(20*time.Second), &pb.ConnectRequest{ProcessId: "prc_wait", StdoutOffset: int64(seen), TakeOver: true})
	must(t, err)
	for {
		response, err := second.Recv()
		must(t, err)
		seen += len(response.GetStdout().GetData())
		if response.GetExited() != nil {
			break
		}
	}
	if seen != most+2*chunkBytes {
		t.Errorf("%d bytes", seen)
	}
}

func TestLastWordsAreNotLostWithTheLink(t *testing.T) {
	s := newSandbox(t, sandboxOptions{listen: true, sameUser: true})
	r := s.mustRun("seq", "10000")
	s.dropLink()
	list, err := s.process.List(s.context(5*time.Second), &pb.ListRequest{})
	must(t, err)
	again, err := s.process.Connect(s.context(5*time.Second), &pb.ConnectRequest{ProcessId: list.Processes[0].ProcessId})
	must(t, err)
	output := collector{t: t}
	for {
		response, err := again.Recv()
		must(t, err)
		output.add(response.GetStdout())
		if response.GetExited() != nil {
			break
		}
	}
	if string(output.bytes) != r.stdout {
		t.Errorf("%d bytes", len(output.bytes))
	}
}

func TestOwnerOfAProcess(t *testing.T) {
	s := newSandbox(t, sandboxOptions{listen: true, sameUser: true})
	sleep := &pb.StartRequest{Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}}
	// Beside the end of its own link.
	ended := func() bool { return s.processes() == 1 }
	_, cancel := s.start(sleep)
	cancel()
	s.eventually("its call was cancelled", ended)

	id, cancel := s.start(&pb.StartRequest{Command: sleep.Command})
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	for _, takeOver := range []bool{true, false} {
		joined, err := s.process.Connect(ctx, &pb.ConnectRequest{ProcessId: id, TakeOver: takeOver})
		must(t, err)
		_, err = joined.Recv()
		must(t, err)
	}
	cancel()
	s.works()
	if s.processes() != 2 {
		t.Error("it ended with a call that no longer owned it")
	}
	leave()
	s.eventually("the call that took it over was cancelled", ended)

	s.start(&pb.StartRequest{Command: sleep.Command})
	s.dropLink()
	started := time.Now()
	s.works()
	s.eventually("nobody took it over", ended)
	if took := time.Since(started); took < lostGrace/2 {
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
