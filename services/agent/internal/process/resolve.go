package process

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/programs"
	"drydock.dev/agent/internal/user"
)

// resolve finds the program of a command as the user would see it.
func resolve(u user.User, request *pb.StartRequest, environment []string) (string, error) {
	return user.As(u, func() (string, error) {
		path, err := programs.Find(request.Command[0], user.Path(request.WorkingDirectory), variable(environment, "PATH"))
		if err != nil {
			return "", status.Error(codes.InvalidArgument, err.Error())
		}
		return path, nil
	})
}
