package proc

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Stat is a process that has not ended.
type Stat struct {
	PID, Parent, Group, Session int
}

// One reader at a time: each takes a thread.
var reading sync.Mutex

// All lists the processes that have not ended.
func All() []Stat {
	reading.Lock()
	defer reading.Unlock()
	directory, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer directory.Close()
	names, _ := directory.Readdirnames(-1)
	var stats []Stat
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, alive := Read(pid); alive {
			stats = append(stats, s)
		}
	}
	return stats
}

// Read looks at one process; false if it has ended.
func Read(pid int) (Stat, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Stat{}, false
	}
	// The command's name is in parentheses and may hold any byte, so the fields are counted from the last parenthesis.
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return Stat{}, false
	}
	fields := strings.Fields(string(text[end+1:]))
	const threadsField = 17
	if len(fields) <= threadsField {
		return Stat{}, false
	}
	s := Stat{PID: pid}
	s.Parent, _ = strconv.Atoi(fields[1])
	s.Group, _ = strconv.Atoi(fields[2])
	s.Session, _ = strconv.Atoi(fields[3])
	// A process whose first thread has ended looks dead while its others run on.
	dead := (fields[0] == "Z" || fields[0] == "X") && fields[threadsField] == "1"
	return s, !dead && fields[threadsField] != "0"
}
