package cell_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestCellRunsAProgramFromItsFiles(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	bind := &pb.BindRequest{SandboxId: "sbx_a", Environment: map[string]string{"BOUND": "yes"}}
	_, err := s.Control.Bind(s.Context(time.Second), bind)
	sandboxtest.Must(t, err)
	c := s.OpenCell()
	c.File("main.sh", 0o750, "#!/bin/sh\necho $#")
	c.File("main.sh", 0, "; cat lib/text; id -u; id -g; id -G; pwd; hostname; echo $HOME $BOUND $OWN; stat -c %a.%u main.sh lib lib/text; ls /proc/self/fd | wc -l\n")
	c.File("lib/text", 0, "text\n")
	r := c.Run(&pb.StartRequest{Command: []string{"./main.sh", "a", "b"}, Environment: map[string]string{"OWN": "too"}})
	if r.Stdout != "2\ntext\n1000\n1000\n1000\n/home/user/program\nsandbox\n/home/user yes too\n750.1000\n755.1000\n644.1000\n4\n" {
		t.Errorf("%+v %v", r, r.Exited)
	}
	if r.Exited.ExitCode != 0 || r.Exited.CpuNanoseconds <= 0 || r.Exited.WallNanoseconds <= 0 || r.Exited.PeakMemoryBytes <= 0 {
		t.Errorf("%v", r.Exited)
	}
	c.End()
	s.CellWorks()
}

func TestStepsOfACellShareItsFilesAndNothingElse(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	c.File("build.sh", 0o755, "#!/bin/sh\nprintf '#!/bin/sh\\nread a b; echo $((a + b))\\n' > main; chmod +x main; sleep 1000 & echo built\n")
	if r := c.Run(&pb.StartRequest{Command: []string{"./build.sh"}}); r.Stdout != "built\n" || !r.Exited.OutputStillOpen {
		t.Fatalf("%+v %v", r, r.Exited)
	}
	for _, test := range []struct{ input, output string }{{"1 2\n", "3\n"}, {"20 22\n", "42\n"}} {
		r := c.Run(&pb.StartRequest{Command: []string{"./main"}, Stdin: []byte(test.input)})
		if r.Stdout != test.output || r.Exited.OutputStillOpen {
			t.Errorf("%+v %v", r, r.Exited)
		}
	}
	// All that an earlier step started has ended.
	if r := c.Sh("ls -d /proc/[0-9]* | wc -l"); r.Stdout != "3\n" && r.Stdout != "2\n" {
		t.Errorf("%+v", r)
	}
	c.End()
}

func TestCellTellsWhatCannotBeExecuted(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	c.File("plain", 0o644, "text")
	c.File("garbage", 0o755, "text")
	c.File("orphan", 0o755, "#!/no/such\n")
	for _, test := range []struct{ name, directory, message string }{
		{"no-such-program", "", "not found on PATH"}, {"./plain", "", "permission denied"}, {"/tmp", "", "is a directory"},
		{"./garbage", "", "exec format error"}, {"./orphan", "", "no such file"}, {"true", "/no/such", "no such file"},
		{"nul\x00", "", "no such file"},
	} {
		r := c.Run(&pb.StartRequest{Command: []string{test.name}, WorkingDirectory: test.directory})
		if test.name == "nul\x00" && r.Refused != "" {
			continue
		}
		if !strings.Contains(r.Refused, test.message) {
			t.Errorf("%s: %+v %v", test.name, r, r.Exited)
		}
	}
	if r := c.Sh("exit 7"); r.Exited.GetExitCode() != 7 {
		t.Errorf("%v", r.Exited)
	}
	if r := c.Sh("kill -SEGV $$"); r.Exited.GetSignal() != 11 {
		t.Errorf("%v", r.Exited)
	}
	c.End()
}

func TestCellInput(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	c.Begin(&pb.StartRequest{Command: []string{"sh", "-c", "echo ready; cat"}, Stdin: []byte("one "), OpenStdin: true})
	c.Until("ready")
	c.Input("two", false)
	c.Input("", true)
	if r, err := c.Finish(); err != nil || r.Stdout != "ready\none two" {
		t.Errorf("%+v %v", r, err)
	}
	big := strings.Repeat("0123456789abcdef", 1<<16)
	if r := c.Run(&pb.StartRequest{Command: []string{"cat"}, Stdin: []byte(big)}); r.Stdout != big {
		t.Errorf("%d bytes came back", len(r.Stdout))
	}
	// A program that does not read its input does not hold up the next step, and late input is dropped.
	c.Begin(&pb.StartRequest{Command: []string{"sleep", "0.1"}, OpenStdin: true})
	c.Input(big, false)
	c.Input(big, true)
	if _, err := c.Finish(); err != nil {
		t.Fatal(err)
	}
	c.Input("late", false)
	if r := c.Sh("cat"); r.Stdout != "" || r.Exited.GetExitCode() != 0 {
		t.Errorf("%+v", r)
	}
	// The end of the requests is the end of the input.
	c.Begin(&pb.StartRequest{Command: []string{"cat"}, OpenStdin: true})
	c.Input("last", false)
	sandboxtest.Must(t, c.Stream.CloseSend())
	if r, err := c.Finish(); err != nil || r.Stdout != "last" {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := c.Stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestCellLimits(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	for _, test := range []struct {
		request *pb.StartRequest
		limit   pb.LimitKind
	}{
		{&pb.StartRequest{Command: []string{"sh", "-c", "setsid sleep 100 & exec sleep 100"}, WallNanoseconds: 2e8}, pb.LimitKind_LIMIT_KIND_WALL_TIME},
		{&pb.StartRequest{Command: []string{"sh", "-c", "while :; do :; done"}, CpuNanoseconds: 2e8, WallNanoseconds: 2e10}, pb.LimitKind_LIMIT_KIND_CPU_TIME},
		{&pb.StartRequest{Command: []string{"sh", "-c", "yes & yes >&2"}, OutputBytes: 100001}, pb.LimitKind_LIMIT_KIND_OUTPUT},
	} {
		r := c.Run(test.request)
		if r.Exited.GetLimit() != test.limit || r.Exited.Signal != 9 {
			t.Errorf("%v", r.Exited)
		}
		if len(r.Stdout) > 100001 || len(r.Stderr) > 100001 {
			t.Errorf("%d and %d bytes", len(r.Stdout), len(r.Stderr))
		}
		// The cell goes on, and nothing of the step does.
		if r := c.Sh("echo on"); r.Stdout != "on\n" || r.Exited.ExitCode != 0 {
			t.Errorf("the next step: %+v %v", r, r.Exited)
		}
	}
	r := c.Run(&pb.StartRequest{
		Command:    []string{"sh", "-c", "ulimit -s; ulimit -Hf; ulimit -n; ulimit -Hc; ulimit -n 21 || head -c 200000 /dev/zero > big; wc -c < big"},
		StackBytes: 5 << 20, FileBytes: 100 << 10, OpenFiles: 20,
	})
	if r.Stdout != "5120\n200\n20\n0\n102400\n" {
		t.Errorf("%+v", r)
	}
	if r := c.Sh("ulimit -s; ulimit -f"); !strings.HasSuffix(r.Stdout, "unlimited\n") {
		t.Errorf("the next step: %q", r.Stdout)
	}
	c.End()
}

func TestALimitOfAStepIsNotTheNextOnes(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	for range 100 {
		if r := c.Run(&pb.StartRequest{Command: []string{"sh", "-c", "yes & yes >&2"}, OutputBytes: 1000}); r.Exited.GetLimit() != pb.LimitKind_LIMIT_KIND_OUTPUT {
			t.Fatalf("%v", r.Exited)
		}
		if r := c.Sh("true"); r.Exited.GetExitCode() != 0 {
			t.Fatalf("the next one: %v", r.Exited)
		}
	}
	c.End()
}

func TestCellRefusesRequestsOutOfOrder(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	open := &pb.RunRequest{Request: &pb.RunRequest_Open{Open: &pb.OpenCell{DiskBytes: 1 << 20, SharedMemoryBytes: 1 << 20}}}
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
		"no size":              {[]*pb.RunRequest{{Request: &pb.RunRequest_Open{Open: &pb.OpenCell{DiskBytes: 1}}}}, codes.InvalidArgument},
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
		stream, err := s.Cells.Run(s.Context(10 * time.Second))
		sandboxtest.Must(t, err)
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
	s.CellWorks()
}

func TestOneCellAtATimeAndNoProcessBeside(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	_, err := s.Cells.Prepare(s.Context(5*time.Second), &pb.PrepareRequest{})
	sandboxtest.Must(t, err)
	_, err = s.Run(&pb.StartRequest{Command: []string{"true"}})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a process beside: %v", err)
	}
	c := s.OpenCell()
	results := make(chan error, 7)
	for range cap(results) {
		go func() {
			other, err := s.TryCell(s.Context(5 * time.Second))
			if other != nil {
				other.Cancel()
			}
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; status.Code(err) != codes.ResourceExhausted {
			t.Errorf("another one: %v", err)
		}
	}
	if r := c.Sh("echo still"); r.Stdout != "still\n" {
		t.Errorf("%+v", r)
	}
	c.End()
	s.CellWorks()
}

func TestEndingTheCallEndsTheCell(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	hidden := sandboxtest.Python("import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(1000)\n  os._exit(0)\nos.wait()\nprint('ready', flush=True)\ntime.sleep(1000)")
	for name, end := range map[string]func(*sandboxtest.Cell){
		"cancelled": func(c *sandboxtest.Cell) { c.Cancel() },
		"link lost": func(*sandboxtest.Cell) { s.DropLink() },
	} {
		c := s.OpenCell()
		c.Begin(&pb.StartRequest{Command: hidden})
		c.Until("ready")
		end(c)
		s.Eventually("nothing but the next cell is left, having been "+name, func() bool { return s.Processes() <= 1 })
		s.Eventually("the sandbox is free", func() bool {
			next, err := s.TryCell(s.Context(5 * time.Second))
			if err == nil {
				next.End()
			}
			return err == nil
		})
	}
}

func TestNoCellsWhereTheyAreNotToBeHad(t *testing.T) {
	for name, options := range map[string]sandboxtest.Options{
		"may not change its user": {SameUser: true, Cells: true},
		// Or, in a container of the other kind, not permitted.
		"namespaces, with ": {},
	} {
		s := sandboxtest.New(t, options)
		started := time.Now()
		_, err := s.Cells.Prepare(s.Context(5*time.Second), &pb.PrepareRequest{})
		_, run := s.TryCell(s.Context(5 * time.Second))
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

func TestARenewedCellHasWhatWasKeptAndNothingElse(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	c.File("lib/text", 0o640, "text\n")
	r := c.Sh("printf '#!/bin/sh\necho made\n' > made; chmod 500 made; ln -s made link; mkdir none sealed; echo x > sealed/x; chmod 300 sealed; " +
		"touch -d 2001-02-03 lib; mkfifo pipe; echo x > ../left; echo x > /tmp/left; echo x > /dev/shm/left; sleep 1000 &")
	if r.Exited.GetExitCode() != 0 {
		t.Fatalf("%+v", r)
	}
	c.Keep()
	// What comes after it was kept is not there later either.
	c.Sh("rm -r made lib; touch later")
	look := "./made; ls -A . .. /tmp /dev/shm; cat lib/text; stat -c '%n %a %u' made lib/text none sealed; stat -c %y lib | cut -c1-10; readlink link; ls -d /proc/[0-9]* | wc -l; ls /proc/sysvipc >/dev/null && wc -l < /proc/sysvipc/shm"
	want := "made\n.:\nlib\nlink\nmade\nnone\nsealed\n\n..:\nprogram\n\n/dev/shm:\n\n/tmp:\ntext\nmade 500 1000\nlib/text 640 1000\nnone 755 1000\nsealed 300 1000\n2001-02-03\nmade\n"
	for range 3 {
		c.Renew()
		r := c.Sh(look)
		if !strings.HasPrefix(r.Stdout, want) {
			t.Fatalf("%q %q", r.Stdout, r.Stderr)
		}
		c.Sh("ipcmk -M 4096; rm -f made; echo bad > lib/text; touch left ../left /tmp/left /dev/shm/left; sleep 1000 &")
	}
	c.End()
	s.CellWorks()
}

func TestACellIsRenewedOnlyWithWhatWasKept(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	for name, test := range map[string]struct {
		before string
		renew  bool
		code   codes.Code
	}{
		"nothing kept":     {"true", true, codes.FailedPrecondition},
		"too many levels":  {"for i in $(seq 70); do mkdir d; cd d; done", false, codes.ResourceExhausted},
		"too many entries": {"seq 20001 | xargs touch", false, codes.ResourceExhausted},
	} {
		c := s.OpenCell()
		c.Sh(test.before)
		request := &pb.RunRequest{Request: &pb.RunRequest_Keep{Keep: &pb.KeepRequest{}}}
		if test.renew {
			request = &pb.RunRequest{Request: &pb.RunRequest_Renew{Renew: &pb.RenewRequest{}}}
		}
		sandboxtest.Must(t, c.Stream.Send(request))
		if _, err := c.Stream.Recv(); status.Code(err) != test.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.CellWorks()
}

func TestHomeAndTmpOfACellShareItsDisk(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenBigCell(16 << 20)
	r := c.Sh("head -c 12M /dev/zero > /tmp/a && head -c 8M /dev/zero > b; wc -c < b; rm /tmp/a; head -c 15M /dev/zero > b && wc -c < b; stat -c %a /tmp")
	if r.Stdout != "4194304\n15728640\n1777\n" {
		t.Errorf("%+v", r)
	}
	c.End()
}
