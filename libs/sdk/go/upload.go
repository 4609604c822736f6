package drydock

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
)

// Bytes of one message of an upload.
const pieceBytes = 256 << 10

// transfer is a call with many requests: one that says what comes, and then the pieces of it.
type transfer[Request, Answer any] struct {
	method func(context.Context, ...grpc.CallOption) (grpc.ClientStreamingClient[Request, Answer], error)
	head   *Request
	piece  func(data []byte) *Request
}

// upload makes a call with many requests, and reads content anew for each try.
func upload[Request, Answer any](
	ctx context.Context, c *connection, kind kind, transfer transfer[Request, Answer], content func() io.Reader,
) (*Answer, error) {
	var answer *Answer
	err := c.attempts(ctx, kind, func(credential string) (err error) {
		answer, err = transfer.once(ctx, c, credential, content())
		return err
	})
	return answer, err
}

// once makes one try.
func (t transfer[Request, Answer]) once(
	ctx context.Context, c *connection, credential string, content io.Reader,
) (*Answer, error) {
	try, cancel := context.WithCancel(withHeaders(ctx, credential))
	defer cancel()
	call, err := t.method(try)
	if err != nil {
		return nil, c.failure(ctx, err, nil, nil)
	}
	unread := make(chan error, 1)
	go func() {
		if err := t.send(call, content); err != nil {
			unread <- err
			cancel()
		}
	}()
	answer := new(Answer)
	if err = call.RecvMsg(answer); err == nil {
		return answer, nil
	}
	select {
	case err := <-unread:
		return nil, err
	default:
	}
	header, _ := call.Header()
	return nil, c.failure(ctx, err, header, call.Trailer())
}

// send fails only where reading does: what becomes of the call is told by its answer.
func (t transfer[Request, Answer]) send(to grpc.ClientStreamingClient[Request, Answer], content io.Reader) error {
	for message := t.head; ; {
		if to.Send(message) != nil {
			return nil
		}
		// A message that was sent still belongs to gRPC.
		data := make([]byte, pieceBytes)
		n, err := io.ReadFull(content, data)
		message = t.piece(data[:n])
		switch {
		case err == nil:
		case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
			if n > 0 && to.Send(message) != nil {
				return nil
			}
			return to.CloseSend()
		default:
			return err
		}
	}
}
