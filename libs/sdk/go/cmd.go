package drydock

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	drydockv1 "drydock.dev/drydock/v1"
)

// Cmd is a command of a sandbox, to be run once, like one of os/exec. It outlives a connection that breaks, and is joined again where
// it was. One whose client goes away runs on until the sandbox ends.
type Cmd struct {
	// Args are the program, looked up on PATH, and its arguments. At most 1,024, 128 KiB in all.
	Args []string
	// Env has key=value, added to the sandbox's own. At most 128, 32 KiB in all.
	Env []string
	// Dir is absolute, or relative to the home. Default: the home.
	Dir string
	// Stdin is read to its end, and the command's input is then closed. A reader that fails ends the command. Wait does not wait for
	// one that is silent.
	Stdin io.Reader
	// Stdout and Stderr take output as it comes, one piece at a time, also where they are the same; a slow one slows the command. One
	// that fails ends the command, and Wait returns what it failed with. What is nil is discarded.
	Stdout io.Writer
	Stderr io.Writer
	// Process is set by Start.
	Process *Process
	// ProcessState is set once the command has ended and was read to its end.
	ProcessState *ProcessState

	sandbox  *Sandbox
	ctx      context.Context
	join     bool
	terminal *drydockv1.TerminalSize
	started  bool
	// Read by the loops over Events, and by Wait.
	pulled bool
	reader processReader
	// Ends the reading.
	stopReading context.CancelFunc
	// Stops following ctx; false where that has ended.
	stopFollowing func() bool
	followed      chan struct{}
	input         *input
	pipes         []*pipe
	finishing     sync.Once
	done          chan struct{}
	err           error
}

// Command is one that runs a program with its arguments; no shell is involved. The end of ctx kills it, whether or not it is read,
// and Wait then returns the context's error; a deadline of ctx is its timeout.
func (s *Sandbox) Command(ctx context.Context, name string, args ...string) *Cmd {
	return newCmd(ctx, s, append([]string{name}, args...))
}

// Shell is a Command that runs a script by /bin/sh -c.
func (s *Sandbox) Shell(ctx context.Context, script string) *Cmd {
	return s.Command(ctx, "/bin/sh", "-c", script)
}

// JoinCommand is one that runs already: Start joins it rather than starting it, and fails with ErrNotFound. From nil it replays what
// is kept of its output, 1 MiB of each stream, else it goes on there, and Wait fails with *OutputLostError where that is no longer
// kept. The end of ctx ends the reading, not the command.
func (s *Sandbox) JoinCommand(ctx context.Context, id string, from *Offset) *Cmd {
	c := newCmd(ctx, s, nil)
	c.join = true
	c.Process = &Process{ID: id, sandbox: s}
	c.reader.anyStart = from == nil
	if from != nil {
		c.reader.offset = *from
	}
	return c
}

func newCmd(ctx context.Context, s *Sandbox, args []string) *Cmd {
	if ctx == nil {
		panic("drydock: nil context")
	}
	return &Cmd{Args: args, sandbox: s, ctx: ctx, done: make(chan struct{}), followed: make(chan struct{})}
}

// String is for reading.
func (c *Cmd) String() string { return strings.Join(c.Args, " ") }

// Offset is how much of its output was read: where JoinCommand goes on. It is not to be called while a command runs that was begun by
// Start.
func (c *Cmd) Offset() Offset { return c.reader.offset }

// Run starts the command and waits for its end. A command that fails is an *ExitError. Fails with ErrInvalidArgument
// (COMMAND_NOT_FOUND, which is exec.ErrNotFound too), ErrSandboxNotRunning, and the error of its context.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the command and returns its standard output, 16 MiB at most. The error of a command that fails has the end of its
// standard error, unless Stderr is set.
func (c *Cmd) Output() ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("drydock: Stdout is set already")
	}
	var stdout Buffer
	var stderr tail
	c.Stdout = &stdout
	if c.Stderr == nil {
		c.Stderr = &stderr
	}
	err := c.Run()
	var exit *ExitError
	if errors.As(err, &exit) {
		exit.Stderr = stderr.kept
	}
	return stdout.Bytes(), whole(err, &stdout)
}

// CombinedOutput runs the command and returns its standard output and standard error, 16 MiB at most.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, errors.New("drydock: Stdout or Stderr is set already")
	}
	var output Buffer
	c.Stdout, c.Stderr = &output, &output
	err := c.Run()
	return output.Bytes(), whole(err, &output)
}

func whole(err error, output *Buffer) error {
	if err == nil && output.Truncated() {
		return ErrOutputTruncated
	}
	return err
}

// StdoutPipe is read while the command runs, to its end before Wait returns. Closing it discards what follows.
func (c *Cmd) StdoutPipe() (io.ReadCloser, error) { return c.pipe(&c.Stdout) }

// StderrPipe is as StdoutPipe.
func (c *Cmd) StderrPipe() (io.ReadCloser, error) { return c.pipe(&c.Stderr) }

func (c *Cmd) pipe(output *io.Writer) (io.ReadCloser, error) {
	if *output != nil || c.started {
		return nil, errors.New("drydock: the output is set already, or the command started")
	}
	made := newPipe()
	c.pipes = append(c.pipes, made)
	*output = made
	return made, nil
}

// StdinPipe is written to while the command runs. Its Write returns when the command's input has taken all; closing it closes the
// input.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) {
	if c.Stdin != nil || c.input != nil || c.started {
		return nil, errors.New("drydock: Stdin is set already, or the command started")
	}
	c.input = &input{cmd: c}
	return c.input, nil
}

// Start starts the command, or joins it, and reads its output until it ends.
func (c *Cmd) Start() error {
	if err := c.begin(); err != nil {
		c.endPipes(err)
		return err
	}
	go func() { c.finish(c.read(c.write)) }()
	return nil
}

// Events starts the command and yields its output in order; Stdout and Stderr, where they are set, get it too. The last that is
// yielded is the error of Wait, if there is one. Leaving the loop leaves the command running: another loop or Wait reads on, and
// until then a command that writes much waits.
func (c *Cmd) Events() iter.Seq2[Output, error] {
	return func(yield func(Output, error) bool) {
		if !c.pulled {
			if err := c.begin(); err != nil {
				yield(Output{}, err)
				return
			}
			c.pulled = true
		}
		err := c.read(func(output Output) error {
			if err := c.write(output); err != nil {
				return err
			}
			if !yield(output, nil) {
				return errLeft
			}
			return nil
		})
		if err == errLeft {
			return
		}
		if err := c.finish(err); err != nil {
			yield(Output{}, err)
		}
	}
}

var errLeft = errors.New("the loop was left")

// Wait waits until the command has ended and its output is written. Fails as Run; again and again with the same.
func (c *Cmd) Wait() error {
	if !c.started {
		return errors.New("drydock: not started")
	}
	if c.pulled {
		c.finish(c.read(c.write))
	}
	<-c.done
	return c.err
}

// begin starts or joins the command, and follows the end of its context.
func (c *Cmd) begin() error {
	if c.started {
		return errors.New("drydock: already started")
	}
	if c.ctx.Err() != nil {
		return contextError(c.ctx)
	}
	var life context.Context
	life, c.stopReading = context.WithCancel(context.WithoutCancel(c.ctx))
	c.reader.ctx, c.reader.breaks = life, newBreaks()
	begin := c.startProcess
	if c.join {
		begin = c.findProcess
	}
	if err := begin(life); err != nil {
		c.stopReading()
		return err
	}
	c.started = true
	c.reader.process = c.Process
	c.stopFollowing = context.AfterFunc(c.ctx, func() {
		defer close(c.followed)
		if !c.join {
			c.Process.killQuietly(c.ctx)
		}
		c.stopReading()
		c.endPipes(contextError(c.ctx))
	})
	if c.input == nil && c.Stdin != nil && !isShort(c.Stdin) {
		c.input = &input{cmd: c}
		go c.input.copyFrom(c.Stdin)
	}
	return nil
}

func (c *Cmd) startProcess(life context.Context) error {
	request, err := c.request()
	if err != nil {
		return err
	}
	// Only a command whose id is known can be killed.
	begun := make(chan struct{})
	stop := context.AfterFunc(c.ctx, func() {
		select {
		case <-begun:
		case <-time.After(killTime):
			c.stopReading()
		}
	})
	defer stop()
	defer close(begun)
	connection := c.sandbox.connection
	source, err := openWithin(c.ctx, life, connection, repeatable, connection.processes.StartProcess, request)
	if err != nil {
		if c.ctx.Err() != nil {
			return contextError(c.ctx)
		}
		return err
	}
	first, err := source.next()
	if err != nil || first.GetStarted() == nil {
		return connectionLost("the command did not start")
	}
	started := first.GetStarted()
	c.Process = &Process{ID: started.GetProcessId(), PID: int(started.GetPid()), sandbox: c.sandbox}
	c.reader.source = toProcessStream(source)
	return nil
}

func (c *Cmd) findProcess(context.Context) error {
	processes, err := c.sandbox.Processes(c.ctx)
	if err != nil {
		return err
	}
	for _, each := range processes {
		if each.ID == c.Process.ID {
			c.Process.PID, c.Args = each.PID, each.Args
			return nil
		}
	}
	message := "the sandbox has no command " + c.Process.ID
	return &Error{Reason: "PROCESS_NOT_FOUND", Message: message, kind: ErrNotFound}
}

func (c *Cmd) request() (*drydockv1.StartProcessRequest, error) {
	request := &drydockv1.StartProcessRequest{
		SandboxId:        c.sandbox.ID,
		Command:          c.Args,
		Environment:      make(map[string]string, len(c.Env)),
		WorkingDirectory: c.Dir,
		OpenStdin:        c.input != nil || (c.Stdin != nil && !isShort(c.Stdin)),
		Terminal:         c.terminal,
		// It outlives its stream.
		Detached:  true,
		RequestId: newRequestID(),
	}
	if c.terminal != nil {
		request.Environment["TERM"] = "xterm-256color"
	}
	for _, each := range c.Env {
		key, value, found := strings.Cut(each, "=")
		if !found {
			return nil, invalid("Env has key=value, not %q", key)
		}
		request.Environment[key] = value
	}
	if c.Stdin != nil && isShort(c.Stdin) {
		stdin, err := io.ReadAll(c.Stdin)
		if err != nil {
			return nil, err
		}
		request.Stdin = stdin
	}
	return request, nil
}

// isShort tells whether all input is there, and goes with the request that starts the command.
func isShort(reader io.Reader) bool {
	switch reader := reader.(type) {
	case *bytes.Buffer:
		return reader.Len() <= maxInputBytes
	case *bytes.Reader:
		return reader.Len() <= maxInputBytes
	case *strings.Reader:
		return reader.Len() <= maxInputBytes
	}
	return false
}

// read delivers output until the command has ended, or delivering fails.
func (c *Cmd) read(deliver func(Output) error) error {
	for {
		output, state, err := c.reader.next()
		if err != nil {
			return err
		}
		if state != nil {
			c.ProcessState = state
			return nil
		}
		if err := deliver(output); err == errLeft {
			return err
		} else if err != nil {
			if !c.join {
				c.Process.killQuietly(c.ctx)
			}
			return err
		}
	}
}

func (c *Cmd) write(output Output) error {
	to := c.Stdout
	if output.Stream == Stderr {
		to = c.Stderr
	}
	if to == nil {
		return nil
	}
	_, err := to.Write(output.Data)
	return err
}

// finish ends everything that belongs to the command, and says how it ended.
func (c *Cmd) finish(err error) error {
	c.finishing.Do(func() {
		defer close(c.done)
		if !c.stopFollowing() {
			<-c.followed
			err = contextError(c.ctx)
		}
		if failed := c.input.stop(); failed != nil && c.ctx.Err() == nil {
			err = failed
		}
		c.reader.close()
		c.stopReading()
		if err == nil && !c.ProcessState.Success() {
			err = &ExitError{ProcessState: c.ProcessState}
		}
		c.err = err
		c.endPipes(io.EOF)
	})
	<-c.done
	return c.err
}

func (c *Cmd) endPipes(err error) {
	for _, each := range c.pipes {
		each.finish(err)
	}
}
