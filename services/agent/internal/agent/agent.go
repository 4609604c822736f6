package agent

import (
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/cell"
	"drydock.dev/agent/internal/cgroup"
	"drydock.dev/agent/internal/control"
	"drydock.dev/agent/internal/files"
	"drydock.dev/agent/internal/link"
	"drydock.dev/agent/internal/process"
	"drydock.dev/agent/internal/tunnel"
	"drydock.dev/agent/internal/user"
)

const usage = `drydock-agent runs as the first process of a sandbox.

  drydock-agent serve SOCKET [USER OWNER]   dials out to a unix socket and serves gRPC on it, for ever
  drydock-agent listen SOCKET [USER OWNER]  serves gRPC on a unix socket of its own; @NAME is an abstract one
  drydock-agent connect SOCKET              pipes its standard streams to a listening agent
  drydock-agent install FILE                copies itself, so that it can be executed there and not read

An agent that is root needs two ids that no other sandbox of the host has, from 1 to 2147483647: programs run as USER, and
OWNER owns what the kernel makes for them. Of any other agent programs have its own user.
`

// Run is the command: it returns once its work is done or has failed. Arguments that it does not know end the process.
func Run(arguments []string) error {
	if len(arguments) == 1 && (arguments[0] == "--help" || arguments[0] == "help") {
		fmt.Print(usage)
		return nil
	}
	if len(arguments) < 2 {
		return refuse()
	}
	mode, target, ids := arguments[0], arguments[1], arguments[2:]
	if takesIDs := mode == "serve" || mode == "listen"; len(ids) > 0 && !takesIDs {
		return refuse()
	}
	switch mode {
	case "serve", "listen":
		u, err := user.Parse(ids)
		if err != nil {
			return err
		}
		if mode == "serve" {
			return serve(u, target, 0, func(server *grpc.Server) error { return link.Dial(server, target) })
		}
		return serve(u, target, process.LostGrace, func(server *grpc.Server) error { return link.Listen(server, target, u) })
	case "connect":
		return link.ConnectStdio(target)
	case "install":
		if err := install(target); err != nil {
			return err
		}
		return ensureExecutable(target)
	}
	return refuse()
}

func refuse() error {
	fmt.Fprint(os.Stderr, usage)
	os.Exit(2)
	return nil
}

// serve runs until the connection cannot be served, or until the process is asked to end.
func serve(u user.User, socket string, grace time.Duration, serveOn func(*grpc.Server) error) error {
	ownScore, err := prepareProcess(u)
	if err != nil {
		return err
	}
	counters := cgroup.Open()
	processes := process.NewTable(process.Options{User: u, Counters: counters, OwnScore: ownScore, Grace: grace})
	server := link.NewServer()
	pb.RegisterControlServiceServer(server, control.New(u, processes, counters))
	pb.RegisterProcessServiceServer(server, process.NewService(processes))
	pb.RegisterCellServiceServer(server, cell.New(u, processes, socket))
	pb.RegisterFilesystemServiceServer(server, files.New(u))
	pb.RegisterTunnelServiceServer(server, &tunnel.Service{})
	go func() {
		<-terminations(u)
		processes.KillAll()
		server.Stop()
		os.Exit(0)
	}()
	return serveOn(server)
}
