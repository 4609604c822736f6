package drydock

import (
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// kindOfReason has each reason of the API; those of the platform's own defects are of no kind.
var kindOfReason = map[string]error{
	"INVALID_FIELD":          ErrInvalidArgument,
	"MALFORMED_REQUEST":      ErrInvalidArgument,
	"REQUEST_TOO_LARGE":      ErrInvalidArgument,
	"REQUEST_ID_REUSED":      ErrConflict,
	"DEADLINE_TOO_SHORT":     ErrTimeout,
	"CREDENTIAL_INVALID":     ErrUnauthenticated,
	"SCOPE_MISSING":          ErrPermissionDenied,
	"CALLER_FORBIDDEN":       ErrPermissionDenied,
	"RATE_LIMITED":           ErrQuotaExceeded,
	"SANDBOX_NOT_FOUND":      ErrNotFound,
	"PROCESS_NOT_FOUND":      ErrNotFound,
	"FILE_NOT_FOUND":         ErrNotFound,
	"EXECUTION_NOT_FOUND":    ErrNotFound,
	"TEMPLATE_NOT_FOUND":     ErrNotFound,
	"ORGANIZATION_NOT_FOUND": ErrNotFound,
	"API_KEY_NOT_FOUND":      ErrNotFound,
	"ROUTE_NOT_FOUND":        ErrNotFound,
	"LANGUAGE_NOT_FOUND":     ErrInvalidArgument,
	"WEBHOOK_NOT_FOUND":      ErrNotFound,
	"BLOB_NOT_FOUND":         ErrNotFound,
	"TEST_SET_NOT_FOUND":     ErrNotFound,
	"BLOB_HASH_MISMATCH":     ErrInvalidArgument,
	"PACKAGE_INVALID":        ErrInvalidArgument,
	"PACKAGE_UNSUPPORTED":    ErrInvalidArgument,
	"DELIVERY_NOT_FOUND":     ErrNotFound,
	"SANDBOX_NOT_RUNNING":    ErrSandboxNotRunning,
	"PROCESS_ENDED":          ErrConflict,
	"PROCESS_INPUT_CLOSED":   ErrConflict,
	"FILE_WRONG_TYPE":        ErrConflict,
	"FILE_PERMISSION_DENIED": ErrPermissionDenied,
	"DISK_FULL":              ErrQuotaExceeded,
	"FILE_EXISTS":            ErrConflict,
	"COMMAND_NOT_FOUND":      ErrInvalidArgument,
	"SANDBOX_STOPPED":        ErrSandboxNotRunning,
	"EXECUTION_NOT_FINISHED": ErrConflict,
	"TOO_MANY_STREAMS":       ErrQuotaExceeded,
	"QUOTA_EXCEEDED":         ErrQuotaExceeded,
	"NO_CAPACITY":            ErrNoCapacity,
	"SERVICE_UNAVAILABLE":    ErrUnavailable,
	"SANDBOX_START_FAILED":   ErrUnavailable,
	"QUEUE_FULL":             ErrQuotaExceeded,
	"NOT_IMPLEMENTED":        nil,
	"INTERNAL":               nil,
}

// kindOfCode is for what has no reason, or one that a newer server has added.
var kindOfCode = map[codes.Code]error{
	codes.InvalidArgument:    ErrInvalidArgument,
	codes.OutOfRange:         ErrInvalidArgument,
	codes.DeadlineExceeded:   ErrTimeout,
	codes.NotFound:           ErrNotFound,
	codes.AlreadyExists:      ErrConflict,
	codes.FailedPrecondition: ErrConflict,
	codes.Aborted:            ErrConflict,
	codes.PermissionDenied:   ErrPermissionDenied,
	codes.Unauthenticated:    ErrUnauthenticated,
	codes.ResourceExhausted:  ErrQuotaExceeded,
	codes.Unavailable:        ErrUnavailable,
}

// toError is the error of a call from its status and what came beside it.
func toError(err error, url string, header, trailer metadata.MD) *Error {
	raw := status.Convert(err)
	e := &Error{Message: raw.Message(), RequestID: requestID(header, trailer), cause: err}
	readDetails(e, raw)
	if e.Reason != "" {
		kind, known := kindOfReason[e.Reason]
		if !known {
			kind = kindOfCode[raw.Code()]
		}
		e.kind = kind
		return e
	}
	switch raw.Code() {
	case codes.DeadlineExceeded:
		return timeout(err)
	// What gRPC itself gives to calls whose connection broke.
	case codes.Unavailable, codes.Internal, codes.Canceled:
		e.Reason, e.kind = "SERVICE_UNAVAILABLE", ErrConnectionLost
		e.Message = url + " cannot be reached: " + connectionMessage(raw.Message())
	default:
		e.Reason, e.kind = "INTERNAL", kindOfCode[raw.Code()]
		e.Message = url + " does not answer as Drydock does: " + raw.Message()
	}
	return e
}

// connectionMessage takes off what gRPC wraps around the reason of a connection that failed.
func connectionMessage(message string) string {
	inner := strings.TrimPrefix(message, "connection error: desc = ")
	if unquoted, err := strconv.Unquote(inner); err == nil {
		return unquoted
	}
	return inner
}

func readDetails(e *Error, raw *status.Status) {
	for _, detail := range raw.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			e.Reason, e.Metadata = detail.GetReason(), detail.GetMetadata()
		case *errdetails.RetryInfo:
			e.RetryAfter = detail.GetRetryDelay().AsDuration()
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				e.FieldViolations = append(e.FieldViolations, FieldViolation{violation.GetField(), violation.GetDescription()})
			}
		}
	}
}

func requestID(both ...metadata.MD) string {
	for _, each := range both {
		if values := each.Get("x-request-id"); len(values) > 0 {
			return values[0]
		}
	}
	return ""
}
