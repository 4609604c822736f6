// Package spawn starts programs. It is syscall.ForkExec with two differences. A child is given limits, and its score for when
// memory runs out, before it is another program. And it need not share its parent's memory until then: while it does, all of
// the Go runtime ends up waiting for it; but it has the program's user already, so that another program may stop it for ever.
package spawn

import (
	"encoding/binary"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// startTimeout is how long a child may take to become its program. One that takes longer has been stopped by another
// program, and needs no one to wait for it.
const startTimeout = time.Second

// Attributes say how a program starts.
type Attributes struct {
	Directory   string
	Environment []string
	// Files become the first descriptors.
	Files []uintptr
	// Terminal makes descriptor 0 the controlling terminal.
	Terminal bool
	// Credential is whom the program runs as, without other groups; nil leaves that as it is.
	Credential *Credential
	Limits     Limits
	// Score says how soon it is chosen when memory runs out: FirstChoice or less.
	Score int
	// Share lets the child use its parent's memory until it is a program, which is quicker by a third. For where nobody else
	// could stop it, and its file oom_score_adj is the parent's to write.
	Share bool
	// Proc is a descriptor of a /proc that can be written to; 0 is the one at its usual place.
	Proc int
	// TimerSlack is by how many nanoseconds the kernel may put off the child's timers; 0 leaves what its parent has.
	TimerSlack uintptr
	// Namespaces are the clone flags of those that are its own, and Capabilities what it may do in them.
	Namespaces   uintptr
	Capabilities []uintptr
}

// FirstChoice is the highest score.
const FirstChoice = 1000

const (
	// UsualTimerSlack is what programs have that nobody gave another.
	UsualTimerSlack = 50_000
	// OurTimerSlack is for our own processes. Whenever one of them has work, Go's runtime looks after it every 20 µs at first,
	// which for a program beside it is a switch and a cold cache each time.
	OurTimerSlack = 1_000_000
)

type Credential struct{ User, Group int }

// Limits are those that the kernel keeps for each process by itself; 0 leaves one as it is.
type Limits struct{ StackBytes, FileBytes, OpenFiles uint64 }

// Child is a process that is about to become a program. Its exit is the caller's to reap, also where it could not.
type Child struct {
	Pid    int
	failed int
}

// Start makes a child in a session of its own. It leaves no dump.
func Start(program string, arguments []string, attributes *Attributes) (*Child, error) {
	o, err := newOrder(program, arguments, attributes)
	if err != nil {
		return nil, err
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	o.failed = uintptr(pipe[1])
	syscall.ForkLock.Lock()
	pid, number := fork(o)
	syscall.ForkLock.Unlock()
	runtime.KeepAlive(o)
	_ = unix.Close(pipe[1])
	if number != 0 {
		_ = unix.Close(pipe[0])
		return nil, number
	}
	return &Child{Pid: int(pid), failed: pipe[0]}, nil
}

// Wait waits until the child is its program or has ended, and tells why it could not be.
func (c *Child) Wait() error {
	var number [8]byte
	count, err := unix.Read(c.failed, number[:])
	if err == unix.EAGAIN {
		// Of a child that shares our memory, all is known by now.
		file := os.NewFile(uintptr(c.failed), "child")
		defer file.Close()
		_ = file.SetReadDeadline(time.Now().Add(startTimeout))
		count, err = file.Read(number[:])
	} else {
		_ = unix.Close(c.failed)
	}
	if err != nil || count < len(number) {
		return nil
	}
	return syscall.Errno(binary.NativeEndian.Uint64(number[:]))
}

type limit struct {
	resource uintptr
	value    unix.Rlimit
}

// order is what a child does, all of it made before the fork.
type order struct {
	program, directory, scoreFile, score *byte
	scoreBytes                           uintptr
	arguments, environment               []*byte
	files                                []uintptr
	failed, proc, flags, timerSlack      uintptr
	limits                               []limit
	terminal                             bool
	credential                           *Credential
	capabilities                         []uintptr
	capabilityHeader                     unix.CapUserHeader
	capabilitySets                       [2]unix.CapUserData
}

func newOrder(program string, arguments []string, a *Attributes) (*order, error) {
	o := &order{
		files: a.Files, terminal: a.Terminal, credential: a.Credential, limits: a.Limits.list(), proc: uintptr(a.Proc),
		flags: uintptr(syscall.SIGCHLD) | a.Namespaces, capabilities: a.Capabilities, timerSlack: a.TimerSlack,
		capabilityHeader: unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3},
	}
	if a.Share {
		o.flags |= syscall.CLONE_VM | syscall.CLONE_VFORK
	}
	for _, capability := range a.Capabilities {
		set := &o.capabilitySets[capability/32]
		set.Permitted |= 1 << (capability % 32)
		set.Effective, set.Inheritable = set.Permitted, set.Permitted
	}
	scoreFile, score := "/proc/self/oom_score_adj", strconv.Itoa(a.Score)
	if a.Proc != 0 {
		scoreFile = "self/oom_score_adj"
	}
	o.scoreBytes = uintptr(len(score))
	for _, text := range []struct {
		to   **byte
		from string
	}{{&o.program, program}, {&o.directory, a.Directory}, {&o.scoreFile, scoreFile}, {&o.score, score}} {
		pointer, err := syscall.BytePtrFromString(text.from)
		if err != nil {
			return nil, err
		}
		*text.to = pointer
	}
	var err error
	if o.arguments, err = syscall.SlicePtrFromStrings(arguments); err != nil {
		return nil, err
	}
	o.environment, err = syscall.SlicePtrFromStrings(a.Environment)
	return o, err
}

func (l Limits) list() []limit {
	limits := []limit{{resource: unix.RLIMIT_CORE}}
	add := func(resource uintptr, value uint64) {
		if value > 0 {
			limits = append(limits, limit{resource, unix.Rlimit{Cur: value, Max: value}})
		}
	}
	add(unix.RLIMIT_STACK, l.StackBytes)
	add(unix.RLIMIT_FSIZE, l.FileBytes)
	add(unix.RLIMIT_NOFILE, l.OpenFiles)
	return limits
}
