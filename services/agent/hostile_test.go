package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

func (s *sandbox) threads() string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "Threads:") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func python(script string) []string { return []string{"python3", "-c", script} }

const bomb = `
import os
while True:
    try: os.fork()
    except OSError: pass`

func TestForkBomb(t *testing.T) {
	s := newSandbox(t, sandboxOptions{processes: 80})
	id, cancel := s.start(&pb.StartRequest{Command: python("print('ready', flush=True)" + bomb)})
	defer cancel()
	s.eventually("the limit is reached", func() bool { return s.processes() > 40 })
	_, err := s.run(&pb.StartRequest{Command: []string{"true"}})
	t.Logf("a command meanwhile: %v", err)
	if err != nil && status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a command meanwhile: %v", err)
	}
	if _, err := s.files.Stat(s.context(5*time.Second), &pb.StatRequest{Path: "/"}); err != nil {
		t.Errorf("files meanwhile: %v", err)
	}
	started := time.Now()
	_, err = s.process.Signal(s.context(20*time.Second), &pb.SignalRequest{ProcessId: id, Signal: 9})
	must(t, err)
	t.Logf("ended in %v, %s", time.Since(started), s.threads())
	if left := s.processes(); left != 0 {
		t.Errorf("%d left", left)
	}
	s.works()
	r, err := s.run(&pb.StartRequest{Command: python(bomb), WallNanoseconds: 2e9})
	must(t, err)
	if r.exited.Limit != pb.LimitKind_LIMIT_KIND_WALL_TIME || s.processes() != 0 {
		t.Errorf("at the wall limit: %v, %d left", r.exited, s.processes())
	}
	s.works()
}

func TestForkBombBesideADetachedProcess(t *testing.T) {
	s := newSandbox(t, sandboxOptions{processes: 80})
	_, keep := s.start(&pb.StartRequest{Detached: true, Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
	defer keep()
	// Each one leaves its session, and hides its environment.
	_, cancel := s.start(&pb.StartRequest{Command: python("import os\nprint('ready', flush=True)\nwhile True:\n  try:\n    if os.fork() == 0: os.setsid()\n  except OSError: pass")})
	s.eventually("the limit is reached", func() bool { return s.processes() > 40 })
	cancel()
	s.eventually("only the other one is left", func() bool { return s.processes() == 1 })
	s.works()
}

func TestChildOutOfMemory(t *testing.T) {
	s := newSandbox(t, sandboxOptions{memory: 96 << 20})
	for range 3 {
		exited := s.mustRun(python("x = []\nwhile True: x.append(bytearray(1 << 20))")...).exited
		if exited.Signal != 9 || exited.OomKills < 1 || exited.PeakMemoryBytes < 80<<20 {
			t.Errorf("%v", exited)
		}
		s.works()
	}
	r := s.mustRun("sh", "-c", `python3 -c "x = []
while True: x.append(bytearray(1 << 20))"; echo child $?`)
	if r.stdout != "child 137\n" || r.exited.ExitCode != 0 || r.exited.OomKills != 1 {
		t.Errorf("only a child was killed: %+v", r)
	}
	adjusted := s.mustRun("cat", "/proc/self/oom_score_adj", "/proc/1/oom_score_adj").stdout
	if adjusted != "1000\n0\n" {
		t.Errorf("%q", adjusted)
	}
	// Many small processes together: the agent must not be the one that is picked.
	r = s.mustRun(python(`
import os, time
for i in range(60):
    if os.fork() == 0:
        x = bytearray(os.urandom(1 << 21)); time.sleep(1); os._exit(0)
time.sleep(1)`)...)
	t.Logf("many small: %v", r.exited)
	s.works()
}

func TestFloodWithALimitAndWithout(t *testing.T) {
	s := newSandbox(t, sandboxOptions{memory: 96 << 20})
	stream, err := s.process.Start(s.context(60*time.Second), &pb.StartRequest{ProcessId: newID(), Command: []string{"head", "-c", "1073741824", "/dev/zero"}})
	must(t, err)
	total, started := 0, time.Now()
	for {
		response, err := stream.Recv()
		must(t, err)
		total += len(response.GetStdout().GetData())
		if response.GetExited() != nil {
			break
		}
	}
	t.Logf("%d MiB/s", int(float64(total>>20)/time.Since(started).Seconds()))
	if total != 1<<30 {
		t.Errorf("%d bytes", total)
	}
	// Nobody reads this one.
	id, cancel := s.start(&pb.StartRequest{Detached: true, Command: []string{"sh", "-c", "echo ready; exec head -c 1073741824 /dev/zero"}})
	cancel()
	s.eventually("it runs to its end", func() bool {
		list, err := s.process.List(s.context(time.Second), &pb.ListRequest{})
		must(t, err)
		for _, info := range list.Processes {
			if info.ProcessId == id {
				return info.Exited != nil && info.Exited.ExitCode == 0
			}
		}
		return false
	})
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "RssAnon") {
			t.Log(strings.TrimSpace(line))
		}
	}
	s.works()
}

func TestZombiesAndOrphansAreReaped(t *testing.T) {
	s := newSandbox(t, sandboxOptions{processes: 200})
	r := s.mustRun(python(`
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
	if r.stdout != "made\n" {
		t.Fatalf("%+v", r)
	}
	s.eventually("no zombie is left", func() bool {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/root/proc", s.pid))
		must(t, err)
		count := 0
		for _, entry := range entries {
			if entry.Name()[0] >= '0' && entry.Name()[0] <= '9' {
				count++
			}
		}
		return count == 1
	})
	s.works()
}

func TestProgramThatSignalsEverything(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	for _, script := range []string{
		"import os\nfor i in range(5): os.fork()\nos.kill(-1, 9)",
		"import os, signal\nfor n in range(1, 65):\n  try: os.kill(1, n)\n  except OSError: pass",
		"import os\nos.kill(os.getpid(), 19)",
	} {
		r, err := s.run(&pb.StartRequest{Command: python(script), WallNanoseconds: 1e9})
		must(t, err)
		t.Logf("%v", r.exited)
		s.works()
	}
}

func TestProgramThatStopsEverythingAgainAndAgain(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
	id, cancel := s.start(&pb.StartRequest{Command: python("import os\nprint('ready', flush=True)\nwhile True:\n  try: os.kill(-1, 19)\n  except OSError: pass")})
	defer cancel()
	for range 5 {
		started := time.Now()
		r, err := s.run(&pb.StartRequest{Command: []string{"true"}, WallNanoseconds: 3e8})
		t.Logf("a command meanwhile: %v %v after %v", r.exited, err, time.Since(started))
		if s.processes() == 0 {
			break
		}
	}
	// The wall limit above ends everything, so it may be over already.
	_, _ = s.process.Signal(s.context(20*time.Second), &pb.SignalRequest{ProcessId: id, Signal: 9})
	s.eventually("it is gone", func() bool { return s.processes() == 0 })
	s.works()
}

func TestKillReachesWhatHides(t *testing.T) {
	s := newSandbox(t, sandboxOptions{})
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
	id, cancel := s.start(&pb.StartRequest{Command: python(hide)})
	defer cancel()
	other, stop := s.start(&pb.StartRequest{Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
	defer stop()
	_, err := s.process.Signal(s.context(20*time.Second), &pb.SignalRequest{ProcessId: id, Signal: 9})
	must(t, err)
	s.eventually("the other one is left", func() bool { return s.processes() == 1 })
	list, err := s.process.List(s.context(time.Second), &pb.ListRequest{})
	must(t, err)
	for _, info := range list.Processes {
		if (info.ProcessId == other) != (info.Exited == nil) {
			t.Errorf("%v", info)
		}
	}
	s.works()
}

func TestManyCommandsAtOnceAndAfterEachOther(t *testing.T) {
	s := newSandbox(t, sandboxOptions{processes: 128})
	failures := make(chan string, 400)
	done := make(chan struct{})
	for range 8 {
		go func() {
			for range 50 {
				r, err := s.run(&pb.StartRequest{Command: []string{"sh", "-c", "echo out; exit 3"}})
				if err != nil || r.stdout != "out\n" || r.exited.ExitCode != 3 {
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
	t.Log(s.threads())
}

func TestWhereProgramsShareTheAgentsUser(t *testing.T) {
	s := newSandbox(t, sandboxOptions{sameUser: true, processes: 80})
	r := s.mustRun("sh", "-c", "id -u; cat /proc/1/environ /proc/1/maps /proc/1/mem; ls /proc/1/fd; echo x > /proc/1/oom_score_adj; true")
	if r.stdout != "1000\n" || strings.Count(strings.ToLower(r.stderr), "denied") != 5 {
		t.Errorf("%+v", r)
	}
	r = s.mustRun(python(`
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
	if r.stdout != "13\n-1\n" {
		t.Errorf("%+v", r)
	}
	s.works()
	signals := python(`
import os, time
print("ready", flush=True)
end = time.time() + 1
while time.time() < end:
    for n in range(1, 65): os.kill(1, n)`)
	_, leave := s.start(&pb.StartRequest{Command: signals})
	defer leave()
	// While it forks, the agent takes no signals, which to the kernel is another case than that it leaves them at their default.
	for s.processes() > 0 {
		r = s.mustRun("grep", "SigIgn", "/proc/self/status")
		if r.stdout != "SigIgn:\t0000000000000000\n" {
			t.Errorf("%+v", r)
		}
	}
	_, cancel := s.start(&pb.StartRequest{Command: python("print('ready', flush=True)" + bomb), WallNanoseconds: 2e9})
	defer cancel()
	s.eventually("the wall limit ends it", func() bool { return s.processes() == 0 })
	s.works()
}

func TestProgramCannotDriveTheAgentItself(t *testing.T) {
	for _, sameUser := range []bool{false, true} {
		s := newSandbox(t, sandboxOptions{listen: true, sameUser: sameUser})
		r := s.mustRun(python(`
import socket
s = socket.socket(socket.AF_UNIX); s.connect("\0drydock-test")
try:
    s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    print(s.recv(100))
except OSError as e: print(b"")
try: socket.socket(socket.AF_UNIX).bind("\0drydock-test")
except OSError as e: print("taken")`)...)
		if r.stdout != "b''\ntaken\n" {
			t.Errorf("same user %v: %+v", sameUser, r)
		}
		// Ending everything spares the stream that the executor opened from outside.
		_, cancel := s.start(&pb.StartRequest{Command: []string{"sh", "-c", "setsid sleep 1000 & echo ready; sleep 1000"}})
		_, err := s.control.KillAll(s.context(10*time.Second), &pb.KillAllRequest{})
		must(t, err)
		cancel()
		s.works()
	}
}
