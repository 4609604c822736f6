package drydock_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"

	"drydock.dev/drydock"
	"drydock.dev/drydock/drydocktest"
	drydockv1 "drydock.dev/drydock/v1"
)

// platform answers as its functions do.
type platform struct {
	drydockv1.UnimplementedAuthServiceServer
	drydockv1.UnimplementedExecutionServiceServer
	drydockv1.UnimplementedWebhookServiceServer
	exchange func() (string, error)
	run      func(context.Context) (*drydockv1.RunCodeResponse, error)
	rotate   func() error
}

func (p *platform) ExchangeToken(context.Context, *drydockv1.ExchangeTokenRequest) (*drydockv1.ExchangeTokenResponse, error) {
	token, err := p.exchange()
	return &drydockv1.ExchangeTokenResponse{Token: token}, err
}

func (p *platform) RunCode(ctx context.Context, _ *drydockv1.RunCodeRequest) (*drydockv1.RunCodeResponse, error) {
	return p.run(ctx)
}

func (p *platform) RotateWebhookSecret(
	context.Context, *drydockv1.RotateWebhookSecretRequest,
) (*drydockv1.RotateWebhookSecretResponse, error) {
	return &drydockv1.RotateWebhookSecretResponse{}, p.rotate()
}

func answer() (*drydockv1.RunCodeResponse, error) {
	return &drydockv1.RunCodeResponse{Execution: &drydockv1.Execution{Stdout: "42\n"}}, nil
}

func TestACallIsRepeatedWithItsRequestID(t *testing.T) {
	var tries atomic.Int32
	server := drydocktest.NewServer(t, &platform{run: func(context.Context) (*drydockv1.RunCodeResponse, error) {
		switch tries.Add(1) {
		case 1:
			return nil, drydocktest.Error(codes.Unavailable, "SERVICE_UNAVAILABLE", "not now")
		case 2:
			return nil, drydocktest.RetryableError(codes.ResourceExhausted, "NO_CAPACITY", "full", time.Millisecond)
		}
		return answer()
	}})
	result, err := server.Client(t).Run(t.Context(), "python", "print(42)")
	if err != nil || result.Stdout != "42\n" {
		t.Fatalf("got %v and %v", result, err)
	}
	calls := server.Calls()
	if len(calls) != 3 {
		t.Fatalf("called %d times", len(calls))
	}
	id := calls[0].Request.(*drydockv1.RunCodeRequest).GetRequestId()
	for _, each := range calls {
		if id == "" || each.Request.(*drydockv1.RunCodeRequest).GetRequestId() != id {
			t.Errorf("the request ids differ: %v", each.Request)
		}
		if agent := each.Header.Get("user-agent")[0]; !strings.HasPrefix(agent, "drydock-go/"+drydock.Version+" ") {
			t.Errorf("the user agent is %q", agent)
		}
	}
}

func TestWhatIsNotSafeToRepeatIsMadeOnce(t *testing.T) {
	server := drydocktest.NewServer(t, &platform{rotate: func() error {
		return drydocktest.Error(codes.Unavailable, "SERVICE_UNAVAILABLE", "not now")
	}})
	_, err := server.Client(t).RotateWebhookSecret(t.Context(), "whk_1")
	if !errors.Is(err, drydock.ErrUnavailable) || len(server.Calls()) != 1 {
		t.Errorf("got %v after %d calls", err, len(server.Calls()))
	}
}

func TestRetriesEnd(t *testing.T) {
	full := drydocktest.RetryableError(codes.ResourceExhausted, "NO_CAPACITY", "full", time.Minute)
	server := drydocktest.NewServer(t, &platform{run: func(context.Context) (*drydockv1.RunCodeResponse, error) { return nil, full }})
	_, err := server.Client(t, drydock.WithMaxRetries(0)).Run(t.Context(), "python", "")
	if !errors.Is(err, drydock.ErrNoCapacity) || len(server.Calls()) != 1 {
		t.Errorf("got %v after %d calls", err, len(server.Calls()))
	}
	// The platform asks for more time than there is.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = server.Client(t).Run(ctx, "python", "")
	if !errors.Is(err, drydock.ErrNoCapacity) || len(server.Calls()) != 2 {
		t.Errorf("got %v after %d calls", err, len(server.Calls()))
	}
}

func TestATokenThatIsRefusedIsExchangedAnew(t *testing.T) {
	var exchanges, runs atomic.Int32
	server := drydocktest.NewServer(t, &platform{
		exchange: func() (string, error) {
			if exchanges.Add(1) == 1 {
				return "first", nil
			}
			return "second", nil
		},
		run: func(context.Context) (*drydockv1.RunCodeResponse, error) {
			if runs.Add(1) == 1 {
				return nil, drydocktest.Error(codes.Unauthenticated, "CREDENTIAL_INVALID", "revoked")
			}
			return answer()
		},
	})
	if _, err := server.Client(t, drydock.WithAPIKey("dk_key")).Run(t.Context(), "python", ""); err != nil {
		t.Fatal(err)
	}
	var credentials []string
	for _, each := range server.Calls() {
		credentials = append(credentials, each.Header.Get("authorization")...)
	}
	if got := strings.Join(credentials, ", "); got != "Bearer dk_key, Bearer first, Bearer dk_key, Bearer second" {
		t.Errorf("sent %s", got)
	}
}

func TestACallEndsWithItsContextAndWithItsClient(t *testing.T) {
	begun := make(chan struct{}, 2)
	server := drydocktest.NewServer(t, &platform{run: func(ctx context.Context) (*drydockv1.RunCodeResponse, error) {
		begun <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	client, why := server.Client(t), errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-begun
		cancel(why)
	}()
	if _, err := client.Run(ctx, "python", ""); !errors.Is(err, why) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	go func() {
		<-begun
		_ = client.Close()
	}()
	for range 2 {
		if _, err := client.Run(t.Context(), "python", ""); !errors.Is(err, drydock.ErrClientClosed) {
			t.Errorf("got %v", err)
		}
	}
}

func TestTheLogTellsOfCallsAndOfNothingInThem(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := drydocktest.NewServer(t, &platform{run: func(context.Context) (*drydockv1.RunCodeResponse, error) { return answer() }})
	client := server.Client(t, drydock.WithLogger(logger), drydock.WithAPIKey("secret-token"))
	if _, err := client.Run(t.Context(), "python", "secret-source"); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "RunCode code=OK") || strings.Contains(text, "secret") {
		t.Errorf("logged %s", text)
	}
}

func TestATraceIsPassedOnWhereTheProgramHasOne(t *testing.T) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	defer otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator())
	server := drydocktest.NewServer(t, &platform{run: func(context.Context) (*drydockv1.RunCodeResponse, error) { return answer() }})
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	if _, err := server.Client(t).Run(trace.ContextWithSpanContext(t.Context(), span), "python", ""); err != nil {
		t.Fatal(err)
	}
	header := server.Calls()[0].Header.Get("traceparent")
	if len(header) != 1 || header[0] != "00-01000000000000000000000000000000-0200000000000000-01" {
		t.Errorf("sent %v", header)
	}
}
