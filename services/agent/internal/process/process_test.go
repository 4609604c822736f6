package process_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestExitCodesAndSignalsAreKeptApart(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	for _, test := range []struct {
		script string
		code   int32
		signal int32
	}{{"exit 0", 0, 0}, {"exit 7", 7, 0}, {"exit 137", 137, 0}, {"kill -9 $$", -1, 9}, {"kill -SEGV $$", -1, 11}} {
		exited := s.MustRun("sh", "-c", test.script).Exited
		if exited.ExitCode != test.code || exited.Signal != test.signal {
			t.Errorf("%s: %v", test.script, exited)
		}
	}
}

func TestStandardStreamsOpenByName(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	r, err := s.Run(&pb.StartRequest{
		Command: []string{"sh", "-c", "cat /dev/stdin >/dev/stdout && echo said >/dev/stderr"},
		Stdin:   []byte("given"),
	})
	sandboxtest.Must(t, err)
	if r.Stdout != "given" || r.Stderr != "said\n" {
		t.Errorf("stdout %q, stderr %q", r.Stdout, r.Stderr)
	}
}

func TestPipesAreTheOwnersSoThatTheirPagesAreTheSandboxs(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	r, err := s.Run(&pb.StartRequest{Command: []string{"stat", "-Lc", "%u:%a", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"}, Stdin: []byte("x")})
	sandboxtest.Must(t, err)
	if r.Stdout != strings.Repeat(fmt.Sprintf("%d:666\n", sandboxtest.OwnerID), 3) {
		t.Errorf("%+v", r)
	}
}

func TestProgramHasNoRights(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	r := s.MustRun("sh", "-c", "id; cat /proc/self/status; echo $HOME $USER $PATH $LANG $TERM; pwd; ls /proc/self/fd | wc -l")
	for _, expected := range []string{
		fmt.Sprintf("uid=%d gid=%[1]d", sandboxtest.UserID), "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t00000000000000e0",
		"CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Groups:\t \n", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000",
		"/home/user user /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin C.UTF-8\n/home/user\n4\n",
	} {
		if !strings.Contains(r.Stdout, expected) {
			t.Errorf("no %q in %s", expected, r.Stdout)
		}
	}
	refused := s.MustRun("sh", "-c", "cat /proc/1/environ /proc/1/maps /proc/1/mem; ls /proc/1/fd; kill -9 1; kill -TERM 1; echo 0 > /proc/1/oom_score_adj; true")
	if count := strings.Count(strings.ToLower(refused.Stderr), "denied") + strings.Count(refused.Stderr, "not permitted"); count != 7 {
		t.Errorf("%d refusals: %s", count, refused.Stderr)
	}
	s.Works()
}

func TestWhatCannotBeExecutedIsSaid(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	s.MustRun("sh", "-c", "echo text > /home/user/plain; cp plain garbage; chmod 755 garbage; printf '#!/no/such\n' > orphan; chmod 755 orphan; mkdir locked; chmod 0 locked")
	for _, test := range []struct{ directory, name, message string }{
		{"", "no-such-program", "not found on PATH"},
		{"", "/no/such", "no such file"},
		{"", "./plain", "permission denied"},
		{"", "./garbage", "exec format error"},
		{"", "./orphan", "no such file"},
		{"", "/tmp", "is a directory"},
		{"/no/such", "true", "no such file"},
		{"/etc/passwd", "true", "not a directory"},
		{"/home/user/locked", "true", "permission denied"},
		{"", "nul\x00", "invalid argument"},
	} {
		_, err := s.Run(&pb.StartRequest{Command: []string{test.name}, WorkingDirectory: test.directory})
		if status.Code(err) != codes.InvalidArgument && test.name != "nul\x00" || !strings.Contains(err.Error(), test.message) && test.name != "nul\x00" {
			t.Errorf("%s in %q: %v", test.name, test.directory, err)
		}
	}
	s.Works()
}

func TestEnvironmentLayers(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	bind := &pb.BindRequest{SandboxId: "sbx_a", Environment: map[string]string{"A": "bound", "B": "bound", "HOME": "/tmp"}}
	for range 2 {
		_, err := s.Control.Bind(s.Context(time.Second), bind)
		sandboxtest.Must(t, err)
	}
	_, err := s.Control.Bind(s.Context(time.Second), &pb.BindRequest{SandboxId: "sbx_b"})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a second owner: %v", err)
	}
	r, err := s.Run(&pb.StartRequest{Command: []string{"sh", "-c", "echo $A $B $HOME"}, Environment: map[string]string{"B": "own"}})
	sandboxtest.Must(t, err)
	if r.Stdout != "bound own /tmp\n" {
		t.Errorf("%q", r.Stdout)
	}
}

func TestTimersOfProgramsAreAsExactAsAnywhere(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	look := &pb.StartRequest{Command: []string{"cat", "/proc/self/timerslack_ns"}}
	if r, err := s.Run(look); err != nil || r.Stdout != "50000\n" {
		t.Errorf("%+v %v", r, err)
	}
	c := s.OpenCell()
	if r := c.Run(look); r.Stdout != "50000\n" {
		t.Errorf("in a cell: %+v", r)
	}
	c.End()
}

func TestAllOutputArrivesHoweverFastTheProgramEnds(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	for range 20 {
		r := s.MustRun("sh", "-c", "head -c 300000 /dev/zero; head -c 200000 /dev/zero >&2")
		if len(r.Stdout) != 300000 || len(r.Stderr) != 200000 {
			t.Fatalf("%d and %d bytes", len(r.Stdout), len(r.Stderr))
		}
	}
}

func TestReaderWhoStopsStopsTheProgramAndLosesNothing(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	ctx := s.Context(30 * time.Second)
	stream, err := s.Process.Start(ctx, &pb.StartRequest{ProcessId: sandboxtest.NewID(), Command: []string{"head", "-c", "30000000", "/dev/zero"}})
	sandboxtest.Must(t, err)
	s.UntilBlocked("head")
	if infos, err := s.Process.List(ctx, &pb.ListRequest{}); err != nil || infos.Processes[0].Exited != nil {
		t.Fatalf("it ran on: %v %v", infos, err)
	}
	total := 0
	for {
		response, err := stream.Recv()
		sandboxtest.Must(t, err)
		total += len(response.GetStdout().GetData())
		if response.GetExited() != nil {
			break
		}
	}
	if total != 30000000 {
		t.Errorf("%d bytes", total)
	}
}

func TestExitIsToldAtOnceThoughAChildHoldsTheOutput(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	for _, detached := range []bool{false, true} {
		r, err := s.Run(&pb.StartRequest{Command: []string{"sh", "-c", "sleep 100 & echo out"}, Detached: detached})
		sandboxtest.Must(t, err)
		if r.Took > 500*time.Millisecond || !r.Exited.OutputStillOpen || r.Stdout != "out\n" {
			t.Errorf("detached %v: %+v", detached, r)
		}
		if alive := s.Processes(); (alive == 1) != detached {
			t.Errorf("detached %v: %d left", detached, alive)
		}
	}
	// Leftovers of a detached process survive the end of another one.
	s.Works()
	if alive := s.Processes(); alive != 1 {
		t.Errorf("%d left", alive)
	}
}

func TestDetachedProcessRunsOnAndIsJoinedByOffset(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	id, cancel := s.Start(&pb.StartRequest{Detached: true, OpenStdin: true, Command: []string{"sh", "-c", "echo ready; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end; read line; echo got $line"}})
	cancel()
	ctx := s.Context(20 * time.Second)
	s.Eventually("it finishes its flood unread", func() bool {
		stream, err := s.Process.Connect(ctx, &pb.ConnectRequest{ProcessId: id, StdoutOffset: 3000007})
		sandboxtest.Must(t, err)
		for {
			response, err := stream.Recv()
			sandboxtest.Must(t, err)
			if output := response.GetStdout(); output != nil {
				return output.Offset == 3000007 && string(output.Data) == "end\n"
			}
		}
	})
	stream, err := s.Process.Connect(ctx, &pb.ConnectRequest{ProcessId: id})
	sandboxtest.Must(t, err)
	_, err = s.Process.WriteInput(ctx, &pb.WriteInputRequest{ProcessId: id, Data: []byte("it\n")})
	sandboxtest.Must(t, err)
	first, last := int64(-1), ""
	for {
		response, err := stream.Recv()
		sandboxtest.Must(t, err)
		if output := response.GetStdout(); output != nil {
			if first < 0 {
				first = output.Offset
			}
			last += string(output.Data)
		}
		if response.GetExited() != nil {
			break
		}
	}
	if first == 0 || int64(len(last)) < 1<<19 || !strings.HasSuffix(last, "x\nend\ngot it\n") {
		t.Errorf("from %d, %d bytes", first, len(last))
	}
}

func TestUsage(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	exited := s.MustRun("sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done").Exited
	if exited.CpuNanoseconds < 1e7 || exited.PeakMemoryBytes < 1<<20 || exited.WallNanoseconds < 1e7 || exited.OomKills != 0 {
		t.Errorf("%v", exited)
	}
	usage, err := s.Control.GetUsage(s.Context(time.Second), &pb.GetUsageRequest{})
	sandboxtest.Must(t, err)
	if usage.Usage.MemoryBytes == 0 || usage.Usage.CpuNanoseconds < exited.CpuNanoseconds {
		t.Errorf("%v", usage)
	}
}

func TestEndingTheCallEndsTheTree(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	_, keep := s.Start(&pb.StartRequest{Detached: true, Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
	defer keep()
	hidden := `
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
os.wait()
print("ready", flush=True)
time.sleep(1000)`
	_, cancel := s.Start(&pb.StartRequest{Command: []string{"python3", "-c", hidden}})
	if alive := s.Processes(); alive != 3 {
		t.Fatalf("%d run", alive)
	}
	cancel()
	s.Eventually("only the other one is left", func() bool { return s.Processes() == 1 })
	s.Works()
}

func TestSignals(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	ctx := s.Context(10 * time.Second)
	id, cancel := s.Start(&pb.StartRequest{Detached: true, Command: []string{"sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"}})
	defer cancel()
	_, err := s.Process.Signal(ctx, &pb.SignalRequest{ProcessId: id, Signal: 15})
	sandboxtest.Must(t, err)
	s.Eventually("it ends by its own trap", func() bool {
		list, err := s.Process.List(ctx, &pb.ListRequest{})
		sandboxtest.Must(t, err)
		return list.Processes[0].GetExited().GetExitCode() == 5
	})
	_, err = s.Process.Signal(ctx, &pb.SignalRequest{ProcessId: id, Signal: 15})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("to an ended one: %v", err)
	}
	_, err = s.Process.Signal(ctx, &pb.SignalRequest{ProcessId: "prc_none", Signal: 15})
	if status.Code(err) != codes.NotFound {
		t.Errorf("to none: %v", err)
	}
}

func TestInput(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	big := strings.Repeat("0123456789abcdef", 1<<16)
	r, err := s.Run(&pb.StartRequest{Command: []string{"cat"}, Stdin: []byte(big)})
	sandboxtest.Must(t, err)
	if r.Stdout != big {
		t.Errorf("%d bytes came back", len(r.Stdout))
	}
	if r := s.MustRun("cat"); r.Stdout != "" || r.Exited.ExitCode != 0 {
		t.Errorf("no input: %+v", r)
	}
	// A program that closes its input, or never reads it, is its own affair.
	r, err = s.Run(&pb.StartRequest{Command: []string{"sh", "-c", "exec <&-; sleep 0.05; echo done"}, Stdin: []byte(big)})
	sandboxtest.Must(t, err)
	if r.Stdout != "done\n" {
		t.Errorf("%+v", r)
	}
	id, cancel := s.Start(&pb.StartRequest{OpenStdin: true, Stdin: []byte("first "), Command: []string{"sh", "-c", "echo ready; sleep 1000"}})
	short, stop := context.WithTimeout(s.Context(time.Minute), 200*time.Millisecond)
	defer stop()
	_, err = s.Process.WriteInput(short, &pb.WriteInputRequest{ProcessId: id, Data: []byte(big)})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a program that does not read: %v", err)
	}
	cancel()
	s.Works()
}

func TestInputIsWrittenInOrderAndClosed(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	id := sandboxtest.NewID()
	ctx := s.Context(10 * time.Second)
	stream, err := s.Process.Start(ctx, &pb.StartRequest{ProcessId: id, OpenStdin: true, Stdin: []byte("one "), Command: []string{"cat"}})
	sandboxtest.Must(t, err)
	_, err = stream.Recv()
	sandboxtest.Must(t, err)
	_, err = s.Process.WriteInput(ctx, &pb.WriteInputRequest{ProcessId: id, Data: []byte("two")})
	sandboxtest.Must(t, err)
	_, err = s.Process.WriteInput(ctx, &pb.WriteInputRequest{ProcessId: id, Close: true})
	sandboxtest.Must(t, err)
	output := ""
	for {
		response, err := stream.Recv()
		sandboxtest.Must(t, err)
		output += string(response.GetStdout().GetData())
		if response.GetExited() != nil {
			break
		}
	}
	if output != "one two" {
		t.Errorf("%q", output)
	}
}

func TestTerminal(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	id, cancel := s.Start(&pb.StartRequest{
		Terminal: &pb.TerminalSize{Columns: 90, Rows: 30}, Detached: true,
		Command: []string{"sh", "-c", "echo $TERM; tty; stat -c %U:%u $(tty); stty size; echo ready; read x; stty size; echo open > /dev/tty; cat; sleep 1000 & exit 3"},
	})
	cancel()
	ctx := s.Context(10 * time.Second)
	_, err := s.Process.Resize(ctx, &pb.ResizeRequest{ProcessId: id, Terminal: &pb.TerminalSize{Columns: 100, Rows: 40}})
	sandboxtest.Must(t, err)
	_, err = s.Process.WriteInput(ctx, &pb.WriteInputRequest{ProcessId: id, Data: []byte("\n")})
	sandboxtest.Must(t, err)
	_, err = s.Process.WriteInput(ctx, &pb.WriteInputRequest{ProcessId: id, Close: true})
	sandboxtest.Must(t, err)
	stream, err := s.Process.Connect(ctx, &pb.ConnectRequest{ProcessId: id})
	sandboxtest.Must(t, err)
	var output strings.Builder
	for {
		response, err := stream.Recv()
		sandboxtest.Must(t, err)
		output.Write(response.GetStdout().GetData())
		if exited := response.GetExited(); exited != nil {
			if exited.ExitCode != 3 {
				t.Errorf("%v", exited)
			}
			break
		}
	}
	for _, expected := range []string{"xterm-256color\r\n/dev/pts/", fmt.Sprintf(":%d\r\n30 90\r\n", sandboxtest.UserID), "40 100\r\n", "open\r\n"} {
		if !strings.Contains(output.String(), expected) {
			t.Errorf("no %q in %q", expected, output.String())
		}
	}
	s.Works()
}

func TestLostLinkEndsWhatIsNotDetached(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	detached, _ := s.Start(&pb.StartRequest{Detached: true, Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
	s.Start(&pb.StartRequest{Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
	lost := time.Now()
	s.DropLink()
	_, err := s.Control.Ping(s.Context(5*time.Second), &pb.PingRequest{})
	sandboxtest.Must(t, err)
	t.Logf("reached again after %v", time.Since(lost))
	s.Eventually("one is left", func() bool { return s.Processes() == 1 })
	s.Eventually("the end of the other one is told", func() bool {
		list, err := s.Process.List(s.Context(time.Second), &pb.ListRequest{})
		sandboxtest.Must(t, err)
		for _, info := range list.Processes {
			if (info.Exited == nil) != (info.ProcessId == detached) {
				return false
			}
		}
		return true
	})
}

func TestStartingAnIdTwiceJoinsIt(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	id, cancel := s.Start(&pb.StartRequest{Detached: true, Command: []string{"sh", "-c", "echo ready; echo $$; sleep 0.3"}})
	cancel()
	r, err := s.Run(&pb.StartRequest{ProcessId: id, Command: []string{"false"}})
	sandboxtest.Must(t, err)
	if !strings.HasPrefix(r.Stdout, "ready\n") || r.Exited.ExitCode != 0 {
		t.Errorf("%+v", r)
	}
}

func TestIdleAgentIsSmall(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	s.Works()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(s.PID) + "/status")
	sandboxtest.Must(t, err)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "RssAnon") || strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "Threads") {
			t.Log(strings.TrimSpace(line))
		}
	}
}
