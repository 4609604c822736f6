package cgroup

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	pb "drydock.dev/agent/internal/agentv1"
)

// Counters are those of the sandbox's cgroup. A counter that cannot be read is zero. The mutex keeps readers from taking a
// thread each.
type Counters struct {
	mutex                  sync.Mutex
	cpu, peak, memory, oom *os.File
	cpuField, oomField     string
	cpuUnit                int64
}

const root = "/sys/fs/cgroup"

// Open finds the counters of this process's cgroup.
func Open() *Counters {
	groups := ownGroups()
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		at := func(name string) *os.File { return openIn(root, groups[""], name) }
		return &Counters{
			cpu: at("cpu.stat"), cpuField: "usage_usec", cpuUnit: 1000, peak: at("memory.peak"),
			memory: at("memory.current"), oom: at("memory.events"), oomField: "oom_kill",
		}
	}
	memory := func(name string) *os.File { return openIn(root+"/memory", groups["memory"], name) }
	c := &Counters{
		cpuUnit: 1, peak: memory("memory.max_usage_in_bytes"), memory: memory("memory.usage_in_bytes"),
		oom: memory("memory.oom_control"), oomField: "oom_kill",
	}
	for _, mount := range []string{"cpuacct", "cpu,cpuacct", "cpu"} {
		if c.cpu = openIn(root+"/"+mount, groups["cpuacct"], "cpuacct.usage"); c.cpu != nil {
			return c
		}
	}
	return c
}

// ownGroups are the agent's cgroups by controller, "" for version 2. Inside a container they are often the host's paths.
func ownGroups() map[string]string {
	text, _ := os.ReadFile("/proc/self/cgroup")
	groups := map[string]string{}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			groups[controller] = parts[2]
		}
	}
	return groups
}

// openIn opens a file of our own group: below our path if the whole hierarchy is mounted, else at the root.
func openIn(mount, group, name string) *os.File {
	for _, directory := range []string{path.Join(mount, path.Clean("/"+group)), mount} {
		if file, err := os.Open(path.Join(directory, name)); err == nil {
			return file
		}
	}
	return nil
}

// Read takes all counters.
func (c *Counters) Read() *pb.Usage {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return &pb.Usage{
		CpuNanoseconds:  number(c.cpu, c.cpuField) * c.cpuUnit,
		PeakMemoryBytes: number(c.peak, ""),
		MemoryBytes:     number(c.memory, ""),
		OomKills:        int32(number(c.oom, c.oomField)),
	}
}

// CPUNanoseconds takes one counter, for callers that look often.
func (c *Counters) CPUNanoseconds() int64 {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return number(c.cpu, c.cpuField) * c.cpuUnit
}

// number reads a whole file that is one number, or the line of it that begins with a field's name.
func number(file *os.File, field string) int64 {
	if file == nil {
		return 0
	}
	var buffer [1024]byte
	count, _ := file.ReadAt(buffer[:], 0)
	text := string(bytes.TrimSpace(buffer[:count]))
	if field != "" {
		text = fieldOf(text, field)
	}
	value, _ := strconv.ParseInt(text, 10, 64)
	return value
}

func fieldOf(text, field string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, found := strings.Cut(line, " "); found && name == field {
			return value
		}
	}
	return ""
}
