package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/spawn"
)

// Kind of a message. The cell says Made when it runs. Then the agent asks and the cell answers: Begin with Ready, Open with
// Opened, either with Failed if there can be no cell; a step with Started or Refused and, at its end, with Ended; Sweep with Swept.
type Kind uint32

const (
	// Made comes first: before it has its program, the process's files in /proc are not its user's.
	Made Kind = iota + 1
	// Begin comes once the namespace has its ids, with the directories that programs must find empty.
	Begin
	Ready
	// Failed and Refused come with the number and the text of an error.
	Failed
	Open
	// Opened comes with a descriptor of the program's directory.
	Opened
	// RunStep comes with the descriptors 0 to 2 of the step.
	RunStep
	Started
	Refused
	// EndAll ends a step with all that it started; Ended follows as usual.
	EndAll
	Ended
	Sweep
	Swept
	// Interrupt comes with a signal for the step's process, and has no answer.
	Interrupt
)

const (
	// ProgramDirectory is where steps run.
	ProgramDirectory = "/home/user/program"
	// Socket is the descriptor of the cell's end.
	Socket = 3

	wordBytes = 8
	maxBytes  = 4 << 20
)

// Message is one request or answer.
type Message struct {
	Kind    Kind
	Numbers []int64
	Texts   []string
}

var errMalformed = errors.New("malformed message")

// Encode gives a message's bytes: the count of those that follow, its kind, the count of its numbers, the numbers, and each
// text after its size.
func (m Message) Encode() []byte {
	bytes := make([]byte, wordBytes, 256)
	word := func(value int64) { bytes = binary.NativeEndian.AppendUint64(bytes, uint64(value)) }
	word(int64(m.Kind))
	word(int64(len(m.Numbers)))
	for _, number := range m.Numbers {
		word(number)
	}
	for _, text := range m.Texts {
		word(int64(len(text)))
		bytes = append(bytes, text...)
	}
	binary.NativeEndian.PutUint64(bytes, uint64(len(bytes)-wordBytes))
	return bytes
}

// Read reads a message.
func Read(from io.Reader) (m Message, err error) {
	var size [wordBytes]byte
	if _, err := io.ReadFull(from, size[:]); err != nil {
		return m, err
	}
	left := binary.NativeEndian.Uint64(size[:])
	if left > maxBytes {
		return m, errMalformed
	}
	bytes := make([]byte, left)
	if _, err := io.ReadFull(from, bytes); err != nil {
		return m, err
	}
	word := func() (value int64) {
		if len(bytes) < wordBytes {
			bytes, err = nil, errMalformed
			return 0
		}
		value = int64(binary.NativeEndian.Uint64(bytes))
		bytes = bytes[wordBytes:]
		return value
	}
	m.Kind = Kind(word())
	for count := word(); count > 0 && err == nil; count-- {
		m.Numbers = append(m.Numbers, word())
	}
	for len(bytes) > 0 {
		length := word()
		if length < 0 || length > int64(len(bytes)) {
			return m, errMalformed
		}
		m.Texts, bytes = append(m.Texts, string(bytes[:length])), bytes[length:]
	}
	return m, err
}

// Descriptors lists the descriptors in a message's control data.
func Descriptors(control []byte) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) == 0 {
		return nil, err
	}
	return unix.ParseUnixRights(&messages[0])
}

// Failure is the message that tells an error.
func Failure(kind Kind, err error) Message {
	var number unix.Errno
	errors.As(err, &number)
	return Message{Kind: kind, Numbers: []int64{int64(number)}, Texts: []string{err.Error()}}
}

// Told is an error of the other end, with its number or 0.
type Told struct {
	Text   string
	Number unix.Errno
}

func (t Told) Error() string { return t.Text }
func (t Told) Unwrap() error { return t.Number }

// Unexpected is the error of a message of another kind than the expected one: the error that it tells, if it tells one.
func (m Message) Unexpected() error {
	if (m.Kind == Failed || m.Kind == Refused) && len(m.Numbers) == 1 && len(m.Texts) == 1 {
		return Told{m.Texts[0], unix.Errno(m.Numbers[0])}
	}
	return fmt.Errorf("unexpected message %d", m.Kind)
}

// Sizes of a cell's own file systems, in bytes.
type Sizes struct{ Disk, SharedMemory int64 }

// Message is the request that opens a cell.
func (s Sizes) Message() Message {
	return Message{Kind: Open, Numbers: []int64{s.Disk, s.SharedMemory}}
}

// Sizes reads the message that opens a cell.
func (m Message) Sizes() (Sizes, error) {
	if m.Kind != Open || len(m.Numbers) != 2 {
		return Sizes{}, m.Unexpected()
	}
	return Sizes{m.Numbers[0], m.Numbers[1]}, nil
}

// Step is a command to run.
type Step struct {
	Command     []string
	Environment []string
	Directory   string
	Limits      spawn.Limits
}

// Message is the request for a step.
func (s Step) Message() Message {
	texts := append([]string{s.Directory}, s.Command...)
	return Message{
		Kind:    RunStep,
		Numbers: []int64{int64(len(s.Command)), int64(s.Limits.StackBytes), int64(s.Limits.FileBytes), int64(s.Limits.OpenFiles)},
		Texts:   append(texts, s.Environment...),
	}
}

// Step reads the message that asks for one.
func (m Message) Step() (Step, error) {
	if m.Kind != RunStep || len(m.Numbers) != 4 || int(m.Numbers[0]) >= len(m.Texts) || m.Numbers[0] < 1 {
		return Step{}, m.Unexpected()
	}
	end := 1 + m.Numbers[0]
	return Step{
		Directory: m.Texts[0], Command: m.Texts[1:end], Environment: m.Texts[end:],
		Limits: spawn.Limits{StackBytes: uint64(m.Numbers[1]), FileBytes: uint64(m.Numbers[2]), OpenFiles: uint64(m.Numbers[3])},
	}, nil
}

// End is how a step ended.
type End struct {
	Status unix.WaitStatus
	// CPU time in nanoseconds, and the most memory of its largest process.
	CPU, PeakBytes int64
	// Alone is set if it left no process behind.
	Alone bool
}

// Message tells of an end.
func (e End) Message() Message {
	return Message{Kind: Ended, Numbers: []int64{int64(e.Status), e.CPU, e.PeakBytes, word(e.Alone)}}
}

// End reads the message that tells of one.
func (m Message) End() (End, error) {
	if m.Kind != Ended || len(m.Numbers) != 4 {
		return End{}, m.Unexpected()
	}
	return End{unix.WaitStatus(m.Numbers[0]), m.Numbers[1], m.Numbers[2], m.Numbers[3] == 1}, nil
}

func word(is bool) int64 {
	if is {
		return 1
	}
	return 0
}
