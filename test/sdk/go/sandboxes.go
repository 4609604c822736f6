package main

import (
	"time"

	"drydock.dev/drydock"
)

var sandboxes = map[string]func(*scenario){
	"sandbox-scope": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		scope := func(options ...drydock.SandboxOption) *drydock.Sandbox {
			sandbox, err := tenant.CreateSandbox(s.ctx, "python", options...)
			s.ok(err)
			defer func() { s.ok(sandbox.Close()) }()
			return sandbox
		}
		sandbox := scope(drydock.Lifetime(time.Minute), drydock.Limits{CPUs: 0.25})
		s.equal(sandbox.Info().State, drydock.SandboxRunning)
		s.equal(sandbox.Info().Template, "python")
		s.equal(sandbox.Info().Limits.CPUs, 0.25)
		info, err := tenant.GetSandbox(s.ctx, sandbox.ID)
		s.ok(err)
		s.equal(info.State, drydock.SandboxStopped)
		s.equal(info.StopReason, "DELETED")
		info, err = tenant.GetSandbox(s.ctx, scope(drydock.Keep(true)).ID)
		s.ok(err)
		s.equal(info.State, drydock.SandboxRunning)
	},

	"sandbox-connect": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		sandbox := s.sandboxOf(tenant)
		s.ok(sandbox.FS().WriteFile("kept", []byte("yes"), 0o644))
		again, err := tenant.ConnectSandbox(s.ctx, sandbox.ID)
		s.ok(err)
		content, err := again.FS().ReadFile("kept")
		s.ok(err)
		s.equal(string(content), "yes")
		s.ok(again.Close())
		_, err = sandbox.FS().Stat("kept")
		s.ok(err)
		_, err = sandbox.Kill(s.ctx)
		s.ok(err)
		_, err = tenant.ConnectSandbox(s.ctx, sandbox.ID)
		s.fails(err, drydock.ErrSandboxNotRunning)
		_, err = tenant.ConnectSandbox(s.ctx, "sbx_01jv0000000000000000000000")
		s.fails(err, drydock.ErrNotFound)
	},

	"sandbox-list": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		ids := map[string]string{}
		for _, colour := range []string{"blue", "red"} {
			sandbox, err := tenant.CreateSandbox(s.ctx, "python", drydock.Metadata{"colour": colour})
			s.ok(err)
			ids[colour] = sandbox.ID
		}
		blue := drydock.SandboxFilter{
			Metadata: drydock.Metadata{"colour": "blue"}, States: []drydock.SandboxState{drydock.SandboxRunning},
		}
		found := all(s, tenant.Sandboxes(s.ctx, blue))
		s.equal(len(found), 1)
		s.equal(found[0].ID, ids["blue"])
		s.equal(len(all(s, tenant.Sandboxes(s.ctx, drydock.SandboxFilter{}))), 2)
	},

	"sandbox-update": func(s *scenario) {
		sandbox := s.sandbox()
		before := sandbox.Info().ExpireTime
		updated, err := sandbox.Update(s.ctx, drydock.Lifetime(2*time.Hour), drydock.Metadata{"step": "2"})
		s.ok(err)
		s.equal(updated.Metadata, drydock.Metadata{"step": "2"})
		s.that(updated.ExpireTime.Sub(before) > time.Hour, "it lives longer")
		s.equal(sandbox.Info().ExpireTime, updated.ExpireTime)
	},

	"sandbox-gone": func(s *scenario) {
		sandbox := s.sandbox()
		existed, err := sandbox.Kill(s.ctx)
		s.ok(err)
		s.that(existed, "it existed")
		s.fails(sandbox.Command(s.ctx, "true").Run(), drydock.ErrSandboxNotRunning)
		_, err = sandbox.FS().ReadFile("x")
		s.fails(err, drydock.ErrSandboxNotRunning)
		existed, err = sandbox.Kill(s.ctx)
		s.ok(err)
		s.that(existed, "it existed")
		info, err := sandbox.Refresh(s.ctx)
		s.ok(err)
		s.equal(info.State, drydock.SandboxStopped)
		s.equal(info.StopReason, "DELETED")
	},

	"unknown-template": func(s *scenario) {
		_, err := s.tenant(drydock.Quota{}).CreateSandbox(s.ctx, "nope")
		s.fails(err, drydock.ErrNotFound)
		s.failsFor(err, "TEMPLATE_NOT_FOUND")
	},

	"quota": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{ConcurrentSandboxes: 1}, drydock.WithMaxRetries(0))
		s.sandboxOf(tenant)
		_, err := tenant.CreateSandbox(s.ctx, "python")
		s.fails(err, drydock.ErrQuotaExceeded)
	},
}
