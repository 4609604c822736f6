package agent

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
)

// install copies this program for the sandbox's own container. The copy cannot be read: the kernel protects a process of such a
// file from others of the same user from its first moment.
func install(path string) (err error) {
	own, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer own.Close()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o111)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, own)
	return errors.Join(err, file.Close())
}

// ensureExecutable makes the copy readable if the kernel does not execute it otherwise, as gVisor's. Its processes then become
// undumpable a moment after their start.
func ensureExecutable(path string) error {
	if err := exec.Command(path, "help").Run(); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return os.Chmod(path, 0o555)
}
