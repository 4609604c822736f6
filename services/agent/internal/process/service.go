package process

import (
	"context"
	"syscall"

	"google.golang.org/grpc"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/chunk"
	"drydock.dev/agent/internal/fault"
)

// Service implements ProcessService.
type Service struct {
	pb.UnimplementedProcessServiceServer
	processes *Table
}

// reader is a call that follows a process, and its offsets.
type reader struct {
	process        *Process
	stdout, stderr int64
	last           *stream
}

func (r *reader) offsetOf(s *stream) int64 {
	if s == &r.process.stdout {
		return r.stdout
	}
	return r.stderr
}

// NewService makes the service of a table's processes.
func NewService(processes *Table) *Service { return &Service{processes: processes} }

func (s *Service) Start(request *pb.StartRequest, stream grpc.ServerStreamingServer[pb.StartResponse]) error {
	p, found, err := s.processes.start(request)
	if err != nil {
		return err
	}
	follower := p.starter
	if found {
		follower = &reader{process: p}
	}
	defer p.disown(stream.Context(), follower)
	return p.follow(stream.Context(), follower, startEvents{stream})
}

func (s *Service) Connect(request *pb.ConnectRequest, stream grpc.ServerStreamingServer[pb.ConnectResponse]) error {
	p, err := s.processes.find(request.ProcessId)
	if err != nil {
		return err
	}
	r := &reader{process: p, stdout: request.StdoutOffset, stderr: request.StderrOffset}
	if request.TakeOver {
		p.own(r)
	}
	defer p.disown(stream.Context(), r)
	return p.follow(stream.Context(), r, connectEvents{stream})
}

// Events is the destination of a process's events: the same four kinds in every call.
type Events interface {
	Started(*pb.Started) error
	Stdout(*pb.Output) error
	Stderr(*pb.Output) error
	Exited(*pb.Exited) error
}

// Follow sends the events of a process to the caller that started it, until its end.
func (p *Process) Follow(ctx context.Context, to Events) error { return p.follow(ctx, p.starter, to) }

// follow sends a process's events until its end, or until the reader is gone.
func (p *Process) follow(ctx context.Context, r *reader, to Events) error {
	p.mutex.Lock()
	p.readers[r] = struct{}{}
	pid := p.pid
	// A program that waits for a reader has one now, even if there is nothing to send first.
	p.broadcast()
	p.mutex.Unlock()
	defer p.leave(r)
	if err := to.Started(&pb.Started{ProcessId: p.id, Pid: int32(pid)}); err != nil {
		return err
	}
	buffer := chunk.Get()
	defer chunk.Put(buffer)
	for {
		p.mutex.Lock()
		output := p.next(r, buffer[:])
		exited, changed := p.exited, p.changed
		p.mutex.Unlock()
		switch {
		case output != nil:
			if err := output.send(to); err != nil {
				return err
			}
			p.advance(r, output)
		case exited != nil:
			return to.Exited(exited)
		default:
			select {
			case <-changed:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// piece is a part of one of the outputs.
type piece struct {
	of     *stream
	output pb.Output
}

// next takes bytes that the reader has not seen, of both streams in turn. The mutex is held.
func (p *Process) next(r *reader, buffer []byte) *piece {
	order := [2]*stream{&p.stdout, &p.stderr}
	if r.last == &p.stdout {
		order[0], order[1] = order[1], order[0]
	}
	for _, s := range order {
		if offset, count := s.take(r.offsetOf(s), buffer); count > 0 {
			r.last = s
			return &piece{of: s, output: pb.Output{Offset: offset, Data: buffer[:count]}}
		}
	}
	return nil
}

func (c *piece) send(to Events) error {
	if c.of == &c.of.process.stdout {
		return to.Stdout(&c.output)
	}
	return to.Stderr(&c.output)
}

func (p *Process) advance(r *reader, sent *piece) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	end := sent.output.Offset + int64(len(sent.output.Data))
	if sent.of == &p.stdout {
		r.stdout = end
	} else {
		r.stderr = end
	}
	p.broadcast()
}

func (p *Process) leave(r *reader) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.readers, r)
	p.letGo()
	p.broadcast()
}

func (s *Service) List(context.Context, *pb.ListRequest) (*pb.ListResponse, error) {
	return &pb.ListResponse{Processes: s.processes.list()}, nil
}

// WriteInput gives the program bytes, and waits until its pipe has taken them. FAILED_PRECONDITION: its input is not open.
func (p *Process) WriteInput(ctx context.Context, data []byte, last bool) error {
	if p.input == nil {
		return errNoInput
	}
	return p.input.write(ctx, data, last)
}

func (s *Service) WriteInput(ctx context.Context, request *pb.WriteInputRequest) (*pb.WriteInputResponse, error) {
	p, err := s.findRunning(request.ProcessId)
	if err != nil {
		return nil, err
	}
	return &pb.WriteInputResponse{}, p.WriteInput(ctx, request.Data, request.Close)
}

func (s *Service) Signal(_ context.Context, request *pb.SignalRequest) (*pb.SignalResponse, error) {
	p, err := s.findRunning(request.ProcessId)
	if err != nil {
		return nil, err
	}
	return &pb.SignalResponse{}, s.processes.signal(p, syscall.Signal(request.Signal))
}

func (s *Service) Resize(_ context.Context, request *pb.ResizeRequest) (*pb.ResizeResponse, error) {
	p, err := s.findRunning(request.ProcessId)
	if err != nil {
		return nil, err
	}
	if p.terminal == nil {
		return nil, fault.New(pb.Reason_PROCESS_INPUT_CLOSED, "the process has no terminal")
	}
	if err := resize(p.terminal, request.Terminal); err != nil {
		return nil, fault.New(pb.Reason_PROCESS_INPUT_CLOSED, "%v", err)
	}
	return &pb.ResizeResponse{}, nil
}

func (s *Service) findRunning(id string) (*Process, error) {
	p, err := s.processes.find(id)
	if err == nil && !p.running() {
		err = errEnded
	}
	return p, err
}

type startEvents struct {
	to grpc.ServerStreamingServer[pb.StartResponse]
}

func (e startEvents) Started(v *pb.Started) error {
	return e.to.Send(&pb.StartResponse{Event: &pb.StartResponse_Started{Started: v}})
}
func (e startEvents) Stdout(v *pb.Output) error {
	return e.to.Send(&pb.StartResponse{Event: &pb.StartResponse_Stdout{Stdout: v}})
}
func (e startEvents) Stderr(v *pb.Output) error {
	return e.to.Send(&pb.StartResponse{Event: &pb.StartResponse_Stderr{Stderr: v}})
}
func (e startEvents) Exited(v *pb.Exited) error {
	return e.to.Send(&pb.StartResponse{Event: &pb.StartResponse_Exited{Exited: v}})
}

type connectEvents struct {
	to grpc.ServerStreamingServer[pb.ConnectResponse]
}

func (e connectEvents) Started(v *pb.Started) error {
	return e.to.Send(&pb.ConnectResponse{Event: &pb.ConnectResponse_Started{Started: v}})
}
func (e connectEvents) Stdout(v *pb.Output) error {
	return e.to.Send(&pb.ConnectResponse{Event: &pb.ConnectResponse_Stdout{Stdout: v}})
}
func (e connectEvents) Stderr(v *pb.Output) error {
	return e.to.Send(&pb.ConnectResponse{Event: &pb.ConnectResponse_Stderr{Stderr: v}})
}
func (e connectEvents) Exited(v *pb.Exited) error {
	return e.to.Send(&pb.ConnectResponse{Event: &pb.ConnectResponse_Exited{Exited: v}})
}
