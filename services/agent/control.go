package main

import (
	"context"
	"maps"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

type controlService struct {
	pb.UnimplementedControlServiceServer
	processes *processTable

	mutex     sync.Mutex
	sandboxID string
	bound     map[string]string
}

func (s *controlService) Bind(_ context.Context, request *pb.BindRequest) (*pb.BindResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.sandboxID == "" {
		s.sandboxID, s.bound = request.SandboxId, request.Environment
		s.processes.setEnvironment(request.Environment)
		return &pb.BindResponse{}, nil
	}
	if s.sandboxID != request.SandboxId || !maps.Equal(s.bound, request.Environment) {
		return nil, status.Error(codes.FailedPrecondition, "the sandbox belongs to somebody")
	}
	return &pb.BindResponse{}, nil
}

func (s *controlService) Ping(context.Context, *pb.PingRequest) (*pb.PingResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return &pb.PingResponse{SandboxId: s.sandboxID}, nil
}

func (s *controlService) GetUsage(context.Context, *pb.GetUsageRequest) (*pb.GetUsageResponse, error) {
	return &pb.GetUsageResponse{Usage: s.processes.counters.read()}, nil
}

func (s *controlService) KillAll(context.Context, *pb.KillAllRequest) (*pb.KillAllResponse, error) {
	s.processes.killAll()
	return &pb.KillAllResponse{}, nil
}
