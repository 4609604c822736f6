package drydock

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	drydockv1 "drydock.dev/drydock/v1"
)

func TestEveryReasonHasItsKind(t *testing.T) {
	for value, reason := range drydockv1.ErrorReason_name {
		if _, known := kindOfReason[reason]; !known && value != 0 {
			t.Errorf("%s has no kind", reason)
		}
	}
	if len(kindOfReason) != len(drydockv1.ErrorReason_name)-1 {
		t.Error("there is a reason that the API lacks")
	}
}

func TestErrorsAreWhatTheStandardLibraryCallsTheSame(t *testing.T) {
	for _, test := range []struct {
		reason string
		target error
	}{
		{"FILE_NOT_FOUND", fs.ErrNotExist},
		{"FILE_EXISTS", fs.ErrExist},
		{"FILE_PERMISSION_DENIED", fs.ErrPermission},
		{"COMMAND_NOT_FOUND", exec.ErrNotFound},
		{"DEADLINE_TOO_SHORT", context.DeadlineExceeded},
	} {
		err := &fs.PathError{Op: "test", Path: "path", Err: &Error{Reason: test.reason, kind: kindOfReason[test.reason]}}
		if !errors.Is(err, test.target) || !errors.Is(err, kindOfReason[test.reason]) {
			t.Errorf("%s is no %v", test.reason, test.target)
		}
		if errors.Is(err, ErrUnauthenticated) || errors.Is(&Error{Reason: "INTERNAL"}, test.target) {
			t.Errorf("%s, or INTERNAL, is too much", test.reason)
		}
	}
}

func TestABrokenConnectionNamesTheAddressAndKeepsTheStatus(t *testing.T) {
	raw := status.Error(codes.Unavailable, `connection error: desc = "transport: \"refused\""`)
	err := toError(raw, "http://platform", nil, nil)
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, ErrConnectionLost) || status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	if err.Error() != `drydock: http://platform cannot be reached: transport: "refused"` {
		t.Errorf("got %v", err)
	}
	other := toError(status.Error(codes.Unimplemented, "unknown service"), "http://other", nil, nil)
	if !strings.Contains(other.Error(), "http://other does not answer as Drydock does: unknown service") {
		t.Errorf("got %v", other)
	}
}
