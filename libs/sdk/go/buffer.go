package drydock

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

const (
	defaultBufferBytes = 16 << 20
	// Of an error's end of standard error.
	tailBytes = 500
	// Bytes that a pipe holds, as one of the system does.
	pipeBytes = 64 << 10
)

// ErrOutputTruncated: a command wrote more than is kept of its output, 16 MiB. Give Cmd.Stdout a writer instead.
var ErrOutputTruncated = errors.New("drydock: the output is not whole: it is longer than is kept")

// Buffer keeps the beginning of what is written to it: output of a command may be endless.
type Buffer struct {
	// Limit in bytes. Default 16 MiB.
	Limit int

	kept      bytes.Buffer
	truncated bool
}

// Write takes all that it is given, and never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	limit := b.Limit
	if limit == 0 {
		limit = defaultBufferBytes
	}
	room := max(0, limit-b.kept.Len())
	if len(p) > room {
		b.truncated = true
	}
	b.kept.Write(p[:min(len(p), room)])
	return len(p), nil
}

// Bytes are valid until the next Write.
func (b *Buffer) Bytes() []byte { return b.kept.Bytes() }

func (b *Buffer) String() string { return b.kept.String() }

// Truncated tells whether more was written than is kept.
func (b *Buffer) Truncated() bool { return b.truncated }

// tail keeps the end of what is written to it.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(0, len(p)-tailBytes):]...)
	t.kept = t.kept[max(0, len(t.kept)-tailBytes):]
	return len(p), nil
}

// pipe is read as it is written. Its writer waits while it is full, and writes into the void once its reader has closed it.
type pipe struct {
	mutex   sync.Mutex
	changed sync.Cond
	held    bytes.Buffer
	closed  bool
	// What the reader gets after the last byte.
	end error
}

func newPipe() *pipe {
	p := &pipe{}
	p.changed.L = &p.mutex
	return p
}

func (p *pipe) Write(data []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for rest := data; len(rest) > 0; {
		for p.held.Len() >= pipeBytes && !p.closed && p.end == nil {
			p.changed.Wait()
		}
		if p.closed {
			return len(data), nil
		}
		if p.end != nil {
			return len(data) - len(rest), io.ErrClosedPipe
		}
		piece := rest[:min(len(rest), pipeBytes-p.held.Len())]
		p.held.Write(piece)
		rest = rest[len(piece):]
		p.changed.Broadcast()
	}
	return len(data), nil
}

func (p *pipe) Read(data []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for p.held.Len() == 0 && p.end == nil && !p.closed {
		p.changed.Wait()
	}
	if p.closed {
		return 0, io.ErrClosedPipe
	}
	if p.held.Len() == 0 && len(data) > 0 {
		return 0, p.end
	}
	n, _ := p.held.Read(data)
	p.changed.Broadcast()
	return n, nil
}

// Close is of the reader.
func (p *pipe) Close() error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.closed = true
	p.held.Reset()
	p.changed.Broadcast()
	return nil
}

// finish is of the writer.
func (p *pipe) finish(end error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.end == nil {
		p.end = end
	}
	p.changed.Broadcast()
}
