package drydock

import (
	"time"

	drydockv1 "drydock.dev/drydock/v1"
)

// Verdict is what came of an execution. A newer server may know more of them.
type Verdict string

const (
	// VerdictAccepted: exit code 0, and the expected output where one was given.
	VerdictAccepted         Verdict = "ACCEPTED"
	VerdictWrongAnswer      Verdict = "WRONG_ANSWER"
	VerdictCPUTimeExceeded  Verdict = "CPU_TIME_EXCEEDED"
	VerdictWallTimeExceeded Verdict = "WALL_TIME_EXCEEDED"
	VerdictMemoryExceeded   Verdict = "MEMORY_EXCEEDED"
	VerdictOutputExceeded   Verdict = "OUTPUT_EXCEEDED"
	// VerdictRuntimeError: a signal or an exit code other than 0.
	VerdictRuntimeError Verdict = "RUNTIME_ERROR"
	VerdictCompileError Verdict = "COMPILE_ERROR"
	VerdictCancelled    Verdict = "CANCELLED"
	// VerdictInternalError: the platform failed, not the program; running it again may help.
	VerdictInternalError Verdict = "INTERNAL_ERROR"
)

// ExecutionState is where an execution is.
type ExecutionState string

const (
	ExecutionQueued    ExecutionState = "QUEUED"
	ExecutionRunning   ExecutionState = "RUNNING"
	ExecutionFinished  ExecutionState = "FINISHED"
	ExecutionCancelled ExecutionState = "CANCELLED"
)

// Result of a program, a compiler or a test case.
type Result struct {
	// ExitCode is -1 where a signal ended the program, or where it never ran.
	ExitCode int
	// Signal that ended the program, such as SIGSEGV; else empty.
	Signal string
	Stdout string
	Stderr string
	// StdoutTruncated: there was more than is shown here.
	StdoutTruncated bool
	StderrTruncated bool
	Usage           Usage
}

// Execution is a program's run to a verdict.
type Execution struct {
	// Result has all of an output after Run, else its first 256 KiB; Job.Output has the rest. Output is empty where there are test
	// cases.
	Result
	// ID is exe_ and 26 characters.
	ID    string
	State ExecutionState
	// Verdict is empty until it has finished.
	Verdict  Verdict
	Language string
	Template string
	// StdoutInvalidUTF8: what is no text was replaced.
	StdoutInvalidUTF8 bool
	StderrInvalidUTF8 bool
	// Compile is nil where the language is not compiled.
	Compile    *Result
	CreateTime time.Time
	// StartTime is zero until it runs.
	StartTime time.Time
	// FinishTime is zero until it has ended.
	FinishTime time.Time
	// Isolation says how it was kept apart.
	Isolation Isolation
	// Message says why the verdict is INTERNAL_ERROR, or is what the checker printed.
	Message string
	// Cases has one for each test case, in their order.
	Cases []CaseResult
	// Attempts counts how many times it was begun. More than 1 where a host was lost under it.
	Attempts int
	Priority int
}

// CaseResult is what came of one test case.
type CaseResult struct {
	// Result has the first 16 KiB of an output.
	Result
	Name string
	// Verdict is empty where an earlier failure stopped the run.
	Verdict Verdict
	// Message is what the checker printed.
	Message string
}

// ended is what messages of results have in common.
type ended interface {
	GetSignal() string
	GetStdout() string
	GetStderr() string
	GetStdoutTruncated() bool
	GetStderrTruncated() bool
	GetUsage() *drydockv1.ResourceUsage
}

func toResult(m ended, exitCode *int32) Result {
	return Result{
		ExitCode:        toExitCode(exitCode),
		Signal:          m.GetSignal(),
		Stdout:          m.GetStdout(),
		Stderr:          m.GetStderr(),
		StdoutTruncated: m.GetStdoutTruncated(),
		StderrTruncated: m.GetStderrTruncated(),
		Usage:           toUsage(m.GetUsage()),
	}
}

func toExitCode(code *int32) int {
	if code == nil {
		return -1
	}
	return int(*code)
}

func toExecution(m *drydockv1.Execution) *Execution {
	e := &Execution{
		Result:            toResult(m, m.ExitCode),
		ID:                m.GetId(),
		State:             enum[ExecutionState](m.GetState(), int32(m.GetState())),
		Verdict:           enum[Verdict](m.GetVerdict(), int32(m.GetVerdict())),
		Language:          m.GetLanguage(),
		Template:          m.GetTemplate(),
		StdoutInvalidUTF8: m.GetStdoutInvalidUtf8(),
		StderrInvalidUTF8: m.GetStderrInvalidUtf8(),
		CreateTime:        toTime(m.GetCreateTime()),
		StartTime:         toTime(m.GetStartTime()),
		FinishTime:        toTime(m.GetFinishTime()),
		Isolation:         enum[Isolation](m.GetIsolation(), int32(m.GetIsolation())),
		Message:           m.GetMessage(),
		Attempts:          int(m.GetAttempts()),
		Priority:          int(m.GetPriority()),
	}
	if compile := m.GetCompile(); compile != nil {
		result := toResult(compile, compile.ExitCode)
		e.Compile = &result
	}
	for _, each := range m.GetCases() {
		e.Cases = append(e.Cases, CaseResult{
			Result:  toResult(each, each.ExitCode),
			Name:    each.GetName(),
			Verdict: enum[Verdict](each.GetVerdict(), int32(each.GetVerdict())),
			Message: each.GetMessage(),
		})
	}
	return e
}
