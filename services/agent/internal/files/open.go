package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
)

// open does not follow the links in /proc that lead into other processes, open a file there that is about the agent, wait for a
// pipe's other end, or take a terminal.
func open(directory int, path string, flags int, mode uint32) (*os.File, error) {
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
		fd, err = openByStep(directory, path, flags, mode)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	file := os.NewFile(uintptr(fd), path)
	if isOfAgent(fd) {
		_ = file.Close()
		return nil, &fs.PathError{Op: "open", Path: path, Err: unix.EACCES}
	}
	return file, nil
}

// openParent opens the directory that a path is in, so that the path's last name is used in this directory and no other.
func openParent(path string) (*os.File, error) {
	return open(unix.AT_FDCWD, filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
}

func openRegular(path string) (*os.File, error) {
	file, err := open(unix.AT_FDCWD, path, unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fault.New(pb.Reason_FILE_WRONG_TYPE, "%s: is not a regular file", path)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// makeDirectories makes a directory with its parents. ENOTDIR: a file is in the way.
func makeDirectories(path string) error {
	existing, err := open(unix.AT_FDCWD, path, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err == nil {
		return existing.Close()
	}
	if !errors.Is(err, unix.ENOENT) || path == "/" {
		return err
	}
	if err := makeDirectories(filepath.Dir(path)); err != nil {
		return err
	}
	parent, err := openParent(path)
	if err != nil {
		return err
	}
	defer parent.Close()
	err = unix.Mkdirat(int(parent.Fd()), filepath.Base(path), 0o755)
	if errors.Is(err, unix.EEXIST) {
		// A program has made it meanwhile, or the name is a link that leads nowhere.
		existing, err = open(unix.AT_FDCWD, path, unix.O_PATH|unix.O_DIRECTORY, 0)
		if err == nil {
			return existing.Close()
		}
		return err
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	return nil
}
