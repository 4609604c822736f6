package drydock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"time"
)

// What callers tell apart by errors.Is.
var (
	// ErrNotFound: there is no such thing in the organisation.
	ErrNotFound = errors.New("not found")
	// ErrInvalidArgument: the request cannot be right, now or later.
	ErrInvalidArgument = errors.New("invalid argument")
	// ErrUnauthenticated: there is no credential, or one that is unknown, expired or revoked.
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrPermissionDenied: the credential, or the sandbox's user, may not do that.
	ErrPermissionDenied = errors.New("permission denied")
	// ErrQuotaExceeded: the organisation, or a sandbox, has as much as it may, or makes too many calls.
	ErrQuotaExceeded = errors.New("quota exceeded")
	// ErrNoCapacity: the platform has no room right now.
	ErrNoCapacity = errors.New("no capacity")
	// ErrConflict: what there is stands in the way, such as a path that exists, or an execution that still runs.
	ErrConflict = errors.New("conflict")
	// ErrUnavailable: the platform, or a part of it, cannot be reached.
	ErrUnavailable = errors.New("unavailable")
	// ErrConnectionLost: the connection broke under a call, or there was none. Whether the platform did what was asked is not known.
	// It is an ErrUnavailable too.
	ErrConnectionLost = errors.New("connection lost")
	// ErrTimeout: the deadline of a call was over. It is a context.DeadlineExceeded too.
	ErrTimeout = errors.New("timeout")
	// ErrSandboxNotRunning: the sandbox has stopped; Metadata has its state and stop_reason.
	ErrSandboxNotRunning = errors.New("sandbox not running")
	// ErrClientClosed: the client was closed before the call, or under it; whether the platform did what was asked is then not known.
	ErrClientClosed = errors.New("the client is closed: make calls before Close, or by a new client")
)

// Error is what every call of this package fails with. A program that fails in an execution is a result, not an error; a
// command that fails is an *ExitError.
type Error struct {
	// Reason is stable, such as SANDBOX_NOT_FOUND. A newer server may know more of them.
	Reason string
	// Message says what is wrong, and where possible what to do.
	Message string
	// RequestID names the request in the logs of the platform; empty where no answer came.
	RequestID string
	// RetryAfter is the time after which trying again may help; 0 where the platform named none.
	RetryAfter time.Duration
	// FieldViolations say what is wrong with which field of the request.
	FieldViolations []FieldViolation
	// Metadata says more about the reason, such as state of SANDBOX_NOT_RUNNING.
	Metadata map[string]string

	kind  error
	cause error
}

// FieldViolation says what is wrong with a field of a request.
type FieldViolation struct {
	Field       string
	Description string
}

func (e *Error) Error() string { return "drydock: " + e.Message }

// Unwrap returns the status of gRPC or the error of the context that ended the call, if any.
func (e *Error) Unwrap() error { return e.cause }

// Is tells whether the error is one of this package's kinds, or what the standard library calls the same: fs.ErrNotExist,
// fs.ErrExist, fs.ErrPermission, exec.ErrNotFound and context.DeadlineExceeded.
func (e *Error) Is(target error) bool {
	switch target {
	case nil:
		return false
	case e.kind:
		return true
	case ErrUnavailable:
		return e.kind == ErrConnectionLost
	case context.DeadlineExceeded:
		return e.kind == ErrTimeout
	case fs.ErrNotExist:
		return e.Reason == "FILE_NOT_FOUND"
	case fs.ErrExist:
		return e.Reason == "FILE_EXISTS"
	case fs.ErrPermission:
		return e.Reason == "FILE_PERMISSION_DENIED"
	case exec.ErrNotFound:
		return e.Reason == "COMMAND_NOT_FOUND"
	}
	return false
}

// OutputLostError tells that output was written while nobody read, and is no longer kept.
type OutputLostError struct {
	Stream Stream
	// LostBytes are missing before what is kept.
	LostBytes int64
}

func (e *OutputLostError) Error() string {
	return fmt.Sprintf("drydock: %d bytes of %s are lost: they were written while nobody read", e.LostBytes, e.Stream)
}

// Unwrap returns the same as an *Error, so that one check finds every error of this package.
func (e *OutputLostError) Unwrap() error {
	return &Error{Reason: "OUTPUT_LOST", Message: strings.TrimPrefix(e.Error(), "drydock: ")}
}

func invalid(format string, values ...any) *Error {
	return &Error{Reason: "INVALID_FIELD", Message: fmt.Sprintf(format, values...), kind: ErrInvalidArgument}
}

func clientClosed() *Error {
	return &Error{Reason: "CLIENT_CLOSED", Message: ErrClientClosed.Error(), kind: ErrClientClosed}
}

func timeout(cause error) *Error {
	return &Error{Reason: "DEADLINE_TOO_SHORT", Message: "no answer before the deadline of the call", kind: ErrTimeout, cause: cause}
}

// contextError is what a call fails with whose context has ended: a timeout, or the cause of its cancelling.
func contextError(ctx context.Context) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return timeout(cause)
	case errors.Is(cause, context.Canceled):
		return cause
	}
	return fmt.Errorf("%w: %w", context.Canceled, cause)
}
