package main

import (
	"context"
	"syscall"

	"github.com/creack/pty"
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
	err = p.follow(stream.Context(), &reader{process: p}, startEvents{stream})
	if !p.detached && !found {
		p.kill()
	}
	return err
}

func (s *processService) Connect(request *pb.ConnectRequest, stream grpc.ServerStreamingServer[pb.ConnectResponse]) error {
	p, err := s.processes.find(request.ProcessId)
	if err != nil {
		return err
	}
	r := &reader{process: p, stdout: request.StdoutOffset, stderr: request.StderrOffset}
	return p.follow(stream.Context(), r, connectEvents{stream})
}

// events is where a reader's news go: the same four kinds on both streams.
type events interface {
	started(*pb.Started) error
	stdout(*pb.Output) error
	stderr(*pb.Output) error
	exited(*pb.Exited) error
}

// follow sends what a process does until it has ended or the reader is gone.
func (p *process) follow(ctx context.Context, r *reader, to events) error {
	p.mutex.Lock()
	p.readers[r] = struct{}{}
	pid := p.pid
	p.mutex.Unlock()
	defer p.leave(r)
	if err := to.started(&pb.Started{ProcessId: p.id, Pid: int32(pid)}); err != nil {
		return err
	}
	buffer := chunks.Get().(*[chunkBytes]byte)
	defer chunks.Put(buffer)
	for {
		p.mutex.Lock()
		out, outBytes := p.stdout.take(r.stdout, buffer[:])
		err, errBytes := int64(0), 0
		if outBytes == 0 {
			err, errBytes = p.stderr.take(r.stderr, buffer[:])
		}
		exited, changed := p.exited, p.changed
		p.mutex.Unlock()

		var sent error
		switch {
		case outBytes > 0:
			sent = to.stdout(&pb.Output{Offset: out, Data: buffer[:outBytes]})
			p.advance(func() { r.stdout = out + int64(outBytes) })
		case errBytes > 0:
			sent = to.stderr(&pb.Output{Offset: err, Data: buffer[:errBytes]})
			p.advance(func() { r.stderr = err + int64(errBytes) })
		case exited != nil:
			return to.exited(exited)
		default:
			select {
			case <-changed:
			case <-ctx.Done():
				sent = ctx.Err()
			}
		}
		if sent != nil {
			return sent
		}
	}
}

func (p *process) advance(move func()) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	move()
	p.broadcast()
}

// leave takes a reader away. Output of a process that has ended and cannot be joined again is let go.
func (p *process) leave(r *reader) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.readers, r)
	if p.exited != nil && !p.detached && len(p.readers) == 0 {
		p.stdout.release()
		p.stderr.release()
	}
	p.broadcast()
}

func (s *processService) List(context.Context, *pb.ListRequest) (*pb.ListResponse, error) {
	return &pb.ListResponse{Processes: s.processes.list()}, nil
}

func (s *processService) WriteInput(_ context.Context, request *pb.WriteInputRequest) (*pb.WriteInputResponse, error) {
	p, err := s.processes.find(request.ProcessId)
	if err != nil {
		return nil, err
	}
	if !p.running() {
		return nil, status.Error(codes.FailedPrecondition, "the process has ended")
	}
	if p.stdin == nil || (!p.request.OpenStdin && p.terminal == nil) {
		return nil, status.Error(codes.FailedPrecondition, "standard input is not open")
	}
	if _, err := p.stdin.Write(request.Data); err != nil {
		return nil, status.Error(codes.FailedPrecondition, "standard input is closed")
	}
	if request.Close && p.terminal == nil {
		_ = p.stdin.Close()
	}
	return &pb.WriteInputResponse{}, nil
}

func (s *processService) Signal(_ context.Context, request *pb.SignalRequest) (*pb.SignalResponse, error) {
	p, err := s.processes.find(request.ProcessId)
	if err != nil {
		return nil, err
	}
	if !p.running() {
		return nil, status.Error(codes.FailedPrecondition, "the process has ended")
	}
	return &pb.SignalResponse{}, p.signal(syscall.Signal(request.Signal))
}

func (s *processService) Resize(_ context.Context, request *pb.ResizeRequest) (*pb.ResizeResponse, error) {
	p, err := s.processes.find(request.ProcessId)
	if err != nil {
		return nil, err
	}
	if !p.running() || p.terminal == nil {
		return nil, status.Error(codes.FailedPrecondition, "the process has no terminal")
	}
	size := request.GetTerminal()
	if err := pty.Setsize(p.terminal, &pty.Winsize{Cols: uint16(size.GetColumns()), Rows: uint16(size.GetRows())}); err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return &pb.ResizeResponse{}, nil
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
