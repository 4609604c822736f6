package link

import (
	"io"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
)

const (
	redialFirst = 2 * time.Millisecond
	redialLast  = 100 * time.Millisecond
)

// Dial connects to the executor's socket, serves until the connection drops, and connects again.
func Dial(server *grpc.Server, socket string) error {
	connections := make(chan net.Conn)
	listener := &dialledListener{connections: connections, address: &net.UnixAddr{Name: socket, Net: "unix"}}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	wait := redialFirst
	for {
		connection, err := net.Dial("unix", socket)
		if err != nil {
			time.Sleep(wait)
			wait = min(2*wait, redialLast)
			continue
		}
		wait = redialFirst
		closed := make(chan struct{})
		select {
		case connections <- &watchedConn{Conn: connection, closed: closed}:
			<-closed
		case err := <-failed:
			return err
		}
	}
}

// dialledListener hands connections that the agent made itself to a server that wants to accept them.
type dialledListener struct {
	connections <-chan net.Conn
	address     net.Addr
}

func (l *dialledListener) Accept() (net.Conn, error) {
	connection, open := <-l.connections
	if !open {
		return nil, io.EOF
	}
	return connection, nil
}
func (l *dialledListener) Close() error   { return nil }
func (l *dialledListener) Addr() net.Addr { return l.address }

type watchedConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *watchedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
