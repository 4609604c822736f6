package programs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Find returns the file of a program that runs in a directory, so that a wrong name is told before a fork. A name without a
// slash is searched in the directories of path.
func Find(name, directory, path string) (string, error) {
	if err := enterable(directory); err != nil {
		return "", fmt.Errorf("working directory %s: %s", Printable(directory), Reason(err))
	}
	if strings.ContainsRune(name, '/') {
		file := name
		if !filepath.IsAbs(file) {
			file = filepath.Join(directory, file)
		}
		if err := executable(file); err != nil {
			return "", fmt.Errorf("%s: %s", Printable(name), Reason(err))
		}
		return file, nil
	}
	var denied error
	for _, entry := range filepath.SplitList(path) {
		file := filepath.Join(entry, name)
		if !filepath.IsAbs(file) || name == "" {
			continue
		}
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if errors.Is(err, syscall.EACCES) {
			denied = err
		}
	}
	if denied != nil {
		return "", fmt.Errorf("%s: %s", Printable(name), Reason(denied))
	}
	return "", fmt.Errorf("%s: not found on PATH", Printable(name))
}

func enterable(directory string) error {
	info, err := os.Stat(directory)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return syscall.ENOTDIR
	}
	return unix.Faccessat(unix.AT_FDCWD, directory, unix.X_OK, unix.AT_EACCESS)
}

func executable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return syscall.EISDIR
	}
	if !info.Mode().IsRegular() {
		return syscall.EACCES
	}
	return unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
}

// Reason is an error's cause without the path, which the caller knows.
func Reason(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return err.Error()
}

// Printable makes a name fit for a message: names of files need not be text.
func Printable(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }
