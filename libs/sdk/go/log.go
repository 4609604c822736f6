package drydock

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// logUnary tells of a try of a call by its method, its code and its time, and of nothing that it carries.
func (c *connection) logUnary(
	ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	if !c.log.Enabled(ctx, slog.LevelDebug) {
		return invoke(ctx, method, request, answer, conn, options...)
	}
	began := time.Now()
	err := invoke(ctx, method, request, answer, conn, options...)
	c.log.LogAttrs(ctx, slog.LevelDebug, "called",
		slog.String("method", method), slog.String("code", status.Code(err).String()), slog.Duration("duration", time.Since(began)))
	return err
}

// logStream tells of the beginning of a call.
func (c *connection) logStream(
	ctx context.Context, description *grpc.StreamDesc, conn *grpc.ClientConn, method string, begin grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	stream, err := begin(ctx, description, conn, method, options...)
	c.log.LogAttrs(ctx, slog.LevelDebug, "stream begun",
		slog.String("method", method), slog.String("code", status.Code(err).String()))
	return stream, err
}
