package process

import (
	"testing"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/cgroup"
)

func TestOutputOfAProgramThatEndedBeforeItsStartWasToldIsKept(t *testing.T) {
	table := &Table{counters: &cgroup.Counters{}}
	p := table.New(table, &pb.StartRequest{})
	p.before = table.counters.Read()
	p.stdout.append([]byte("out"))
	p.finish(WaitStatus{}, 0, false)
	if _, count := p.stdout.take(0, make([]byte, 10)); count != 3 {
		t.Errorf("%d bytes are kept for who started it", count)
	}
	p.leave(p.starter)
	if p.stdout.ring != nil {
		t.Error("output is kept for nobody")
	}
}
