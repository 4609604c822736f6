package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

// resolve finds the program of a command as the user would see it, so that a wrong name is told before a fork.
func resolve(request *pb.StartRequest, environment []string) (string, error) {
	directory := directoryOf(request)
	return asUser(func() (string, error) {
		if info, err := os.Stat(directory); err != nil || !info.IsDir() {
			return "", status.Errorf(codes.InvalidArgument, "working directory %s: is not a directory", directory)
		}
		name := request.Command[0]
		if strings.ContainsRune(name, '/') {
			path := name
			if !filepath.IsAbs(path) {
				path = filepath.Join(directory, path)
			}
			if err := executable(path); err != nil {
				return "", status.Errorf(codes.InvalidArgument, "%s: %v", name, err)
			}
			return path, nil
		}
		for _, entry := range filepath.SplitList(variable(environment, "PATH")) {
			path := filepath.Join(entry, name)
			if filepath.IsAbs(path) && executable(path) == nil {
				return path, nil
			}
		}
		return "", status.Errorf(codes.InvalidArgument, "%s: not found on PATH", name)
	})
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return syscall.ENOENT
	}
	if info.IsDir() {
		return syscall.EISDIR
	}
	// access(2) would ask for the agent's own rights, so a file that others may run counts; the fork has the last word.
	if info.Mode().Perm()&0o111 == 0 {
		return syscall.EACCES
	}
	return nil
}

func directoryOf(request *pb.StartRequest) string { return absolute(request.WorkingDirectory) }

// absolute makes a path absolute: relative ones are below the home.
func absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(homeDir, path)
}

func variable(environment []string, name string) string {
	for _, entry := range environment {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}
