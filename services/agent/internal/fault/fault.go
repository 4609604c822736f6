package fault

import (
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

// domain is ErrorInfo.domain of every error of Drydock.
const domain = "drydock"

var codeOf = map[pb.Reason]codes.Code{
	pb.Reason_INVALID_REQUEST:        codes.InvalidArgument,
	pb.Reason_INTERNAL:               codes.Internal,
	pb.Reason_SANDBOX_BOUND:          codes.FailedPrecondition,
	pb.Reason_SANDBOX_FOR_CELLS:      codes.FailedPrecondition,
	pb.Reason_NOTHING_KEPT:           codes.FailedPrecondition,
	pb.Reason_COMMAND_NOT_FOUND:      codes.InvalidArgument,
	pb.Reason_PROCESS_LIMIT_REACHED:  codes.ResourceExhausted,
	pb.Reason_PROCESS_NOT_FOUND:      codes.NotFound,
	pb.Reason_PROCESS_ENDED:          codes.FailedPrecondition,
	pb.Reason_PROCESS_INPUT_CLOSED:   codes.FailedPrecondition,
	pb.Reason_CELLS_UNSUPPORTED:      codes.Unimplemented,
	pb.Reason_CELL_UNAVAILABLE:       codes.ResourceExhausted,
	pb.Reason_CELL_ENDED:             codes.Aborted,
	pb.Reason_FILE_NOT_FOUND:         codes.NotFound,
	pb.Reason_FILE_PERMISSION_DENIED: codes.PermissionDenied,
	pb.Reason_FILE_EXISTS:            codes.AlreadyExists,
	pb.Reason_FILE_WRONG_TYPE:        codes.FailedPrecondition,
	pb.Reason_DISK_FULL:              codes.ResourceExhausted,
	pb.Reason_PATH_INVALID:           codes.InvalidArgument,
	pb.Reason_UPLOAD_INCOMPLETE:      codes.Canceled,
	pb.Reason_WATCH_LIMIT_REACHED:    codes.ResourceExhausted,
	pb.Reason_PORT_NOT_LISTENING:     codes.Unavailable,
}

// New is an error with the code of its reason. Bytes of the message that are not text are replaced.
func New(reason pb.Reason, format string, arguments ...any) error {
	message := strings.ToValidUTF8(fmt.Sprintf(format, arguments...), "\uFFFD")
	return withReason(status.New(codeOf[reason], message), reason)
}

// Typed gives an error of a handler a reason if it has none. An error of the call itself, which was cancelled or has reached its
// deadline, stays without.
func Typed(err error) error {
	s, ok := status.FromError(err)
	if !ok {
		s = status.FromContextError(err)
	}
	switch s.Code() {
	case codes.OK, codes.Canceled, codes.DeadlineExceeded:
		return err
	}
	if ReasonOf(err) != pb.Reason_REASON_UNSPECIFIED {
		return err
	}
	return withReason(s, pb.Reason_INTERNAL)
}

// ReasonOf reads an error's reason; REASON_UNSPECIFIED if it has none.
func ReasonOf(err error) pb.Reason {
	for _, detail := range status.Convert(err).Details() {
		if info, typed := detail.(*errdetails.ErrorInfo); typed && info.Domain == domain {
			return pb.Reason(pb.Reason_value[info.Reason])
		}
	}
	return pb.Reason_REASON_UNSPECIFIED
}

func withReason(s *status.Status, reason pb.Reason) error {
	detailed, err := s.WithDetails(&errdetails.ErrorInfo{Reason: reason.String(), Domain: domain})
	if err != nil {
		return s.Err()
	}
	return detailed.Err()
}
