package process

import (
	"os"
	"syscall"
	"time"

	"drydock.dev/agent/internal/proc"
)

const (
	killPause   = time.Millisecond
	killTimeout = 30 * time.Second
)

// KillAll ends every process of the sandbox but the agent, whatever it did to escape, and waits until none is left.
func (t *Table) KillAll() {
	t.gate.Lock()
	defer t.gate.Unlock()
	t.endAll()
}

// KillAllFor does the same because of a process, unless that has ended.
func (t *Table) KillAllFor(p *Process) {
	t.gate.Lock()
	defer t.gate.Unlock()
	if p.running() {
		t.endAll()
	}
}

// endAll needs the gate.
func (t *Table) endAll() {
	for _, p := range t.all() {
		p.MarkKilled()
	}
	if os.Getpid() != 1 {
		// Outside a sandbox, everything would be all processes of the machine.
		for _, p := range t.all() {
			t.killDescendants(p)
		}
		return
	}
	killEverything()
	t.mutex.Lock()
	t.leaves = false
	t.mutex.Unlock()
}

// KillTree ends a process with everything that it started. If nothing else was started, that is every process.
func (t *Table) KillTree(p *Process) {
	if os.Getpid() == 1 {
		t.gate.Lock()
		if t.alone(p) {
			defer t.gate.Unlock()
			killEverything()
			return
		}
		t.gate.Unlock()
	}
	t.killDescendants(p)
}

// Sweep ends the processes that an ended one left behind, before its end is told.
func (t *Table) Sweep(p *Process) {
	if os.Getpid() != 1 || !nobodyElse() {
		t.KillTree(p)
	}
}

func (t *Table) alone(p *Process) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.leaves {
		return false
	}
	for _, other := range t.order {
		if other != p && other.running() {
			return false
		}
	}
	return true
}

// nobodyElse says that the agent is the only process. The kernel knows at once.
func nobodyElse() bool { return syscall.Kill(-1, 0) == syscall.ESRCH }

// killEverything ends every process beside the agent. One signal to all is atomic, so that no fork escapes it. It would also
// reach processes that the executor runs in here; if there are any, each other process is signalled until no new one appears.
func killEverything() {
	killUntilGone(func() []int {
		if nobodyElse() {
			return nil
		}
		inside, outsiders := split(proc.All())
		if len(inside) > 0 && outsiders == 0 {
			_ = syscall.Kill(-1, syscall.SIGKILL)
		}
		return inside
	})
}

func (t *Table) killDescendants(p *Process) {
	killUntilGone(func() []int { return t.descendants(p) })
}

// killUntilGone kills the processes that find returns until there are none: they may fork meanwhile. All are stopped before any
// is killed, since a stopped process keeps its place in the process limit and a dead one leaves it to a new fork.
func killUntilGone(find func() []int) {
	stopped := map[int]bool{}
	for deadline := time.Now().Add(killTimeout); time.Now().Before(deadline); {
		found := find()
		if len(found) == 0 {
			return
		}
		fresh := false
		for _, pid := range found {
			if !stopped[pid] {
				stopped[pid], fresh = true, true
				_ = syscall.Kill(pid, syscall.SIGSTOP)
			}
		}
		if fresh {
			continue
		}
		for _, pid := range found {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(killPause)
	}
}
