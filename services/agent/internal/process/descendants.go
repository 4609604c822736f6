package process

import (
	"bytes"
	"os"
	"strconv"

	"drydock.dev/agent/internal/proc"
	"drydock.dev/agent/internal/user"
)

// descendants lists the living processes that p started. A process is recognised by its group and session; if it left them,
// by the marker in its environment; if it cleared that too, by its parent. An orphan without any of these belongs to p, unless
// a detached process may have left it.
func (t *Table) descendants(p *Process) []int {
	stats := proc.All()
	living := t.reaper.living()
	reused := living[p.pid] != nil && living[p.pid] != p
	ours, known := map[int]bool{}, map[int]bool{}
	for _, s := range stats {
		switch owner := ownerOf(s, living); {
		case owner != nil:
			ours[s.PID], known[s.PID] = owner == p, true
		case !reused && (s.Group == p.pid || s.Session == p.pid):
			ours[s.PID], known[s.PID] = true, true
		default:
			if id, marked := t.markerOf(s.PID); marked {
				ours[s.PID], known[s.PID] = id == p.id, true
			}
		}
	}
	t.mutex.Lock()
	orphans := os.Getpid() == 1 && !t.leaves
	t.mutex.Unlock()
	parents := map[int]int{}
	for _, s := range stats {
		parents[s.PID] = s.Parent
	}
	var found []int
	for _, s := range stats {
		at := s.PID
		for step := 0; step < len(stats) && !known[at] && parents[at] > 1; step++ {
			at = parents[at]
		}
		if s.PID != os.Getpid() && (ours[at] || orphans && !known[at] && parents[at] == 1) {
			found = append(found, s.PID)
		}
	}
	return found
}

// ownerOf finds the process started here that s is, or in whose group or session it is.
func ownerOf(s proc.Stat, living map[int]*Process) *Process {
	for _, pid := range []int{s.PID, s.Group, s.Session} {
		if p := living[pid]; p != nil {
			return p
		}
	}
	return nil
}

// markerOf reads with the user's rights: an agent without capabilities may read a user's process with no others.
func (t *Table) markerOf(pid int) (id string, marked bool) {
	environment, err := user.As(t.user, func() ([]byte, error) { return os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ") })
	if err != nil {
		return "", false
	}
	for entry := range bytes.SplitSeq(environment, []byte{0}) {
		if value, found := bytes.CutPrefix(entry, []byte(markerVariable+"=")); found {
			return string(value), true
		}
	}
	return "", false
}

// split lists the processes that started inside, and counts those that the executor runs here, which have no parent inside.
func split(stats []proc.Stat) (inside []int, outsiders int) {
	parents := map[int]int{}
	for _, s := range stats {
		parents[s.PID] = s.Parent
	}
	for _, s := range stats {
		at := s.PID
		for step := 0; step < len(stats) && parents[at] > 1; step++ {
			at = parents[at]
		}
		switch {
		case s.PID == os.Getpid():
		case parents[at] == 0:
			outsiders++
		default:
			inside = append(inside, s.PID)
		}
	}
	return inside, outsiders
}
