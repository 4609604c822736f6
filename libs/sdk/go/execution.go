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

// CompileResult is what came of the compile step.
type CompileResult struct {
	Result
	// Cached: what an earlier compile step of the organisation had made, of the same files and settings, was used. All of this is then
	// of that step.
	Cached bool
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
	Compile    *CompileResult
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
	// Score is that of its groups, and of its cases without a group. Nil until it has ended, and where the program has no points.
	Score *float64
	// MaxScore is the most that Score could have been.
	MaxScore *float64
	// Groups has one for each group, in their order.
	Groups []GroupResult
	// Attempts counts how many times it was begun. More than 1 where a host was lost under it.
	Attempts int
	Priority int
}

// CaseResult is what came of one test case.
type CaseResult struct {
	// Result has the first 16 KiB of an output; where there are more than 128 cases, their share of 4 MiB.
	Result
	Name string
	// Verdict is empty where it was skipped.
	Verdict Verdict
	// Message is what the checker said; why, where it was skipped.
	Message string
	// Score is what it earned, from 0 to its points, where the program has points; else what a checker gave, or nil. WRONG_ANSWER may
	// have some.
	Score *float64
	// Skipped: it was not run, because of an earlier case, of its group or of one that its group depends on, or of the compiler.
	Skipped bool
}

// GroupResult is what came of a group of test cases.
type GroupResult struct {
	Name string
	// Verdict is that of its first case that was not accepted; empty where none was run, or the others were skipped.
	Verdict  Verdict
	Score    float64
	MaxScore float64
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
		Score:             m.Score,
		MaxScore:          m.MaxScore,
	}
	if compile := m.GetCompile(); compile != nil {
		e.Compile = &CompileResult{toResult(compile, compile.ExitCode), compile.GetCached()}
	}
	for _, each := range m.GetCases() {
		e.Cases = append(e.Cases, CaseResult{
			Result:  toResult(each, each.ExitCode),
			Name:    each.GetName(),
			Verdict: enum[Verdict](each.GetVerdict(), int32(each.GetVerdict())),
			Message: each.GetMessage(),
			Score:   each.Score,
			Skipped: each.GetSkipped(),
		})
	}
	for _, each := range m.GetGroups() {
		verdict := enum[Verdict](each.GetVerdict(), int32(each.GetVerdict()))
		e.Groups = append(e.Groups, GroupResult{each.GetName(), verdict, each.GetScore(), each.GetMaxScore()})
	}
	return e
}
