package main

import (
	"time"

	pb "drydock.dev/agent/internal/agentv1"
)

const (
	cpuCheckFirst = 2 * time.Millisecond
	cpuCheckLast  = 50 * time.Millisecond
)

// watchLimits ends the process at its time limits. The function that it returns stops watching.
func (p *process) watchLimits() (stop func()) {
	done := make(chan struct{})
	var wall <-chan time.Time
	if p.request.WallNanoseconds > 0 {
		timer := time.NewTimer(time.Duration(p.request.WallNanoseconds))
		wall = timer.C
		defer func() { inner := stop; stop = func() { timer.Stop(); inner() } }()
	}
	if wall != nil || p.request.CpuNanoseconds > 0 {
		go p.watch(wall, done)
	}
	return func() { close(done) }
}

func (p *process) watch(wall <-chan time.Time, done <-chan struct{}) {
	for {
		var check <-chan time.Time
		if p.request.CpuNanoseconds > 0 {
			left := p.request.CpuNanoseconds - (p.table.counters.cpuNanoseconds() - p.before.CpuNanoseconds)
			if left <= 0 {
				p.exceed(pb.LimitKind_LIMIT_KIND_CPU_TIME)
				return
			}
			// Several threads may use what is left at once.
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

// overLimit finds a limit that was passed between the last look and the end.
func overLimit(request *pb.StartRequest, exited *pb.Exited) pb.LimitKind {
	switch {
	case request.CpuNanoseconds > 0 && exited.CpuNanoseconds > request.CpuNanoseconds:
		return pb.LimitKind_LIMIT_KIND_CPU_TIME
	case request.WallNanoseconds > 0 && exited.WallNanoseconds > request.WallNanoseconds:
		return pb.LimitKind_LIMIT_KIND_WALL_TIME
	}
	return pb.LimitKind_LIMIT_KIND_UNSPECIFIED
}
