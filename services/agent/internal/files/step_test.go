package files

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOpeningByStepIsLikeTheKernels(t *testing.T) {
	directory := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(directory, "a/b"), 0o755))
	must(os.WriteFile(filepath.Join(directory, "a/b/file"), nil, 0o644))
	for name, target := range map[string]string{
		"link": "a/b", "absolute": directory + "/a", "up": "a/../link/file", "loop": "loop", "dangling": "none",
		"magic": "/proc/self/root", "magicDirectory": "/proc/self/cwd",
	} {
		must(os.Symlink(target, filepath.Join(directory, name)))
	}
	at, err := unix.Open(directory, unix.O_PATH|unix.O_DIRECTORY, 0)
	must(err)
	defer unix.Close(at)
	identify := func(fd int, err error) (unix.Stat_t, error) {
		var info unix.Stat_t
		if err == nil {
			err = unix.Fstat(fd, &info)
			_ = unix.Close(fd)
		}
		return unix.Stat_t{Dev: info.Dev, Ino: info.Ino}, err
	}
	for _, path := range []string{
		"a/b/file", "link/file", "absolute/b/file", "up", "loop", "dangling", "none", "none/x", "a/b/file/x", "./a//b/../b/file", ".",
		"/", "//", directory, directory + "/link/file", "", "nul\x00", "/proc/self/root/etc/passwd", "magic/etc/passwd",
		"magicDirectory", "/proc/meminfo",
	} {
		for _, flags := range []int{unix.O_RDONLY, unix.O_PATH, unix.O_PATH | unix.O_NOFOLLOW, unix.O_RDONLY | unix.O_NOFOLLOW, unix.O_RDONLY | unix.O_DIRECTORY} {
			how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_NO_MAGICLINKS}
			expected, failure := identify(unix.Openat2(at, path, &how))
			got, err := identify(openByStep(at, path, flags|unix.O_CLOEXEC, 0))
			if got != expected || err != failure {
				t.Errorf("%q with %#x: %v, not %v", path, flags, err, failure)
			}
		}
	}
	for range 2 {
		fd, err := openByStep(at, "link/new", unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		must(err)
		must(unix.Close(fd))
	}
	if _, err := openByStep(at, "link/new", unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600); err != unix.EEXIST {
		t.Error(err)
	}
	before, err := os.ReadDir("/proc/self/fd")
	must(err)
	for range 100 {
		_, _ = openByStep(at, "link/none", unix.O_RDONLY, 0)
		_, _ = openByStep(at, "loop", unix.O_RDONLY, 0)
	}
	if after, err := os.ReadDir("/proc/self/fd"); err != nil || len(after) != len(before) {
		t.Errorf("%d descriptors before, %d after: %v", len(before), len(after), err)
	}
}
