package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

func TestProbeTellsWhatAcceptsAConnection(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	stream, err := s.process.Start(s.context(20*time.Second), &pb.StartRequest{ProcessId: newID(), Command: python(`
import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print("port", s.getsockname()[1], flush=True); time.sleep(100)`)})
	must(t, err)
	var port int
	for port == 0 {
		response, err := stream.Recv()
		must(t, err)
		_, _ = fmt.Sscanf(string(response.GetStdout().GetData()), "port %d", &port)
	}
	open := fmt.Sprintf("127.0.0.1:%d", port)
	// One where nobody listens, and one to which there is no way.
	addresses := []string{"127.0.0.1:1", open, "192.0.2.1:80"}
	request := &pb.ProbeNetworkRequest{Addresses: addresses, WallNanoseconds: int64(500 * time.Millisecond)}
	response, err := s.control.ProbeNetwork(s.context(10*time.Second), request)
	must(t, err)
	if !slices.Equal(response.Reached, []string{open}) {
		t.Errorf("%v", response.Reached)
	}
}

func TestProbeRefusesWhatItCannotTry(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	for _, request := range []*pb.ProbeNetworkRequest{
		{WallNanoseconds: 1, Addresses: []string{"localhost:80"}},
		{WallNanoseconds: 1, Addresses: []string{"127.0.0.1"}},
		{WallNanoseconds: 1, Addresses: make([]string, maxProbes+1)},
		{WallNanoseconds: 0},
		{WallNanoseconds: int64(maxProbeTime) + 1},
	} {
		if _, err := s.control.ProbeNetwork(s.context(5*time.Second), request); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", request, err)
		}
	}
}
