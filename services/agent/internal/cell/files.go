package cell

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/files"
	"drydock.dev/agent/internal/user"
)

// programFiles writes a cell's program with its user's rights, while nothing runs there.
type programFiles struct {
	user      user.User
	directory *os.File
	// current is the last written file, which the next piece may continue.
	current *os.File
	path    string
	// stepped is set once a program has run, which may have made links anywhere.
	stepped bool
}

func (f *programFiles) write(request *pb.CellFile) error {
	if !filepath.IsLocal(request.Path) || filepath.Clean(request.Path) == "." {
		return fault.New(pb.Reason_PATH_INVALID, "%s: is not below the program's directory", request.Path)
	}
	if f.stepped && strings.ContainsRune(request.Path, '/') {
		return fault.New(pb.Reason_PATH_INVALID, "%s: after a step files go into the program's directory itself", request.Path)
	}
	_, err := files.Do(f.user, func() (any, error) {
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

// open creates a file with its parents, or continues one; after a step it replaces a file of that name, a link rather than its
// target. Its mode is that of its first piece.
func (f *programFiles) open(path string, mode uint32) error {
	f.finish()
	directory := int(f.directory.Fd())
	if f.stepped {
		if err := unix.Unlinkat(directory, path, 0); err != nil && err != unix.ENOENT {
			return &os.PathError{Op: "replace", Path: path, Err: err}
		}
	}
	for end := range path {
		if path[end] != '/' {
			continue
		}
		if err := unix.Mkdirat(directory, path[:end], 0o755); err != nil && err != unix.EEXIST {
			return &os.PathError{Op: "make", Path: path[:end], Err: err}
		}
	}
	if mode == 0 {
		mode = files.DefaultMode
	}
	file, err := openBelow(directory, path, unix.O_CREAT|unix.O_EXCL, uint64(mode))
	switch {
	case err == nil:
		// The agent's umask has removed some bits.
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

// settle prepares for a step, which may change the directory.
func (f *programFiles) settle() {
	f.finish()
	f.stepped = true
}

func (f *programFiles) finish() {
	if f.current != nil {
		_ = f.current.Close()
		f.current = nil
	}
}

func (f *programFiles) close() {
	f.finish()
	_ = f.directory.Close()
}
