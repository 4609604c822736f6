// Command seccomp-profile prints the filter under which sandboxes run, as the JSON that engines take: the engines'
// default profile of today, which older engines do not have, without what programs in a sandbox have no business with.
//
//	seccomp-profile          for sandboxes that run processes
//	seccomp-profile cells    for sandboxes that run cells
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// families are the sockets that programs may make. The default forbids some and allows whatever else the kernel has.
var families = []uint64{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

// denied are calls that no program in a sandbox needs, and that the kernel has had its trouble with or that reach past
// the sandbox. Most are not in the default profile without a capability; they are named so that they never come in.
var denied = []string{
	"add_key", "keyctl", "request_key",
	"bpf", "perf_event_open", "userfaultfd",
	"io_uring_enter", "io_uring_register", "io_uring_setup",
	"fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree", "pivot_root",
	"setns", "umount", "umount2", "unshare",
	"kexec_file_load", "kexec_load", "init_module", "finit_module", "delete_module",
	"modify_ldt", "vm86", "vm86old",
	// One call for all families, whose arguments a filter cannot see.
	"socketcall",
}

// forCells are what the agent makes a cell with. Each cell takes them away again before a program starts in it. Entering
// namespaces, or leaving a mount, is no part of that.
var forCells = []string{"clone", "mount", "mount_setattr", "sethostname"}

func main() {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(profile(slices.Equal(os.Args[1:], []string{"cells"}))); err != nil {
		fmt.Fprintln(os.Stderr, "seccomp-profile:", err)
		os.Exit(1)
	}
}

func profile(cells bool) *seccomp.Seccomp {
	replaced := []string{"socket"}
	if cells {
		replaced = append(replaced, forCells...)
	}
	profile := seccomp.DefaultProfile()
	var kept []*seccomp.Syscall
	for _, call := range profile.Syscalls {
		call.Names = slices.DeleteFunc(call.Names, func(name string) bool {
			return slices.Contains(replaced, name) || slices.Contains(denied, name)
		})
		if len(call.Names) > 0 {
			kept = append(kept, call)
		}
	}
	for _, family := range families {
		kept = append(kept, &seccomp.Syscall{LinuxSyscall: specs.LinuxSyscall{
			Names: []string{"socket"}, Action: specs.ActAllow,
			Args: []specs.LinuxSeccompArg{{Index: 0, Value: family, Op: specs.OpEqualTo}},
		}})
	}
	if cells {
		kept = append(kept, &seccomp.Syscall{LinuxSyscall: specs.LinuxSyscall{Names: forCells, Action: specs.ActAllow}})
	}
	profile.Syscalls = kept
	// A call made as another architecture has other numbers and arguments. It ends the program that makes it.
	for i := range profile.ArchMap {
		profile.ArchMap[i].SubArches = nil
	}
	return profile
}
