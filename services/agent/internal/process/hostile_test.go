package process_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestForkBomb(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Processes: 80})
	id, cancel := s.Start(&pb.StartRequest{Command: sandboxtest.Python("print('ready', flush=True)" + sandboxtest.ForkBomb)})
	defer cancel()
	s.Eventually("the limit is reached", func() bool { return s.Processes() > 40 })
	_, err := s.Run(&pb.StartRequest{Command: []string{"true"}})
	t.Logf("a command meanwhile: %v", err)
	if err != nil && status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a command meanwhile: %v", err)
	}
	if _, err := s.Files.Stat(s.Context(5*time.Second), &pb.StatRequest{Path: "/"}); err != nil {
		t.Errorf("files meanwhile: %v", err)
	}
	started := time.Now()
	_, err = s.Process.Signal(s.Context(20*time.Second), &pb.SignalRequest{ProcessId: id, Signal: 9})
	sandboxtest.Must(t, err)
	t.Logf("ended in %v, %s", time.Since(started), s.Threads())
	if left := s.Processes(); left != 0 {
		t.Errorf("%d left", left)
	}
	s.Works()
	r, err := s.Run(&pb.StartRequest{Command: sandboxtest.Python(sandboxtest.ForkBomb), WallNanoseconds: 2e9})
	sandboxtest.Must(t, err)
	if r.Exited.Limit != pb.LimitKind_LIMIT_KIND_WALL_TIME || s.Processes() != 0 {
		t.Errorf("at the wall limit: %v, %d left", r.Exited, s.Processes())
	}
	s.Works()
}

func TestForkBombBesideADetachedProcess(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Processes: 80})
	_, keep := s.Start(&pb.StartRequest{Detached: true, Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
	defer keep()
	// Each one leaves its session, and hides its environment.
	_, cancel := s.Start(&pb.StartRequest{Command: sandboxtest.Python("import os\nprint('ready', flush=True)\nwhile True:\n  try:\n    if os.fork() == 0: os.setsid()\n  except OSError: pass")})
	s.Eventually("the limit is reached", func() bool { return s.Processes() > 40 })
	cancel()
	s.Eventually("only the other one is left", func() bool { return s.Processes() == 1 })
	s.Works()
}

func TestChildOutOfMemory(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Memory: 96 << 20})
	for range 3 {
		exited := s.MustRun(sandboxtest.Python("x = []\nwhile True: x.append(bytearray(1 << 20))")...).Exited
		if exited.Signal != 9 || exited.OomKills < 1 || exited.PeakMemoryBytes < 80<<20 {
			t.Errorf("%v", exited)
		}
		s.Works()
	}
	r := s.MustRun("sh", "-c", `python3 -c "x = []
while True: x.append(bytearray(1 << 20))"; echo child $?`)
	if r.Stdout != "child 137\n" || r.Exited.ExitCode != 0 || r.Exited.OomKills != 1 {
		t.Errorf("only a child was killed: %+v", r)
	}
	adjusted := s.MustRun("cat", "/proc/self/oom_score_adj", "/proc/1/oom_score_adj").Stdout
	if adjusted != "1000\n0\n" {
		t.Errorf("%q", adjusted)
	}
	// Many small processes together: the kernel must not pick the agent.
	r = s.MustRun(sandboxtest.Python(`
import os, time
for i in range(60):
    if os.fork() == 0:
        x = bytearray(os.urandom(1 << 21)); time.sleep(1); os._exit(0)
time.sleep(1)`)...)
	t.Logf("many small: %v", r.Exited)
	s.Works()
}

func TestFloodWithALimitAndWithout(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Memory: 96 << 20})
	stream, err := s.Process.Start(s.Context(60*time.Second), &pb.StartRequest{ProcessId: sandboxtest.NewID(), Command: []string{"head", "-c", "1073741824", "/dev/zero"}})
	sandboxtest.Must(t, err)
	total, started := 0, time.Now()
	for {
		response, err := stream.Recv()
		sandboxtest.Must(t, err)
		total += len(response.GetStdout().GetData())
		if response.GetExited() != nil {
			break
		}
	}
	t.Logf("%d MiB/s", int(float64(total>>20)/time.Since(started).Seconds()))
	if total != 1<<30 {
		t.Errorf("%d bytes", total)
	}
	// This one has no reader.
	id, cancel := s.Start(&pb.StartRequest{Detached: true, Command: []string{"sh", "-c", "echo ready; exec head -c 1073741824 /dev/zero"}})
	cancel()
	s.Eventually("it runs to its end", func() bool {
		list, err := s.Process.List(s.Context(time.Second), &pb.ListRequest{})
		sandboxtest.Must(t, err)
		for _, info := range list.Processes {
			if info.ProcessId == id {
				return info.Exited != nil && info.Exited.ExitCode == 0
			}
		}
		return false
	})
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID))
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "RssAnon") {
			t.Log(strings.TrimSpace(line))
		}
	}
	s.Works()
}

func TestZombiesAndOrphansAreReaped(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Processes: 200})
	r := s.MustRun(sandboxtest.Python(`
import os
for i in range(3000):
    while True:
        try:
            if os.fork() == 0:
                if os.fork() == 0: os._exit(0)
                os._exit(0)
            break
        except OSError: os.wait()
    os.wait()
print("made")`)...)
	if r.Stdout != "made\n" {
		t.Fatalf("%+v", r)
	}
	s.Eventually("no zombie is left", func() bool {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/root/proc", s.PID))
		sandboxtest.Must(t, err)
		count := 0
		for _, entry := range entries {
			if entry.Name()[0] >= '0' && entry.Name()[0] <= '9' {
				count++
			}
		}
		return count == 1
	})
	s.Works()
}

func TestProgramThatSignalsEverything(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	for _, script := range []string{
		"import os\nfor i in range(5): os.fork()\nos.kill(-1, 9)",
		"import os, signal\nfor n in range(1, 65):\n  try: os.kill(1, n)\n  except OSError: pass",
		"import os\nos.kill(os.getpid(), 19)",
	} {
		r, err := s.Run(&pb.StartRequest{Command: sandboxtest.Python(script), WallNanoseconds: 1e9})
		sandboxtest.Must(t, err)
		t.Logf("%v", r.Exited)
		s.Works()
	}
}

func TestProgramThatStopsEverythingAgainAndAgain(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	id, cancel := s.Start(&pb.StartRequest{Command: sandboxtest.Python("import os\nprint('ready', flush=True)\nwhile True:\n  try: os.kill(-1, 19)\n  except OSError: pass")})
	defer cancel()
	for range 5 {
		started := time.Now()
		r, err := s.Run(&pb.StartRequest{Command: []string{"true"}, WallNanoseconds: 3e8})
		t.Logf("a command meanwhile: %v %v after %v", r.Exited, err, time.Since(started))
		if s.Processes() == 0 {
			break
		}
	}
	// The wall limit above ends everything, so it may be over already.
	_, _ = s.Process.Signal(s.Context(20*time.Second), &pb.SignalRequest{ProcessId: id, Signal: 9})
	s.Eventually("it is gone", func() bool { return s.Processes() == 0 })
	s.Works()
}

func TestKillReachesWhatHides(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	hide := `
import ctypes, os, threading, time
libc = ctypes.CDLL(None)
def hidden(work):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            libc.prctl(4, 0, 0, 0, 0)
            work()
        os._exit(0)
    os.wait()
def threadless():
    # The first thread ends, which looks like a dead process.
    threading.Thread(target=time.sleep, args=(1000,)).start()
    libc.syscall(60, 0)
def stopped():
    os.kill(os.getpid(), 19)
hidden(lambda: time.sleep(1000)); hidden(threadless); hidden(stopped)
print("ready", flush=True); time.sleep(1000)`
	id, cancel := s.Start(&pb.StartRequest{Command: sandboxtest.Python(hide)})
	defer cancel()
	other, stop := s.Start(&pb.StartRequest{Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
	defer stop()
	_, err := s.Process.Signal(s.Context(20*time.Second), &pb.SignalRequest{ProcessId: id, Signal: 9})
	sandboxtest.Must(t, err)
	s.Eventually("the other one is left", func() bool { return s.Processes() == 1 })
	s.Eventually("its end is told", func() bool {
		list, err := s.Process.List(s.Context(5*time.Second), &pb.ListRequest{})
		sandboxtest.Must(t, err)
		for _, info := range list.Processes {
			if (info.ProcessId == other) != (info.Exited == nil) {
				return false
			}
		}
		return true
	})
	s.Works()
}

func TestManyCommandsAtOnceAndAfterEachOther(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Processes: 128})
	failures := make(chan string, 400)
	done := make(chan struct{})
	for range 8 {
		go func() {
			for range 50 {
				r, err := s.Run(&pb.StartRequest{Command: []string{"sh", "-c", "echo out; exit 3"}})
				if err != nil || r.Stdout != "out\n" || r.Exited.ExitCode != 3 {
					failures <- fmt.Sprintf("%+v %v", r, err)
				}
			}
			done <- struct{}{}
		}()
	}
	for range 8 {
		<-done
	}
	select {
	case failure := <-failures:
		t.Errorf("%d failed, such as %s", len(failures)+1, failure)
	default:
	}
	t.Log(s.Threads())
}

func TestWhereProgramsShareTheAgentsUser(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{SameUser: true, Processes: 80})
	r := s.MustRun("sh", "-c", "id -u; cat /proc/1/environ /proc/1/maps /proc/1/mem; ls /proc/1/fd; echo x > /proc/1/oom_score_adj; true")
	if r.Stdout != fmt.Sprintln(sandboxtest.UserID) || strings.Count(strings.ToLower(r.Stderr), "denied") != 5 {
		t.Errorf("%+v", r)
	}
	r = s.MustRun(sandboxtest.Python(`
import ctypes, os
libc = ctypes.CDLL(None)
info = (ctypes.c_int * 32)()
for n in range(1, 65):
    os.kill(1, n)
    info[0], info[2] = n, -1
    libc.syscall(129, 1, n, info)
    for thread in range(1, 30): libc.syscall(234, 1, thread, n)
try: open("/proc/1/mem", "r+b")
except OSError as e: print(e.errno)
print(libc.ptrace(16, 1, 0, 0))`)...)
	t.Logf("%+v", r)
	if r.Stdout != "13\n-1\n" {
		t.Errorf("%+v", r)
	}
	s.Works()
	signals := sandboxtest.Python(`
import os, time
print("ready", flush=True)
end = time.time() + 1
while time.time() < end:
    for n in range(1, 65): os.kill(1, n)`)
	_, leave := s.Start(&pb.StartRequest{Command: signals})
	defer leave()
	// While it forks, the agent takes no signals, which to the kernel is another case than that it leaves them at their default.
	for s.Processes() > 0 {
		r = s.MustRun("grep", "SigIgn", "/proc/self/status")
		if r.Stdout != "SigIgn:\t0000000000000000\n" {
			t.Errorf("%+v", r)
		}
	}
	_, cancel := s.Start(&pb.StartRequest{Command: sandboxtest.Python("print('ready', flush=True)" + sandboxtest.ForkBomb), WallNanoseconds: 2e9})
	defer cancel()
	s.Eventually("the wall limit ends it", func() bool { return s.Processes() == 0 })
	s.Works()
}
