package tree

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Empty removes everything in a directory, as the calling thread's user, without following a link. A directory that is not there
// is empty. What belongs to others is an error.
func Empty(name string) error {
	directory, err := openReadable(unix.AT_FDCWD, name, unix.O_DIRECTORY)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "empty", Path: name, Err: err}
	}
	defer directory.Close()
	return emptyOpen(directory, name, 0)
}

func emptyOpen(directory *os.File, at string, depth int) error {
	if depth > maxDepth {
		return ErrTooLarge
	}
	for {
		// From the beginning: removing names moves the others.
		if _, err := directory.Seek(0, 0); err != nil {
			return err
		}
		names, err := directory.Readdirnames(namesAtATime)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &os.PathError{Op: "empty", Path: at, Err: err}
		}
		for _, name := range names {
			if err := remove(directory, name, depth); err != nil {
				return &os.PathError{Op: "remove", Path: at + "/" + name, Err: err}
			}
		}
	}
}

func remove(directory *os.File, name string, depth int) error {
	parent := int(directory.Fd())
	err := unix.Unlinkat(parent, name, 0)
	if err != unix.EISDIR {
		return err
	}
	inside, err := openReadable(parent, name, unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	// Its owner may have denied himself to write.
	_ = inside.Chmod(ownerOnly)
	err = emptyOpen(inside, name, depth+1)
	_ = inside.Close()
	if err != nil {
		return err
	}
	return unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
}
