package drydock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	drydockv1 "drydock.dev/drydock/v1"
)

// How long a signal may take that the client sends by itself, also one to a command that has not started yet.
const killTime = 10 * time.Second

// Process is a command that was started.
type Process struct {
	// ID is prc_ and 26 characters; Sandbox.JoinCommand takes it.
	ID string
	// PID is the process id inside the sandbox.
	PID     int
	sandbox *Sandbox
}

// Kill ends it with everything that it started. Fails with os.ErrProcessDone where it has ended.
func (p *Process) Kill(ctx context.Context) error { return p.Signal(ctx, "SIGKILL") }

// Signal sends a signal by its name, such as SIGTERM, to its process group. Fails with os.ErrProcessDone where it has ended.
func (p *Process) Signal(ctx context.Context, name string) error {
	request := &drydockv1.SignalProcessRequest{SandboxId: p.sandbox.ID, ProcessId: p.ID, Signal: name}
	kind := kind{repeatable: name == "SIGKILL"}
	_, err := call(ctx, p.sandbox.connection, kind, p.sandbox.connection.processes.SignalProcess, request)
	var failed *Error
	if errors.As(err, &failed) && (failed.Reason == "PROCESS_NOT_FOUND" || failed.Reason == "PROCESS_ENDED") {
		return os.ErrProcessDone
	}
	return err
}

// killQuietly kills it though ctx has ended; a failure adds nothing to the reason of that end.
func (p *Process) killQuietly(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTime)
	defer cancel()
	_ = p.Kill(ctx)
}

// ProcessState is how a command ended.
type ProcessState struct {
	exitCode int
	signal   string
	usage    Usage
}

func toProcessState(m *drydockv1.ProcessExited) *ProcessState {
	return &ProcessState{toExitCode(m.ExitCode), m.GetSignal(), toUsage(m.GetUsage())}
}

// ExitCode is -1 where a signal ended the command.
func (s *ProcessState) ExitCode() int { return s.exitCode }

// Signal that ended the command, such as SIGKILL; else empty.
func (s *ProcessState) Signal() string { return s.signal }

// Success tells whether the exit code is 0.
func (s *ProcessState) Success() bool { return s.exitCode == 0 }

// Usage is what the command used, with everything that it started.
func (s *ProcessState) Usage() Usage { return s.usage }

func (s *ProcessState) String() string {
	if s.signal != "" {
		return "signal: " + s.signal
	}
	return fmt.Sprintf("exit status %d", s.exitCode)
}

// ExitError tells that a command exited with another code than 0, or by a signal.
type ExitError struct {
	*ProcessState
	// Stderr has the end of standard error where Cmd.Output collected it.
	Stderr []byte
}

func (e *ExitError) Error() string {
	if text := strings.TrimSpace(string(e.Stderr)); text != "" {
		return e.String() + ": " + text
	}
	return e.String()
}

// ProcessInfo describes a command of a sandbox.
type ProcessInfo struct {
	ID        string
	PID       int
	Args      []string
	StartTime time.Time
	// State is nil while it runs.
	State *ProcessState
}

// Processes lists commands that run, or ended within the last minute; oldest first.
func (s *Sandbox) Processes(ctx context.Context) ([]ProcessInfo, error) {
	request := &drydockv1.ListProcessesRequest{SandboxId: s.ID}
	answer, err := call(ctx, s.connection, repeatable, s.connection.processes.ListProcesses, request)
	if err != nil {
		return nil, err
	}
	return converted(answer.GetProcesses(), func(m *drydockv1.Process) ProcessInfo {
		info := ProcessInfo{ID: m.GetId(), PID: int(m.GetPid()), Args: m.GetCommand(), StartTime: toTime(m.GetStartTime())}
		if exited := m.GetExited(); exited != nil {
			info.State = toProcessState(exited)
		}
		return info
	}), nil
}
