package link

import (
	"context"
	"net"
	"sync/atomic"

	"google.golang.org/grpc/peer"
)

// losableConn remembers that it broke: to a call, a broken connection looks as if the caller had ended it.
type losableConn struct {
	net.Conn
	lost atomic.Bool
}

func (c *losableConn) Read(into []byte) (int, error) {
	count, err := c.Conn.Read(into)
	if err != nil {
		c.lost.Store(true)
	}
	return count, err
}

func (c *losableConn) RemoteAddr() net.Addr { return losableAddress{c.Conn.RemoteAddr(), c} }

type losableAddress struct {
	net.Addr
	of *losableConn
}

// IsLost says whether a call has ended because its connection broke.
func IsLost(ctx context.Context) bool {
	from, _ := peer.FromContext(ctx)
	address, losable := from.Addr.(losableAddress)
	return losable && address.of.lost.Load()
}
