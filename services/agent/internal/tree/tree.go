package tree

import (
	"errors"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

const (
	maxEntries = 20_000
	maxDepth   = 64
	// maxBytes is the largest disk of a sandbox.
	maxBytes     = 4 << 30
	namesAtATime = 1024
	permissions  = 0o777
)

// ErrTooLarge is returned for a directory with more than 20,000 entries, 64 levels or 4 GiB.
var ErrTooLarge = errors.New("the program's directory has too many files, levels of directories or bytes to be kept")

// Tree is a copy of a directory. The contents of its files are one after the other in a file in memory that has no name.
type Tree struct {
	contents *os.File
	bytes    int64
	entries  []entry
}

// entry is a directory, a file or a link. A directory comes before what is in it.
type entry struct {
	path         string
	kind, mode   uint32
	offset, size int64
	target       string
	modified     unix.Timespec
}

// Save copies a directory as the calling thread's user. Sockets, pipes and devices are left out, links are not followed, and
// hard links become files of their own. Nothing may change the directory meanwhile.
func Save(directory int) (*Tree, error) {
	fd, err := unix.MemfdCreate("program", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	t := &Tree{contents: os.NewFile(uintptr(fd), "program")}
	if err := t.addDirectory(directory, ".", "", 0); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Close frees the copy.
func (t *Tree) Close() {
	if t != nil {
		_ = t.contents.Close()
	}
}

// addDirectory adds what is in the directory called name in its parent, whose path from the top is at.
func (t *Tree) addDirectory(parent int, name, at string, depth int) error {
	if depth > maxDepth || len(at) >= unix.PathMax {
		return ErrTooLarge
	}
	directory, err := openReadable(parent, name, unix.O_DIRECTORY)
	if err != nil {
		return &os.PathError{Op: "keep", Path: at, Err: err}
	}
	defer directory.Close()
	for {
		names, err := directory.Readdirnames(namesAtATime)
		for _, name := range names {
			if err := t.add(int(directory.Fd()), name, path.Join(at, name), depth); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &os.PathError{Op: "keep", Path: at, Err: err}
		}
	}
}

func (t *Tree) add(directory int, name, at string, depth int) error {
	if len(t.entries) >= maxEntries {
		return ErrTooLarge
	}
	var stat unix.Stat_t
	err := unix.Fstatat(directory, name, &stat, unix.AT_SYMLINK_NOFOLLOW)
	e := entry{path: at, kind: stat.Mode & unix.S_IFMT, mode: stat.Mode & permissions, size: stat.Size, modified: stat.Mtim}
	if err == nil {
		switch e.kind {
		case unix.S_IFREG:
			err = t.addContents(directory, name, &e)
		case unix.S_IFLNK:
			e.target, err = readLink(directory, name)
		case unix.S_IFDIR:
		default:
			return nil
		}
	}
	if err != nil {
		return &os.PathError{Op: "keep", Path: at, Err: err}
	}
	t.entries = append(t.entries, e)
	if e.kind == unix.S_IFDIR {
		return t.addDirectory(directory, name, at, depth+1)
	}
	return nil
}

func (t *Tree) addContents(directory int, name string, e *entry) error {
	if t.bytes+e.size > maxBytes {
		return ErrTooLarge
	}
	file, err := openReadable(directory, name, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	e.offset = t.bytes
	e.size, err = send(t.contents, file, nil, e.size)
	t.bytes += e.size
	return err
}

func readLink(directory int, name string) (string, error) {
	var target [unix.PathMax]byte
	count, err := unix.Readlinkat(directory, name, target[:])
	return string(target[:max(count, 0)]), err
}

// openReadable opens a file or a directory itself, also one that its owner has denied himself to read.
func openReadable(directory int, name string, kind int) (*os.File, error) {
	flags := unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC | kind
	fd, err := unix.Openat(directory, name, flags, 0)
	if err == unix.EACCES && unix.Fchmodat(directory, name, 0o700, 0) == nil {
		fd, err = unix.Openat(directory, name, flags, 0)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// send copies bytes from one file to another within the kernel, from an offset or else from where the file stands.
func send(to, from *os.File, offset *int64, count int64) (sent int64, err error) {
	for sent < count {
		done, err := unix.Sendfile(int(to.Fd()), int(from.Fd()), offset, int(min(count-sent, 1<<30)))
		if err == unix.EINTR {
			continue
		}
		if err != nil || done == 0 {
			return sent, err
		}
		sent += int64(done)
	}
	return sent, nil
}
