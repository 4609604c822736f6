package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
)

// procStat is a process that has not ended.
type procStat struct {
	pid, parent, group, session int
	name                        string
	state                       byte
}

// descendants lists the living processes that p started. A process is known by its group and session; one that left
// them, by the marker in its environment; one that cleared that too, by its parent; an orphan that hides from all of
// these has nobody to keep it, and belongs to p unless a detached process may have left it.
func (t *processTable) descendants(p *process) []int {
	stats := readStats()
	living := t.reaper.living()
	reused := living[p.pid] != nil && living[p.pid] != p
	ours, known := map[int]bool{}, map[int]bool{}
	for _, s := range stats {
		switch owner := ownerOf(s, living); {
		case owner != nil:
			ours[s.pid], known[s.pid] = owner == p, true
		case !reused && (s.group == p.pid || s.session == p.pid):
			ours[s.pid], known[s.pid] = true, true
		default:
			if id, marked := markerOf(s.pid); marked {
				ours[s.pid], known[s.pid] = id == p.id, true
			}
		}
	}
	t.mutex.Lock()
	orphans := os.Getpid() == 1 && !t.leaves
	t.mutex.Unlock()
	parents := map[int]int{}
	for _, s := range stats {
		parents[s.pid] = s.parent
	}
	var found []int
	for _, s := range stats {
		at := s.pid
		for step := 0; step < len(stats) && !known[at] && parents[at] > 1; step++ {
			at = parents[at]
		}
		if s.pid != os.Getpid() && (ours[at] || orphans && !known[at] && parents[at] == 1) {
			found = append(found, s.pid)
		}
	}
	return found
}

// ownerOf finds the process started here that another one is, or whose group or session it is in.
func ownerOf(s procStat, living map[int]*process) *process {
	for _, pid := range []int{s.pid, s.group, s.session} {
		if p := living[pid]; p != nil {
			return p
		}
	}
	return nil
}

// markerOf looks with the user's own rights: without a capability, those are what may read a user's process.
func markerOf(pid int) (id string, marked bool) {
	environment, err := asUser(func() ([]byte, error) { return os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ") })
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

// split lists the processes that are the sandbox's own, and counts those that the executor runs in it: they have no
// parent inside.
func split(stats []procStat) (inside []int, outsiders int) {
	parents := map[int]int{}
	for _, s := range stats {
		parents[s.pid] = s.parent
	}
	for _, s := range stats {
		at := s.pid
		for step := 0; step < len(stats) && parents[at] > 1; step++ {
			at = parents[at]
		}
		switch {
		case s.pid == os.Getpid():
		case parents[at] == 0:
			outsiders++
		default:
			inside = append(inside, s.pid)
		}
	}
	return inside, outsiders
}

var lookingAtAll sync.Mutex

func readStats() []procStat {
	lookingAtAll.Lock()
	defer lookingAtAll.Unlock()
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
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return procStat{}, false
	}
	fields := strings.Fields(string(text[end+1:]))
	const threadsField = 17
	if len(fields) <= threadsField {
		return procStat{}, false
	}
	s := procStat{pid: pid, name: string(text[open+1 : end]), state: fields[0][0]}
	s.parent, _ = strconv.Atoi(fields[1])
	s.group, _ = strconv.Atoi(fields[2])
	s.session, _ = strconv.Atoi(fields[3])
	// A process whose first thread has ended looks dead while its others run on.
	dead := (s.state == 'Z' || s.state == 'X') && fields[threadsField] == "1"
	return s, !dead && fields[threadsField] != "0"
}
