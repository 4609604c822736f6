package main

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestWhatTheProfileAllows(t *testing.T) {
	text, err := json.Marshal(profile())
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
	for _, call := range read.Syscalls {
		for _, name := range call.Names {
			switch {
			case slices.Contains(denied, name):
				t.Errorf("%s is allowed", name)
			case name == "socket":
				sockets = append(sockets, call.Args[0].Value)
			case name == "clone" && call.Action == "SCMP_ACT_ALLOW" && len(call.Includes.Caps) == 0 && len(call.Args) == 0:
				t.Error("clone makes namespaces")
			}
		}
	}
	slices.Sort(sockets)
	if !slices.Equal(sockets, []uint64{1, 2, 10, 16}) {
		t.Errorf("sockets of families %v", sockets)
	}
}
