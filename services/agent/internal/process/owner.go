package process

import (
	"context"
	"time"

	"drydock.dev/agent/internal/link"
)

// A process that is not detached lives as long as one call: the call that started it, or the last that took it over. An exec
// stream may break while both ends are well, so a process behind one is kept for a while after its call.

// LostGrace is how long a process and its output are kept after its connection was lost.
const LostGrace = 10 * time.Second

// own makes the process live as long as this reader.
func (p *Process) own(r *reader) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.owner = r
}

// disown ends a process that this reader owns, whose call has ended. After a lost connection another reader may take it over
// within the grace.
func (p *Process) disown(ctx context.Context, r *reader) {
	p.mutex.Lock()
	if p.owner != r || p.detached || p.exited != nil {
		p.mutex.Unlock()
		return
	}
	p.owner, p.lostAt = nil, time.Now()
	p.mutex.Unlock()
	if p.grace == 0 || !link.IsLost(ctx) {
		p.Kill()
		return
	}
	time.AfterFunc(p.grace, func() {
		if p.isGivenUp() {
			p.Kill()
		}
	})
}

func (p *Process) isGivenUp() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.owner == nil && p.exited == nil && time.Since(p.lostAt) >= p.grace
}

// letGo frees the output of a process that has ended and has no reader left. The mutex is held.
func (p *Process) letGo() {
	if !p.isOver() {
		return
	}
	if p.grace == 0 {
		p.free()
		return
	}
	// The last bytes sent may be lost on the way.
	time.AfterFunc(p.grace, func() {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		if p.isOver() {
			p.free()
		}
	})
}

func (p *Process) isOver() bool { return p.exited != nil && !p.detached && len(p.readers) == 0 }

func (p *Process) free() {
	p.stdout.release()
	p.stderr.release()
}
