package main

import (
	"os"
	"syscall"
	"time"
)

const (
	killPause   = time.Millisecond
	killTimeout = 30 * time.Second
)

// killAll ends every process of the sandbox but the agent, whatever it did to escape, and waits until none is left.
func (t *processTable) killAll() {
	t.gate.Lock()
	defer t.gate.Unlock()
	t.endAll()
}

// killAllFor does so because of a process, unless that has ended.
func (t *processTable) killAllFor(p *process) {
	t.gate.Lock()
	defer t.gate.Unlock()
	if p.running() {
		t.endAll()
	}
}

// endAll needs the gate.
func (t *processTable) endAll() {
	for _, p := range t.all() {
		p.markKilled()
	}
	if os.Getpid() != 1 {
		// Outside a sandbox, everything is everything on the machine.
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

// killTree ends a process with everything that it started. Where nothing else was, that is everything.
func (t *processTable) killTree(p *process) {
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

// sweep ends what a process that has ended left behind, before anybody hears of the end.
func (t *processTable) sweep(p *process) {
	if os.Getpid() != 1 || !nobodyElse() {
		t.killTree(p)
	}
}

func (t *processTable) alone(p *process) bool {
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

// killEverything ends whatever runs beside the first process. One signal to all is atomic, so that no fork escapes it;
// but it would also reach what the executor runs in here, and then each is signalled until no new one appears.
func killEverything() {
	killUntilGone(func() []int {
		if nobodyElse() {
			return nil
		}
		inside, outsiders := split(readStats())
		if len(inside) > 0 && outsiders == 0 {
			_ = syscall.Kill(-1, syscall.SIGKILL)
		}
		return inside
	})
}

func (t *processTable) killDescendants(p *process) {
	killUntilGone(func() []int { return t.descendants(p) })
}

// killUntilGone kills what find finds until it finds nothing: children may be made while it looks. All are stopped before
// any is killed, since one that is stopped keeps its place in the process limit, and one that is gone leaves it to others.
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
