package main

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/moby/profiles/seccomp"
)

func TestWhatTheProfilesAllow(t *testing.T) {
	t.Run("for processes", func(t *testing.T) { check(t, profile(false), nil) })
	t.Run("for cells", func(t *testing.T) {
		check(t, profile(true), []string{"clone", "mount", "mount_setattr", "sethostname"})
	})
}

// reaching are calls of the default profile that reach past the sandbox.
var reaching = []string{"memfd_secret"}

func check(t *testing.T, profile *seccomp.Seccomp, also []string) {
	text, err := json.Marshal(profile)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		DefaultAction string
		ArchMap       []struct{ SubArchitectures []string }
		Syscalls      []struct {
			Names    []string
			Action   string
			Args     []struct{ Value uint64 }
			Includes struct{ Caps []string }
		}
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if read.DefaultAction != "SCMP_ACT_ERRNO" || len(read.ArchMap) == 0 {
		t.Fatalf("%s, %d architectures", read.DefaultAction, len(read.ArchMap))
	}
	for _, architecture := range read.ArchMap {
		if len(architecture.SubArchitectures) > 0 {
			t.Errorf("also %v", architecture.SubArchitectures)
		}
	}
	var sockets []uint64
	var unconditional []string
	for _, call := range read.Syscalls {
		for _, name := range call.Names {
			always := call.Action == "SCMP_ACT_ALLOW" && len(call.Includes.Caps) == 0 && len(call.Args) == 0
			if always && slices.Contains(forCells, name) {
				unconditional = append(unconditional, name)
			}
			switch {
			case slices.Contains(also, name):
			case slices.Contains(denied, name), slices.Contains(reaching, name):
				t.Errorf("%s is allowed", name)
			case name == "socket":
				sockets = append(sockets, call.Args[0].Value)
			}
		}
	}
	if !slices.Equal(unconditional, also) {
		t.Errorf("%v are allowed, whatever their arguments", unconditional)
	}
	slices.Sort(sockets)
	if !slices.Equal(sockets, []uint64{1, 2, 10, 16}) {
		t.Errorf("sockets of families %v", sockets)
	}
}
