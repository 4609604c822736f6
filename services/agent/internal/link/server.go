package link

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"drydock.dev/agent/internal/fault"
)

const (
	// A message carries at most 2 MiB of payload, and its envelope.
	maxMessageBytes   = 2<<20 + 64<<10
	streamWindowBytes = 256 << 10
	windowBytes       = 1 << 20
	// More than the executor opens of all limited kinds together, so that calls to control the sandbox always find a place.
	maxStreams = 1024
)

// NewServer makes the gRPC server that an agent's services are registered with.
func NewServer() *grpc.Server {
	return grpc.NewServer(
		grpc.ReadBufferSize(8<<10), grpc.WriteBufferSize(8<<10), grpc.SharedWriteBuffer(true),
		// Fixed windows: growing ones would let an upload that waits for its disk fill the sandbox's memory.
		grpc.InitialWindowSize(streamWindowBytes), grpc.InitialConnWindowSize(windowBytes),
		grpc.MaxRecvMsgSize(maxMessageBytes), grpc.MaxSendMsgSize(maxMessageBytes),
		grpc.MaxHeaderListSize(64<<10), grpc.MaxConcurrentStreams(maxStreams),
		grpc.UnaryInterceptor(aroundUnary), grpc.StreamInterceptor(aroundStream),
	)
}

// The agent has no network to export traces over: it tells when each call began and ended, and the executor draws the span.
const (
	startTrailer = "drydock-agent-start-unix-nanos"
	endTrailer   = "drydock-agent-end-unix-nanos"
)

func aroundUnary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	started := time.Now()
	response, err := handler(ctx, request)
	_ = grpc.SetTrailer(ctx, timing(started))
	return response, fault.Typed(err)
}

func aroundStream(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	started := time.Now()
	err := handler(server, stream)
	stream.SetTrailer(timing(started))
	return fault.Typed(err)
}

func timing(started time.Time) metadata.MD {
	return metadata.Pairs(startTrailer, unixNanos(started), endTrailer, unixNanos(time.Now()))
}

func unixNanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
