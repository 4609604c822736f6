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

// startTimeout is how long a child may take to become its program. A child that takes longer was stopped by another program.
const startTimeout = time.Second

// Attributes say how a program starts.
type Attributes struct {
	Directory   string
	Environment []string
	// Files become the first descriptors.
	Files []uintptr
	// Terminal makes descriptor 0 the controlling terminal.
	Terminal bool
	// Credential is the program's identity, without supplementary groups; nil keeps the parent's.
	Credential *Credential
	Limits     Limits
	// Score is its oom_score_adj: FirstChoice or less; 0 keeps the parent's.
	Score int
	// Share lets the child use its parent's memory until it is a program, which is quicker by a third. Only for callers that know
	// that no other process could stop the child, and that may write their own oom_score_adj.
	Share bool
	// Proc is a descriptor of a /proc that can be written to; 0 is the one at its usual place.
	Proc int
	// TimerSlack is how many nanoseconds the kernel may delay the child's timers; 0 keeps the parent's.
	TimerSlack uintptr
	// Namespaces are the clone flags of its own namespaces, and Capabilities those that it has in them.
	Namespaces   uintptr
	Capabilities []uintptr
}

// FirstChoice is the highest score.
const FirstChoice = 1000

const (
	// UsualTimerSlack is the kernel's default.
	UsualTimerSlack = 50_000
	// OurTimerSlack is for our own processes. Go's runtime monitors a busy process every 20 µs at first, and each wake-up costs a
	// program on the same core a switch and a cold cache.
	OurTimerSlack = 1_000_000
)

// Credential is a user and a group.
type Credential struct{ User, Group int }

// Limits are those that the kernel enforces on each process by itself; 0 keeps the parent's.
type Limits struct{ StackBytes, FileBytes, OpenFiles uint64 }

// Child is a process that is about to become a program. The caller reaps it, even if it failed to.
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

// Wait waits until the child is its program or has ended, and returns why it could not become it.
func (c *Child) Wait() error {
	var number [8]byte
	count, err := unix.Read(c.failed, number[:])
	if err == unix.EAGAIN {
		// A child that shares our memory has become its program, or failed, by now.
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

// order holds a child's instructions, all allocated before the fork.
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
	if a.Score != 0 {
		o.scoreBytes = uintptr(len(score))
	}
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
