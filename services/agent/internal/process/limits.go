package process

import (
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/spawn"
)

const (
	cpuCheckFirst = 2 * time.Millisecond
	cpuCheckLast  = 50 * time.Millisecond
)

// limits are in nanoseconds; 0 is none.
type limits struct{ wall, cpu int64 }

// watchLimits ends the process at its time limits until the returned function is called.
func (p *Process) watchLimits() (stop func()) {
	if p.limits == (limits{}) {
		return func() {}
	}
	done := make(chan struct{})
	go p.watch(done)
	return func() { close(done) }
}

func (p *Process) watch(done <-chan struct{}) {
	var wall, check <-chan time.Time
	if p.limits.wall > 0 {
		timer := time.NewTimer(time.Until(p.started.Add(time.Duration(p.limits.wall))))
		defer timer.Stop()
		wall = timer.C
	}
	for {
		if p.limits.cpu > 0 {
			left := p.limits.cpu - (p.counters.CPUNanoseconds() - p.before.CpuNanoseconds)
			if left <= 0 {
				p.exceed(pb.LimitKind_LIMIT_KIND_CPU_TIME)
				return
			}
			// Several threads may use up the rest at once.
			check = time.After(min(max(time.Duration(left)/4, cpuCheckFirst), cpuCheckLast))
		}
		select {
		case <-done:
			return
		case <-wall:
			p.exceed(pb.LimitKind_LIMIT_KIND_WALL_TIME)
			return
		case <-check:
		}
	}
}

// passed finds a limit that was passed between the last look and the end.
func (l limits) passed(exited *pb.Exited) pb.LimitKind {
	switch {
	case l.cpu > 0 && exited.CpuNanoseconds > l.cpu:
		return pb.LimitKind_LIMIT_KIND_CPU_TIME
	case l.wall > 0 && exited.WallNanoseconds > l.wall:
		return pb.LimitKind_LIMIT_KIND_WALL_TIME
	}
	return pb.LimitKind_LIMIT_KIND_UNSPECIFIED
}

// KernelLimits are the limits that the kernel enforces on each process by itself.
func KernelLimits(request *pb.StartRequest) spawn.Limits {
	return spawn.Limits{
		StackBytes: uint64(max(0, request.StackBytes)),
		FileBytes:  uint64(max(0, request.FileBytes)),
		OpenFiles:  uint64(max(0, request.OpenFiles)),
	}
}
