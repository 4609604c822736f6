package spawn

import (
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	lastSignal = 64
	// signalSetBytes is the size of the kernel's set of signals.
	signalSetBytes = 8
)

// signalAction is the kernel's struct sigaction: handler, flags, restorer and mask.
type signalAction [4]uint64

var (
	byDefault = signalAction{}
	ignoring  = signalAction{1}
)

// ignored is set once children must be given back the default of all signals.
var ignored bool

// IgnoreSignals makes this process, not its children, ignore all signals but the exceptions, also those that Go's runtime takes
// for its own faults. Real faults still end it. In the first process of a sandbox the kernel drops signals that have their
// default, but not while the main thread blocks signals, as it does in a fork.
func IgnoreSignals(exceptions ...syscall.Signal) {
	ignored = true
	for number := uintptr(1); number <= lastSignal; number++ {
		if !slices.Contains(exceptions, syscall.Signal(number)) {
			setAction(number, &ignoring)
		}
	}
}

//go:norace
//go:nocheckptr
//go:nosplit
func defaultSignals() {
	for number := uintptr(1); number <= lastSignal; number++ {
		setAction(number, &byDefault)
	}
}

// setAction has no effect on SIGKILL and SIGSTOP.
//
//go:norace
//go:nocheckptr
//go:nosplit
func setAction(number uintptr, action *signalAction) {
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGACTION, number, uintptr(unsafe.Pointer(action)), 0, signalSetBytes, 0, 0)
}
