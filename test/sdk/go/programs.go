package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"drydock.dev/drydock"
)

const (
	square = "print(int(input()) ** 2)"
	sleep  = "import time\nprint(\"up\", flush=True)\ntime.sleep(60)"
)

var programs = map[string]func(*scenario){
	"hello": func(s *scenario) {
		result, err := s.client().Run(s.ctx, "python", "print(6 * 7)")
		s.ok(err)
		s.equal(result.Verdict, drydock.VerdictAccepted)
		s.equal(result.Stdout, "42\n")
		s.equal(result.ExitCode, 0)
		s.that(result.Usage.WallTime > 0, "time was measured")
	},

	"program-fails": func(s *scenario) {
		result, err := s.client().Run(s.ctx, "python", `import sys; sys.exit("broken")`)
		s.ok(err)
		s.equal(result.Verdict, drydock.VerdictRuntimeError)
		s.equal(result.ExitCode, 1)
		s.equal(result.Stderr, "broken\n")
	},

	"compile-error": func(s *scenario) {
		result, err := s.client().Run(s.ctx, "c", "int main() { return x; }")
		s.ok(err)
		s.equal(result.Verdict, drydock.VerdictCompileError)
		s.equal(result.Compile.ExitCode, 1)
		s.contains(result.Compile.Stderr, "undeclared")
	},

	"program-killed-by-limit": func(s *scenario) {
		result, err := s.client().RunProgram(s.ctx, drydock.Program{
			Language: "python",
			Source:   "while True: pass",
			Limits:   drydock.Limits{CPUTime: 300e6, WallTime: 5e9},
		})
		s.ok(err)
		s.equal(result.Verdict, drydock.VerdictCPUTimeExceeded)
	},

	"program-files": func(s *scenario) {
		result, err := s.client().RunProgram(s.ctx, drydock.Program{
			Language: "python",
			Files: map[string][]byte{
				"main.py": []byte("import os, sys, other\nprint(other.NAME, sys.argv[1:], os.environ[\"COLOUR\"], input(), " +
					"open(\"data.bin\", \"rb\").read())"),
				"other.py": []byte(`NAME = "other"`),
				"data.bin": {0, 255},
			},
			Arguments:   []string{"a b"},
			Environment: map[string]string{"COLOUR": "blue"},
			Stdin:       "line\n",
		})
		s.ok(err)
		s.equal(result.Stdout, "other ['a b'] blue line b'\\x00\\xff'\n")
	},

	"judge": func(s *scenario) {
		result, err := s.client().RunProgram(s.ctx, drydock.Program{
			Language: "python",
			Source:   square,
			TestCases: []drydock.TestCase{
				{Name: "right", Stdin: "3", ExpectedOutput: new("9")},
				{Name: "wrong", Stdin: "3", ExpectedOutput: new("8")},
			},
		})
		s.ok(err)
		s.equal(result.Verdict, drydock.VerdictWrongAnswer)
		s.equal(len(result.Cases), 2)
		s.equal(result.Cases[0].Name, "right")
		s.equal(result.Cases[0].Verdict, drydock.VerdictAccepted)
		s.equal(result.Cases[1].Verdict, drydock.VerdictWrongAnswer)
		s.equal(result.Cases[1].Stdout, "9\n")
	},

	"program-streamed": func(s *scenario) {
		// In one piece each: output is not held back until its line ends.
		source := "import os, time\nfor i in range(3): os.write(1, b\"%d\\n\" % i); time.sleep(0.2)"
		var seen []string
		for event, err := range s.client().Stream(s.ctx, drydock.Program{Language: "python", Source: source}) {
			s.ok(err)
			switch event := event.(type) {
			case drydock.Output:
				seen = append(seen, string(event.Data))
			case drydock.Finished:
				seen = append(seen, event.Execution.Stdout)
			}
		}
		s.equal(seen, []string{"0\n", "1\n", "2\n", "0\n1\n2\n"})
	},

	"program-cancelled": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(s.ctx)
		defer cancel(nil)
		var last error
		for event, err := range tenant.Stream(ctx, drydock.Program{Language: "python", Source: sleep}) {
			if _, isOutput := event.(drydock.Output); isOutput {
				cancel(enough)
			}
			last = err
		}
		s.fails(last, context.Canceled)
		s.fails(last, enough)
		// Leaving the loop ends the program too.
		for event, err := range tenant.Stream(s.ctx, drydock.Program{Language: "python", Source: sleep}) {
			s.ok(err)
			if _, isOutput := event.(drydock.Output); isOutput {
				break
			}
		}
		s.eventually(func() bool {
			executions := all(s, tenant.Executions(s.ctx, drydock.ExecutionFilter{States: []drydock.ExecutionState{drydock.ExecutionCancelled}}))
			return len(executions) == 2
		})
	},

	"unknown-language": func(s *scenario) {
		_, err := s.client().Run(s.ctx, "latin", "x")
		s.fails(err, drydock.ErrInvalidArgument)
		s.failsFor(err, "LANGUAGE_NOT_FOUND")
	},

	"queue": func(s *scenario) {
		client := s.client()
		program := drydock.Program{Language: "python", Source: square, Stdin: "5", ExpectedOutput: new("25")}
		job, err := client.Submit(s.ctx, program)
		s.ok(err)
		result, err := job.Wait(s.ctx)
		s.ok(err)
		s.equal(result.ID, job.ID)
		s.equal(result.State, drydock.ExecutionFinished)
		s.equal(result.Verdict, drydock.VerdictAccepted)
		_, err = client.Job("exe_01jv0000000000000000000000").Wait(s.ctx)
		s.fails(err, drydock.ErrNotFound)
	},

	"queue-watch": func(s *scenario) {
		job, err := s.client().Submit(s.ctx, drydock.Program{Language: "python", Source: "import time; time.sleep(0.5)"})
		s.ok(err)
		var states []drydock.ExecutionState
		for execution, err := range job.Watch(s.ctx) {
			s.ok(err)
			states = append(states, execution.State)
		}
		s.equal(states[len(states)-1], drydock.ExecutionFinished)
		s.that(states[0] == drydock.ExecutionQueued || states[0] == drydock.ExecutionRunning, "the first state is an early one")
	},

	"queue-cancel": func(s *scenario) {
		job, err := s.client().Submit(s.ctx, drydock.Program{Language: "python", Source: sleep})
		s.ok(err)
		cancelled, err := job.Cancel(s.ctx)
		s.ok(err)
		s.equal(cancelled.State, drydock.ExecutionCancelled)
		waited, err := job.Wait(s.ctx)
		s.ok(err)
		s.equal(waited.State, drydock.ExecutionCancelled)
	},

	"queue-batch": func(s *scenario) {
		var submissions []drydock.Program
		for i := range 99 {
			submissions = append(submissions, drydock.Program{Language: "python", Source: square, Stdin: strconv.Itoa(i)})
		}
		submitted, err := s.client().SubmitBatch(s.ctx, append(submissions, drydock.Program{Language: "latin", Source: "x"}))
		s.ok(err)
		s.equal(len(submitted), 100)
		s.failsFor(submitted[99].Err, "LANGUAGE_NOT_FOUND")
		s.fails(submitted[99].Err, drydock.ErrInvalidArgument)
		for i, each := range submitted[:99] {
			s.ok(each.Err)
			result, err := each.Job.Wait(s.ctx)
			s.ok(err)
			s.equal(result.Stdout, fmt.Sprintln(i*i))
		}
	},

	"queue-list": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		submissions := slices.Repeat([]drydock.Program{{Language: "python", Source: "print(1)", Priority: 1}}, 60)
		submitted, err := tenant.SubmitBatch(s.ctx, submissions)
		s.ok(err)
		var made, listed []string
		for _, each := range submitted {
			s.ok(each.Err)
			made = append(made, each.Job.ID)
		}
		for _, each := range all(s, tenant.Executions(s.ctx, drydock.ExecutionFilter{})) {
			listed = append(listed, each.ID)
		}
		slices.Sort(made)
		slices.Sort(listed)
		s.equal(listed, made)
		count := 0
		for _, err := range tenant.Executions(s.ctx, drydock.ExecutionFilter{}) {
			s.ok(err)
			if count++; count == 7 {
				break
			}
		}
		s.equal(count, 7)
	},

	"queue-output": func(s *scenario) {
		source := "import sys\nsys.stdout.buffer.write(b\"\\xff\" + b\"x\" * 400_000)"
		job, err := s.client().Submit(s.ctx, drydock.Program{Language: "python", Source: source})
		s.ok(err)
		result, err := job.Wait(s.ctx)
		s.ok(err)
		s.that(result.StdoutTruncated && result.StdoutInvalidUTF8, "the result has a part of the output, as text")
		output, err := job.Output(s.ctx, drydock.Stdout)
		s.ok(err)
		defer output.Close()
		content, err := io.ReadAll(output)
		s.ok(err)
		s.equal(string(content), "\xff"+strings.Repeat("x", 400_000))
	},
}
