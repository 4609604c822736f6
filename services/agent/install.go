package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
)

// install puts a copy of this program where the sandbox's own container finds it. Nobody can read it: the kernel keeps a
// process of such a file out of the reach of others of the same user from its first moment.
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

// ensureExecutable lets everybody read what was installed where the kernel does not execute it otherwise, as gVisor's. What
// runs of it asks to be left alone then, a moment after its start.
func ensureExecutable(path string) error {
	if err := exec.Command(path, "help").Run(); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return os.Chmod(path, 0o555)
}
