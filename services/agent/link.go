package main

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	pb "drydock.dev/agent/internal/agentv1"
)

const (
	// A message carries at most 2 MiB of somebody's bytes, and what surrounds them.
	maxMessageBytes   = 2<<20 + 64<<10
	streamWindowBytes = 256 << 10
	linkWindowBytes   = 1 << 20
	redialFirst       = 2 * time.Millisecond
	redialLast        = 100 * time.Millisecond
)

type agent struct {
	server    *grpc.Server
	processes *processTable
}

func newAgent(socket string) *agent {
	processes := newProcessTable()
	server := grpc.NewServer(
		grpc.ReadBufferSize(8<<10), grpc.WriteBufferSize(8<<10), grpc.SharedWriteBuffer(true),
		// Fixed windows: growing ones would let an upload that waits for its disk fill the sandbox's memory.
		grpc.InitialWindowSize(streamWindowBytes), grpc.InitialConnWindowSize(linkWindowBytes),
		grpc.MaxRecvMsgSize(maxMessageBytes), grpc.MaxSendMsgSize(maxMessageBytes),
		grpc.MaxHeaderListSize(64<<10), grpc.MaxConcurrentStreams(256),
		grpc.UnaryInterceptor(timeUnary), grpc.StreamInterceptor(timeStream),
	)
	pb.RegisterControlServiceServer(server, &controlService{processes: processes})
	pb.RegisterProcessServiceServer(server, &processService{processes: processes})
	pb.RegisterCellServiceServer(server, newCellService(processes, socket))
	pb.RegisterFilesystemServiceServer(server, &filesystemService{})
	pb.RegisterTunnelServiceServer(server, &tunnelService{})
	return &agent{server: server, processes: processes}
}

// dial connects to the executor's socket, serves until the connection drops, and connects again.
func (a *agent) dial(socket string) error {
	connections := make(chan net.Conn)
	listener := &dialledListener{connections: connections, address: &net.UnixAddr{Name: socket, Net: "unix"}}
	failed := make(chan error, 1)
	go func() { failed <- a.server.Serve(listener) }()
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

// stop ends every program. The agent itself is the caller's to end.
func (a *agent) stop() {
	a.processes.killAll()
	a.server.Stop()
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

// The agent has no network to export traces over, so it tells when each call began and ended and the executor draws the span.
const (
	startTrailer = "drydock-agent-start-unix-nanos"
	endTrailer   = "drydock-agent-end-unix-nanos"
)

func timeUnary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	started := time.Now()
	response, err := handler(ctx, request)
	_ = grpc.SetTrailer(ctx, timing(started))
	return response, err
}

func timeStream(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	started := time.Now()
	err := handler(server, stream)
	stream.SetTrailer(timing(started))
	return err
}

func timing(started time.Time) metadata.MD {
	return metadata.Pairs(startTrailer, unixNanos(started), endTrailer, unixNanos(time.Now()))
}
