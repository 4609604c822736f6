package link

import (
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// ConnectStdio pipes this process's standard streams, the inner end of an exec stream, to a listening agent. Programs of the
// agent's user may have put a socket of their own in its place, so the peer is checked.
func ConnectStdio(socket string) error {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	connection, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return err
	}
	peer, err := peerOf(connection)
	if err != nil {
		return err
	}
	separate := os.Geteuid() == 0
	if separate && peer.Uid != 0 || !separate && peer.Pid != 1 {
		return fmt.Errorf("%s: is not the agent's", socket)
	}
	go func() {
		_, _ = io.Copy(connection, os.Stdin)
		_ = connection.CloseWrite()
	}()
	_, err = io.Copy(os.Stdout, connection)
	return err
}
