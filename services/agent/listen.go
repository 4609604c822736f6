package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// listen serves on a socket inside, for the ends of streams that `connect` is run for.
func (a *agent) listen(socket string) error {
	abstract := strings.HasPrefix(socket, "@")
	if !abstract {
		if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	a.processes.grace = lostGrace
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	if !abstract {
		if err := os.Chmod(socket, 0o600); err != nil {
			return err
		}
	}
	return a.server.Serve(&outsideListener{listener.(*net.UnixListener)})
}

// outsideListener turns away whoever is not sent by the executor: programs must not drive the agent.
type outsideListener struct{ *net.UnixListener }

func (l *outsideListener) Accept() (net.Conn, error) {
	for {
		connection, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if peer, err := peerOf(connection); err == nil && fromOutside(peer) {
			return &losableConn{Conn: connection}, nil
		}
		_ = connection.Close()
	}
}

// fromOutside says whether a peer entered the sandbox from outside: such a process has no parent inside, and a program
// cannot make one. An id of 0 is a process that is not inside at all.
func fromOutside(peer *unix.Ucred) bool {
	if separated && peer.Uid != 0 {
		return false
	}
	if peer.Pid == 0 || os.Getpid() != 1 {
		return true
	}
	s, alive := readStat(int(peer.Pid))
	return alive && s.parent == 0
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

// connectStdio is the inner end of an exec stream. Where programs have the same user, one may have put its own socket in
// the agent's place.
func connectStdio(socket string) error {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	connection, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return err
	}
	peer, err := peerOf(connection)
	if err != nil {
		return err
	}
	if separated && peer.Uid != 0 || !separated && peer.Pid != 1 {
		return fmt.Errorf("%s: is not the agent's", socket)
	}
	go func() {
		_, _ = io.Copy(connection, os.Stdin)
		_ = connection.CloseWrite()
	}()
	_, err = io.Copy(os.Stdout, connection)
	return err
}
