package chunk

import "sync"

// Bytes is the size of a buffer, and with it of the largest piece of output or of a file in one message.
const Bytes = 64 << 10

// Buffer is one of the pool.
type Buffer = [Bytes]byte

var pool = sync.Pool{New: func() any { return new(Buffer) }}

// Get takes a buffer, which holds bytes of its last use.
func Get() *Buffer { return pool.Get().(*Buffer) }

// Put gives a buffer back.
func Put(buffer *Buffer) { pool.Put(buffer) }
