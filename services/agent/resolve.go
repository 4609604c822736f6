package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

// resolve finds the program of a command as the user would see it, so that a wrong name is told before a fork.
func resolve(request *pb.StartRequest, environment []string) (string, error) {
	directory := absolute(request.WorkingDirectory)
	return asUser(func() (string, error) {
		if err := enterable(directory); err != nil {
			return "", status.Errorf(codes.InvalidArgument, "working directory %s: %s", printable(directory), reason(err))
		}
		name := request.Command[0]
		if strings.ContainsRune(name, '/') {
			path := name
			if !filepath.IsAbs(path) {
				path = filepath.Join(directory, path)
			}
			if err := executable(path); err != nil {
				return "", status.Errorf(codes.InvalidArgument, "%s: %s", printable(name), reason(err))
			}
			return path, nil
		}
		var denied error
		for _, entry := range filepath.SplitList(variable(environment, "PATH")) {
			path := filepath.Join(entry, name)
			if !filepath.IsAbs(path) || name == "" {
				continue
			}
			err := executable(path)
			if err == nil {
				return path, nil
			}
			if errors.Is(err, syscall.EACCES) {
				denied = err
			}
		}
		if denied != nil {
			return "", status.Errorf(codes.InvalidArgument, "%s: %s", printable(name), reason(denied))
		}
		return "", status.Errorf(codes.InvalidArgument, "%s: not found on PATH", printable(name))
	})
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

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return syscall.EISDIR
	}
	if !info.Mode().IsRegular() {
		return syscall.EACCES
	}
	return unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS)
}

// reason is an error's cause without the path that the caller knows already.
func reason(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return err.Error()
}

// absolute makes a path absolute: relative ones are below the home.
func absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(homeDir, path)
}

// printable makes a name fit for a message: names of files need not be text.
func printable(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }
