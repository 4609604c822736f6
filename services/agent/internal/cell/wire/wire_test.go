package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/cell/wire"
	"drydock.dev/agent/internal/spawn"
)

// FuzzRead has a message made of any bytes: it is refused, or says the same when it is written and read again.
func FuzzRead(f *testing.F) {
	step := wire.Step{Command: []string{"cat", "-"}, Environment: []string{"A=b"}, Directory: "/tmp", Limits: spawn.Limits{StackBytes: 1, OpenFiles: 9}}
	for _, m := range []wire.Message{
		{Kind: wire.Begin, Texts: []string{"/home/user", ""}},
		wire.Sizes{Disk: 1, SharedMemory: 3}.Message(),
		step.Message(),
		wire.End{Status: 9, CPU: 1, PeakBytes: 2, Alone: true}.Message(),
		wire.Failure(wire.Refused, unix.ENOENT),
	} {
		f.Add(m.Encode())
	}
	f.Add(binary.NativeEndian.AppendUint64(nil, 1<<63))
	f.Fuzz(func(t *testing.T, given []byte) {
		m, err := wire.Read(bytes.NewReader(given))
		if err != nil {
			return
		}
		again, err := wire.Read(bytes.NewReader(m.Encode()))
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
		if s, err := m.Sizes(); err == nil && !reflect.DeepEqual(s.Message().Numbers, m.Numbers) {
			t.Errorf("sizes %+v of %+v", s, m)
		}
		if s, err := m.Step(); err == nil {
			if len(s.Command) == 0 || len(s.Command)+len(s.Environment)+1 != len(m.Texts) {
				t.Errorf("step %+v of %+v", s, m)
			}
		}
		_, _ = m.End()
		if m.Unexpected() == nil {
			t.Error("an error that is none")
		}
		var told wire.Told
		if errors.As(m.Unexpected(), &told) && (len(m.Texts) != 1 || told.Text != m.Texts[0]) {
			t.Errorf("told %q by %+v", told.Text, m)
		}
		// What ends too early is never a message.
		if size := len(m.Encode()); size > 0 {
			if _, err := wire.Read(bytes.NewReader(m.Encode()[:size-1])); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
				t.Errorf("cut off: %v", err)
			}
		}
	})
}
