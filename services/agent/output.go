package main

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	pb "drydock.dev/agent/internal/agentv1"
)

const (
	chunkBytes = 64 << 10
	// What is kept of a stream for whoever joins, and how far a program may run ahead of its reader.
	windowBytes         = 512 << 10
	detachedWindowBytes = 1 << 20
	// What of it may be on its way to a reader, and is kept while that can be lost: the executor's window, and what gRPC takes
	// beyond.
	onTheWayBytes    = 256<<10 + 64<<10
	firstWindowBytes = 4 << 10
	// What all windows together may take above a chunk each: it counts as the sandbox's own memory.
	allWindowsBytes = 8 << 20
	// A pipe's largest buffer without privileges: what can still be in it when its writer has ended.
	pipeBytes = 1 << 20
)

var (
	chunks      = sync.Pool{New: func() any { return new([chunkBytes]byte) }}
	windowsUsed atomic.Int64
)

// stream is one output of a process: a ring of its last bytes, read by offset. The process's mutex guards it.
type stream struct {
	process   *process
	limit     int64
	base, end int64
	ring      []byte
	truncated bool
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

// append adds bytes and waits while a reader is a whole window behind. What is over the limit is dropped, and the
// program is ended.
func (s *stream) append(bytes []byte) {
	p := s.process
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if s.limit > 0 && s.end+int64(len(bytes)) > s.limit {
		bytes = bytes[:s.limit-s.end]
		if !s.truncated {
			s.truncated = true
			go p.exceed(pb.LimitKind_LIMIT_KIND_OUTPUT)
		}
	}
	if len(bytes) == 0 {
		return
	}
	s.grow(len(bytes))
	for s.mustWait(int64(len(bytes))) {
		changed := p.changed
		p.mutex.Unlock()
		<-changed
		p.mutex.Lock()
	}
	copied := copy(s.ring[s.end%int64(len(s.ring)):], bytes)
	copy(s.ring, bytes[copied:])
	s.end += int64(len(bytes))
	s.base = max(s.base, s.end-int64(len(s.ring)))
	p.broadcast()
}

// grow makes room for more bytes beside those that are kept, as far as one window and all of them together may go.
func (s *stream) grow(count int) {
	most := windowBytes
	if s.process.detached {
		most = detachedWindowBytes
	}
	needed := min(int(s.end-s.base)+count, most)
	size := max(len(s.ring), firstWindowBytes)
	for size < needed {
		size *= 2
	}
	if size > chunkBytes && windowsUsed.Load()+int64(size-len(s.ring)) > allWindowsBytes {
		size = max(len(s.ring), chunkBytes)
	}
	if size == len(s.ring) {
		return
	}
	windowsUsed.Add(int64(size - len(s.ring)))
	bigger := make([]byte, size)
	for at := s.base; at < s.end; {
		piece := s.piece(at)
		copied := copy(bigger[at%int64(size):], piece)
		at += int64(copied)
	}
	s.ring = bigger
}

// piece is what follows an offset up to the ring's turn or the end.
func (s *stream) piece(offset int64) []byte {
	if offset >= s.end {
		return nil
	}
	size := int64(len(s.ring))
	start := offset % size
	return s.ring[start:min(size, start+s.end-offset)]
}

// mustWait says whether adding bytes would push out some that a reader has not seen. A reader who is there gets all, also
// of a program that was ended; where nobody is, one that is not detached waits for its end.
func (s *stream) mustWait(count int64) bool {
	p := s.process
	kept := s.end + count - int64(len(s.ring))
	if len(p.readers) == 0 {
		return !p.detached && !p.killed && kept > s.base
	}
	if p.grace > 0 && len(s.ring) >= windowBytes {
		kept += onTheWayBytes
	}
	for reader := range p.readers {
		if offset := reader.offsetOf(s); kept > offset && offset < s.end {
			return true
		}
	}
	return false
}

// take copies what follows an offset, at most a chunk.
func (s *stream) take(offset int64, buffer []byte) (int64, int) {
	offset = min(max(offset, s.base), s.end)
	count := copy(buffer, s.piece(offset))
	return offset, count + copy(buffer[count:], s.piece(offset+int64(count)))
}

func (s *stream) release() {
	windowsUsed.Add(-int64(len(s.ring)))
	s.ring, s.base = nil, s.end
}

type direction int

const (
	ourReading direction = iota
	ourWriting
)

// pipe makes the two ends of a standard stream: ours waits in the runtime, the program's is an ordinary blocking one.
func pipe(direction direction) (theirs *os.File, ours *os.File, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, nil, err
	}
	if direction == ourWriting {
		fds[0], fds[1] = fds[1], fds[0]
	}
	// Ours by owner, yet a program may open its end by name: /dev/stdin, /dev/stdout, /dev/stderr. gVisor lets it as it is.
	err = syscall.Fchmod(fds[1], 0o666)
	if errors.Is(err, syscall.EPERM) {
		err = nil
	}
	if err := errors.Join(err, syscall.SetNonblock(fds[0], true)); err != nil {
		return nil, nil, errors.Join(err, syscall.Close(fds[0]), syscall.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[1]), "program"), os.NewFile(uintptr(fds[0]), "agent"), nil
}
