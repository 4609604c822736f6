package main

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/peer"
)

// A process that is not detached lives for one call: the one that started it, or that took it over since. Where the way to the
// agent may break while both ends are well, as an exec stream does, it then waits a while for the next call.

// lostGrace is for how long a process, and its output, is kept for a call to follow the lost one.
const lostGrace = 10 * time.Second

// own makes the process live for this reader.
func (p *process) own(r *reader) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.owner = r
}

// disown ends what lived for this reader, whose call has ended. After a lost connection somebody else may own it in time.
func (p *process) disown(ctx context.Context, r *reader) {
	p.mutex.Lock()
	if p.owner != r || p.detached || p.exited != nil {
		p.mutex.Unlock()
		return
	}
	p.owner, p.lostAt = nil, time.Now()
	p.mutex.Unlock()
	if p.grace == 0 || !isLost(ctx) {
		p.kill()
		return
	}
	time.AfterFunc(p.grace, func() {
		if p.isGivenUp() {
			p.kill()
		}
	})
}

func (p *process) isGivenUp() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.owner == nil && p.exited == nil && time.Since(p.lostAt) >= p.grace
}

// letGo frees the output of a process that has ended and cannot be joined usefully. The mutex is held.
func (p *process) letGo() {
	if !p.isOver() {
		return
	}
	if p.grace == 0 {
		p.free()
		return
	}
	// What was sent last may be lost on its way.
	time.AfterFunc(p.grace, func() {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		if p.isOver() {
			p.free()
		}
	})
}

func (p *process) isOver() bool { return p.exited != nil && !p.detached && len(p.readers) == 0 }

func (p *process) free() {
	p.stdout.release()
	p.stderr.release()
}

// losableConn remembers that it broke, which to a call looks as if its caller had ended it.
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

// isLost says whether a call has ended because its connection broke.
func isLost(ctx context.Context) bool {
	from, _ := peer.FromContext(ctx)
	address, losable := from.Addr.(losableAddress)
	return losable && address.of.lost.Load()
}
