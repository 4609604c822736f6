package files

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOnlyFilesAboutThisProcessAreRefused(t *testing.T) {
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	for path, expected := range map[string]error{
		"/proc/self/maps": unix.EACCES, "/proc/thread-self/maps": unix.EACCES, fmt.Sprintf("/proc/%d/maps", os.Getpid()): unix.EACCES,
		fmt.Sprintf("/proc/%d", os.Getpid()): unix.EACCES,
		"/proc":                              nil, "/proc/meminfo": nil, "/": nil, "/etc/passwd": nil, fmt.Sprintf("/proc/%d/maps", other.Process.Pid): nil,
	} {
		for _, flags := range []int{unix.O_RDONLY, unix.O_PATH} {
			file, err := open(unix.AT_FDCWD, path, flags, 0)
			if !errors.Is(err, expected) {
				t.Errorf("%s with %#x: %v", path, flags, err)
			}
			if err == nil {
				_ = file.Close()
			}
		}
	}
}
