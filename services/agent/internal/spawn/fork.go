package spawn

import (
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// syscall.ForkExec calls these around its fork. The runtime keeps the names for packages that fork by themselves.

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// clone is the system call with a stack that the child may share.
//
//go:noescape
func clone(flags uintptr) (result uintptr)

const (
	exitFailed = 253
	maxErrno   = 4095
	// Descriptors from here on are above all of the child's files.
	spareDescriptor = 16
)

// fork makes the child, where it does not return. The child has no runtime: it can neither allocate nor let its stack grow,
// and makes system calls only.
//
//go:noinline
//go:norace
//go:nocheckptr
func fork(o *order) (pid uintptr, number syscall.Errno) {
	beforeFork()
	pid = clone(o.flags)
	if pid != 0 {
		afterFork()
		if pid > ^uintptr(maxErrno) {
			return 0, syscall.Errno(-pid)
		}
		return pid, 0
	}
	afterForkInChild()
	number = become(o)
	_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, uintptr(len(o.files)), uintptr(unsafe.Pointer(&number)), unsafe.Sizeof(number))
	for {
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, exitFailed, 0, 0)
	}
}

// become makes the child its program. It returns only on failure.
//
//go:norace
//go:nocheckptr
//go:nosplit
func become(o *order) (number syscall.Errno) {
	if ignored {
		defaultSignals()
	}
	if number = arrangeFiles(o); number != 0 {
		return number
	}
	_, _, _ = syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0)
	if o.terminal {
		if _, _, number = syscall.RawSyscall(syscall.SYS_IOCTL, 0, syscall.TIOCSCTTY, 0); number != 0 {
			return number
		}
	}
	setScore(o)
	if o.timerSlack != 0 {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_PRCTL, unix.PR_SET_TIMERSLACK, o.timerSlack, 0, 0, 0, 0)
	}
	for i := range o.limits {
		_, _, number = syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, o.limits[i].resource, uintptr(unsafe.Pointer(&o.limits[i].value)), 0, 0, 0)
		if number != 0 {
			return number
		}
	}
	if number = keepCapabilities(o); number != 0 {
		return number
	}
	if number = identify(o.credential); number != 0 {
		return number
	}
	if _, _, number = syscall.RawSyscall(syscall.SYS_CHDIR, uintptr(unsafe.Pointer(o.directory)), 0, 0); number != 0 {
		return number
	}
	_, _, number = syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(o.program)),
		uintptr(unsafe.Pointer(&o.arguments[0])), uintptr(unsafe.Pointer(&o.environment[0])))
	return number
}

// arrangeFiles gives the child its files, then the descriptor that tells of a failure, then proc if there is one, and closes all
// others of the parent's.
//
//go:norace
//go:nocheckptr
//go:nosplit
func arrangeFiles(o *order) syscall.Errno {
	count := uintptr(len(o.files))
	failed, _, number := syscall.RawSyscall(syscall.SYS_FCNTL, o.failed, syscall.F_DUPFD_CLOEXEC, spareDescriptor)
	if number != 0 {
		return number
	}
	proc := uintptr(0)
	if o.proc != 0 {
		if proc, _, number = syscall.RawSyscall(syscall.SYS_FCNTL, o.proc, syscall.F_DUPFD_CLOEXEC, spareDescriptor); number != 0 {
			return number
		}
	}
	for i := range count {
		if o.files[i] == i {
			_, _, number = syscall.RawSyscall(syscall.SYS_FCNTL, i, syscall.F_SETFD, 0)
		} else {
			_, _, number = syscall.RawSyscall(syscall.SYS_DUP3, o.files[i], i, 0)
		}
		if number != 0 {
			return number
		}
	}
	_, _, _ = syscall.RawSyscall(syscall.SYS_DUP3, failed, count, syscall.O_CLOEXEC)
	if o.proc != 0 {
		_, _, _ = syscall.RawSyscall(syscall.SYS_DUP3, proc, count+1, syscall.O_CLOEXEC)
		count++
	}
	_, _, _ = syscall.RawSyscall(unix.SYS_CLOSE_RANGE, count+1, math.MaxUint32, 0)
	return 0
}

// setScore sets the child's oom_score_adj, if there is one to set. A child with memory of its own becomes dumpable first: only
// then the file belongs to its user.
//
//go:norace
//go:nocheckptr
//go:nosplit
func setScore(o *order) {
	if o.scoreBytes == 0 {
		return
	}
	if o.flags&syscall.CLONE_VM == 0 {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 1, 0, 0, 0, 0)
	}
	fd, _, number := syscall.RawSyscall6(syscall.SYS_OPENAT, uintptr(len(o.files)+1), uintptr(unsafe.Pointer(o.scoreFile)),
		syscall.O_WRONLY|syscall.O_CLOEXEC, 0, 0, 0)
	if number == 0 {
		_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(o.score)), o.scoreBytes)
	}
}

// keepCapabilities lets the program keep some of the capabilities that the child got with a user namespace of its own, although
// the namespace has no ids yet.
//
//go:norace
//go:nocheckptr
//go:nosplit
func keepCapabilities(o *order) syscall.Errno {
	if len(o.capabilities) == 0 {
		return 0
	}
	_, _, number := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&o.capabilityHeader)), uintptr(unsafe.Pointer(&o.capabilitySets)), 0)
	for i := 0; i < len(o.capabilities) && number == 0; i++ {
		_, _, number = syscall.RawSyscall6(syscall.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, o.capabilities[i], 0, 0, 0)
	}
	return number
}

//go:norace
//go:nocheckptr
//go:nosplit
func identify(as *Credential) syscall.Errno {
	if as == nil {
		return 0
	}
	if _, _, number := syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0); number != 0 {
		return number
	}
	group, user := uintptr(as.Group), uintptr(as.User)
	if _, _, number := syscall.RawSyscall(syscall.SYS_SETRESGID, group, group, group); number != 0 {
		return number
	}
	_, _, number := syscall.RawSyscall(syscall.SYS_SETRESUID, user, user, user)
	return number
}
