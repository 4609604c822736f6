package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"time"

	"drydock.dev/drydock"
)

var (
	platformURL = os.Getenv("DRYDOCK_URL")
	operatorKey = os.Getenv("DRYDOCK_API_KEY")
	controlsURL = os.Getenv("DRYDOCK_CONTROLS")
)

// scenario is one that runs: what fails its expectations ends it.
type scenario struct {
	ctx      context.Context
	cleanups []func() error
	failure  string
	unclean  string
}

func (s *scenario) clean() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		if err := s.cleanups[i](); err != nil {
			s.unclean = fmt.Sprintf("cleaning up: %v", err)
		}
	}
}

func (s *scenario) fail(format string, values ...any) {
	_, file, line, _ := runtime.Caller(2)
	s.failure = fmt.Sprintf("%s:%d: %s", filepath.Base(file), line, fmt.Sprintf(format, values...))
	runtime.Goexit()
}

// ok expects no error.
func (s *scenario) ok(err error) {
	if err != nil {
		s.fail("%v", err)
	}
}

// fails expects an error of a kind, and returns it.
func (s *scenario) fails(err, kind error) {
	if !errors.Is(err, kind) {
		s.fail("%v is no %v", err, kind)
	}
}

// failsFor expects an error with a reason, and returns it.
func (s *scenario) failsFor(err error, reason string) *drydock.Error {
	var found *drydock.Error
	if !errors.As(err, &found) || found.Reason != reason {
		s.fail("%v has not the reason %s", err, reason)
	}
	return found
}

func (s *scenario) equal(got, want any) {
	if !reflect.DeepEqual(got, want) {
		s.fail("got %.1000v, want %.1000v", got, want)
	}
}

func (s *scenario) contains(text, part string) {
	if !strings.Contains(text, part) {
		s.fail("%.1000q lacks %q", text, part)
	}
}

func (s *scenario) that(holds bool, what string) {
	if !holds {
		s.fail("it does not hold that %s", what)
	}
}

// eventually asks until the answer is yes.
func (s *scenario) eventually(ask func() bool) {
	for !ask() {
		select {
		case <-s.ctx.Done():
			s.fail("it never came to be")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// all is a whole list.
func all[T any](s *scenario, list iter.Seq2[T, error]) []T {
	items, err := collect(list)
	s.ok(err)
	return items
}

func collect[T any](list iter.Seq2[T, error]) ([]T, error) {
	var items []T
	for item, err := range list {
		if err != nil {
			return items, err
		}
		items = append(items, item)
	}
	return items, nil
}

// client is one of the operator, unless the options say another.
func (s *scenario) client(options ...drydock.Option) *drydock.Client {
	client, err := drydock.New(s.ctx, options...)
	s.ok(err)
	s.cleanups = append(s.cleanups, client.Close)
	return client
}

// tenant is a client of an organisation of its own, whose sandboxes go with it.
type tenant struct {
	*drydock.Client
	secret string
}

func (s *scenario) tenant(quota drydock.Quota, options ...drydock.Option) tenant {
	operator := s.client(drydock.WithURL(platformURL), drydock.WithAPIKey(operatorKey))
	made, err := operator.CreateOrganization(s.ctx, "sdk", quota)
	s.ok(err)
	s.cleanups = append(s.cleanups, func() error {
		return operator.DeleteOrganization(context.WithoutCancel(s.ctx), made.Organization.ID)
	})
	options = append([]drydock.Option{drydock.WithAPIKey(made.Secret)}, options...)
	return tenant{s.client(options...), made.Secret}
}

// sandbox is one of its own tenant, and goes with it.
func (s *scenario) sandbox(options ...drydock.Option) *drydock.Sandbox {
	return s.sandboxOf(s.tenant(drydock.Quota{}, options...))
}

func (s *scenario) sandboxOf(tenant tenant) *drydock.Sandbox {
	sandbox, err := tenant.CreateSandbox(s.ctx, "python", drydock.Lifetime(5*time.Minute))
	s.ok(err)
	return sandbox
}

// runChild runs this program as another that says hello, with nothing but these variables.
func runChild(ctx context.Context, what string, environment ...string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, self, what)
	command.Env = append([]string{"HOME=/nowhere"}, environment...)
	output, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return strings.TrimSpace(string(output)), nil
}

// child is what runChild runs.
func child(what string) {
	ctx := context.Background()
	err := func() error {
		client, err := drydock.New(ctx)
		if err != nil {
			return err
		}
		defer client.Close()
		if id, found := strings.CutPrefix(what, "sbx_"); found {
			return inTime(ctx, client, "sbx_"+id)
		}
		result, err := client.Run(ctx, "python", "print(42)")
		if err != nil {
			return err
		}
		fmt.Print(result.Stdout)
		return nil
	}()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// inTime runs a command whose deadline is far away.
func inTime(ctx context.Context, client *drydock.Client, id string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	sandbox, err := client.ConnectSandbox(ctx, id)
	if err != nil {
		return err
	}
	output, err := sandbox.Shell(ctx, "echo in time").Output()
	fmt.Print(string(output))
	return err
}

// lent is what the controls lend: a proxy, a gateway.
type lent struct {
	ID           string
	URL          string
	OtherHostURL string
	HTTPURL      string
	CA           string
	kind         string
}

func (s *scenario) lend(kind string) *lent {
	thing := &lent{kind: kind}
	s.ok(control(http.MethodPost, kind, thing))
	s.cleanups = append(s.cleanups, func() error { return control(http.MethodDelete, "lent/"+thing.ID, nil) })
	return thing
}

// do is such as cut, lose-answers, kill, start.
func (l *lent) do(what string) error {
	return control(http.MethodPost, l.kind+"/"+l.ID+"/"+what, nil)
}

func control(method, path string, answer any) error {
	request, err := http.NewRequest(method, controlsURL+"/"+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, path, content)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(bytes.NewReader(content)).Decode(answer)
}
