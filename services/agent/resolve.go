package main

import (
	"path/filepath"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/programs"
)

// resolve finds the program of a command as the user would see it.
func resolve(request *pb.StartRequest, environment []string) (string, error) {
	return asUser(func() (string, error) {
		path, err := programs.Find(request.Command[0], absolute(request.WorkingDirectory), variable(environment, "PATH"))
		if err != nil {
			return "", status.Error(codes.InvalidArgument, err.Error())
		}
		return path, nil
	})
}

// absolute makes a path absolute: relative ones are below the home.
func absolute(path string) string { return absoluteIn(homeDir, path) }

func absoluteIn(directory, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(directory, path)
}
