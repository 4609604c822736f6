package drydock

import (
	"context"
	"errors"
	"io"

	drydockv1 "drydock.dev/drydock/v1"
)

// Offset is where a reader of a command is: bytes of each stream that it has seen.
type Offset struct{ Stdout, Stderr int64 }

// processEvent is a message of a process, whichever call it comes from.
type processEvent interface {
	GetStarted() *drydockv1.ProcessStarted
	GetStdout() *drydockv1.Output
	GetStderr() *drydockv1.Output
	GetExited() *drydockv1.ProcessExited
}

// processStream is a call whose answers are events of a process.
type processStream struct {
	next  func() (processEvent, error)
	close func()
}

func toProcessStream[Answer any, Event interface {
	*Answer
	processEvent
}](source *stream[Answer]) *processStream {
	next := func() (processEvent, error) {
		answer, err := source.next()
		return Event(answer), err
	}
	return &processStream{next, source.close}
}

// processReader reads the events of a process until it has ended. A stream that breaks is joined again where it was: there is
// neither gap nor repetition.
type processReader struct {
	ctx     context.Context
	process *Process
	// source is nil where the process is to be joined.
	source *processStream
	offset Offset
	// An output whose first piece comes later than at 0 is no loss.
	anyStart bool
	breaks   breaks
}

// next returns a piece of output, or how the process ended. Fails with *OutputLostError where the platform no longer keeps what
// comes next, and with ErrUnavailable where the stream breaks too often without anything new.
func (r *processReader) next() (Output, *ProcessState, error) {
	for {
		event, err := r.receive()
		if err != nil {
			r.close()
			if errors.Is(err, io.EOF) {
				err = connectionLost("the stream of the process ended before the process")
			}
			if err := r.breaks.wait(r.ctx, r.process.sandbox.connection, err); err != nil {
				return Output{}, nil, err
			}
			continue
		}
		if exited := event.GetExited(); exited != nil {
			return Output{}, toProcessState(exited), nil
		}
		output, err := r.fresh(event)
		if err != nil || len(output.Data) > 0 {
			return output, nil, err
		}
	}
}

func (r *processReader) receive() (processEvent, error) {
	if r.source == nil {
		if err := r.join(); err != nil {
			return nil, err
		}
	}
	return r.source.next()
}

func (r *processReader) join() error {
	sandbox := r.process.sandbox
	request := &drydockv1.ConnectProcessRequest{
		SandboxId: sandbox.ID, ProcessId: r.process.ID, StdoutOffset: r.offset.Stdout, StderrOffset: r.offset.Stderr,
	}
	joined, err := open(r.ctx, sandbox.connection, repeatable, sandbox.connection.processes.ConnectProcess, request)
	if err != nil {
		return err
	}
	r.source = toProcessStream(joined)
	return nil
}

// fresh is what of a piece is new.
func (r *processReader) fresh(event processEvent) (Output, error) {
	var output Output
	var seen *int64
	switch {
	case event.GetStdout() != nil:
		output, seen = toOutput(Stdout, event.GetStdout()), &r.offset.Stdout
	case event.GetStderr() != nil:
		output, seen = toOutput(Stderr, event.GetStderr()), &r.offset.Stderr
	default:
		return Output{}, nil
	}
	if output.Offset > *seen && (!r.anyStart || *seen > 0) {
		return Output{}, &OutputLostError{output.Stream, output.Offset - *seen}
	}
	repeated := min(max(0, *seen-output.Offset), int64(len(output.Data)))
	output.Offset += repeated
	output.Data = output.Data[repeated:]
	if len(output.Data) > 0 {
		*seen = output.Offset + int64(len(output.Data))
		r.breaks.reset()
	}
	return output, nil
}

func (r *processReader) close() {
	if r.source != nil {
		r.source.close()
		r.source = nil
	}
}
