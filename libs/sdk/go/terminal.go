package drydock

import (
	"context"
	"errors"

	drydockv1 "drydock.dev/drydock/v1"
)

// TerminalSize of a terminal, 1 to 1,000 each.
type TerminalSize struct{ Rows, Columns int }

func (s TerminalSize) message() *drydockv1.TerminalSize {
	return &drydockv1.TerminalSize{Rows: int32(s.Rows), Columns: int32(s.Columns)}
}

// Terminal is what a command runs on, as its user sees it: reading it shows what it shows, writing to it types.
type Terminal struct {
	cmd    *Cmd
	output *pipe
	input  *input
}

// StartTerminal starts the command on a terminal, with TERM=xterm-256color unless Env says another. Read the terminal to its end, then
// Wait; or Close it.
func (c *Cmd) StartTerminal(size TerminalSize) (*Terminal, error) {
	if c.Stdin != nil || c.Stdout != nil || c.Stderr != nil || c.input != nil || c.join {
		return nil, errors.New("drydock: a command on a terminal has no other input or output, and is not joined")
	}
	c.terminal = size.message()
	output := newPipe()
	c.Stdout, c.pipes = output, append(c.pipes, output)
	terminal := &Terminal{cmd: c, output: output, input: &input{cmd: c}}
	if err := c.Start(); err != nil {
		return nil, err
	}
	return terminal, nil
}

// Read returns io.EOF once the command has ended.
func (t *Terminal) Read(data []byte) (int, error) { return t.output.Read(data) }

func (t *Terminal) Write(data []byte) (int, error) { return t.input.Write(data) }

// Resize changes its size.
func (t *Terminal) Resize(ctx context.Context, size TerminalSize) error {
	return t.cmd.Process.Resize(ctx, size)
}

// Close kills the command, if it still runs, and waits for its end.
func (t *Terminal) Close() error {
	_ = t.output.Close()
	t.cmd.Process.killQuietly(t.cmd.ctx)
	<-t.cmd.done
	return nil
}

// Resize changes the size of its terminal. Fails with ErrConflict where it has none, or has ended.
func (p *Process) Resize(ctx context.Context, size TerminalSize) error {
	connection := p.sandbox.connection
	request := &drydockv1.ResizeProcessRequest{SandboxId: p.sandbox.ID, ProcessId: p.ID, Terminal: size.message()}
	_, err := call(ctx, connection, repeatable, connection.processes.ResizeProcess, request)
	return err
}
