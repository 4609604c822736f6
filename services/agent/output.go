package main

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
)

const (
	chunkBytes = 64 << 10
	// What is kept of a stream for whoever joins, and how far a program may run ahead of its reader.
	windowBytes         = 256 << 10
	detachedWindowBytes = 1 << 20
	// A pipe's largest buffer without privileges: what can still be in it when its writer has ended.
	pipeBytes = 1 << 20
)

var chunks = sync.Pool{New: func() any { return new([chunkBytes]byte) }}

// stream is one output of a process: a window of its last bytes, read by offset.
type stream struct {
	process   *process
	window    int64
	limit     int64
	base, end int64
	data      []byte
	truncated bool
	closed    bool
}

// pump moves a pipe into the stream until its end, or until the deadline that an exit sets.
func (s *stream) pump(file *os.File) (stillOpen bool) {
	defer file.Close()
	buffer := chunks.Get().(*[chunkBytes]byte)
	defer chunks.Put(buffer)
	for {
		count, err := file.Read(buffer[:])
		s.append(buffer[:count])
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return s.drain(file, buffer[:])
		default: // The end: io.EOF, or EIO from a terminal whose last program has gone.
			return false
		}
	}
}

// drain takes what an ended program left in its pipe. A child that writes on does not keep it here.
func (s *stream) drain(file *os.File, buffer []byte) (stillOpen bool) {
	raw, err := file.SyscallConn()
	if err != nil {
		return false
	}
	_ = file.SetReadDeadline(time.Time{})
	for taken := 0; taken < pipeBytes; {
		var count int
		var readErr error
		if raw.Control(func(fd uintptr) { count, readErr = syscall.Read(int(fd), buffer) }) != nil || readErr != nil {
			return errors.Is(readErr, syscall.EAGAIN)
		}
		if count == 0 {
			return false
		}
		s.append(buffer[:count])
		taken += count
	}
	return true
}

// append adds bytes and waits while a reader is a whole window behind. Over the limit, bytes are counted out and the
// program is ended.
func (s *stream) append(bytes []byte) {
	p := s.process
	p.mutex.Lock()
	if s.limit > 0 && s.end+int64(len(bytes)) > s.limit {
		bytes = bytes[:s.limit-s.end]
		if !s.truncated {
			s.truncated = true
			go p.exceed(pb.LimitKind_LIMIT_KIND_OUTPUT)
		}
	}
	if len(bytes) == 0 {
		p.mutex.Unlock()
		return
	}
	for s.mustWait(int64(len(bytes))) {
		changed := p.changed
		p.mutex.Unlock()
		<-changed
		p.mutex.Lock()
	}
	s.data = append(s.data, bytes...)
	s.end += int64(len(bytes))
	if excess := int64(len(s.data)) - s.window; excess > 0 {
		s.data = append(s.data[:0], s.data[excess:]...)
		s.base += excess
	}
	p.broadcast()
	p.mutex.Unlock()
}

// mustWait says whether adding bytes would push out some that a reader has not seen.
func (s *stream) mustWait(count int64) bool {
	p := s.process
	if p.killed {
		return false
	}
	if len(p.readers) == 0 {
		return !p.detached && s.end+count-s.base > s.window
	}
	for reader := range p.readers {
		if s.end+count-s.window > reader.offsetOf(s) && reader.offsetOf(s) < s.end {
			return true
		}
	}
	return false
}

// take copies what follows an offset, at most a chunk.
func (s *stream) take(offset int64, buffer []byte) (int64, int) {
	offset = min(max(offset, s.base), s.end)
	return offset, copy(buffer, s.data[offset-s.base:])
}

func (s *stream) release() { s.data, s.base = nil, s.end }

// pipe makes the two ends of an output: ours waits in the runtime, the program's is an ordinary blocking one.
func pipe() (ours *os.File, theirs *os.File, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, nil, err
	}
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "output"), os.NewFile(uintptr(fds[1]), "program"), nil
}
