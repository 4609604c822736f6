package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/programs"
)

const (
	defaultMode    = 0o644
	temporaryTries = 8
)

// upload is a file that is being written: under another name, in the directory where it will be.
type upload struct {
	path, name, temporary string
	directory, file       *os.File
}

func (s *filesystemService) Write(stream grpc.ClientStreamingServer[pb.WriteRequest, pb.WriteResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return status.Error(codes.InvalidArgument, "the first message carries the path")
	}
	up, err := onFiles(func() (*upload, error) { return beginUpload(absolute(first.Path)) })
	if err != nil {
		return err
	}
	defer up.directory.Close()
	if err = up.receive(stream, first.Data); err != nil {
		_, _ = onFiles(func() (any, error) { return nil, up.discard() })
		return err
	}
	info, err := onFiles(func() (*pb.FileInfo, error) { return up.settle(first.Mode) })
	if err != nil {
		return err
	}
	return stream.SendAndClose(&pb.WriteResponse{File: info})
}

func beginUpload(path string) (*upload, error) {
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return nil, status.Errorf(codes.FailedPrecondition, "%s: is a directory", programs.Printable(path))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	directory, err := openFile(unix.AT_FDCWD, filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	up := &upload{path: path, name: filepath.Base(path), directory: directory}
	for range temporaryTries {
		up.temporary = ".drydock-" + strconv.FormatUint(rand.Uint64(), 36)
		up.file, err = openFile(int(directory.Fd()), up.temporary, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
		if !errors.Is(err, unix.EEXIST) {
			break
		}
	}
	if err != nil {
		_ = directory.Close()
		// The name that was asked for says more than the temporary one.
		return nil, &os.PathError{Op: "write", Path: path, Err: errors.Unwrap(err)}
	}
	return up, nil
}

func (up *upload) receive(stream grpc.ClientStreamingServer[pb.WriteRequest, pb.WriteResponse], data []byte) error {
	for {
		if _, err := blocking(func() (int, error) { return up.file.Write(data) }); err != nil {
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

// settle gives a complete file its mode and its name. What had the name is replaced, a link rather than its target.
func (up *upload) settle(mode uint32) (*pb.FileInfo, error) {
	if mode == 0 {
		mode = defaultMode
		if info, err := os.Lstat(up.path); err == nil && info.Mode().IsRegular() {
			mode = uint32(info.Mode().Perm())
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
