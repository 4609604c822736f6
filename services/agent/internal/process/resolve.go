package process

import (
	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/programs"
	"drydock.dev/agent/internal/user"
)

// resolve finds the program of a command as the user would see it.
func resolve(u user.User, request *pb.StartRequest, environment []string) (string, error) {
	return user.As(u, func() (string, error) {
		path, err := programs.Find(request.Command[0], user.Path(request.WorkingDirectory), variable(environment, "PATH"))
		if err != nil {
			return "", fault.New(pb.Reason_COMMAND_NOT_FOUND, "%v", err)
		}
		return path, nil
	})
}
