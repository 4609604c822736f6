package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

const (
	maxEntries  = 1000
	defaultMode = 0o644
	// File operations hold a thread each, of those that startThreads made.
	fileSlots = 4
)

type filesystemService struct {
	pb.UnimplementedFilesystemServiceServer
}

var fileTokens = make(chan struct{}, fileSlots)

// onFiles does file work as the user, a few at a time, and turns its error into a status.
func onFiles[T any](work func() (T, error)) (T, error) {
	fileTokens <- struct{}{}
	defer func() { <-fileTokens }()
	result, err := asUser(work)
	return result, fileStatus(err)
}

// openFile opens without following what leads out of the sandbox's own tree by magic, and without waiting for a pipe's
// other end or taking a terminal.
func openFile(path string, flags int, mode uint32) (*os.File, error) {
	flags |= unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if flags&unix.O_CREAT != 0 {
		how.Mode = uint64(mode)
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) && flags&unix.O_CREAT == 0 {
		fd, err = unix.Open(path, flags, mode)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (s *filesystemService) Read(request *pb.ReadRequest, stream grpc.ServerStreamingServer[pb.ReadResponse]) error {
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
		count, err := section.Read(buffer[:])
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
	file, err := openFile(path, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = status.Errorf(codes.FailedPrecondition, "%s: is not a regular file", path)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

var temporaryNumber atomic.Int64

func (s *filesystemService) Write(stream grpc.ClientStreamingServer[pb.WriteRequest, pb.WriteResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return status.Error(codes.InvalidArgument, "the first message carries the path")
	}
	path := absolute(first.Path)
	temporary := filepath.Join(filepath.Dir(path), ".drydock-"+strconv.FormatInt(temporaryNumber.Add(1), 36))
	file, err := onFiles(func() (*os.File, error) { return createFor(path, temporary) })
	if err != nil {
		return err
	}
	err = receive(stream, file, first.Data)
	if closed := file.Close(); err == nil {
		err = fileStatus(closed)
	}
	if err != nil {
		_, _ = onFiles(func() (any, error) { return nil, os.Remove(temporary) })
		return err
	}
	info, err := onFiles(func() (*pb.FileInfo, error) { return settle(temporary, path, first.Mode) })
	if err != nil {
		return err
	}
	return stream.SendAndClose(&pb.WriteResponse{File: info})
}

func createFor(path, temporary string) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return nil, status.Errorf(codes.FailedPrecondition, "%s: is a directory", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return openFile(temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
}

func receive(stream grpc.ClientStreamingServer[pb.WriteRequest, pb.WriteResponse], file *os.File, data []byte) error {
	for {
		if _, err := file.Write(data); err != nil {
			return fileStatus(err)
		}
		next, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		data = next.Data
	}
}

// settle gives a complete file its mode and its name.
func settle(temporary, path string, mode uint32) (*pb.FileInfo, error) {
	if mode == 0 {
		mode = defaultMode
		if info, err := os.Stat(path); err == nil {
			mode = uint32(info.Mode().Perm())
		}
	}
	err := os.Chmod(temporary, fs.FileMode(mode).Perm())
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary)
		return nil, err
	}
	return describe(path)
}

func (s *filesystemService) Stat(_ context.Context, request *pb.StatRequest) (*pb.StatResponse, error) {
	info, err := onFiles(func() (*pb.FileInfo, error) { return describe(absolute(request.Path)) })
	return &pb.StatResponse{File: info}, err
}

func (s *filesystemService) ListDirectory(_ context.Context, request *pb.ListDirectoryRequest) (*pb.ListDirectoryResponse, error) {
	limit := int(request.Limit)
	if limit == 0 || limit > maxEntries {
		limit = maxEntries
	}
	return onFiles(func() (*pb.ListDirectoryResponse, error) {
		return listDirectory(absolute(request.Path), request.After, limit)
	})
}

func listDirectory(path, after string, limit int) (*pb.ListDirectoryResponse, error) {
	directory, err := openFile(path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	names, err := directory.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	start, found := slices.BinarySearch(names, after)
	if found {
		start++
	}
	names = names[start:]
	response := &pb.ListDirectoryResponse{More: len(names) > limit}
	for _, name := range names[:min(limit, len(names))] {
		// One that vanished since is not an error of the listing.
		if info, err := describe(filepath.Join(path, name)); err == nil {
			response.Files = append(response.Files, info)
		}
	}
	return response, nil
}

func (s *filesystemService) MakeDirectory(_ context.Context, request *pb.MakeDirectoryRequest) (*pb.MakeDirectoryResponse, error) {
	path := absolute(request.Path)
	info, err := onFiles(func() (*pb.FileInfo, error) {
		if err := os.MkdirAll(path, 0o755); err != nil {
			if errors.Is(err, syscall.ENOTDIR) {
				return nil, status.Errorf(codes.AlreadyExists, "%s: a file is in the way", path)
			}
			return nil, err
		}
		return describe(path)
	})
	return &pb.MakeDirectoryResponse{File: info}, err
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
		if err := os.Rename(from, to); err != nil {
			return nil, err
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

func describe(path string) (*pb.FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	described := &pb.FileInfo{
		Name: info.Name(), Path: path, SizeBytes: info.Size(), Mode: uint32(info.Mode().Perm()),
		ModifyUnixMicroseconds: info.ModTime().UnixMicro(), Type: typeOf(info.Mode()),
	}
	if described.Type == pb.FileType_FILE_TYPE_SYMLINK {
		described.LinkTarget, _ = os.Readlink(path)
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
	for known, as := range map[syscall.Errno]codes.Code{
		syscall.ENOENT: codes.NotFound, syscall.EACCES: codes.PermissionDenied, syscall.EPERM: codes.PermissionDenied,
		syscall.EROFS: codes.PermissionDenied, syscall.EEXIST: codes.AlreadyExists, syscall.ENOSPC: codes.ResourceExhausted,
		syscall.EDQUOT: codes.ResourceExhausted, syscall.EFBIG: codes.ResourceExhausted,
		syscall.ENOTDIR: codes.FailedPrecondition, syscall.EISDIR: codes.FailedPrecondition,
		syscall.ENOTEMPTY: codes.FailedPrecondition, syscall.EXDEV: codes.FailedPrecondition,
		syscall.ELOOP: codes.FailedPrecondition, syscall.ENXIO: codes.FailedPrecondition,
		syscall.EBUSY: codes.FailedPrecondition, syscall.ENAMETOOLONG: codes.InvalidArgument,
		syscall.EINVAL: codes.InvalidArgument,
	} {
		if errors.Is(err, known) {
			code = as
		}
	}
	return status.Error(code, err.Error())
}
