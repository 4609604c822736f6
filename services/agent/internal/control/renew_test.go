package control_test

import (
	"testing"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestRenewingWhereTheHomeIsRoots(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Listen: true, SameUser: true, Pod: true})
	s.MustRun("sh", "-c", "mkdir /home/user/program && echo kept > /home/user/program/main")
	_, err := s.Control.Keep(s.Context(5*time.Second), &pb.KeepRequest{})
	sandboxtest.Must(t, err)
	s.MustRun("sh", "-c", "echo left > /home/user/program/main; touch /home/user/left")
	_, err = s.Control.Renew(s.Context(5*time.Second), &pb.RenewRequest{})
	sandboxtest.Must(t, err)
	if r := s.MustRun("sh", "-c", "ls /home/user; cat /home/user/program/main"); r.Stdout != "program\nkept\n" {
		t.Errorf("%+v", r)
	}
}

func TestKeepingEndsWhatRuns(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	s.MustRun("mkdir", "/home/user/program")
	s.Start(&pb.StartRequest{Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}, Detached: true})
	_, err := s.Control.Keep(s.Context(5*time.Second), &pb.KeepRequest{})
	sandboxtest.Must(t, err)
	s.Eventually("nothing runs", func() bool { return s.Processes() == 0 })
}
