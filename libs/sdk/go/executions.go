package drydock

import (
	"context"
	"io"
	"iter"

	drydockv1 "drydock.dev/drydock/v1"
)

// Stream names an output.
type Stream string

const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
	// Transcript is the talk of a program with an interactor, of Job.Output alone.
	Transcript Stream = "transcript"
)

// RunEvent is a CompileStarted, a RunStarted, an Output or a Finished.
type RunEvent interface{ isRunEvent() }

type (
	// CompileStarted: the compiler starts.
	CompileStarted struct{}
	// RunStarted: the program starts.
	RunStarted struct {
		// CaseIndex is which of the test cases, from 0.
		CaseIndex int
	}
	// Output is a piece of an output. Pieces of text end between characters.
	Output struct {
		Stream Stream
		// Offset counts the bytes of the stream before this piece.
		Offset int64
		Data   []byte
	}
	// Finished is the last event; the output of its execution is complete.
	Finished struct{ Execution *Execution }
)

func (CompileStarted) isRunEvent() {}
func (RunStarted) isRunEvent()     {}
func (Output) isRunEvent()         {}
func (Finished) isRunEvent()       {}

func toOutput(stream Stream, m *drydockv1.Output) Output {
	data := m.GetData()
	if text, isText := m.GetContent().(*drydockv1.Output_Text); isText {
		data = []byte(text.Text)
	}
	return Output{Stream: stream, Offset: m.GetOffset(), Data: data}
}

// Run runs a program of one file now, and answers when it has ended. As RunProgram.
func (c *Client) Run(ctx context.Context, language, source string) (*Execution, error) {
	return c.RunProgram(ctx, Program{Language: language, Source: source})
}

// RunProgram runs a program now and answers when it has ended; the end of ctx ends the program. A program that fails is a result.
// Fails with ErrInvalidArgument, ErrQuotaExceeded, ErrNoCapacity.
func (c *Client) RunProgram(ctx context.Context, program Program) (*Execution, error) {
	request := &drydockv1.RunCodeRequest{}
	if err := program.immediate(request); err != nil {
		return nil, err
	}
	kind := kind{repeatable: true, unlimited: true}
	answer, err := call(ctx, c.connection, kind, c.connection.executions.RunCode, request)
	if err != nil {
		return nil, err
	}
	return toExecution(answer.GetExecution()), nil
}

// Stream runs a program now, with events as they happen. Leaving the loop ends the program. An error is the last that is yielded.
func (c *Client) Stream(ctx context.Context, program Program) iter.Seq2[RunEvent, error] {
	return func(yield func(RunEvent, error) bool) {
		request := &drydockv1.StreamCodeRequest{}
		if err := program.immediate(request); err != nil {
			yield(nil, err)
			return
		}
		events, err := open(ctx, c.connection, repeatable, c.connection.executions.StreamCode, request)
		if err != nil {
			yield(nil, err)
			return
		}
		defer events.close()
		for {
			answer, err := events.next()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if event := toRunEvent(answer); event != nil && !yield(event, nil) {
				return
			}
		}
	}
}

// toRunEvent is nil for an event that a newer server has added.
func toRunEvent(m *drydockv1.StreamCodeResponse) RunEvent {
	switch event := m.GetEvent().(type) {
	case *drydockv1.StreamCodeResponse_CompileStarted:
		return CompileStarted{}
	case *drydockv1.StreamCodeResponse_RunStarted:
		return RunStarted{int(event.RunStarted.GetCaseIndex())}
	case *drydockv1.StreamCodeResponse_Stdout:
		return toOutput(Stdout, event.Stdout)
	case *drydockv1.StreamCodeResponse_Stderr:
		return toOutput(Stderr, event.Stderr)
	case *drydockv1.StreamCodeResponse_Execution:
		return Finished{toExecution(event.Execution)}
	}
	return nil
}

// Submit puts a program in the queue: from then on it is run, whatever breaks. Fails as RunProgram, and with ErrQuotaExceeded
// (QUEUE_FULL).
func (c *Client) Submit(ctx context.Context, program Program) (*Job, error) {
	request, err := program.request()
	if err != nil {
		return nil, err
	}
	answer, err := call(ctx, c.connection, repeatable, c.connection.executions.SubmitExecution, request)
	if err != nil {
		return nil, err
	}
	return c.Job(answer.GetExecution().GetId()), nil
}

// Submitted is what came of one program of SubmitBatch: a job, or an error as of Submit.
type Submitted struct {
	Job *Job
	Err error
}

// SubmitBatch puts up to 1,000 programs in the queue. Each is taken or refused by itself, and the answer says which, in their order.
func (c *Client) SubmitBatch(ctx context.Context, programs []Program) ([]Submitted, error) {
	batch := &drydockv1.BatchSubmitExecutionsRequest{}
	for _, program := range programs {
		request, err := program.request()
		if err != nil {
			return nil, err
		}
		batch.Requests = append(batch.Requests, request)
	}
	answer, err := call(ctx, c.connection, repeatable, c.connection.executions.BatchSubmitExecutions, batch)
	if err != nil {
		return nil, err
	}
	results := make([]Submitted, len(answer.GetResults()))
	for i, result := range answer.GetResults() {
		if execution := result.GetExecution(); execution != nil {
			results[i].Job = c.Job(execution.GetId())
		} else {
			results[i].Err = refusal(result.GetError())
		}
	}
	return results, nil
}

func refusal(m *drydockv1.BatchSubmitError) *Error {
	e := &Error{Reason: m.GetReason().String(), Message: m.GetMessage()}
	e.kind = kindOfReason[e.Reason]
	for _, violation := range m.GetFieldViolations() {
		e.FieldViolations = append(e.FieldViolations, FieldViolation{violation.GetField(), violation.GetDescription()})
	}
	return e
}

// GetExecution asks how an execution is now. Fails with ErrNotFound.
func (c *Client) GetExecution(ctx context.Context, id string) (*Execution, error) {
	return c.Job(id).Get(ctx)
}

// ExecutionFilter says which executions are listed.
type ExecutionFilter struct {
	// States default to all.
	States []ExecutionState
}

// Executions lists those of the organisation, newest first, without their output.
func (c *Client) Executions(ctx context.Context, filter ExecutionFilter) iter.Seq2[*Execution, error] {
	return pages(func(pageToken string) ([]*Execution, string, error) {
		request := &drydockv1.ListExecutionsRequest{PageToken: pageToken}
		for _, state := range filter.States {
			value, known := drydockv1.Execution_State_value[string(state)]
			if !known {
				return nil, "", invalid("there is no state %q", state)
			}
			request.States = append(request.States, drydockv1.Execution_State(value))
		}
		answer, err := call(ctx, c.connection, repeatable, c.connection.executions.ListExecutions, request)
		if err != nil {
			return nil, "", err
		}
		return converted(answer.GetExecutions(), toExecution), answer.GetNextPageToken(), nil
	})
}

func converted[From, To any](from []From, convert func(From) To) []To {
	to := make([]To, len(from))
	for i, each := range from {
		to[i] = convert(each)
	}
	return to
}
