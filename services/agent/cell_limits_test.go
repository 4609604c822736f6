package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

func TestCellWithAProgramThatForksWithoutEnd(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true, processes: 60})
	c := s.openCell()
	for range 5 {
		r := c.run(&pb.StartRequest{Command: python(bomb), WallNanoseconds: 5e8})
		if r.exited.GetLimit() != pb.LimitKind_LIMIT_KIND_WALL_TIME {
			t.Errorf("%v", r.exited)
		}
		if r := c.sh("echo on"); r.stdout != "on\n" {
			t.Fatalf("the next step: %+v %v", r, r.exited)
		}
	}
	c.begin(&pb.StartRequest{Command: python("import os\nprint('ready', flush=True)\nwhile True:\n  try:\n    if os.fork() == 0: os.setsid()\n  except OSError: pass")})
	c.until("ready")
	c.cancel()
	s.eventually("all of it is gone", func() bool { return s.processes() <= 1 })
	s.cellWorks()
}

func TestCellWithAProgramThatSignalsEverything(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	c := s.openCell()
	for _, script := range []string{
		"import os\nfor i in range(5): os.fork()\nos.kill(-1, 9)",
		"import os\nfor n in range(1, 65):\n  try: os.kill(1, n)\n  except OSError: pass",
		"import os, time\nif os.fork() == 0:\n  while True:\n    try: os.kill(-1, 19)\n    except OSError: pass\ntime.sleep(1000)",
		"import os\nos.kill(os.getpid(), 19)",
	} {
		r := c.run(&pb.StartRequest{Command: python(script), WallNanoseconds: 5e8})
		if r.exited == nil {
			t.Errorf("%+v", r)
		}
		if r := c.sh("echo on"); r.stdout != "on\n" {
			t.Fatalf("the next step: %+v %v", r, r.exited)
		}
	}
	c.end()
	s.cellWorks()
}

func TestCellOutOfMemory(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true, memory: 96 << 20})
	c := s.openCell()
	for range 3 {
		r := c.run(&pb.StartRequest{Command: python("x = []\nwhile True: x.append(bytearray(1 << 20))")})
		if r.exited.GetSignal() != 9 || r.exited.OomKills < 1 {
			t.Errorf("%v", r.exited)
		}
		if r := c.sh("cat /proc/self/oom_score_adj"); r.stdout != "1000\n" {
			t.Fatalf("the next step: %+v %v", r, r.exited)
		}
	}
	c.end()
	// What its file systems hold counts too, and ends with the cell.
	for range 3 {
		big := s.openBigCell(200 << 20)
		r := big.sh("head -c 190000000 /dev/zero > /tmp/big")
		if r.exited.GetOomKills() < 1 {
			t.Errorf("%+v %v", r, r.exited)
		}
		big.cancel()
		s.cellWorks()
	}
	usage, err := s.control.GetUsage(s.context(time.Second), &pb.GetUsageRequest{})
	must(t, err)
	if usage.Usage.OomKills < 6 || usage.Usage.MemoryBytes > 80<<20 {
		t.Errorf("%v", usage)
	}
}

func TestACellThatEndsByItself(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	_, err := s.cells.Prepare(s.context(5*time.Second), &pb.PrepareRequest{})
	must(t, err)
	// One that was made in advance is not missed.
	s.killFirstProcesses()
	c := s.openCell()
	c.begin(&pb.StartRequest{Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
	c.until("ready")
	s.killFirstProcesses()
	if r, err := c.finish(); err != nil || r.exited.GetSignal() != 9 {
		t.Errorf("%v %v", r.exited, err)
	}
	if _, err := c.finish(); status.Code(err) != codes.Aborted {
		t.Error(err)
	}
	s.cellWorks()
}

// killFirstProcesses ends the agent's children, as the kernel may for want of memory.
func (s *sandbox) killFirstProcesses() {
	s.t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.pid, s.pid))
	must(s.t, err)
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.pid))
	must(s.t, err)
	for _, task := range tasks {
		more, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", s.pid, task.Name()))
		children = append(children, more...)
	}
	killed := 0
	for _, child := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		s.t.Fatal("no first process of a cell")
	}
}

func TestCellWithAFlood(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true, memory: 96 << 20})
	c := s.openCell()
	c.begin(&pb.StartRequest{Command: []string{"head", "-c", "268435456", "/dev/zero"}})
	// Nobody reads for a while.
	time.Sleep(300 * time.Millisecond)
	usage, err := s.control.GetUsage(s.context(time.Second), &pb.GetUsageRequest{})
	must(t, err)
	if usage.Usage.MemoryBytes > 64<<20 {
		t.Errorf("unread: %v", usage)
	}
	r, err := c.finish()
	if err != nil || len(r.stdout) != 1<<28 {
		t.Errorf("%d bytes, %v", len(r.stdout), err)
	}
	c.begin(&pb.StartRequest{Command: []string{"cat", "/dev/zero"}})
	c.cancel()
	s.eventually("the flood is over", func() bool { return s.processes() <= 1 })
	s.cellWorks()
}

func TestAThousandCellsLeaveNothing(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true, processes: 64})
	state := func() string {
		// The one that is made in advance is there each time.
		_, err := s.cells.Prepare(s.context(5*time.Second), &pb.PrepareRequest{})
		must(t, err)
		descriptors, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
		must(t, err)
		return fmt.Sprintf("%d descriptors, %d processes", len(descriptors), s.processes())
	}
	for range 20 {
		s.cellWorks()
	}
	before := state()
	for range 1000 {
		c := s.openCell()
		c.file("a/b", 0, "text")
		if r := c.sh("cat a/b; setsid sleep 1000 &"); r.stdout != "text" {
			t.Fatalf("%+v %v", r, r.exited)
		}
		c.cancel()
	}
	s.eventually("it is as before", func() bool { return state() == before })
	t.Log(before, s.threads())
	if threads := s.threads(); len(threads) > len("Threads:\t99") {
		t.Error(threads)
	}
}
