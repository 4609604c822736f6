package tree

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// ownerOnly lets the owner fill a directory whose final mode may not.
const ownerOnly = 0o700

// Write writes the copy into an empty directory, as the calling thread's user, with the modes and times of the original.
func (t *Tree) Write(directory int) error {
	for _, e := range t.entries {
		if err := t.write(directory, e); err != nil {
			return &os.PathError{Op: "write", Path: e.path, Err: err}
		}
	}
	// Backwards: what is in a directory changes its time, and its mode may deny access to it.
	for _, e := range slices.Backward(t.entries) {
		if e.kind != unix.S_IFDIR {
			continue
		}
		if err := finish(directory, e); err != nil {
			return &os.PathError{Op: "write", Path: e.path, Err: err}
		}
	}
	return nil
}

func (t *Tree) write(directory int, e entry) error {
	switch e.kind {
	case unix.S_IFDIR:
		return unix.Mkdirat(directory, e.path, ownerOnly)
	case unix.S_IFLNK:
		return unix.Symlinkat(e.target, directory, e.path)
	}
	fd, err := unix.Openat(directory, e.path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, ownerOnly)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), e.path)
	defer file.Close()
	offset := e.offset
	sent, err := send(file, t.contents, &offset, e.size)
	if err == nil && sent < e.size {
		err = unix.ENOSPC
	}
	if err != nil {
		return err
	}
	return finish(directory, e)
}

func finish(directory int, e entry) error {
	if err := unix.Fchmodat(directory, e.path, e.mode, 0); err != nil {
		return err
	}
	return unix.UtimesNanoAt(directory, e.path, []unix.Timespec{e.modified, e.modified}, 0)
}
