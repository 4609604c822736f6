package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/programs"
)

type filesystemService struct {
	pb.UnimplementedFilesystemServiceServer
	watches watches
}

// onFiles does file work as the user and turns its error into a status.
func onFiles[T any](work func() (T, error)) (T, error) {
	result, err := asUser(work)
	return result, fileStatus(err)
}

// openFile opens without following /proc's links into other processes, and without waiting for a pipe's other end or
// taking a terminal.
func openFile(directory int, path string, flags int, mode uint32) (*os.File, error) {
	flags |= unix.O_CLOEXEC
	if flags&unix.O_PATH == 0 {
		flags |= unix.O_NONBLOCK | unix.O_NOCTTY
	}
	how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if flags&unix.O_CREAT != 0 {
		how.Mode = uint64(mode)
	}
	fd, err := unix.Openat2(directory, path, &how)
	if errors.Is(err, unix.ENOSYS) {
		fd, err = unix.Openat(directory, path, flags, mode)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (s *filesystemService) Read(request *pb.ReadRequest, stream grpc.ServerStreamingServer[pb.ReadResponse]) error {
	if request.OffsetBytes < 0 || request.LengthBytes < 0 {
		return status.Error(codes.InvalidArgument, "offset and length must not be negative")
	}
	path := absolute(request.Path)
	file, err := onFiles(func() (*os.File, error) { return openRegular(path) })
	if err != nil {
		return err
	}
	defer file.Close()
	length := request.LengthBytes
	if length == 0 {
		length = 1<<63 - 1 - request.OffsetBytes
	}
	section := io.NewSectionReader(file, request.OffsetBytes, length)
	buffer := chunks.Get().(*[chunkBytes]byte)
	defer chunks.Put(buffer)
	for {
		count, err := blocking(func() (int, error) { return section.Read(buffer[:]) })
		if count > 0 {
			if sent := stream.Send(&pb.ReadResponse{Data: buffer[:count]}); sent != nil {
				return sent
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fileStatus(err)
		}
	}
}

func openRegular(path string) (*os.File, error) {
	file, err := openFile(unix.AT_FDCWD, path, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = status.Errorf(codes.FailedPrecondition, "%s: is not a regular file", programs.Printable(path))
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func (s *filesystemService) Stat(_ context.Context, request *pb.StatRequest) (*pb.StatResponse, error) {
	info, err := onFiles(func() (*pb.FileInfo, error) { return describe(absolute(request.Path)) })
	return &pb.StatResponse{File: info}, err
}

func (s *filesystemService) Move(_ context.Context, request *pb.MoveRequest) (*pb.MoveResponse, error) {
	from, to := absolute(request.Path), absolute(request.Destination)
	info, err := onFiles(func() (*pb.FileInfo, error) {
		if _, err := os.Lstat(from); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return nil, err
		}
		// Not os.Rename, which refuses to move over an empty directory.
		if err := unix.Rename(from, to); err != nil {
			return nil, &os.LinkError{Op: "move", Old: from, New: to, Err: err}
		}
		return describe(to)
	})
	return &pb.MoveResponse{File: info}, err
}

func (s *filesystemService) Remove(_ context.Context, request *pb.RemoveRequest) (*pb.RemoveResponse, error) {
	path := absolute(request.Path)
	return onFiles(func() (*pb.RemoveResponse, error) {
		if _, err := os.Lstat(path); err != nil {
			return nil, err
		}
		remove := os.Remove
		if request.Recursive {
			// Works through open directories and never follows a link.
			remove = os.RemoveAll
		}
		return &pb.RemoveResponse{}, remove(path)
	})
}

// describe tells about a file itself, not about what a link points to. Names need not be text; messages must be.
func describe(path string) (*pb.FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	described := &pb.FileInfo{
		Name: programs.Printable(info.Name()), Path: programs.Printable(path), SizeBytes: info.Size(), Mode: uint32(info.Mode().Perm()),
		ModifyUnixMicroseconds: info.ModTime().UnixMicro(), Type: typeOf(info.Mode()),
	}
	if described.Type == pb.FileType_FILE_TYPE_SYMLINK {
		target, _ := os.Readlink(path)
		described.LinkTarget = programs.Printable(target)
	}
	return described, nil
}

func typeOf(mode fs.FileMode) pb.FileType {
	switch {
	case mode.IsRegular():
		return pb.FileType_FILE_TYPE_FILE
	case mode.IsDir():
		return pb.FileType_FILE_TYPE_DIRECTORY
	case mode&fs.ModeSymlink != 0:
		return pb.FileType_FILE_TYPE_SYMLINK
	}
	return pb.FileType_FILE_TYPE_OTHER
}

// fileStatus names an error of the file system in the words of the protocol.
func fileStatus(err error) error {
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
