package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// markerVariable tells whose child a process is when it has left its session and its parent is gone.
const markerVariable = "DRYDOCK_PROCESS_ID"

const (
	killRounds = 500
	killPause  = 2 * time.Millisecond
)

// killAll ends every process of the sandbox but the agent, whatever it did to escape, and waits until none is left.
func (t *processTable) killAll() {
	if os.Getpid() != 1 {
		// Outside a sandbox, -1 is everything on the machine.
		t.mutex.Lock()
		processes := append([]*process(nil), t.order...)
		t.mutex.Unlock()
		for _, p := range processes {
			killDescendants(p)
		}
		return
	}
	for range killRounds {
		_ = syscall.Kill(-1, syscall.SIGKILL)
		if !othersAlive() {
			return
		}
		time.Sleep(killPause)
	}
}

func (t *processTable) killAllFor(p *process) {
	p.mutex.Lock()
	p.killed = true
	p.broadcast()
	p.mutex.Unlock()
	t.killAll()
}

// killTree ends a process with everything that it started. Where it is the only one, that is everything.
func (t *processTable) killTree(p *process) {
	if os.Getpid() == 1 && t.alone(p) {
		t.killAll()
		return
	}
	killDescendants(p)
}

func (t *processTable) alone(p *process) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, other := range t.order {
		if other != p && other.running() {
			return false
		}
	}
	return true
}

func (p *process) running() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.exited == nil
}

// killDescendants looks for what belongs to a process until there is nothing left: children may be made while it looks.
func killDescendants(p *process) {
	for range killRounds {
		found := descendants(p)
		if len(found) == 0 {
			return
		}
		for _, pid := range found {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(killPause)
	}
}

type procStat struct{ pid, parent, group, session int }

// descendants lists the living processes that p started: by parent, group, session, or the marker in their environment.
func descendants(p *process) []int {
	stats := readStats()
	belongs := map[int]bool{}
	marker := []byte(markerVariable + "=" + p.id + "\x00")
	for _, s := range stats {
		belongs[s.pid] = s.pid == p.pid || s.group == p.pid || s.session == p.pid || hasMarker(s.pid, marker)
	}
	for grown := true; grown; {
		grown = false
		for _, s := range stats {
			if !belongs[s.pid] && s.parent > 1 && belongs[s.parent] {
				belongs[s.pid], grown = true, true
			}
		}
	}
	var found []int
	for _, s := range stats {
		if belongs[s.pid] && s.pid != os.Getpid() {
			found = append(found, s.pid)
		}
	}
	return found
}

// hasMarker looks with the user's own rights: without a capability, those are what may read a user's process.
func hasMarker(pid int, marker []byte) bool {
	environment, err := asUser(func() ([]byte, error) { return os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ") })
	return err == nil && bytes.Contains(environment, marker)
}

func othersAlive() bool {
	for _, s := range readStats() {
		if s.pid != os.Getpid() {
			return true
		}
	}
	return false
}

// readStats lists every process that has not ended.
func readStats() []procStat {
	directory, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer directory.Close()
	names, _ := directory.Readdirnames(-1)
	var stats []procStat
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, alive := readStat(pid); alive {
			stats = append(stats, s)
		}
	}
	return stats
}

func readStat(pid int) (procStat, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, false
	}
	// The command's name is in parentheses and may hold anything, so the fields are counted from the last one.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 4 || fields[0] == "Z" || fields[0] == "X" {
		return procStat{}, false
	}
	parent, _ := strconv.Atoi(fields[1])
	group, _ := strconv.Atoi(fields[2])
	session, _ := strconv.Atoi(fields[3])
	return procStat{pid: pid, parent: parent, group: group, session: session}, true
}
