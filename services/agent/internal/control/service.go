package control

import (
	"context"
	"maps"
	"sync"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/cgroup"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/process"
	"drydock.dev/agent/internal/tree"
	"drydock.dev/agent/internal/user"
)

// Service implements ControlService.
type Service struct {
	pb.UnimplementedControlServiceServer
	user      user.User
	processes *process.Table
	counters  *cgroup.Counters

	mutex     sync.Mutex
	sandboxID string
	bound     map[string]string
	kept      *tree.Tree
}

// New makes the service of a sandbox with these processes and counters.
func New(u user.User, processes *process.Table, counters *cgroup.Counters) *Service {
	return &Service{user: u, processes: processes, counters: counters}
}

func (s *Service) Bind(_ context.Context, request *pb.BindRequest) (*pb.BindResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.sandboxID == "" {
		s.sandboxID, s.bound = request.SandboxId, request.Environment
		s.processes.SetEnvironment(request.Environment)
		return &pb.BindResponse{}, nil
	}
	if s.sandboxID != request.SandboxId || !maps.Equal(s.bound, request.Environment) {
		return nil, fault.New(pb.Reason_SANDBOX_BOUND, "the sandbox is bound to another owner")
	}
	return &pb.BindResponse{}, nil
}

func (s *Service) Ping(context.Context, *pb.PingRequest) (*pb.PingResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return &pb.PingResponse{SandboxId: s.sandboxID}, nil
}

func (s *Service) GetUsage(context.Context, *pb.GetUsageRequest) (*pb.GetUsageResponse, error) {
	return &pb.GetUsageResponse{Usage: s.counters.Read()}, nil
}

func (s *Service) KillAll(context.Context, *pb.KillAllRequest) (*pb.KillAllResponse, error) {
	s.processes.KillAll()
	return &pb.KillAllResponse{}, nil
}
