package main

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// denied are calls that no program in a cell makes. The sandbox's own filter allows the calls that engines allow by default and
// those that make cells; this one takes the latter back, and names calls that must never become allowed.
var denied = []uint32{
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_CHROOT, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_MOVE_MOUNT, unix.SYS_MOUNT_SETATTR,
	unix.SYS_OPEN_TREE, unix.SYS_OPEN_TREE_ATTR, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_FANOTIFY_INIT,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_MEMFD_SECRET,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
}

const (
	namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC |
		unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
	// The rest of a socket's type are flags.
	socketType = 0xf
)

var (
	families    = []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6}
	socketTypes = []uint32{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET}
)

var (
	allow = bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	kill  = bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS}
)

// compileFilter is written by hand because the libraries that compile filters with a default of allow let calls of another
// architecture through.
func compileFilter() ([]unix.SockFilter, error) {
	program := []bpf.Instruction{
		load(architectureOffset),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: architecture, SkipTrue: 1},
		kill,
		load(callOffset),
		// Calls of the same processor's 32-bit interface.
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: otherCalls, SkipTrue: 1},
		kill,
	}
	for _, call := range denied {
		program = append(program, on(call, refuse(unix.EPERM))...)
	}
	// Its flags are in memory, which a filter cannot see; callers that get ENOSYS use clone.
	program = append(program, on(unix.SYS_CLONE3, refuse(unix.ENOSYS))...)
	program = append(program, on(unix.SYS_CLONE,
		argument(0), bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: namespaces, SkipFalse: 1}, refuse(unix.EPERM), allow)...)
	program = append(program, on(unix.SYS_SOCKET, sockets()...)...)
	program = append(program, on(unix.SYS_SOCKETPAIR,
		argument(0), bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_UNIX, SkipTrue: 1}, refuse(unix.EAFNOSUPPORT), allow)...)
	raw, err := bpf.Assemble(append(program, allow))
	if err != nil {
		return nil, err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, instruction := range raw {
		filter[i] = unix.SockFilter{Code: instruction.Op, Jt: instruction.Jt, Jf: instruction.Jf, K: instruction.K}
	}
	return filter, nil
}

// sockets allows those that programs use: no raw ones, and of netlink only the protocol that lists network interfaces.
func sockets() []bpf.Instruction {
	body := append([]bpf.Instruction{argument(0)}, on(unix.AF_NETLINK,
		argument(2), bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.NETLINK_ROUTE, SkipTrue: 1}, refuse(unix.EPERM), allow)...)
	body = append(body, unlessOneOf(families, refuse(unix.EAFNOSUPPORT))...)
	body = append(body, argument(1), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: socketType})
	body = append(body, unlessOneOf(socketTypes, refuse(unix.EPERM))...)
	return append(body, allow)
}

// on runs a body, which must return, if the loaded value equals this one.
func on(value uint32, body ...bpf.Instruction) []bpf.Instruction {
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: value, SkipTrue: uint8(len(body))}}, body...)
}

func unlessOneOf(values []uint32, otherwise bpf.Instruction) (body []bpf.Instruction) {
	for i, value := range values {
		body = append(body, bpf.JumpIf{Cond: bpf.JumpEqual, Val: value, SkipTrue: uint8(len(values) - i)})
	}
	return append(body, otherwise)
}

func refuse(number unix.Errno) bpf.RetConstant {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(number)}
}

// Offsets in struct seccomp_data.
const (
	callOffset         = 0
	architectureOffset = 4
	argumentsOffset    = 16
	argumentBytes      = 8
)

func load(offset uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: offset, Size: 4} }

// argument loads an argument's lower half, which holds all values of the calls above. Both architectures are little-endian.
func argument(index uint32) bpf.Instruction { return load(argumentsOffset + index*argumentBytes) }
