package tunnel

import (
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	"google.golang.org/grpc"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/chunk"
	"drydock.dev/agent/internal/fault"
)

const dialTimeout = 5 * time.Second

// Service implements TunnelService.
type Service struct {
	pb.UnimplementedTunnelServiceServer
}

func (s *Service) Open(stream grpc.BidiStreamingServer[pb.OpenRequest, pb.OpenResponse]) error {
	first, err := stream.Recv()
	if err != nil || first.Port == 0 || first.Port > 65535 {
		return fault.New(pb.Reason_INVALID_REQUEST, "the first message carries a port from 1 to 65535")
	}
	connection, err := dialLoopback(strconv.Itoa(int(first.Port)))
	if err != nil {
		return fault.New(pb.Reason_PORT_NOT_LISTENING, "no program listens on port %d", first.Port)
	}
	defer connection.Close()
	if _, err := connection.Write(first.Data); err != nil {
		return fault.New(pb.Reason_PORT_NOT_LISTENING, "%v", err)
	}
	go func() {
		for {
			request, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				_ = connection.CloseWrite()
				return
			}
			if err != nil {
				_ = connection.Close()
				return
			}
			if _, err := connection.Write(request.Data); err != nil {
				return
			}
		}
	}()
	buffer := chunk.Get()
	defer chunk.Put(buffer)
	for {
		count, err := connection.Read(buffer[:])
		if count > 0 {
			if sent := stream.Send(&pb.OpenResponse{Data: buffer[:count]}); sent != nil {
				return sent
			}
		}
		if err != nil {
			return nil
		}
	}
}

func dialLoopback(port string) (*net.TCPConn, error) {
	var failed error
	for _, host := range []string{"127.0.0.1", "::1"} {
		connection, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), dialTimeout)
		if err == nil {
			return connection.(*net.TCPConn), nil
		}
		failed = err
	}
	return nil, failed
}
