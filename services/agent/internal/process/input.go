package process

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
)

const endOfTransmission = 4

var errNoInput = fault.New(pb.Reason_PROCESS_INPUT_CLOSED, "standard input is not open")

// input is our end of a program's standard input. A writer holds the turn, so that bytes arrive in the order of the calls.
type input struct {
	file     *os.File
	terminal bool
	open     bool
	turn     sync.Mutex
}

// begin writes the program's first bytes, and then closes its input unless it stays open.
func (in *input) begin(first []byte, stayOpen bool) {
	in.open = stayOpen || in.terminal
	if len(first) == 0 {
		if !in.open {
			in.close()
		}
		return
	}
	in.turn.Lock()
	go func() {
		defer in.turn.Unlock()
		_, _ = in.file.Write(first)
		if !in.open {
			in.close()
		}
	}()
}

// write waits until the pipe has taken all bytes, or the caller gives up.
func (in *input) write(ctx context.Context, data []byte, last bool) error {
	if !in.open {
		return errNoInput
	}
	in.turn.Lock()
	defer in.turn.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	gaveUp := context.AfterFunc(ctx, func() { _ = in.file.SetWriteDeadline(time.Unix(1, 0)) })
	_, err := in.file.Write(data)
	if !gaveUp() {
		_ = in.file.SetWriteDeadline(time.Time{})
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ctx.Err()
	}
	if err == nil && last {
		err = in.end()
	}
	if err != nil {
		return fault.New(pb.Reason_PROCESS_INPUT_CLOSED, "standard input is closed")
	}
	return nil
}

// end closes the program's input. A terminal stays open for its output and gets the end-of-transmission character instead.
func (in *input) end() error {
	if in.terminal {
		_, err := in.file.Write([]byte{endOfTransmission})
		return err
	}
	return in.file.Close()
}

// close gives the input up. The pump of a terminal's output closes its file.
func (in *input) close() {
	if !in.terminal {
		_ = in.file.Close()
	}
}
