package drydock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	drydockv1 "drydock.dev/drydock/v1"
)

// Job is an execution of the queue.
type Job struct {
	ID         string
	connection *connection
}

// Job is an execution that was submitted before. The platform is not asked for it: Job.Get fails where there is none.
func (c *Client) Job(id string) *Job { return &Job{id, c.connection} }

// Get asks how it is now. Fails with ErrNotFound.
func (j *Job) Get(ctx context.Context) (*Execution, error) {
	request := &drydockv1.GetExecutionRequest{ExecutionId: j.ID}
	answer, err := call(ctx, j.connection, repeatable, j.connection.executions.GetExecution, request)
	if err != nil {
		return nil, err
	}
	return toExecution(answer.GetExecution()), nil
}

// Wait waits for its end, however often the connection breaks meanwhile. Fails with ErrNotFound.
func (j *Job) Wait(ctx context.Context) (*Execution, error) {
	var last *Execution
	for execution, err := range j.Watch(ctx) {
		if err != nil {
			return nil, err
		}
		last = execution
	}
	return last, nil
}

// Watch yields the execution now and after each change of its state, until it has ended. A stream that breaks is begun again. An
// error is the last that is yielded.
func (j *Job) Watch(ctx context.Context) iter.Seq2[*Execution, error] {
	return func(yield func(*Execution, error) bool) {
		breaks, seen := newBreaks(), ""
		for {
			err := j.watchOnce(ctx, func(execution *Execution) bool {
				state := fmt.Sprint(execution.State, execution.Attempts)
				if state == seen {
					return true
				}
				seen = state
				breaks.reset()
				return yield(execution, nil)
			})
			if err == nil {
				return
			}
			if err := breaks.wait(ctx, j.connection, err); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// watchOnce returns nil once the execution has ended, or nobody wants to hear more.
func (j *Job) watchOnce(ctx context.Context, tell func(*Execution) bool) error {
	request := &drydockv1.WatchExecutionRequest{ExecutionId: j.ID}
	changes, err := open(ctx, j.connection, repeatable, j.connection.executions.WatchExecution, request)
	if err != nil {
		return err
	}
	defer changes.close()
	for ended := false; ; {
		change, err := changes.next()
		switch {
		case errors.Is(err, io.EOF) && ended:
			return nil
		case errors.Is(err, io.EOF):
			return connectionLost("the watch ended before the execution")
		case err != nil:
			return err
		}
		execution := toExecution(change.GetExecution())
		ended = execution.State == ExecutionFinished || execution.State == ExecutionCancelled
		if !tell(execution) {
			return nil
		}
	}
}

// Cancel ends it: one that waits never runs, and one that runs is stopped. One that has ended stays as it is.
func (j *Job) Cancel(ctx context.Context) (*Execution, error) {
	request := &drydockv1.CancelExecutionRequest{ExecutionId: j.ID}
	answer, err := call(ctx, j.connection, repeatable, j.connection.executions.CancelExecution, request)
	if err != nil {
		return nil, err
	}
	return toExecution(answer.GetExecution()), nil
}

// Output reads all that is kept of an output, or of the talk with an interactor (Program.KeepTranscript), of the case that decided:
// lines of the program begin with "< ", those of the interactor with "> ". To its end or until it is closed. Fails with ErrConflict (EXECUTION_NOT_FINISHED).
func (j *Job) Output(ctx context.Context, stream Stream) (io.ReadCloser, error) {
	request := &drydockv1.ReadExecutionOutputRequest{ExecutionId: j.ID, Stream: string(stream)}
	pieces, err := open(ctx, j.connection, repeatable, j.connection.executions.ReadExecutionOutput, request)
	if err != nil {
		return nil, err
	}
	return &pieceReader{next: nextData(pieces), close: pieces.close}, nil
}

func connectionLost(message string) *Error {
	return &Error{Reason: "SERVICE_UNAVAILABLE", Message: message, kind: ErrConnectionLost}
}

// pieceReader reads bytes that come in pieces.
type pieceReader struct {
	next  func() ([]byte, error)
	close func()
	rest  []byte
}

// nextData is the bytes of the next answer of a stream.
func nextData[Answer any, Message interface {
	*Answer
	GetData() []byte
}](source *stream[Answer]) func() ([]byte, error) {
	return func() ([]byte, error) {
		answer, err := source.next()
		if err != nil {
			return nil, err
		}
		return Message(answer).GetData(), nil
	}
}

func (r *pieceReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 && len(p) > 0 {
		var err error
		if r.rest, err = r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *pieceReader) Close() error {
	r.close()
	return nil
}
