package process

import (
	"errors"
	"os"
	"syscall"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/chunk"
)

const (
	// A window is kept of a stream for readers that join, and is how far a program may run ahead of its reader.
	windowBytes         = 512 << 10
	detachedWindowBytes = 1 << 20
	// How much of a window may be on its way to a reader, and is kept while it can be lost: the executor's window, a chunk that it
	// has in part, and what gRPC queues here, which takes another chunk as long as there are less than 64 KiB.
	onTheWayBytes    = 256<<10 + chunk.Bytes + (64<<10 + chunk.Bytes)
	firstWindowBytes = 4 << 10
	// How much all windows together may take above a chunk each: they count as the sandbox's memory.
	allWindowsBytes = 8 << 20
	// A pipe's largest buffer without privileges: as much may remain in it when its writer has ended.
	pipeBytes = 1 << 20
)

// stream is one output of a process: a ring of its last bytes, read by offset. The process's mutex guards it.
type stream struct {
	process   *Process
	limit     int64
	base, end int64
	ring      []byte
	truncated bool
}

// pump moves a pipe into the stream until its end, or until the deadline that an exit sets.
func (s *stream) pump(file *os.File) (stillOpen bool) {
	defer file.Close()
	buffer := chunk.Get()
	defer chunk.Put(buffer)
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

// drain takes the bytes that an ended program left in its pipe. A child that writes on does not prolong it.
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

// append adds bytes and waits while a reader is a whole window behind. Bytes over the limit are dropped, and end the program.
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

// grow makes room for more bytes beside those kept, within the limits of one window and of all windows together.
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
	if size > chunk.Bytes && s.process.windows.Load()+int64(size-len(s.ring)) > allWindowsBytes {
		size = max(len(s.ring), chunk.Bytes)
	}
	if size == len(s.ring) {
		return
	}
	s.process.windows.Add(int64(size - len(s.ring)))
	bigger := make([]byte, size)
	for at := s.base; at < s.end; {
		piece := s.piece(at)
		copied := copy(bigger[at%int64(size):], piece)
		at += int64(copied)
	}
	s.ring = bigger
}

// piece is the bytes from an offset up to the ring's wrap or the end.
func (s *stream) piece(offset int64) []byte {
	if offset >= s.end {
		return nil
	}
	size := int64(len(s.ring))
	start := offset % size
	return s.ring[start:min(size, start+s.end-offset)]
}

// mustWait says whether adding bytes would push out some that a reader has not seen. A present reader gets all, also of a
// killed program. Without a reader, a program that is neither detached nor killed waits for one.
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

// take copies the bytes from an offset, at most a chunk.
func (s *stream) take(offset int64, buffer []byte) (int64, int) {
	offset = min(max(offset, s.base), s.end)
	count := copy(buffer, s.piece(offset))
	return offset, count + copy(buffer[count:], s.piece(offset+int64(count)))
}

func (s *stream) release() {
	s.process.windows.Add(-int64(len(s.ring)))
	s.ring, s.base = nil, s.end
}
