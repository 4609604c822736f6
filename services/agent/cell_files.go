package main

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/programs"
)

// cellFiles writes the program of a cell, with its user's rights, before anything runs there.
type cellFiles struct {
	directory *os.File
	// current is the file that was written last, and may be written on.
	current *os.File
	path    string
}

func (f *cellFiles) write(request *pb.CellFile) error {
	if !filepath.IsLocal(request.Path) || filepath.Clean(request.Path) == "." {
		return status.Errorf(codes.InvalidArgument, "%s: is not below the program's directory", programs.Printable(request.Path))
	}
	_, err := onFiles(func() (any, error) {
		if f.current == nil || f.path != request.Path {
			if err := f.open(request.Path, request.Mode); err != nil {
				return nil, err
			}
		}
		_, err := f.current.Write(request.Data)
		return nil, err
	})
	return err
}

// open creates a file with its parents, or goes on with one. Its mode is that of its first piece.
func (f *cellFiles) open(path string, mode uint32) error {
	if f.current != nil {
		_ = f.current.Close()
		f.current = nil
	}
	directory := int(f.directory.Fd())
	for end := range path {
		if path[end] != '/' {
			continue
		}
		if err := unix.Mkdirat(directory, path[:end], 0o755); err != nil && err != unix.EEXIST {
			return &os.PathError{Op: "make", Path: path[:end], Err: err}
		}
	}
	if mode == 0 {
		mode = defaultMode
	}
	file, err := openBelow(directory, path, unix.O_CREAT|unix.O_EXCL, uint64(mode))
	switch {
	case err == nil:
		// The agent's mask has taken some away.
		err = file.Chmod(os.FileMode(mode).Perm())
	case errors.Is(err, os.ErrExist):
		file, err = openBelow(directory, path, unix.O_APPEND, 0)
	}
	if err != nil {
		return err
	}
	f.current, f.path = file, path
	return nil
}

func openBelow(directory int, path string, flags, mode uint64) (*os.File, error) {
	fd, err := unix.Openat2(directory, path, &unix.OpenHow{
		Flags: unix.O_WRONLY | unix.O_CLOEXEC | flags, Mode: mode, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return nil, &os.PathError{Op: "write", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (f *cellFiles) close() {
	if f.current != nil {
		_ = f.current.Close()
	}
	_ = f.directory.Close()
}
