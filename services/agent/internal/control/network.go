package control

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
)

// Limits of one ProbeNetwork.
const (
	MaxProbes    = 16
	MaxProbeTime = 10 * time.Second
)

func (s *Service) ProbeNetwork(ctx context.Context, request *pb.ProbeNetworkRequest) (*pb.ProbeNetworkResponse, error) {
	limit := time.Duration(request.WallNanoseconds)
	if limit <= 0 || limit > MaxProbeTime || len(request.Addresses) > MaxProbes {
		return nil, fault.New(pb.Reason_INVALID_REQUEST, "a time of up to 10 s and up to 16 addresses")
	}
	for _, address := range request.Addresses {
		if _, err := netip.ParseAddrPort(address); err != nil {
			return nil, fault.New(pb.Reason_INVALID_REQUEST, "%v", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var wait sync.WaitGroup
	accepted := make([]bool, len(request.Addresses))
	for i, address := range request.Addresses {
		wait.Go(func() {
			connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			if err == nil {
				_ = connection.Close()
			}
			accepted[i] = err == nil
		})
	}
	wait.Wait()
	response := &pb.ProbeNetworkResponse{}
	for i, address := range request.Addresses {
		if accepted[i] {
			response.Reached = append(response.Reached, address)
		}
	}
	return response, nil
}
