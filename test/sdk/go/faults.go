package main

import (
	"fmt"
	"strings"
	"time"

	"drydock.dev/drydock"
)

const lines = 60

var (
	countSlowly = fmt.Sprintf("import time\nfor i in range(%d): print(i, \"x\" * 2000, flush=True); time.sleep(0.03)", lines)
	counting    = func() string {
		var text strings.Builder
		for i := range lines {
			fmt.Fprintln(&text, i, strings.Repeat("x", 2000))
		}
		return text.String()
	}()
)

var faults = map[string]func(*scenario){
	"connection-cut-command": func(s *scenario) {
		proxy := s.lend("proxies")
		cmd := s.sandbox(drydock.WithURL(proxy.URL)).Command(s.ctx, "python3", "-c", countSlowly)
		var text strings.Builder
		cuts := 0
		for event, err := range cmd.Events() {
			s.ok(err)
			text.Write(event.Data)
			if text.Len() > (cuts+1)*20_000 {
				cuts++
				s.ok(proxy.do("cut"))
			}
		}
		s.that(cuts > 3, "it was cut again and again")
		s.equal(text.String(), counting)
		s.ok(cmd.Wait())
	},

	"connection-cut-queue": func(s *scenario) {
		proxy := s.lend("proxies")
		tenant := s.tenant(drydock.Quota{}, drydock.WithURL(proxy.URL))
		job, err := tenant.Submit(s.ctx, drydock.Program{Language: "python", Source: "import time; time.sleep(1.5)"})
		s.ok(err)
		over, cutting := make(chan struct{}), make(chan error)
		go func() {
			ticker := time.NewTicker(300 * time.Millisecond)
			defer ticker.Stop()
			for {
				select {
				case <-over:
					cutting <- nil
					return
				case <-ticker.C:
					if err := proxy.do("cut"); err != nil {
						cutting <- err
						return
					}
				}
			}
		}()
		result, err := job.Wait(s.ctx)
		close(over)
		s.ok(<-cutting)
		s.ok(err)
		s.equal(result.State, drydock.ExecutionFinished)
		s.equal(result.Verdict, drydock.VerdictAccepted)
	},

	"answer-lost": func(s *scenario) {
		proxy := s.lend("proxies")
		tenant := s.tenant(drydock.Quota{}, drydock.WithURL(proxy.URL))
		all(s, tenant.Sandboxes(s.ctx, drydock.SandboxFilter{}))
		s.ok(proxy.do("lose-answers"))
		kept := make(chan error, 1)
		time.AfterFunc(500*time.Millisecond, func() { kept <- proxy.do("keep-answers") })
		sandbox, err := tenant.CreateSandbox(s.ctx, "python")
		s.ok(<-kept)
		s.ok(err)
		listed := all(s, tenant.Sandboxes(s.ctx, drydock.SandboxFilter{}))
		s.equal(len(listed), 1)
		s.equal(listed[0].ID, sandbox.ID)
	},

	"gateway-killed": func(s *scenario) {
		gateway := s.lend("gateways")
		sandbox := s.sandbox(drydock.WithURL(gateway.URL), drydock.WithMaxRetries(30))
		cmd := sandbox.Command(s.ctx, "python3", "-c", countSlowly)
		var text strings.Builder
		cmd.Stdout = &text
		for _, err := range cmd.Events() {
			s.ok(err)
			break
		}
		s.ok(gateway.do("kill"))
		type listing struct {
			processes []drydock.ProcessInfo
			err       error
		}
		listed := make(chan listing, 1)
		go func() {
			processes, err := sandbox.Processes(s.ctx)
			listed <- listing{processes, err}
		}()
		s.ok(gateway.do("start"))
		s.ok(cmd.Wait())
		s.equal(text.String(), counting)
		found := <-listed
		s.ok(found.err)
		s.equal(len(found.processes), 1)
		s.equal(found.processes[0].ID, cmd.Process.ID)
	},
}
