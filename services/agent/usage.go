package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	pb "drydock.dev/agent/internal/agentv1"
)

// counters reads what the sandbox's own cgroup has counted, of either version. What cannot be read counts as zero.
type counters struct {
	cpu, peak, memory, oom *os.File
	cpuField, oomField     string
	cpuUnit                int64
}

func openCounters() *counters {
	c := &counters{}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		c.cpu, c.cpuField, c.cpuUnit = open("/sys/fs/cgroup/cpu.stat"), "usage_usec", 1000
		c.peak, c.memory = open("/sys/fs/cgroup/memory.peak"), open("/sys/fs/cgroup/memory.current")
		c.oom, c.oomField = open("/sys/fs/cgroup/memory.events"), "oom_kill"
		return c
	}
	c.cpu, c.cpuUnit = open("/sys/fs/cgroup/cpuacct/cpuacct.usage"), 1
	if c.cpu == nil {
		c.cpu = open("/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage")
	}
	c.peak = open("/sys/fs/cgroup/memory/memory.max_usage_in_bytes")
	c.memory = open("/sys/fs/cgroup/memory/memory.usage_in_bytes")
	c.oom, c.oomField = open("/sys/fs/cgroup/memory/memory.oom_control"), "oom_kill"
	return c
}

func (c *counters) read() *pb.Usage {
	return &pb.Usage{
		CpuNanoseconds:  c.cpuNanoseconds(),
		PeakMemoryBytes: number(c.peak, ""),
		MemoryBytes:     number(c.memory, ""),
		OomKills:        int32(number(c.oom, c.oomField)),
	}
}

func (c *counters) cpuNanoseconds() int64 { return number(c.cpu, c.cpuField) * c.cpuUnit }

func open(path string) *os.File {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	return file
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
