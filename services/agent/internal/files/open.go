package files

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
)

// open does not follow the links in /proc that lead into other processes, wait for a pipe's other end, or take a terminal.
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
		fd, err = unix.Openat(directory, path, flags, mode)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
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
