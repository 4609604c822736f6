package main

import (
	"context"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

type processService struct {
	pb.UnimplementedProcessServiceServer
	processes *processTable
}

// reader is somebody who follows a process, and how far they have come.
type reader struct {
	process        *process
	stdout, stderr int64
	last           *stream
}

func (r *reader) offsetOf(s *stream) int64 {
	if s == &r.process.stdout {
		return r.stdout
	}
	return r.stderr
}

func (s *processService) Start(request *pb.StartRequest, stream grpc.ServerStreamingServer[pb.StartResponse]) error {
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

func (s *processService) Connect(request *pb.ConnectRequest, stream grpc.ServerStreamingServer[pb.ConnectResponse]) error {
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

// events is where a reader's news go: the same four kinds on both streams.
type events interface {
	started(*pb.Started) error
	stdout(*pb.Output) error
	stderr(*pb.Output) error
	exited(*pb.Exited) error
}

// follow sends what a process does until it has ended and all was sent, or the reader is gone.
func (p *process) follow(ctx context.Context, r *reader, to events) error {
	p.mutex.Lock()
	p.readers[r] = struct{}{}
	pid := p.pid
	// A program that waits because nobody reads has somebody now, even if there is nothing to send first.
	p.broadcast()
	p.mutex.Unlock()
	defer p.leave(r)
	if err := to.started(&pb.Started{ProcessId: p.id, Pid: int32(pid)}); err != nil {
		return err
	}
	buffer := chunks.Get().(*[chunkBytes]byte)
	defer chunks.Put(buffer)
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
			return to.exited(exited)
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

// next takes what the reader has not seen, of both streams in turn. The mutex is held.
func (p *process) next(r *reader, buffer []byte) *piece {
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

func (c *piece) send(to events) error {
	if c.of == &c.of.process.stdout {
		return to.stdout(&c.output)
	}
	return to.stderr(&c.output)
}

func (p *process) advance(r *reader, sent *piece) {
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

func (p *process) leave(r *reader) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.readers, r)
	p.letGo()
	p.broadcast()
}

func (s *processService) List(context.Context, *pb.ListRequest) (*pb.ListResponse, error) {
	return &pb.ListResponse{Processes: s.processes.list()}, nil
}

func (s *processService) WriteInput(ctx context.Context, request *pb.WriteInputRequest) (*pb.WriteInputResponse, error) {
	p, err := s.findRunning(request.ProcessId)
	if err != nil {
		return nil, err
	}
	if p.input == nil {
		return nil, status.Error(codes.FailedPrecondition, "standard input is not open")
	}
	return &pb.WriteInputResponse{}, p.input.write(ctx, request.Data, request.Close)
}

func (s *processService) Signal(_ context.Context, request *pb.SignalRequest) (*pb.SignalResponse, error) {
	p, err := s.findRunning(request.ProcessId)
	if err != nil {
		return nil, err
	}
	return &pb.SignalResponse{}, s.processes.signal(p, syscall.Signal(request.Signal))
}

func (s *processService) Resize(_ context.Context, request *pb.ResizeRequest) (*pb.ResizeResponse, error) {
	p, err := s.findRunning(request.ProcessId)
	if err != nil {
		return nil, err
	}
	if p.terminal == nil {
		return nil, status.Error(codes.FailedPrecondition, "the process has no terminal")
	}
	if err := resize(p.terminal, request.Terminal); err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &pb.ResizeResponse{}, nil
}

func (s *processService) findRunning(id string) (*process, error) {
	p, err := s.processes.find(id)
	if err == nil && !p.running() {
		err = errEnded
	}
	return p, err
}

type startEvents struct {
	to grpc.ServerStreamingServer[pb.StartResponse]
}

func (e startEvents) started(v *pb.Started) error {
	return e.to.Send(&pb.StartResponse{Event: &pb.StartResponse_Started{Started: v}})
}
func (e startEvents) stdout(v *pb.Output) error {
	return e.to.Send(&pb.StartResponse{Event: &pb.StartResponse_Stdout{Stdout: v}})
}
func (e startEvents) stderr(v *pb.Output) error {
	return e.to.Send(&pb.StartResponse{Event: &pb.StartResponse_Stderr{Stderr: v}})
}
func (e startEvents) exited(v *pb.Exited) error {
	return e.to.Send(&pb.StartResponse{Event: &pb.StartResponse_Exited{Exited: v}})
}

type connectEvents struct {
	to grpc.ServerStreamingServer[pb.ConnectResponse]
}

func (e connectEvents) started(v *pb.Started) error {
	return e.to.Send(&pb.ConnectResponse{Event: &pb.ConnectResponse_Started{Started: v}})
}
func (e connectEvents) stdout(v *pb.Output) error {
	return e.to.Send(&pb.ConnectResponse{Event: &pb.ConnectResponse_Stdout{Stdout: v}})
}
func (e connectEvents) stderr(v *pb.Output) error {
	return e.to.Send(&pb.ConnectResponse{Event: &pb.ConnectResponse_Stderr{Stderr: v}})
}
func (e connectEvents) exited(v *pb.Exited) error {
	return e.to.Send(&pb.ConnectResponse{Event: &pb.ConnectResponse_Exited{Exited: v}})
}
