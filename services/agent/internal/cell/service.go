package cell

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/cell/wire"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/process"
	"drydock.dev/agent/internal/tree"
	"drydock.dev/agent/internal/user"
)

const cancelGrace = 50 * time.Millisecond

// Service implements CellService.
type Service struct {
	pb.UnimplementedCellServiceServer
	user      user.User
	processes *process.Table
	// program is the file of a cell's first process; hidden are directories of ours that are empty in a cell.
	program string
	hidden  []string

	mutex    sync.Mutex
	occupied *occupancy
	// spare was made in advance. Its maker holds making.
	spare  *cell
	making sync.Mutex
}

// New expects the program of a cell's first process beside the agent's. Cells hide the directories of both and of the socket.
func New(u user.User, processes *process.Table, socket string) *Service {
	s := &Service{user: u, processes: processes}
	if self, err := os.Executable(); err == nil {
		s.program = filepath.Join(filepath.Dir(self), "cell")
		s.hidden = append(s.hidden, filepath.Dir(self))
	}
	if directory := filepath.Dir(socket); filepath.IsAbs(directory) && (len(s.hidden) == 0 || directory != s.hidden[0]) {
		s.hidden = append(s.hidden, directory)
	}
	return s
}

func (s *Service) Prepare(context.Context, *pb.PrepareRequest) (*pb.PrepareResponse, error) {
	return &pb.PrepareResponse{}, s.prepare()
}

// prepare makes the next cell unless there is one.
func (s *Service) prepare() error {
	s.making.Lock()
	defer s.making.Unlock()
	if s.inUse() || s.spare != nil && s.spare.living() {
		return nil
	}
	made, err := s.make()
	s.spare = made
	return err
}

func (s *Service) make() (*cell, error) {
	if !s.user.Separate {
		return nil, fault.New(pb.Reason_CELLS_UNSUPPORTED, "no cell: the agent may not change its user")
	}
	s.processes.LeaveToCells()
	return newCell(s.user, s.processes, s.program, s.hidden)
}

// open opens the cell made in advance, or a new one.
func (s *Service) open(sizes wire.Sizes) (c *cell, program *os.File, err error) {
	s.making.Lock()
	defer s.making.Unlock()
	if c, s.spare = s.spare, nil; c != nil {
		if program, err = c.open(sizes); err == nil {
			return c, program, nil
		}
		// It may have ended long ago.
		c.close()
	}
	if c, err = s.make(); err != nil {
		return nil, nil, err
	}
	if program, err = c.open(sizes); err != nil {
		c.close()
	}
	return c, program, err
}

func (s *Service) Run(stream grpc.BidiStreamingServer[pb.RunRequest, pb.RunResponse]) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	open := request.GetOpen()
	if open.GetDiskBytes() < 1 || open.GetSharedMemoryBytes() < 1 {
		return fault.New(pb.Reason_INVALID_REQUEST, "the first request opens a cell with sizes of at least 1")
	}
	if err := s.enter(stream.Context()); err != nil {
		return err
	}
	defer s.leave()
	sizes := wire.Sizes{Disk: open.DiskBytes, SharedMemory: open.SharedMemoryBytes}
	r := run{service: s, stream: stream, sizes: sizes}
	if err := r.open(); err != nil {
		return err
	}
	defer r.close()
	return r.serve()
}

// occupancy is a call that holds the sandbox.
type occupancy struct {
	cancelled <-chan struct{}
	over      chan struct{}
}

// enter takes the sandbox, after waiting for a cancelled call to be cleared away. The next call may arrive shortly before that
// cancellation.
func (s *Service) enter(ctx context.Context) error {
	for {
		earlier := s.occupy(ctx)
		if earlier == nil {
			return nil
		}
		select {
		case <-earlier.over:
			continue
		case <-earlier.cancelled:
		case <-time.After(cancelGrace):
			return fault.New(pb.Reason_CELL_UNAVAILABLE, "the sandbox has a cell")
		}
		select {
		case <-earlier.over:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// occupy takes the sandbox if it is free; else it returns the call that holds it.
func (s *Service) occupy(ctx context.Context) (earlier *occupancy) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.occupied == nil {
		s.occupied = &occupancy{cancelled: ctx.Done(), over: make(chan struct{})}
		return nil
	}
	return s.occupied
}

// leave frees the sandbox and makes the next cell while no call waits for it.
func (s *Service) leave() {
	s.mutex.Lock()
	close(s.occupied.over)
	s.occupied = nil
	s.mutex.Unlock()
	go func() { _ = s.prepare() }()
}

func (s *Service) inUse() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.occupied != nil
}

// run is one call of Run.
type run struct {
	service  *Service
	stream   grpc.BidiStreamingServer[pb.RunRequest, pb.RunResponse]
	sizes    wire.Sizes
	cell     *cell
	files    programFiles
	kept     *tree.Tree
	requests chan *pb.RunRequest
	// next came while a step ran, and is answered after it.
	next *pb.RunRequest
}

func (r *run) serve() error {
	r.requests = make(chan *pb.RunRequest)
	go r.receive()
	for {
		request, more := r.next, true
		r.next = nil
		if request == nil {
			if request, more = <-r.requests; !more {
				return r.stream.Context().Err()
			}
		}
		if err := r.answer(request); err != nil {
			return err
		}
	}
}

// receive hands requests on as long as the call lasts.
func (r *run) receive() {
	defer close(r.requests)
	for {
		request, err := r.stream.Recv()
		if err != nil {
			return
		}
		select {
		case r.requests <- request:
		case <-r.stream.Context().Done():
			return
		}
	}
}

func (r *run) answer(request *pb.RunRequest) error {
	switch request := request.Request.(type) {
	case *pb.RunRequest_File:
		return r.files.write(request.File)
	case *pb.RunRequest_Start:
		return r.step(request.Start)
	case *pb.RunRequest_Keep:
		return r.keep()
	case *pb.RunRequest_Renew:
		return r.renew()
	case *pb.RunRequest_Input:
		// It came too late for its step.
		return nil
	}
	return fault.New(pb.Reason_INVALID_REQUEST, "a cell is opened once")
}

func (r *run) step(request *pb.StartRequest) error {
	if len(request.Command) == 0 || request.Terminal != nil || request.Detached {
		return fault.New(pb.Reason_INVALID_REQUEST, "a step has a command, and neither a terminal nor a life of its own")
	}
	r.files.settle()
	table := r.service.processes
	p := table.New(r.cell, request)
	err := p.Start(request, table.EnvironmentOf(request))
	if fault.ReasonOf(err) == pb.Reason_COMMAND_NOT_FOUND {
		refused := &pb.StepRefused{Message: status.Convert(err).Message()}
		return r.stream.Send(&pb.RunResponse{Event: &pb.RunResponse_Refused{Refused: refused}})
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.stream.Context())
	var fed sync.WaitGroup
	fed.Go(func() { r.feed(ctx, p) })
	err = p.Follow(r.stream.Context(), runEvents{r.stream})
	cancel()
	fed.Wait()
	if err != nil {
		p.Kill()
		return err
	}
	if !r.cell.living() {
		return errEnded
	}
	return nil
}

// feed gives a step the input that comes while it runs. A step may end before it has read all.
func (r *run) feed(ctx context.Context, p *process.Process) {
	for {
		select {
		case <-ctx.Done():
			return
		case request, more := <-r.requests:
			if more && request.GetInput() == nil {
				r.next = request
				return
			}
			input := request.GetInput()
			_ = p.WriteInput(ctx, input.GetData(), input.GetClose() || !more)
			if !more {
				return
			}
		}
	}
}

type runEvents struct {
	to grpc.BidiStreamingServer[pb.RunRequest, pb.RunResponse]
}

func (e runEvents) Started(v *pb.Started) error {
	return e.to.Send(&pb.RunResponse{Event: &pb.RunResponse_Started{Started: v}})
}
func (e runEvents) Stdout(v *pb.Output) error {
	return e.to.Send(&pb.RunResponse{Event: &pb.RunResponse_Stdout{Stdout: v}})
}
func (e runEvents) Stderr(v *pb.Output) error {
	return e.to.Send(&pb.RunResponse{Event: &pb.RunResponse_Stderr{Stderr: v}})
}
func (e runEvents) Exited(v *pb.Exited) error {
	return e.to.Send(&pb.RunResponse{Event: &pb.RunResponse_Exited{Exited: v}})
}
