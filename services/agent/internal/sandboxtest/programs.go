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
