package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/user"
)

// FuzzPath makes any text a path: absolute, without a step back, and the same when it is made one again.
func FuzzPath(f *testing.F) {
	for _, path := range []string{"", ".", "a/../../..", "/..//a/", "~", "\x00", "a\x00/b", "//", strings.Repeat("../", 50), "\xff"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := user.Path(text)
		if !filepath.IsAbs(path) || filepath.Clean(path) != path || user.Path(path) != path {
			t.Errorf("%q became %q", text, path)
		}
	})
}

// FuzzOpen opens any path, with links that lead anywhere, by the kernel and step by step: both come to the same file, or to none,
// and neither to one about this process.
func FuzzOpen(f *testing.F) {
	root := f.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(root, "a/b/c"), 0o755),
		os.WriteFile(filepath.Join(root, "a/file"), []byte("x"), 0o600),
		os.Symlink("a/b", filepath.Join(root, "link")),
		os.Symlink("..", filepath.Join(root, "a/b/up")),
		os.Symlink("/", filepath.Join(root, "root")),
		os.Symlink("loop", filepath.Join(root, "loop")),
		os.Symlink("gone", filepath.Join(root, "dangling")),
		os.Symlink("a/file", filepath.Join(root, "to-file")),
		os.Symlink("/proc/self", filepath.Join(root, "self")),
		unix.Mkfifo(filepath.Join(root, "pipe"), 0o600),
	} {
		if err != nil {
			f.Fatal(err)
		}
	}
	for _, path := range []string{
		"", "a/b/c", "a//b/./c/..", "a/file", "a/file/", "a/file/.", "link/up/file", "root/proc/self/maps", "self/maps", "self/root/etc",
		"loop", "loop/x", "dangling", "to-file", "to-file/", "to-file/x", "pipe", "../../..", "root/..", "link/", "a/b/up/../..", "a\x00b", "\xff",
		strings.Repeat("a/b/up/../", 60) + "a", strings.Repeat("n", 300), "root/proc/1/root", "self/fd/0", "self/task",
	} {
		f.Add(path, false)
		f.Add(path, true)
	}
	at, err := os.Open(root)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = at.Close() })
	f.Fuzz(func(t *testing.T, path string, noFollow bool) {
		flags := unix.O_PATH | unix.O_CLOEXEC
		if noFollow {
			flags |= unix.O_NOFOLLOW
		}
		how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_NO_MAGICLINKS}
		kernel, failed := unix.Openat2(int(at.Fd()), path, &how)
		step, err := openByStep(int(at.Fd()), path, flags, 0)
		byKernel, byStep := identify(kernel, failed), identify(step, err)
		// Step by step every link in /proc is refused, also those that lead to a name.
		if byKernel != byStep && !(byStep == "" && (errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENAMETOOLONG))) {
			t.Errorf("%q: %s (%v) by the kernel, %s (%v) by step", path, byKernel, failed, byStep, err)
		}
		file, err := open(int(at.Fd()), path, flags, 0)
		if err != nil {
			var told *fs.PathError
			if !errors.As(err, &told) {
				t.Errorf("%q: %v", path, err)
			}
			return
		}
		defer file.Close()
		if isOfAgent(int(file.Fd())) {
			t.Errorf("%q leads to the agent", path)
		}
	})
}

// identify gives the path of an open file, and closes it. Empty if there is none.
func identify(fd int, failed error) string {
	if failed != nil {
		return ""
	}
	defer unix.Close(fd)
	name, _ := os.Readlink(procDirectory + "self/fd/" + strconv.Itoa(fd))
	return name
}
