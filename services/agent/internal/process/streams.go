package process

import (
	"errors"
	"os"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/user"
)

// openFiles makes the program's descriptors 0 to 2, and our ends of its outputs.
func (p *Process) openFiles(request *pb.StartRequest) (theirs, outputs []*os.File, err error) {
	if request.Terminal != nil {
		return p.openTerminal(request.Terminal)
	}
	// A program may enlarge them, which the kernel charges to the user that made them.
	_, err = user.AsOwner(p.user, func() (any, error) {
		theirs, outputs, err = p.openPipes(request)
		return nil, err
	})
	return theirs, outputs, err
}

func (p *Process) openPipes(request *pb.StartRequest) (theirs, outputs []*os.File, err error) {
	var stdin *os.File
	if request.OpenStdin || len(request.Stdin) > 0 {
		var ours *os.File
		if stdin, ours, err = pipe(ourWriting); err != nil {
			return nil, nil, err
		}
		p.input = &input{file: ours}
	} else if stdin, err = os.Open(os.DevNull); err != nil {
		return nil, nil, err
	}
	theirs = append(theirs, stdin)
	for range 2 {
		output, ours, err := pipe(ourReading)
		if err != nil {
			return theirs, outputs, err
		}
		theirs, outputs = append(theirs, output), append(outputs, ours)
	}
	return theirs, outputs, nil
}

// openTerminal makes a terminal as the user, who then owns it.
func (p *Process) openTerminal(size *pb.TerminalSize) (theirs, outputs []*os.File, err error) {
	controller, err := user.As(p.user, func() (controller *os.File, err error) {
		var terminal *os.File
		controller, terminal, err = pty.Open()
		theirs = []*os.File{terminal, terminal, terminal}
		return controller, err
	})
	if err != nil {
		return nil, nil, err
	}
	if controller, err = polled(controller); err != nil {
		return theirs, nil, err
	}
	_ = resize(controller, size)
	p.terminal, p.input = controller, &input{file: controller, terminal: true}
	return theirs, []*os.File{controller}, nil
}

// polled lets the runtime poll a file, so that reading it can have a deadline: an open terminal never ends.
func polled(blocking *os.File) (*os.File, error) {
	defer blocking.Close()
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), blocking.Name()), nil
}

func resize(terminal *os.File, size *pb.TerminalSize) error {
	return pty.Setsize(terminal, &pty.Winsize{Cols: uint16(size.GetColumns()), Rows: uint16(size.GetRows())})
}

type direction int

const (
	ourReading direction = iota
	ourWriting
)

// pipe makes the two ends of a standard stream: ours is polled by the runtime, the program's blocks.
func pipe(direction direction) (theirs *os.File, ours *os.File, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, nil, err
	}
	if direction == ourWriting {
		fds[0], fds[1] = fds[1], fds[0]
	}
	// The program does not own it, but may open its end by name: /dev/stdin, /dev/stdout, /dev/stderr. gVisor refuses the mode.
	err = syscall.Fchmod(fds[1], 0o666)
	if errors.Is(err, syscall.EPERM) {
		err = nil
	}
	if err := errors.Join(err, syscall.SetNonblock(fds[0], true)); err != nil {
		return nil, nil, errors.Join(err, syscall.Close(fds[0]), syscall.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[1]), "program"), os.NewFile(uintptr(fds[0]), "agent"), nil
}

func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}
