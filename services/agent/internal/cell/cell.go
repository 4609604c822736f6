package cell

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/cell/wire"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/process"
	"drydock.dev/agent/internal/spawn"
	"drydock.dev/agent/internal/user"
)

const (
	// How long the first process of a cell may take to answer. A fork is the longest that it does.
	answerTimeout = 10 * time.Second
	// When memory runs out, programs are chosen before it, and it before the agent: its end frees the cell's file systems.
	firstScore = spawn.FirstChoice - 100
	namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWUTS
)

var errEnded = fault.New(pb.Reason_CELL_ENDED, "the cell has ended by itself")

var (
	// The first process needs these to furnish a cell, and then gives most of them up.
	capabilities = []uintptr{
		unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP, unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_KILL,
	}
	// Its Go runtime must stay small.
	environment = []string{"GOMAXPROCS=1", "GOGC=off", "GOMEMLIMIT=16MiB"}
)

// cell is a set of namespaces, and the connection to the first process in them.
type cell struct {
	first *process.Init
	link  *net.UnixConn

	mutex sync.Mutex
	// step is the running process, until it is swept.
	step *process.Process
	// alone is set if it left no process behind.
	alone bool
	// ending ends the cell if it fails to end a step as it was told.
	ending *time.Timer
}

// newCell makes a cell as far as possible before its sizes are known.
func newCell(u user.User, processes *process.Table, program string, hidden []string) (*cell, error) {
	link, theirs, err := socketPair()
	if err != nil {
		return nil, fault.New(pb.Reason_CELL_UNAVAILABLE, "a socket for a cell: %v", err)
	}
	defer theirs.Close()
	c := &cell{link: link}
	// The owner of the namespaces is the user of the thread that makes them.
	c.first, err = user.AsOwner(u, func() (*process.Init, error) {
		return processes.StartInit(program, []string{"cell"}, attributes(theirs))
	})
	if err != nil {
		err = fmt.Errorf("namespaces, with %s in them: %w", program, err)
	} else {
		err = c.begin(u, hidden)
	}
	if err != nil {
		c.close()
		return nil, statusOf(err)
	}
	return c, nil
}

func (c *cell) begin(u user.User, hidden []string) error {
	if _, _, err := c.answer(wire.Made); err != nil {
		return err
	}
	if _, err := user.AsOwner(u, func() (any, error) { return nil, identify(c.first.PID, u) }); err != nil {
		return err
	}
	if err := c.send(wire.Message{Kind: wire.Begin, Texts: hidden}, nil); err != nil {
		return err
	}
	_, _, err := c.answer(wire.Ready)
	return err
}

// identify gives the namespace of a first process its ids, as only its owner may: the owner is its root, and programs are who they
// are in every cell. Mapping our root would take a capability.
func identify(pid int, u user.User) error {
	if err := raise(unix.CAP_SETUID, unix.CAP_SETGID); err != nil {
		return err
	}
	ids := fmt.Sprintf("0 %d 1\n%d %d 1\n", u.Owner, user.InCells, u.ID)
	for _, file := range []struct{ name, text string }{
		{"oom_score_adj", strconv.Itoa(firstScore)}, {"gid_map", ids}, {"uid_map", ids},
	} {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, file.name), []byte(file.text), 0); err != nil {
			return err
		}
	}
	return nil
}

// raise makes capabilities of this thread effective that it has not lost with its user.
func raise(capabilities ...uint) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	for _, capability := range capabilities {
		sets[capability/32].Effective |= 1 << (capability % 32)
	}
	return unix.Capset(&header, &sets[0])
}

func attributes(link *os.File) *spawn.Attributes {
	return &spawn.Attributes{
		Directory: "/", Environment: environment, Files: []uintptr{0, 1, 2, link.Fd()},
		TimerSlack: spawn.OurTimerSlack,
		Namespaces: namespaces, Capabilities: capabilities,
		// No process is of its user.
		Share: true,
	}
}

// statusOf tells a cell that can never be made here from one that cannot be made now. A cell that does not answer was ended.
func statusOf(err error) error {
	reason := pb.Reason_CELLS_UNSUPPORTED
	for _, scarcity := range []error{
		unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.ECONNRESET, unix.EPIPE, io.EOF, os.ErrDeadlineExceeded,
	} {
		if errors.Is(err, scarcity) {
			reason = pb.Reason_CELL_UNAVAILABLE
		}
	}
	return fault.New(reason, "no cell: %v", err)
}

// open gives the cell its file systems and returns the directory of its program.
func (c *cell) open(sizes wire.Sizes) (program *os.File, err error) {
	if err := c.send(sizes.Message(), nil); err != nil {
		return nil, statusOf(err)
	}
	_, files, err := c.answer(wire.Opened)
	if err != nil {
		return nil, statusOf(err)
	}
	if len(files) != 1 {
		return nil, fault.New(pb.Reason_INTERNAL, "the cell gave no directory")
	}
	return files[0], nil
}

// Launch runs a process as the cell's next step.
func (c *cell) Launch(p *process.Process, request *pb.StartRequest, environment []string, files []*os.File) error {
	step := wire.Step{
		Command: request.Command, Environment: environment,
		Directory: user.PathIn(wire.ProgramDirectory, request.WorkingDirectory), Limits: process.KernelLimits(request),
	}
	if err := c.send(step.Message(), files); err != nil {
		return errEnded
	}
	started, _, err := c.answer(wire.Started)
	if err != nil {
		return stepStatus(err)
	}
	if len(started.Numbers) == 1 {
		p.SetPID(int(started.Numbers[0]))
	}
	c.mutex.Lock()
	c.step, c.alone = p, false
	c.mutex.Unlock()
	go c.await(p)
	return nil
}

// stepStatus tells apart a command that cannot be executed, a sandbox at its process limit, and a cell that has ended.
func stepStatus(err error) error {
	var told wire.Told
	switch {
	case !errors.As(err, &told):
		return errEnded
	case told.Number == unix.EAGAIN, told.Number == unix.ENOMEM:
		return process.ErrProcessLimit
	}
	return fault.New(pb.Reason_COMMAND_NOT_FOUND, "%s", told.Text)
}

// await waits for the end of a step, or of the cell.
func (c *cell) await(p *process.Process) {
	_ = c.link.SetReadDeadline(time.Time{})
	ended := process.WaitStatus{Status: syscall.WaitStatus(unix.SIGKILL)}
	message, _, err := c.receive()
	var end wire.End
	if err == nil {
		end, err = message.End()
	}
	if err == nil {
		ended.Status = syscall.WaitStatus(end.Status)
		ended.Usage = syscall.Rusage{Utime: syscall.NsecToTimeval(end.CPU), Maxrss: end.PeakBytes >> 10}
		c.mutex.Lock()
		c.alone = end.Alone
		c.mutex.Unlock()
	} else {
		c.kill()
	}
	p.Reaped(ended)
}

// Sweep ends the processes that a step left behind.
func (c *cell) Sweep(*process.Process) {
	if c.settle() {
		return
	}
	err := c.send(wire.Message{Kind: wire.Sweep}, nil)
	if err == nil {
		_, _, err = c.answer(wire.Swept)
	}
	if err != nil {
		c.kill()
		<-c.first.Gone
	}
}

// settle ends the step, so that none of its limits ends the next one, and says whether it left nothing behind.
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

// KillTree ends the step, and the cell with it.
func (c *cell) KillTree(*process.Process) { c.kill() }

// KillAllFor ends the step because of a limit; the cell goes on.
func (c *cell) KillAllFor(p *process.Process) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.step != p || c.ending != nil {
		return
	}
	p.MarkKilled()
	c.ending = time.AfterFunc(answerTimeout, c.kill)
	if c.send(wire.Message{Kind: wire.EndAll}, nil) != nil {
		c.kill()
	}
}

// Interrupt sends a signal to the step's process.
func (c *cell) Interrupt(p *process.Process, number syscall.Signal) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.step == p && c.ending == nil {
		_ = c.send(wire.Message{Kind: wire.Interrupt, Numbers: []int64{int64(number)}}, nil)
	}
}

func (c *cell) living() bool {
	select {
	case <-c.first.Gone:
		return false
	default:
		return true
	}
}

// kill ends the cell with all processes in it.
func (c *cell) kill() { c.first.Kill() }

// close ends the cell and waits until nothing of it is left.
func (c *cell) close() {
	_ = c.link.Close()
	if c.first != nil {
		c.kill()
		<-c.first.Gone
	}
}
