package files

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"drydock.dev/agent/internal/programs"
	"drydock.dev/agent/internal/user"
)

// Do does file work as the user and turns its error into a status.
func Do[T any](u user.User, work func() (T, error)) (T, error) {
	result, err := user.As(u, work)
	return result, statusOf(err)
}

// statusOf gives an error of the file system its code of the protocol.
func statusOf(err error) error {
	if err == nil {
		return nil
	}
	if _, typed := status.FromError(err); typed {
		return err
	}
	code := codes.Unknown
	var number syscall.Errno
	if errors.As(err, &number) {
		code = codeOf(number)
	}
	return status.Error(code, programs.Printable(err.Error()))
}

func codeOf(number syscall.Errno) codes.Code {
	switch number {
	case unix.ENOENT:
		return codes.NotFound
	case unix.EACCES, unix.EPERM, unix.EROFS:
		return codes.PermissionDenied
	case unix.EEXIST:
		return codes.AlreadyExists
	case unix.ENOSPC, unix.EDQUOT, unix.EFBIG, unix.ENOMEM, unix.EMFILE, unix.ENFILE:
		return codes.ResourceExhausted
	case unix.ENOTDIR, unix.EISDIR, unix.ENOTEMPTY, unix.EXDEV, unix.ELOOP, unix.ENXIO, unix.EBUSY, unix.ETXTBSY:
		return codes.FailedPrecondition
	case unix.ENAMETOOLONG, unix.EINVAL:
		return codes.InvalidArgument
	}
	return codes.Unknown
}
