package fault_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
)

func TestEveryReasonHasACode(t *testing.T) {
	for number, name := range pb.Reason_name {
		if number == 0 {
			continue
		}
		err := fault.New(pb.Reason(number), "%s", "a\xffb")
		if status.Code(err) == codes.OK || fault.ReasonOf(err).String() != name || status.Convert(err).Message() != "a\uFFFDb" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorsWithoutAReasonGetOne(t *testing.T) {
	for _, test := range []struct {
		err    error
		reason pb.Reason
	}{
		{nil, pb.Reason_REASON_UNSPECIFIED},
		{errors.New("plain"), pb.Reason_INTERNAL},
		{status.Error(codes.ResourceExhausted, "of gRPC itself"), pb.Reason_INTERNAL},
		{fault.New(pb.Reason_DISK_FULL, "full"), pb.Reason_DISK_FULL},
		{context.Canceled, pb.Reason_REASON_UNSPECIFIED},
		{context.DeadlineExceeded, pb.Reason_REASON_UNSPECIFIED},
	} {
		typed := fault.Typed(test.err)
		if fault.ReasonOf(typed) != test.reason || status.Code(typed) != status.Code(test.err) {
			t.Errorf("%v: %v", test.err, typed)
		}
	}
}
