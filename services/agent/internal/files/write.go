package files

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/threads"
	"drydock.dev/agent/internal/user"
)

const (
	// DefaultMode is that of a new file for which none is given.
	DefaultMode    = 0o644
	temporaryTries = 8
)

// upload is a file that is being written, under a temporary name in its final directory.
type upload struct {
	path, name, temporary string
	directory, file       *os.File
}

func (s *Service) Write(stream grpc.ClientStreamingServer[pb.WriteRequest, pb.WriteResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return fault.New(pb.Reason_INVALID_REQUEST, "the first message carries the path")
	}
	up, err := Do(s.user, func() (*upload, error) { return beginUpload(user.Path(first.Path)) })
	if err != nil {
		return err
	}
	defer up.directory.Close()
	if err = up.receive(stream, first); err != nil {
		_, _ = Do(s.user, func() (any, error) { return nil, up.discard() })
		return err
	}
	info, err := Do(s.user, func() (*pb.FileInfo, error) { return up.settle(first.Mode) })
	if err != nil {
		return err
	}
	return stream.SendAndClose(&pb.WriteResponse{File: info})
}

func beginUpload(path string) (*upload, error) {
	if info, err := describe(path); err == nil && info.Type == pb.FileType_FILE_TYPE_DIRECTORY {
		return nil, fault.New(pb.Reason_FILE_WRONG_TYPE, "%s: is a directory", path)
	}
	if err := makeDirectories(filepath.Dir(path)); err != nil {
		return nil, err
	}
	directory, err := openParent(path)
	if err != nil {
		return nil, err
	}
	up := &upload{path: path, name: filepath.Base(path), directory: directory}
	for range temporaryTries {
		up.temporary = ".drydock-" + strconv.FormatUint(rand.Uint64(), 36)
		up.file, err = open(int(directory.Fd()), up.temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
		if !errors.Is(err, unix.EEXIST) {
			break
		}
	}
	if err != nil {
		_ = directory.Close()
		// The caller knows the requested name, not the temporary one.
		return nil, &os.PathError{Op: "write", Path: path, Err: errors.Unwrap(err)}
	}
	return up, nil
}

func (up *upload) receive(
	stream grpc.ClientStreamingServer[pb.WriteRequest, pb.WriteResponse], message *pb.WriteRequest,
) error {
	for {
		if _, err := threads.Blocking(func() (int, error) { return up.file.Write(message.Data) }); err != nil {
			return statusOf(err)
		}
		if message.Complete {
			return nil
		}
		var err error
		if message, err = stream.Recv(); errors.Is(err, io.EOF) {
			return fault.New(pb.Reason_UPLOAD_INCOMPLETE, "the upload ended before the file was complete")
		} else if err != nil {
			return err
		}
	}
}

// settle gives a complete file its mode and its name, and replaces a file of that name, a link rather than its target.
func (up *upload) settle(mode uint32) (*pb.FileInfo, error) {
	if mode == 0 {
		mode = DefaultMode
		if info, err := describe(up.path); err == nil && info.Type == pb.FileType_FILE_TYPE_FILE {
			mode = info.Mode
		}
	}
	err := up.file.Chmod(os.FileMode(mode).Perm())
	if closed := up.file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		directory := int(up.directory.Fd())
		err = unix.Renameat(directory, up.temporary, directory, up.name)
	}
	if err != nil {
		return nil, errors.Join(err, up.discard())
	}
	return describe(up.path)
}

func (up *upload) discard() error {
	_ = up.file.Close()
	return unix.Unlinkat(int(up.directory.Fd()), up.temporary, 0)
}
