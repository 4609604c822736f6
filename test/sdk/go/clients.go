package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"drydock.dev/drydock"
)

var clients = map[string]func(*scenario){
	"client-from-environment": func(s *scenario) {
		output, err := runChild(s.ctx, "hello", "DRYDOCK_URL="+platformURL, "DRYDOCK_API_KEY="+operatorKey)
		s.ok(err)
		s.equal(output, "42")
	},

	"client-from-profile": func(s *scenario) {
		home, err := os.MkdirTemp("", "drydock-home-")
		s.ok(err)
		s.cleanups = append(s.cleanups, func() error { return os.RemoveAll(home) })
		directory := filepath.Join(home, ".config/drydock")
		s.ok(os.MkdirAll(directory, 0o700))
		profiles := "[profiles.default]\nurl = \"http://127.0.0.1:1\"\n[profiles.test]\nurl = \"" + platformURL +
			"\"\napi_key = \"" + operatorKey + "\"\n"
		s.ok(os.WriteFile(filepath.Join(directory, "config.toml"), []byte(profiles), 0o600))
		output, err := runChild(s.ctx, "hello", "HOME="+home, "DRYDOCK_PROFILE=test")
		s.ok(err)
		s.equal(output, "42")
		_, err = runChild(s.ctx, "hello", "HOME="+home, "DRYDOCK_PROFILE=other")
		s.that(err != nil, "a profile has to be there")
		s.contains(err.Error(), `has no profile "other"`)
	},

	"no-key": func(s *scenario) {
		_, err := runChild(s.ctx, "hello", "DRYDOCK_URL="+platformURL)
		s.that(err != nil, "a key has to be there")
		s.contains(err.Error(), "no API key: set DRYDOCK_API_KEY")
	},

	"wrong-key": func(s *scenario) {
		client := s.client(drydock.WithAPIKey("dk_" + strings.Repeat("x", 43)))
		_, err := client.Run(s.ctx, "python", "")
		s.fails(err, drydock.ErrUnauthenticated)
		s.failsFor(err, "CREDENTIAL_INVALID")
	},

	"expired-key": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		key := drydock.NewAPIKey{DisplayName: "short", Scopes: []string{"executions"}, ExpireTime: time.Now().Add(1500 * time.Millisecond)}
		_, secret, err := tenant.CreateAPIKey(s.ctx, key)
		s.ok(err)
		client := s.client(drydock.WithAPIKey(secret))
		s.equal(len(all(s, client.Executions(s.ctx, drydock.ExecutionFilter{}))), 0)
		s.eventually(func() bool {
			_, err := collect(client.Executions(s.ctx, drydock.ExecutionFilter{}))
			return errors.Is(err, drydock.ErrUnauthenticated)
		})
	},

	"wrong-url": func(s *scenario) {
		client := s.client(drydock.WithURL("http://127.0.0.1:1"), drydock.WithMaxRetries(1))
		_, err := client.Run(s.ctx, "python", "")
		s.fails(err, drydock.ErrUnavailable)
		s.contains(err.Error(), "http://127.0.0.1:1 cannot be reached: ")
		for _, url := range []string{"127.0.0.1:8080", "ftp://127.0.0.1", "http://127.0.0.1/v1"} {
			_, err := drydock.New(s.ctx, drydock.WithURL(url))
			s.fails(err, drydock.ErrInvalidArgument)
		}
	},

	"not-drydock": func(s *scenario) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		s.ok(err)
		server := &http.Server{Handler: http.NotFoundHandler()}
		go func() { _ = server.Serve(listener) }()
		s.cleanups = append(s.cleanups, server.Close)
		url := "http://" + listener.Addr().String()
		_, err = s.client(drydock.WithURL(url), drydock.WithMaxRetries(1)).Run(s.ctx, "python", "")
		s.that(err != nil, "another server is no platform")
		s.contains(err.Error(), url)
	},

	"tls": func(s *scenario) {
		gateway := s.lend("tls-gateways")
		hello := func(url string, options ...drydock.Option) (string, error) {
			client, err := drydock.New(s.ctx, append(options, drydock.WithURL(url), drydock.WithMaxRetries(1))...)
			s.ok(err)
			defer client.Close()
			result, err := client.Run(s.ctx, "python", "print(42)")
			if err != nil {
				return "", err
			}
			return result.Stdout, nil
		}
		trusting := drydock.WithRootCAs([]byte(gateway.CA))
		output, err := hello(gateway.URL, trusting)
		s.ok(err)
		s.equal(output, "42\n")
		_, err = hello(gateway.URL)
		s.fails(err, drydock.ErrUnavailable)
		s.contains(err.Error(), "certificate signed by unknown authority")
		_, err = hello(gateway.OtherHostURL, trusting)
		s.fails(err, drydock.ErrUnavailable)
		s.contains(err.Error(), "certificate is not valid for any names, but wanted to match localhost")
		_, err = hello(gateway.HTTPURL)
		s.fails(err, drydock.ErrUnavailable)
	},

	"unknown-option": func(s *scenario) {
		// The compiler refuses what does not exist, and options of another call.
		for _, wrong := range []string{
			`client.RunProgram(ctx, drydock.Program{Stdinn: ""})`,
			`client.CreateSandbox(ctx, "python", drydock.Priority(1))`,
			`client.CreateSandbox(ctx, "python", drydock.Limits{Memory: 1})`,
			`new(drydock.Sandbox).Update(ctx, drydock.Environment{})`,
		} {
			message, compiles := compile(s, wrong)
			s.that(!compiles, wrong+" does not compile: "+message)
		}
		_, compiles := compile(s, `client.RunProgram(ctx, drydock.Program{Stdin: ""})`)
		s.that(compiles, "what is right compiles")
		// The rest is refused by the call.
		tenant := s.tenant(drydock.Quota{})
		_, err := tenant.CreateSandbox(s.ctx, "python", drydock.Lifetime(0))
		s.fails(err, drydock.ErrInvalidArgument)
		_, err = tenant.CreateSandbox(s.ctx, "python", drydock.Limits{CPUs: -1})
		s.fails(err, drydock.ErrInvalidArgument)
		_, err = tenant.RunProgram(s.ctx, drydock.Program{Language: "python", Priority: 1})
		s.fails(err, drydock.ErrInvalidArgument)
		_, err = tenant.RunProgram(s.ctx, drydock.Program{Language: "python", Comparison: "NEARLY"})
		s.fails(err, drydock.ErrInvalidArgument)
	},

	"request-ids": func(s *scenario) {
		client := s.client()
		program := drydock.Program{Language: "python", Source: "x", Limits: drydock.Limits{Processes: 1}}
		_, err := client.RunProgram(s.ctx, program)
		s.fails(err, drydock.ErrInvalidArgument)
		failed := s.failsFor(err, "INVALID_FIELD")
		s.that(strings.HasPrefix(failed.RequestID, "req_"), "the error names its request")
		s.equal(len(failed.FieldViolations), 1)
		s.contains(failed.FieldViolations[0].Field, "processes")
		s.that(failed.FieldViolations[0].Description != "", "the error says what is wrong")
	},

	"request-timeout": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{}, drydock.WithURL(s.lend("proxies").URL))
		all(s, tenant.Templates(s.ctx))
		ctx, cancel := context.WithTimeout(s.ctx, 500*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := tenant.Run(ctx, "python", "import time; time.sleep(20)")
		s.fails(err, drydock.ErrTimeout)
		s.fails(err, context.DeadlineExceeded)
		s.that(time.Since(began) < 5*time.Second, "the call ends with its time")
	},
}

// compile tells whether an expression compiles in a program of a user.
func compile(s *scenario, expression string) (message string, compiles bool) {
	directory, err := os.MkdirTemp(".", "compiled-")
	s.ok(err)
	defer os.RemoveAll(directory)
	source := "package main\n\nimport (\n\t\"context\"\n\n\t\"drydock.dev/drydock\"\n)\n\nfunc main() {\n" +
		"\tctx, client := context.Background(), new(drydock.Client)\n\t_, _ = ctx, client\n\t_, _ = " + expression + "\n}\n"
	s.ok(os.WriteFile(filepath.Join(directory, "main.go"), []byte(source), 0o600))
	output, err := exec.CommandContext(s.ctx, "go", "vet", "./"+directory).CombinedOutput()
	return string(output), err == nil
}
