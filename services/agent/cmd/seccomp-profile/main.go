// Command seccomp-profile prints the filter under which sandboxes run, as the JSON that engines take: the engines' current
// default profile, which older engines lack, without calls that programs in a sandbox do not need.
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

// families are the sockets that programs may make. The default profile forbids some and allows all others.
var families = []uint64{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

// denied are calls that no program in a sandbox needs, and that have had vulnerabilities or reach past the sandbox. Most need
// a capability in the default profile; they are named so that they never become allowed.
var denied = []string{
	"add_key", "keyctl", "request_key",
	"bpf", "perf_event_open", "userfaultfd",
	"io_uring_enter", "io_uring_register", "io_uring_setup",
	"fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree", "pivot_root",
	"setns", "umount", "umount2", "unshare",
	"kexec_file_load", "kexec_load", "init_module", "finit_module", "delete_module",
	"modify_ldt", "vm86", "vm86old",
	// It takes pages out of the direct map of the whole host's kernel.
	"memfd_secret",
	// One call for all families, whose arguments a filter cannot see.
	"socketcall",
}

// forCells are the calls that make a cell. Each cell filters them again before a program starts in it. Entering a namespace and
// unmounting are not among them.
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
