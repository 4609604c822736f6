package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/cells"
	"drydock.dev/agent/internal/spawn"
)

const (
	// cellUserID is what a cell's first process has outside. Nothing else has it, and root cannot be in a cell.
	cellUserID = 64001
	// How long the first process of a cell may take to answer. It is busy with a fork at most.
	cellTimeout = 10 * time.Second
	// Programs are chosen before it when memory runs out, and it before the agent: its end frees what they wrote.
	cellScore      = spawn.FirstChoice - 100
	cellNamespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWUTS
)

var errCellEnded = status.Error(codes.Aborted, "the cell has ended by itself")

var (
	// What the first process needs to furnish a cell, until it gives most of it up.
	cellCapabilities = []uintptr{
		unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP, unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_KILL,
	}
	// It is to be small.
	cellEnvironment = []string{"GOMAXPROCS=1", "GOGC=off", "GOMEMLIMIT=16MiB"}
)

// cell is a set of namespaces, and the connection to the first process in them.
type cell struct {
	reaper *reaper
	pid    int
	link   *net.UnixConn
	// gone is closed when nothing of the cell is left.
	gone <-chan struct{}

	mutex sync.Mutex
	// step is what runs, until it is swept.
	step *process
	// alone says that it left nothing behind.
	alone bool
	// ending ends the cell when it was told to end the step with all that it started, and does not.
	ending *time.Timer
}

// newCell makes a cell as far as it can be without knowing what it is for.
func newCell(r *reaper, program string, hidden []string) (*cell, error) {
	link, theirs, err := cellLink()
	if err != nil {
		return nil, status.Errorf(codes.ResourceExhausted, "a socket for a cell: %v", err)
	}
	defer theirs.Close()
	pid, gone, err := r.forkCell(program, cellAttributes(theirs))
	if err != nil {
		_ = link.Close()
		return nil, cellStatus(fmt.Errorf("namespaces, with %s in them: %w", program, err))
	}
	c := &cell{reaper: r, pid: pid, link: link, gone: gone}
	if err := c.begin(hidden); err != nil {
		c.close()
		return nil, cellStatus(err)
	}
	return c, nil
}

// begin gives the namespace its ids: one for the first process, and that of programs. Root's would take a capability. Users
// come last: for a moment these files belong to whoever is root in there.
func (c *cell) begin(hidden []string) error {
	for _, kind := range []string{"gid_map", "uid_map"} {
		text := fmt.Sprintf("0 %d 1\n%d %d 1\n", cellUserID, userID, userID)
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", c.pid, kind), []byte(text), 0); err != nil {
			return err
		}
	}
	if err := c.send(cells.Message{Kind: cells.Begin, Texts: hidden}, nil); err != nil {
		return err
	}
	_, _, err := c.answer(cells.Ready)
	return err
}

func cellLink() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(fds[1]), "cell")
	file := os.NewFile(uintptr(fds[0]), "agent")
	defer file.Close()
	connection, err := net.FileConn(file)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return connection.(*net.UnixConn), theirs, nil
}

func cellAttributes(link *os.File) *spawn.Attributes {
	return &spawn.Attributes{
		Directory: "/", Environment: cellEnvironment, Files: []uintptr{0, 1, 2, link.Fd()}, Score: cellScore,
		TimerSlack: spawn.OurTimerSlack,
		Namespaces: cellNamespaces, Capabilities: cellCapabilities,
		// It has the agent's user until it is a program, and nobody's after that.
		Share: true,
	}
}

// cellStatus tells apart what there is none of here and what there is none of now. A cell that does not answer was ended.
func cellStatus(err error) error {
	code := codes.Unimplemented
	for _, scarcity := range []error{
		unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.ECONNRESET, unix.EPIPE, io.EOF, os.ErrDeadlineExceeded,
	} {
		if errors.Is(err, scarcity) {
			code = codes.ResourceExhausted
		}
	}
	return status.Errorf(code, "no cell: %v", err)
}

// open gives the cell its file systems, and us the directory of its program.
func (c *cell) open(sizes cells.Sizes) (program *os.File, err error) {
	if err := c.send(sizes.Message(), nil); err != nil {
		return nil, cellStatus(err)
	}
	_, files, err := c.answer(cells.Opened)
	if err != nil {
		return nil, cellStatus(err)
	}
	if len(files) != 1 {
		return nil, status.Error(codes.Internal, "the cell gave no directory")
	}
	return files[0], nil
}

func (c *cell) launch(p *process, request *pb.StartRequest, environment []string, files []*os.File) error {
	step := cells.Step{
		Command: request.Command, Environment: environment,
		Directory: absoluteIn(cells.ProgramDirectory, request.WorkingDirectory), Limits: kernelLimits(request),
	}
	if err := c.send(step.Message(), files); err != nil {
		return errCellEnded
	}
	started, _, err := c.answer(cells.Started)
	if err != nil {
		return stepStatus(err)
	}
	if len(started.Numbers) == 1 {
		p.mutex.Lock()
		p.pid = int(started.Numbers[0])
		p.mutex.Unlock()
	}
	c.mutex.Lock()
	c.step, c.alone = p, false
	c.mutex.Unlock()
	go c.await(p)
	return nil
}

// stepStatus tells apart a command that cannot be executed, a sandbox without room, and a cell that is no more.
func stepStatus(err error) error {
	var told cells.Told
	switch {
	case !errors.As(err, &told):
		return errCellEnded
	case told.Number == unix.EAGAIN, told.Number == unix.ENOMEM:
		return status.Error(codes.ResourceExhausted, "the sandbox has as many processes as it may")
	}
	return status.Error(codes.InvalidArgument, told.Text)
}

// await waits for the end of a step. The cell's own end is one.
func (c *cell) await(p *process) {
	_ = c.link.SetReadDeadline(time.Time{})
	ended := waitStatus{status: syscall.WaitStatus(unix.SIGKILL)}
	message, _, err := c.receive()
	var end cells.End
	if err == nil {
		end, err = message.End()
	}
	if err == nil {
		ended.status = syscall.WaitStatus(end.Status)
		ended.usage = syscall.Rusage{Utime: syscall.NsecToTimeval(end.CPU), Maxrss: end.PeakBytes >> 10}
		c.mutex.Lock()
		c.alone = end.Alone
		c.mutex.Unlock()
	} else {
		c.kill()
	}
	p.reaped <- ended
}

func (c *cell) sweep(*process) {
	if c.settle() {
		return
	}
	err := c.send(cells.Message{Kind: cells.Sweep}, nil)
	if err == nil {
		_, _, err = c.answer(cells.Swept)
	}
	if err != nil {
		c.kill()
		<-c.gone
	}
}

// settle says that the step is over, so that no limit of its own ends the next one, and whether it left nothing behind.
func (c *cell) settle() (alone bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.step = nil
	if c.ending != nil {
		c.ending.Stop()
		c.ending = nil
	}
	return c.alone
}

func (c *cell) killTree(*process) { c.kill() }

func (c *cell) killAllFor(p *process) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.step != p || c.ending != nil {
		return
	}
	p.markKilled()
	c.ending = time.AfterFunc(cellTimeout, c.kill)
	if c.send(cells.Message{Kind: cells.EndAll}, nil) != nil {
		c.kill()
	}
}

func (c *cell) living() bool {
	select {
	case <-c.gone:
		return false
	default:
		return true
	}
}

// kill ends the cell with all that is in it.
func (c *cell) kill() { c.reaper.signalCell(c.pid, syscall.SIGKILL) }

// close ends the cell, and waits until nothing of it is left.
func (c *cell) close() {
	c.kill()
	_ = c.link.Close()
	<-c.gone
}

func (c *cell) send(message cells.Message, files []*os.File) error {
	var control []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, file := range files {
			fds[i] = int(file.Fd())
		}
		control = unix.UnixRights(fds...)
	}
	_ = c.link.SetWriteDeadline(time.Now().Add(cellTimeout))
	bytes := message.Encode()
	count, _, err := c.link.WriteMsgUnix(bytes, control, nil)
	if err == nil && count < len(bytes) {
		_, err = c.link.Write(bytes[count:])
	}
	return err
}

// answer waits for a message that must come soon.
func (c *cell) answer(kind cells.Kind) (message cells.Message, files []*os.File, err error) {
	_ = c.link.SetReadDeadline(time.Now().Add(cellTimeout))
	message, files, err = c.receive()
	if err == nil && message.Kind != kind {
		closeAll(files)
		return message, nil, message.Unexpected()
	}
	return message, files, err
}

func (c *cell) receive() (cells.Message, []*os.File, error) {
	reader := descriptorReader{link: c.link}
	message, err := cells.Read(&reader)
	if err != nil {
		closeAll(reader.files)
	}
	return message, reader.files, err
}

// descriptorReader keeps the descriptors that come with what it reads.
type descriptorReader struct {
	link  *net.UnixConn
	files []*os.File
}

func (r *descriptorReader) Read(to []byte) (int, error) {
	control := make([]byte, unix.CmsgSpace(4))
	count, controlCount, _, _, err := r.link.ReadMsgUnix(to, control)
	if count == 0 && err == nil {
		err = io.EOF
	}
	if controlCount == 0 || err != nil {
		return count, err
	}
	fds, err := cells.Descriptors(control[:controlCount])
	for _, fd := range fds {
		r.files = append(r.files, os.NewFile(uintptr(fd), "cell"))
	}
	return count, err
}
