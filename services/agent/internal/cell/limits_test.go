package cell_test

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
	"drydock.dev/agent/internal/sandboxtest"
)

func TestCellWithAProgramThatForksWithoutEnd(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true, Processes: 60})
	c := s.OpenCell()
	for range 5 {
		r := c.Run(&pb.StartRequest{Command: sandboxtest.Python(sandboxtest.ForkBomb), WallNanoseconds: 5e8})
		if r.Exited.GetLimit() != pb.LimitKind_LIMIT_KIND_WALL_TIME {
			t.Errorf("%v", r.Exited)
		}
		if r := c.Sh("echo on"); r.Stdout != "on\n" {
			t.Fatalf("the next step: %+v %v", r, r.Exited)
		}
	}
	c.Begin(&pb.StartRequest{Command: sandboxtest.Python("import os\nprint('ready', flush=True)\nwhile True:\n  try:\n    if os.fork() == 0: os.setsid()\n  except OSError: pass")})
	c.Until("ready")
	c.Cancel()
	s.Eventually("all of it is gone", func() bool { return s.Processes() <= 1 })
	s.CellWorks()
}

func TestCellWithAProgramThatSignalsEverything(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	for _, script := range []string{
		"import os\nfor i in range(5): os.fork()\nos.kill(-1, 9)",
		"import os\nfor n in range(1, 65):\n  try: os.kill(1, n)\n  except OSError: pass",
		"import os, time\nif os.fork() == 0:\n  while True:\n    try: os.kill(-1, 19)\n    except OSError: pass\ntime.sleep(1000)",
		"import os\nos.kill(os.getpid(), 19)",
	} {
		r := c.Run(&pb.StartRequest{Command: sandboxtest.Python(script), WallNanoseconds: 5e8})
		if r.Exited == nil {
			t.Errorf("%+v", r)
		}
		if r := c.Sh("echo on"); r.Stdout != "on\n" {
			t.Fatalf("the next step: %+v %v", r, r.Exited)
		}
	}
	c.End()
	s.CellWorks()
}

func TestCellOutOfMemory(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true, Memory: 96 << 20})
	c := s.OpenCell()
	for range 3 {
		r := c.Run(&pb.StartRequest{Command: sandboxtest.Python("x = []\nwhile True: x.append(bytearray(1 << 20))")})
		if r.Exited.GetSignal() != 9 || r.Exited.OomKills < 1 {
			t.Errorf("%v", r.Exited)
		}
		if r := c.Sh("cat /proc/self/oom_score_adj"); r.Stdout != "1000\n" {
			t.Fatalf("the next step: %+v %v", r, r.Exited)
		}
	}
	c.End()
	// Its file systems count as memory, and end with the cell.
	for range 3 {
		big := s.OpenBigCell(200 << 20)
		r := big.Sh("head -c 190000000 /dev/zero > /tmp/big")
		if r.Exited.GetOomKills() < 1 {
			t.Errorf("%+v %v", r, r.Exited)
		}
		big.Cancel()
		s.CellWorks()
	}
	usage, err := s.Control.GetUsage(s.Context(time.Second), &pb.GetUsageRequest{})
	sandboxtest.Must(t, err)
	if usage.Usage.OomKills < 6 || usage.Usage.MemoryBytes > 80<<20 {
		t.Errorf("%v", usage)
	}
}

func TestACellThatEndsByItself(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	_, err := s.Cells.Prepare(s.Context(5*time.Second), &pb.PrepareRequest{})
	sandboxtest.Must(t, err)
	// A prepared cell that has ended is replaced.
	killFirstProcesses(s)
	c := s.OpenCell()
	c.Begin(&pb.StartRequest{Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
	c.Until("ready")
	killFirstProcesses(s)
	if r, err := c.Finish(); err != nil || r.Exited.GetSignal() != 9 {
		t.Errorf("%v %v", r.Exited, err)
	}
	if _, err := c.Finish(); status.Code(err) != codes.Aborted {
		t.Error(err)
	}
	s.CellWorks()
}

// firstProcesses are the agent's children.
func firstProcesses(s *sandboxtest.Sandbox) []string {
	s.T.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.PID, s.PID))
	sandboxtest.Must(s.T, err)
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.PID))
	sandboxtest.Must(s.T, err)
	for _, task := range tasks {
		more, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", s.PID, task.Name()))
		children = append(children, more...)
	}
	first := strings.Fields(string(children))
	if len(first) == 0 {
		s.T.Fatal("no first process of a cell")
	}
	return first
}

// killFirstProcesses ends them, as the kernel may for want of memory.
func killFirstProcesses(s *sandboxtest.Sandbox) {
	s.T.Helper()
	killed := 0
	for _, first := range firstProcesses(s) {
		if pid, err := strconv.Atoi(first); err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		s.T.Fatal("no first process of a cell could be ended")
	}
}

func TestCellWithAFlood(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true, Memory: 96 << 20})
	c := s.OpenCell()
	c.Begin(&pb.StartRequest{Command: []string{"head", "-c", "268435456", "/dev/zero"}})
	s.UntilBlocked("head")
	usage, err := s.Control.GetUsage(s.Context(time.Second), &pb.GetUsageRequest{})
	sandboxtest.Must(t, err)
	if usage.Usage.MemoryBytes > 64<<20 {
		t.Errorf("unread: %v", usage)
	}
	r, err := c.Finish()
	if err != nil || len(r.Stdout) != 1<<28 {
		t.Errorf("%d bytes, %v", len(r.Stdout), err)
	}
	c.Begin(&pb.StartRequest{Command: []string{"cat", "/dev/zero"}})
	c.Cancel()
	s.Eventually("the flood is over", func() bool { return s.Processes() <= 1 })
	s.CellWorks()
}

func TestAThousandCellsLeaveNothing(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true, Processes: 64})
	state := func() string {
		// The prepared cell is there each time.
		_, err := s.Cells.Prepare(s.Context(5*time.Second), &pb.PrepareRequest{})
		sandboxtest.Must(t, err)
		descriptors, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID))
		sandboxtest.Must(t, err)
		return fmt.Sprintf("%d descriptors, %d processes", len(descriptors), s.Processes())
	}
	for range 20 {
		s.CellWorks()
	}
	before := state()
	for range 1000 {
		c := s.OpenCell()
		c.File("a/b", 0, "text")
		if r := c.Sh("cat a/b; setsid sleep 1000 &"); r.Stdout != "text" {
			t.Fatalf("%+v %v", r, r.Exited)
		}
		c.Cancel()
	}
	s.Eventually("it is as before", func() bool { return state() == before })
	t.Log(before, s.Threads())
	if threads := s.Threads(); len(threads) > len("Threads:\t99") {
		t.Error(threads)
	}
}

func TestAStepIsInterruptedBeforeItIsEnded(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	for _, limits := range []*pb.StartRequest{{WallNanoseconds: 2e8}, {CpuNanoseconds: 2e8, WallNanoseconds: 2e10}} {
		limits.InterruptSignal = 2
		limits.Command = []string{"sh", "-c", "trap 'echo held; exit 3' INT; while :; do :; done"}
		if r := c.Run(limits); r.Stdout != "held\n" || r.Exited.GetExitCode() != 3 || r.Exited.GetLimit() == pb.LimitKind_LIMIT_KIND_UNSPECIFIED {
			t.Errorf("%+v %v", r, r.Exited)
		}
		limits.Command = []string{"sh", "-c", "trap '' INT; while :; do :; done"}
		if r := c.Run(limits); r.Exited.GetSignal() != 9 || r.Exited.GetLimit() == pb.LimitKind_LIMIT_KIND_UNSPECIFIED {
			t.Errorf("%+v %v", r, r.Exited)
		}
	}
	c.End()
}
