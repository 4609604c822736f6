package link_test

import (
	"testing"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestMain(m *testing.M) { sandboxtest.Main(m) }

func TestProgramCannotDriveTheAgentItself(t *testing.T) {
	for _, sameUser := range []bool{false, true} {
		s := sandboxtest.New(t, sandboxtest.Options{Listen: true, SameUser: sameUser})
		r := s.MustRun(sandboxtest.Python(`
import socket
s = socket.socket(socket.AF_UNIX); s.connect("\0drydock-test")
try:
    s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    print(s.recv(100))
except OSError as e: print(b"")
try: socket.socket(socket.AF_UNIX).bind("\0drydock-test")
except OSError as e: print("taken")`)...)
		if r.Stdout != "b''\ntaken\n" {
			t.Errorf("same user %v: %+v", sameUser, r)
		}
		// Ending everything spares the stream that the executor opened from outside.
		_, cancel := s.Start(&pb.StartRequest{Command: []string{"sh", "-c", "setsid sleep 1000 & echo ready; sleep 1000"}})
		_, err := s.Control.KillAll(s.Context(10*time.Second), &pb.KillAllRequest{})
		sandboxtest.Must(t, err)
		cancel()
		s.Works()
	}
}
