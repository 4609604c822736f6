package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"drydock.dev/drydock"
)

const count = "for i in 0 1 2 3 4; do echo $i; sleep 0.1; done; echo end >&2; exit 3"

var commands = map[string]func(*scenario){
	"command": func(s *scenario) {
		sandbox := s.sandbox()
		output, err := sandbox.Shell(s.ctx, "echo $((6 * 7)) | cat").Output()
		s.ok(err)
		s.equal(string(output), "42\n")
		output, err = sandbox.Command(s.ctx, "echo", "$HOME", "a b").Output()
		s.ok(err)
		s.equal(string(output), "$HOME a b\n")
		cmd := sandbox.Command(s.ctx, "sleep", "0.2")
		s.ok(cmd.Run())
		s.that(cmd.ProcessState.Success(), "it succeeded")
		s.that(cmd.ProcessState.Usage().WallTime > 199*time.Millisecond, "its time was measured")
		s.that(cmd.ProcessState.Usage().PeakMemoryBytes > 0, "its memory was measured")
	},

	"command-fails": func(s *scenario) {
		sandbox := s.sandbox()
		output, err := sandbox.Shell(s.ctx, "echo out; echo why >&2; exit 7").Output()
		var exit *drydock.ExitError
		s.that(errors.As(err, &exit), "it fails")
		s.equal(string(output), "out\n")
		s.equal(exit.ExitCode(), 7)
		s.equal(exit.Signal(), "")
		s.equal(err.Error(), "exit status 7: why")
		s.that(errors.As(sandbox.Shell(s.ctx, "kill -SEGV $$").Run(), &exit), "it fails")
		s.equal(exit.ExitCode(), -1)
		s.equal(exit.Signal(), "SIGSEGV")
		s.equal(exit.Error(), "signal: SIGSEGV")
	},

	"command-callbacks": func(s *scenario) {
		var heard []string
		cmd := s.sandbox().Shell(s.ctx, count)
		cmd.Stdout = writer(func(text string) error { heard = append(heard, text); return nil })
		cmd.Stderr = writer(func(text string) error { heard = append(heard, "! "+text); return nil })
		s.that(cmd.Run() != nil, "it fails")
		s.equal(heard, []string{"0\n", "1\n", "2\n", "3\n", "4\n", "! end\n"})
	},

	"command-events": func(s *scenario) {
		sandbox := s.sandbox()
		cmd := sandbox.Command(s.ctx, "seq", "1", "100000")
		var text strings.Builder
		for event, err := range cmd.Events() {
			s.ok(err)
			s.equal(event.Offset, int64(text.Len()))
			text.Write(event.Data)
		}
		s.ok(cmd.Wait())
		s.equal(cmd.ProcessState.ExitCode(), 0)
		var whole strings.Builder
		for i := range 100_000 {
			fmt.Fprintln(&whole, i+1)
		}
		s.equal(text.String(), whole.String())
		short := &drydock.Buffer{Limit: 4}
		cmd = sandbox.Command(s.ctx, "seq", "1", "100000")
		cmd.Stdout = short
		s.ok(cmd.Run())
		s.equal(short.String(), "1\n2\n")
		s.that(short.Truncated(), "there was more")
	},

	"command-background": func(s *scenario) {
		sandbox := s.sandbox()
		cmd := sandbox.Command(s.ctx, "sleep", "60")
		s.ok(cmd.Start())
		running, err := sandbox.Processes(s.ctx)
		s.ok(err)
		s.equal(len(running), 1)
		s.equal(running[0].ID, cmd.Process.ID)
		s.equal(running[0].PID, cmd.Process.PID)
		s.that(running[0].State == nil, "it runs")
		s.ok(cmd.Process.Signal(s.ctx, "SIGTERM"))
		var exit *drydock.ExitError
		s.that(errors.As(cmd.Wait(), &exit), "it fails")
		s.equal(exit.Signal(), "SIGTERM")
		s.fails(cmd.Process.Kill(s.ctx), os.ErrProcessDone)
	},

	"command-input": func(s *scenario) {
		sandbox := s.sandbox()
		cmd := sandbox.Command(s.ctx, "tr", "a-z", "A-Z")
		cmd.Stdin = strings.NewReader("abc")
		output, err := cmd.Output()
		s.ok(err)
		s.equal(string(output), "ABC")

		cmd = sandbox.Command(s.ctx, "cat")
		stdin, err := cmd.StdinPipe()
		s.ok(err)
		stdout, err := cmd.StdoutPipe()
		s.ok(err)
		s.ok(cmd.Start())
		_, err = io.WriteString(stdin, "one ")
		s.ok(err)
		_, err = io.WriteString(stdin, "two")
		s.ok(err)
		s.ok(stdin.Close())
		content, err := io.ReadAll(stdout)
		s.ok(err)
		s.equal(string(content), "one two")
		s.ok(cmd.Wait())

		// A reader of any kind, longer than one call takes.
		cmd = sandbox.Command(s.ctx, "sha1sum")
		cmd.Stdin = &counted{size: 3 * mebibyte}
		output, err = cmd.Output()
		s.ok(err)
		s.equal(string(output), countedSHA1(3*mebibyte)+"  -\n")
		// One that fails ends the command, and one that is silent does not hold it up.
		broken := errors.New("broken")
		cmd = sandbox.Command(s.ctx, "cat")
		cmd.Stdin = io.MultiReader(&counted{size: 10}, &failing{broken})
		s.fails(cmd.Run(), broken)
		silent, open := io.Pipe()
		cmd = sandbox.Command(s.ctx, "true")
		cmd.Stdin = silent
		s.ok(cmd.Run())
		s.ok(open.Close())
	},

	"command-environment": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		sandbox, err := tenant.CreateSandbox(s.ctx, "python", drydock.Environment{"A": "1", "B": "1"})
		s.ok(err)
		cmd := sandbox.Shell(s.ctx, "echo $A $B $PWD")
		cmd.Env = []string{"B=2"}
		cmd.Dir = "/tmp"
		output, err := cmd.Output()
		s.ok(err)
		s.equal(string(output), "1 2 /tmp\n")
	},

	"command-timeout": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		sandbox := s.sandboxOf(tenant)
		ctx, cancel := context.WithTimeout(s.ctx, 300*time.Millisecond)
		defer cancel()
		err := sandbox.Command(ctx, "sleep", "60").Run()
		s.fails(err, drydock.ErrTimeout)
		s.fails(err, context.DeadlineExceeded)
		ended, err := sandbox.Processes(s.ctx)
		s.ok(err)
		s.equal(len(ended), 1)
		s.equal(ended[0].State.Signal(), "SIGKILL")
		// A program ends by itself, though the deadline of its command is far away.
		output, err := runChild(s.ctx, sandbox.ID, "DRYDOCK_URL="+platformURL, "DRYDOCK_API_KEY="+tenant.secret)
		s.ok(err)
		s.equal(output, "in time")
	},

	"command-aborted": func(s *scenario) {
		sandbox := s.sandbox()
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(s.ctx)
		defer cancel(nil)
		cmd := sandbox.Shell(ctx, "echo up; sleep 60")
		cmd.Stdout = writer(func(string) error { cancel(enough); return nil })
		err := cmd.Run()
		s.fails(err, enough)
		s.fails(err, context.Canceled)
		s.eventually(func() bool { return allEnded(s, sandbox) })
		s.fails(sandbox.Command(ctx, "true").Run(), enough)
		// Whether or not it is read.
		ctx, cancelUnread := context.WithCancel(s.ctx)
		cmd = sandbox.Command(ctx, "yes")
		unread, err := cmd.StdoutPipe()
		s.ok(err)
		s.ok(cmd.Start())
		cancelUnread()
		s.fails(cmd.Wait(), context.Canceled)
		_, err = io.Copy(io.Discard, unread)
		s.fails(err, context.Canceled)
		// A writer that fails ends the command.
		cmd = sandbox.Command(s.ctx, "yes")
		cmd.Stdout = writer(func(string) error { return enough })
		s.fails(cmd.Run(), enough)
		s.eventually(func() bool { return allEnded(s, sandbox) })
	},

	"command-joined": func(s *scenario) {
		sandbox := s.sandbox()
		first := sandbox.Shell(s.ctx, count)
		var heard strings.Builder
		for event, err := range first.Events() {
			s.ok(err)
			heard.Write(event.Data)
			break
		}
		again := sandbox.JoinCommand(s.ctx, first.Process.ID, nil)
		var stdout, stderr strings.Builder
		again.Stdout, again.Stderr = &stdout, &stderr
		var exit *drydock.ExitError
		s.that(errors.As(again.Run(), &exit), "it fails")
		s.equal(exit.ExitCode(), 3)
		s.equal(stdout.String(), "0\n1\n2\n3\n4\n")
		s.equal(stderr.String(), "end\n")
		s.equal(again.Process.PID, first.Process.PID)
		output, _ := sandbox.JoinCommand(s.ctx, first.Process.ID, &drydock.Offset{Stdout: 4}).Output()
		s.equal(string(output), "2\n3\n4\n")
		s.equal(first.Offset().Stdout, int64(2))
		for event, err := range first.Events() {
			if event.Stream == drydock.Stdout && err == nil {
				heard.Write(event.Data)
			}
		}
		s.equal(heard.String(), "0\n1\n2\n3\n4\n")
		s.that(errors.As(first.Wait(), &exit), "it fails")
		s.fails(sandbox.JoinCommand(s.ctx, "prc_01jv0000000000000000000000", nil).Run(), drydock.ErrNotFound)
	},

	"command-lost-output": func(s *scenario) {
		sandbox := s.sandbox()
		first := sandbox.Command(s.ctx, "head", "-c", "3000000", "/dev/zero")
		s.ok(first.Run())
		var lost *drydock.OutputLostError
		err := sandbox.JoinCommand(s.ctx, first.Process.ID, &drydock.Offset{Stdout: 10}).Run()
		s.that(errors.As(err, &lost), "output is lost")
		s.that(lost.LostBytes > 1_000_000 && lost.Stream == drydock.Stdout, "the error says how much")
		kept, err := sandbox.JoinCommand(s.ctx, first.Process.ID, nil).Output()
		s.ok(err)
		s.that(len(kept) > 500_000, "what is kept is replayed")
	},

	"command-not-found": func(s *scenario) {
		err := s.sandbox().Command(s.ctx, "no-such-program").Run()
		s.fails(err, drydock.ErrInvalidArgument)
		s.fails(err, exec.ErrNotFound)
		s.failsFor(err, "COMMAND_NOT_FOUND")
	},

	"terminal": func(s *scenario) {
		cmd := s.sandbox().Command(s.ctx, "/bin/sh")
		terminal, err := cmd.StartTerminal(drydock.TerminalSize{Rows: 24, Columns: 80})
		s.ok(err)
		defer terminal.Close()
		_, err = io.WriteString(terminal, "stty size\n")
		s.ok(err)
		var shown strings.Builder
		for piece := make([]byte, 1024); !strings.Contains(shown.String(), "24 80"); {
			n, err := terminal.Read(piece)
			s.ok(err)
			shown.Write(piece[:n])
		}
		s.ok(terminal.Resize(s.ctx, drydock.TerminalSize{Rows: 50, Columns: 120}))
		_, err = io.WriteString(terminal, "stty size; exit 4\n")
		s.ok(err)
		rest, err := io.ReadAll(terminal)
		s.ok(err)
		s.contains(string(rest), "50 120")
		var exit *drydock.ExitError
		s.that(errors.As(cmd.Wait(), &exit), "it fails")
		s.equal(exit.ExitCode(), 4)
	},
}

// writer hears of output.
type writer func(text string) error

func (w writer) Write(p []byte) (int, error) {
	if err := w(string(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func allEnded(s *scenario, sandbox *drydock.Sandbox) bool {
	processes, err := sandbox.Processes(s.ctx)
	s.ok(err)
	for _, each := range processes {
		if each.State == nil {
			return false
		}
	}
	return true
}
