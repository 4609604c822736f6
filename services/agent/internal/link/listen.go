package link

import (
	"errors"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	"drydock.dev/agent/internal/proc"
	"drydock.dev/agent/internal/user"
)

// Listen serves on a socket inside, for the ends of exec streams that ConnectStdio joins. A name that begins with @ is an
// abstract socket.
func Listen(server *grpc.Server, socket string, u user.User) error {
	abstract := strings.HasPrefix(socket, "@")
	if !abstract {
		if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	if !abstract {
		if err := os.Chmod(socket, 0o600); err != nil {
			return err
		}
	}
	return server.Serve(&outsideListener{listener.(*net.UnixListener), u})
}

// outsideListener refuses peers that the executor did not send: programs must not drive the agent.
type outsideListener struct {
	*net.UnixListener
	user user.User
}

func (l *outsideListener) Accept() (net.Conn, error) {
	for {
		connection, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if peer, err := peerOf(connection); err == nil && fromOutside(peer, l.user) {
			return &losableConn{Conn: connection}, nil
		}
		_ = connection.Close()
	}
}

// fromOutside says whether a peer entered the sandbox from outside: such a process has no parent inside, and a program
// cannot make one. A pid of 0 belongs to a process outside the sandbox's namespace.
func fromOutside(peer *unix.Ucred, u user.User) bool {
	if u.Separate && peer.Uid != 0 {
		return false
	}
	if peer.Pid == 0 || os.Getpid() != 1 {
		return true
	}
	s, alive := proc.Read(int(peer.Pid))
	return alive && s.Parent == 0
}

func peerOf(connection *net.UnixConn) (peer *unix.Ucred, err error) {
	raw, err := connection.SyscallConn()
	if err != nil {
		return nil, err
	}
	failed := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return peer, errors.Join(failed, err)
}
