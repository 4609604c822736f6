package files

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/tree"
	"drydock.dev/agent/internal/user"
)

// Do does file work as the user and turns its error into a status.
func Do[T any](u user.User, work func() (T, error)) (T, error) {
	result, err := user.As(u, work)
	return result, statusOf(err)
}

// statusOf gives an error of the file system its reason.
func statusOf(err error) error {
	if err == nil {
		return nil
	}
	if _, typed := status.FromError(err); typed {
		return err
	}
	reason := pb.Reason_INTERNAL
	if errors.Is(err, tree.ErrTooLarge) {
		reason = pb.Reason_DISK_FULL
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		reason = reasonOf(number)
	}
	return fault.New(reason, "%v", err)
}

func reasonOf(number syscall.Errno) pb.Reason {
	switch number {
	case unix.ENOENT:
		return pb.Reason_FILE_NOT_FOUND
	case unix.EACCES, unix.EPERM, unix.EROFS:
		return pb.Reason_FILE_PERMISSION_DENIED
	case unix.EEXIST:
		return pb.Reason_FILE_EXISTS
	case unix.ENOSPC, unix.EDQUOT, unix.EFBIG, unix.ENOMEM, unix.EMFILE, unix.ENFILE:
		return pb.Reason_DISK_FULL
	case unix.ENOTDIR, unix.EISDIR, unix.ENOTEMPTY, unix.EXDEV, unix.ELOOP, unix.ENXIO, unix.EBUSY, unix.ETXTBSY:
		return pb.Reason_FILE_WRONG_TYPE
	case unix.ENAMETOOLONG, unix.EINVAL:
		return pb.Reason_PATH_INVALID
	}
	return pb.Reason_INTERNAL
}
