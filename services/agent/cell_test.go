package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
)

func TestCellRunsAProgramFromItsFiles(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	bind := &pb.BindRequest{SandboxId: "sbx_a", Environment: map[string]string{"BOUND": "yes"}}
	_, err := s.control.Bind(s.context(time.Second), bind)
	must(t, err)
	c := s.openCell()
	c.file("main.sh", 0o750, "#!/bin/sh\necho $#")
	c.file("main.sh", 0, "; cat lib/text; id -u; id -g; id -G; pwd; hostname; echo $HOME $BOUND $OWN; stat -c %a.%u main.sh lib lib/text; ls /proc/self/fd | wc -l\n")
	c.file("lib/text", 0, "text\n")
	r := c.run(&pb.StartRequest{Command: []string{"./main.sh", "a", "b"}, Environment: map[string]string{"OWN": "too"}})
	if r.stdout != "2\ntext\n1000\n1000\n1000\n/home/user/program\nsandbox\n/home/user yes too\n750.1000\n755.1000\n644.1000\n4\n" {
		t.Errorf("%+v %v", r, r.exited)
	}
	if r.exited.ExitCode != 0 || r.exited.CpuNanoseconds <= 0 || r.exited.WallNanoseconds <= 0 || r.exited.PeakMemoryBytes <= 0 {
		t.Errorf("%v", r.exited)
	}
	c.end()
	s.cellWorks()
}

func TestStepsOfACellShareItsFilesAndNothingElse(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	c := s.openCell()
	c.file("build.sh", 0o755, "#!/bin/sh\nprintf '#!/bin/sh\\nread a b; echo $((a + b))\\n' > main; chmod +x main; sleep 1000 & echo built\n")
	if r := c.run(&pb.StartRequest{Command: []string{"./build.sh"}}); r.stdout != "built\n" || !r.exited.OutputStillOpen {
		t.Fatalf("%+v %v", r, r.exited)
	}
	for _, test := range []struct{ input, output string }{{"1 2\n", "3\n"}, {"20 22\n", "42\n"}} {
		r := c.run(&pb.StartRequest{Command: []string{"./main"}, Stdin: []byte(test.input)})
		if r.stdout != test.output || r.exited.OutputStillOpen {
			t.Errorf("%+v %v", r, r.exited)
		}
	}
	// Whatever an earlier step started has ended.
	if r := c.sh("ls -d /proc/[0-9]* | wc -l"); r.stdout != "3\n" && r.stdout != "2\n" {
		t.Errorf("%+v", r)
	}
	c.end()
}

func TestCellTellsWhatCannotBeExecuted(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	c := s.openCell()
	c.file("plain", 0o644, "text")
	c.file("garbage", 0o755, "text")
	c.file("orphan", 0o755, "#!/no/such\n")
	for _, test := range []struct{ name, directory, message string }{
		{"no-such-program", "", "not found on PATH"}, {"./plain", "", "permission denied"}, {"/tmp", "", "is a directory"},
		{"./garbage", "", "exec format error"}, {"./orphan", "", "no such file"}, {"true", "/no/such", "no such file"},
		{"nul\x00", "", "no such file"},
	} {
		r := c.run(&pb.StartRequest{Command: []string{test.name}, WorkingDirectory: test.directory})
		if test.name == "nul\x00" && r.refused != "" {
			continue
		}
		if !strings.Contains(r.refused, test.message) {
			t.Errorf("%s: %+v %v", test.name, r, r.exited)
		}
	}
	if r := c.sh("exit 7"); r.exited.GetExitCode() != 7 {
		t.Errorf("%v", r.exited)
	}
	if r := c.sh("kill -SEGV $$"); r.exited.GetSignal() != 11 {
		t.Errorf("%v", r.exited)
	}
	c.end()
}

func TestCellInput(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	c := s.openCell()
	c.begin(&pb.StartRequest{Command: []string{"sh", "-c", "echo ready; cat"}, Stdin: []byte("one "), OpenStdin: true})
	c.until("ready")
	c.input("two", false)
	c.input("", true)
	if r, err := c.finish(); err != nil || r.stdout != "ready\none two" {
		t.Errorf("%+v %v", r, err)
	}
	big := strings.Repeat("0123456789abcdef", 1<<16)
	if r := c.run(&pb.StartRequest{Command: []string{"cat"}, Stdin: []byte(big)}); r.stdout != big {
		t.Errorf("%d bytes came back", len(r.stdout))
	}
	// A program that does not read its input does not hold up the next step, and input that comes late is nobody's.
	c.begin(&pb.StartRequest{Command: []string{"sleep", "0.1"}, OpenStdin: true})
	c.input(big, false)
	c.input(big, true)
	if _, err := c.finish(); err != nil {
		t.Fatal(err)
	}
	c.input("late", false)
	if r := c.sh("cat"); r.stdout != "" || r.exited.GetExitCode() != 0 {
		t.Errorf("%+v", r)
	}
	// The end of the requests is the end of the input.
	c.begin(&pb.StartRequest{Command: []string{"cat"}, OpenStdin: true})
	c.input("last", false)
	must(t, c.stream.CloseSend())
	if r, err := c.finish(); err != nil || r.stdout != "last" {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := c.stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestCellLimits(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	c := s.openCell()
	for _, test := range []struct {
		request *pb.StartRequest
		limit   pb.LimitKind
	}{
		{&pb.StartRequest{Command: []string{"sh", "-c", "setsid sleep 100 & exec sleep 100"}, WallNanoseconds: 2e8}, pb.LimitKind_LIMIT_KIND_WALL_TIME},
		{&pb.StartRequest{Command: []string{"sh", "-c", "while :; do :; done"}, CpuNanoseconds: 2e8, WallNanoseconds: 2e10}, pb.LimitKind_LIMIT_KIND_CPU_TIME},
		{&pb.StartRequest{Command: []string{"sh", "-c", "yes & yes >&2"}, OutputBytes: 100001}, pb.LimitKind_LIMIT_KIND_OUTPUT},
	} {
		r := c.run(test.request)
		if r.exited.GetLimit() != test.limit || r.exited.Signal != 9 {
			t.Errorf("%v", r.exited)
		}
		if len(r.stdout) > 100001 || len(r.stderr) > 100001 {
			t.Errorf("%d and %d bytes", len(r.stdout), len(r.stderr))
		}
		// The cell goes on, and nothing of the step does.
		if r := c.sh("echo on"); r.stdout != "on\n" || r.exited.ExitCode != 0 {
			t.Errorf("the next step: %+v %v", r, r.exited)
		}
	}
	r := c.run(&pb.StartRequest{
		Command:    []string{"sh", "-c", "ulimit -s; ulimit -Hf; ulimit -n; ulimit -Hc; ulimit -n 21 || head -c 200000 /dev/zero > big; wc -c < big"},
		StackBytes: 5 << 20, FileBytes: 100 << 10, OpenFiles: 20,
	})
	if r.stdout != "5120\n200\n20\n0\n102400\n" {
		t.Errorf("%+v", r)
	}
	if r := c.sh("ulimit -s; ulimit -f"); !strings.HasSuffix(r.stdout, "unlimited\n") {
		t.Errorf("the next step: %q", r.stdout)
	}
	c.end()
}

func TestALimitOfAStepIsNotTheNextOnes(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	c := s.openCell()
	for range 100 {
		if r := c.run(&pb.StartRequest{Command: []string{"sh", "-c", "yes & yes >&2"}, OutputBytes: 1000}); r.exited.GetLimit() != pb.LimitKind_LIMIT_KIND_OUTPUT {
			t.Fatalf("%v", r.exited)
		}
		if r := c.sh("true"); r.exited.GetExitCode() != 0 {
			t.Fatalf("the next one: %v", r.exited)
		}
	}
	c.end()
}

func TestCellRefusesRequestsOutOfOrder(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	open := &pb.RunRequest{Request: &pb.RunRequest_Open{Open: &pb.OpenCell{HomeBytes: 1 << 20, TemporaryBytes: 1 << 20, SharedMemoryBytes: 1 << 20}}}
	file := func(path string) *pb.RunRequest {
		return &pb.RunRequest{Request: &pb.RunRequest_File{File: &pb.CellFile{Path: path, Data: []byte("x")}}}
	}
	start := func(request *pb.StartRequest) *pb.RunRequest {
		return &pb.RunRequest{Request: &pb.RunRequest_Start{Start: request}}
	}
	for name, test := range map[string]struct {
		requests []*pb.RunRequest
		code     codes.Code
	}{
		"nothing opened":       {[]*pb.RunRequest{file("a")}, codes.InvalidArgument},
		"no size":              {[]*pb.RunRequest{{Request: &pb.RunRequest_Open{Open: &pb.OpenCell{HomeBytes: 1}}}}, codes.InvalidArgument},
		"opened twice":         {[]*pb.RunRequest{open, open}, codes.InvalidArgument},
		"a path that leaves":   {[]*pb.RunRequest{open, file("a/../../b")}, codes.InvalidArgument},
		"an absolute path":     {[]*pb.RunRequest{open, file("/tmp/b")}, codes.InvalidArgument},
		"no path":              {[]*pb.RunRequest{open, file("")}, codes.InvalidArgument},
		"a directory too late": {[]*pb.RunRequest{open, start(&pb.StartRequest{Command: []string{"true"}}), file("a/b")}, codes.InvalidArgument},
		"a terminal":           {[]*pb.RunRequest{open, start(&pb.StartRequest{Command: []string{"true"}, Terminal: &pb.TerminalSize{}})}, codes.InvalidArgument},
		"detached":             {[]*pb.RunRequest{open, start(&pb.StartRequest{Command: []string{"true"}, Detached: true})}, codes.InvalidArgument},
		"no command":           {[]*pb.RunRequest{open, start(&pb.StartRequest{})}, codes.InvalidArgument},
		"too much": {[]*pb.RunRequest{open, {Request: &pb.RunRequest_File{File: &pb.CellFile{
			Path: "big", Data: make([]byte, 1100<<10)}}}}, codes.ResourceExhausted},
	} {
		stream, err := s.cells.Run(s.context(10 * time.Second))
		must(t, err)
		for _, request := range test.requests {
			if stream.Send(request) != nil {
				break
			}
		}
		for err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != test.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.cellWorks()
}

func TestOneCellAtATimeAndNoProcessBeside(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	_, err := s.cells.Prepare(s.context(5*time.Second), &pb.PrepareRequest{})
	must(t, err)
	_, err = s.run(&pb.StartRequest{Command: []string{"true"}})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a process beside: %v", err)
	}
	c := s.openCell()
	results := make(chan error, 7)
	for range cap(results) {
		go func() {
			other, err := s.tryCell(s.context(5 * time.Second))
			if other != nil {
				other.cancel()
			}
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; status.Code(err) != codes.ResourceExhausted {
			t.Errorf("another one: %v", err)
		}
	}
	if r := c.sh("echo still"); r.stdout != "still\n" {
		t.Errorf("%+v", r)
	}
	c.end()
	s.cellWorks()
}

func TestEndingTheCallEndsTheCell(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	hidden := python("import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(1000)\n  os._exit(0)\nos.wait()\nprint('ready', flush=True)\ntime.sleep(1000)")
	for name, end := range map[string]func(*testCell){
		"cancelled": func(c *testCell) { c.cancel() },
		"link lost": func(*testCell) { s.dropLink() },
	} {
		c := s.openCell()
		c.begin(&pb.StartRequest{Command: hidden})
		c.until("ready")
		end(c)
		s.eventually("nothing but the next cell is left, having been "+name, func() bool { return s.processes() <= 1 })
		s.eventually("the sandbox is free", func() bool {
			next, err := s.tryCell(s.context(5 * time.Second))
			if err == nil {
				next.end()
			}
			return err == nil
		})
	}
}

func TestNoCellsWhereTheyAreNotToBeHad(t *testing.T) {
	for name, options := range map[string]sandboxOptions{
		"may not change its user": {sameUser: true, cells: true},
		// Or, in a container of the other kind, not permitted.
		"namespaces, with ": {},
	} {
		s := newSandbox(t, options)
		started := time.Now()
		_, err := s.cells.Prepare(s.context(5*time.Second), &pb.PrepareRequest{})
		_, run := s.tryCell(s.context(5 * time.Second))
		for _, err := range []error{err, run} {
			if status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if took := time.Since(started); took > time.Second {
			t.Errorf("%s: after %v", name, took)
		}
	}
}
