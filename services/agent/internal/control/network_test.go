package control_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/control"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestProbeTellsWhatAcceptsAConnection(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	stream, err := s.Process.Start(s.Context(20*time.Second), &pb.StartRequest{ProcessId: sandboxtest.NewID(), Command: sandboxtest.Python(`
import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print("port", s.getsockname()[1], flush=True); time.sleep(100)`)})
	sandboxtest.Must(t, err)
	var port int
	for port == 0 {
		response, err := stream.Recv()
		sandboxtest.Must(t, err)
		_, _ = fmt.Sscanf(string(response.GetStdout().GetData()), "port %d", &port)
	}
	open := fmt.Sprintf("127.0.0.1:%d", port)
	// No program listens on the first, and no route leads to the last.
	addresses := []string{"127.0.0.1:1", open, "192.0.2.1:80"}
	request := &pb.ProbeNetworkRequest{Addresses: addresses, WallNanoseconds: int64(500 * time.Millisecond)}
	response, err := s.Control.ProbeNetwork(s.Context(10*time.Second), request)
	sandboxtest.Must(t, err)
	if !slices.Equal(response.Reached, []string{open}) {
		t.Errorf("%v", response.Reached)
	}
}

func TestProbeRefusesWhatItCannotTry(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	for _, request := range []*pb.ProbeNetworkRequest{
		{WallNanoseconds: 1, Addresses: []string{"localhost:80"}},
		{WallNanoseconds: 1, Addresses: []string{"127.0.0.1"}},
		{WallNanoseconds: 1, Addresses: make([]string, control.MaxProbes+1)},
		{WallNanoseconds: 0},
		{WallNanoseconds: int64(control.MaxProbeTime) + 1},
	} {
		if _, err := s.Control.ProbeNetwork(s.Context(5*time.Second), request); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", request, err)
		}
	}
}
