package tunnel_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestTunnel(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	for family, address := range map[string]string{"AF_INET": "127.0.0.1", "AF_INET6": "::1"} {
		server := fmt.Sprintf(`
import socket
s = socket.socket(socket.%s); s.bind((%q, 0)); s.listen()
print("port", s.getsockname()[1], "ready", flush=True)
c, _ = s.accept(); data = b""
while True:
    more = c.recv(65536)
    if not more: break
    data += more
c.sendall(data[::-1]); c.close()
import time; time.sleep(100)`, family, address)
		var port uint32
		id := sandboxtest.NewID()
		stream, err := s.Process.Start(s.Context(20*time.Second), &pb.StartRequest{ProcessId: id, Command: []string{"python3", "-c", server}})
		sandboxtest.Must(t, err)
		for port == 0 {
			response, err := stream.Recv()
			sandboxtest.Must(t, err)
			_, _ = fmt.Sscanf(string(response.GetStdout().GetData()), "port %d", &port)
			if response.GetExited() != nil {
				t.Skipf("no %s here", family)
			}
		}
		tunnel, err := s.Tunnel.Open(s.Context(10 * time.Second))
		sandboxtest.Must(t, err)
		sandboxtest.Must(t, tunnel.Send(&pb.OpenRequest{Port: port, Data: []byte("abc")}))
		sandboxtest.Must(t, tunnel.Send(&pb.OpenRequest{Data: []byte("def")}))
		sandboxtest.Must(t, tunnel.CloseSend())
		answer := ""
		for {
			response, err := tunnel.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			sandboxtest.Must(t, err)
			answer += string(response.Data)
		}
		if answer != "fedcba" {
			t.Errorf("%q", answer)
		}
	}
	tunnel, err := s.Tunnel.Open(s.Context(10 * time.Second))
	sandboxtest.Must(t, err)
	sandboxtest.Must(t, tunnel.Send(&pb.OpenRequest{Port: 1}))
	if _, err := tunnel.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("nobody listens: %v", err)
	}
}
