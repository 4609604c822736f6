package drydock

import (
	"context"
	"errors"
	"io"
	"sync"

	drydockv1 "drydock.dev/drydock/v1"
)

// Bytes that one call takes.
const maxInputBytes = 512 << 10

// input is the standard input of a command. What is written is never repeated: what arrived before a connection broke would arrive
// twice.
type input struct {
	cmd *Cmd

	mutex   sync.Mutex
	stopped bool
	failure error
}

func (i *input) Write(data []byte) (int, error) {
	for written := 0; written < len(data); {
		piece := data[written:min(len(data), written+maxInputBytes)]
		if err := i.send(&drydockv1.WriteProcessInputRequest{Input: &drydockv1.WriteProcessInputRequest_Data{Data: piece}}); err != nil {
			return written, err
		}
		written += len(piece)
	}
	return len(data), nil
}

// Close closes the input. That of a command that has ended is closed.
func (i *input) Close() error {
	err := i.send(&drydockv1.WriteProcessInputRequest{Close: true})
	if endedBy(err) {
		return nil
	}
	return err
}

func (i *input) send(request *drydockv1.WriteProcessInputRequest) error {
	if !i.cmd.started {
		return errors.New("drydock: not started")
	}
	sandbox := i.cmd.sandbox
	request.SandboxId, request.ProcessId = sandbox.ID, i.cmd.Process.ID
	_, err := call(i.cmd.ctx, sandbox.connection, kind{unlimited: true}, sandbox.connection.processes.WriteProcessInput, request)
	return err
}

// copyFrom writes all that is read. An input that is not whole must not look as if it were: where it breaks off, the command is
// killed.
func (i *input) copyFrom(reader io.Reader) {
	// Neither side copies by itself, in pieces of its own size.
	_, err := io.CopyBuffer(struct{ io.Writer }{i}, struct{ io.Reader }{reader}, make([]byte, maxInputBytes))
	if err == nil {
		err = i.Close()
	}
	if err == nil || endedBy(err) {
		return
	}
	i.mutex.Lock()
	stopped := i.stopped
	if !stopped {
		i.failure = err
	}
	i.mutex.Unlock()
	if !stopped {
		i.cmd.Process.killQuietly(context.WithoutCancel(i.cmd.ctx))
	}
}

// stop says what the copying failed with. What it fails with later is of no concern.
func (i *input) stop() error {
	if i == nil {
		return nil
	}
	i.mutex.Lock()
	defer i.mutex.Unlock()
	i.stopped = true
	return i.failure
}

// endedBy tells whether the command ended, or closed its input, before it had taken all.
func endedBy(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Reason {
	case "PROCESS_ENDED", "PROCESS_INPUT_CLOSED", "PROCESS_NOT_FOUND":
		return true
	}
	return false
}
