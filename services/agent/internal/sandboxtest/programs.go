package sandboxtest

import (
	"fmt"
	"os"
	"strings"
)

// Threads is the line of the agent's status that counts its threads.
func (s *Sandbox) Threads() string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID))
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "Threads:") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// Python is the command that runs a script.
func Python(script string) []string { return []string{"python3", "-c", script} }

// ForkBomb is a script of Python.
const ForkBomb = `
import os
while True:
    try: os.fork()
    except OSError: pass`

// UntilBlocked waits until the program of that name has written for a while, and then nothing more in ten looks one after the
// other: nobody reads its output.
func (s *Sandbox) UntilBlocked(name string) {
	s.T.Helper()
	written, looks := "", 0
	s.Eventually(name+" waits for a reader", func() bool {
		now := s.writtenBy(name)
		if now == "" || now != written {
			written, looks = now, 0
			return false
		}
		looks++
		return looks == 10
	})
}

// writtenBy is the line of a program's bytes written, or empty where there is none of that name or it has written nothing.
func (s *Sandbox) writtenBy(name string) string {
	proc := fmt.Sprintf("/proc/%d/root/proc", s.PID)
	entries, err := os.ReadDir(proc)
	Must(s.T, err)
	for _, entry := range entries {
		comm, _ := os.ReadFile(fmt.Sprintf("%s/%s/comm", proc, entry.Name()))
		if strings.TrimSpace(string(comm)) != name {
			continue
		}
		io, _ := os.ReadFile(fmt.Sprintf("%s/%s/io", proc, entry.Name()))
		for line := range strings.Lines(string(io)) {
			if strings.HasPrefix(line, "wchar: ") && line != "wchar: 0\n" {
				return line
			}
		}
	}
	return ""
}
