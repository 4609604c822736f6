package drydock

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	drydockv1 "drydock.dev/drydock/v1"
)

const (
	defaultTimeout = 60 * time.Second
	// Bytes of the largest answer.
	maxMessageBytes = 48 << 20
)

// connection calls the platform. It is made at the first call and again whenever it breaks.
type connection struct {
	settings   settings
	maxRetries int
	conn       *grpc.ClientConn
	tokens     *tokens
	log        *slog.Logger
	// Ends with the client; its values are those of the context that the client was made with.
	closed context.Context
	close  context.CancelFunc

	auth       drydockv1.AuthServiceClient
	blobs      drydockv1.BlobServiceClient
	executions drydockv1.ExecutionServiceClient
	files      drydockv1.FileServiceClient
	processes  drydockv1.ProcessServiceClient
	sandboxes  drydockv1.SandboxServiceClient
	templates  drydockv1.TemplateServiceClient
	testSets   drydockv1.TestSetServiceClient
	webhooks   drydockv1.WebhookServiceClient
}

func newConnection(ctx context.Context, settings settings, options *clientOptions) (*connection, error) {
	transport := insecure.NewCredentials()
	if settings.tls {
		transport = credentials.NewTLS(&tls.Config{RootCAs: options.rootCAs, MinVersion: tls.VersionTLS12})
	}
	c := &connection{settings: settings, maxRetries: options.maxRetries, log: options.logger}
	conn, err := grpc.NewClient("dns:///"+settings.address,
		grpc.WithTransportCredentials(transport),
		grpc.WithUserAgent("drydock-go/"+Version),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 20 * time.Second,
		}),
		// Only this package knows what is safe to repeat.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithChainUnaryInterceptor(c.logUnary),
		grpc.WithChainStreamInterceptor(c.logStream),
	)
	if err != nil {
		return nil, invalid("%s: %v", settings.url, err)
	}
	c.conn = conn
	c.closed, c.close = context.WithCancel(context.WithoutCancel(ctx))
	c.tokens = newTokens(settings.apiKey, c.exchangeToken)
	c.auth = drydockv1.NewAuthServiceClient(conn)
	c.blobs = drydockv1.NewBlobServiceClient(conn)
	c.executions = drydockv1.NewExecutionServiceClient(conn)
	c.files = drydockv1.NewFileServiceClient(conn)
	c.processes = drydockv1.NewProcessServiceClient(conn)
	c.sandboxes = drydockv1.NewSandboxServiceClient(conn)
	c.templates = drydockv1.NewTemplateServiceClient(conn)
	c.testSets = drydockv1.NewTestSetServiceClient(conn)
	c.webhooks = drydockv1.NewWebhookServiceClient(conn)
	return c, nil
}

// exchangeToken is not repeated: each call that waits for it is repeated itself.
func (c *connection) exchangeToken() (string, error) {
	ctx, cancel := context.WithTimeout(c.closed, defaultTimeout)
	defer cancel()
	var header, trailer metadata.MD
	ctx = withHeaders(ctx, c.settings.apiKey)
	answer, err := c.auth.ExchangeToken(ctx, &drydockv1.ExchangeTokenRequest{}, grpc.Header(&header), grpc.Trailer(&trailer))
	if err != nil {
		return "", c.failure(ctx, err, header, trailer)
	}
	return answer.GetToken(), nil
}

// failure is what the caller is told of the end of a call.
func (c *connection) failure(ctx context.Context, err error, header, trailer metadata.MD) error {
	switch {
	case c.closed.Err() != nil:
		return clientClosed()
	case ctx.Err() != nil:
		return contextError(ctx)
	}
	return toError(err, c.settings.url, header, trailer)
}

// kind says how a call is made.
type kind struct {
	// To make it twice does what making it once does.
	repeatable bool
	// Its messages come from what can be read only once, so it is not even made again where its token was refused.
	once bool
	// It lasts as long as a program or a transfer.
	unlimited bool
}

var (
	repeatable = kind{repeatable: true}
	single     = kind{}
)

// withLimit gives a call the default deadline, unless its caller gave it one.
func (k kind) withLimit(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, limited := ctx.Deadline(); limited || k.unlimited {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, defaultTimeout)
}

// attempts runs tries of a call until one succeeds, fails for good, or none is left.
func (c *connection) attempts(ctx context.Context, kind kind, attempt func(credential string) error) error {
	renewed := false
	for tries := 1; ; tries++ {
		begun, err := c.attempt(ctx, kind, &renewed, attempt)
		if err == nil {
			return nil
		}
		after, passes := passing(err)
		// What has no token yet was not made.
		if tries > c.maxRetries || !passes || (begun && !kind.repeatable) {
			return err
		}
		if deadline, limited := ctx.Deadline(); limited && time.Now().Add(after).After(deadline) {
			return err
		}
		if err := c.waitBeforeRetry(ctx, tries, after); err != nil {
			return err
		}
	}
}

// attempt makes one try, or two where the platform did not take the token of the first.
func (c *connection) attempt(ctx context.Context, kind kind, renewed *bool, attempt func(string) error) (begun bool, err error) {
	for {
		switch {
		case c.closed.Err() != nil:
			return false, clientClosed()
		case ctx.Err() != nil:
			return false, contextError(ctx)
		}
		credential, err := c.tokens.get(ctx)
		if err != nil {
			return false, err
		}
		err = attempt(credential)
		if !errors.Is(err, ErrUnauthenticated) || !c.tokens.refused(credential) || *renewed || kind.once {
			return true, err
		}
		*renewed = true
	}
}

// call makes a call with one answer.
func call[Request, Answer any](
	ctx context.Context,
	c *connection,
	kind kind,
	method func(context.Context, *Request, ...grpc.CallOption) (*Answer, error),
	request *Request,
) (*Answer, error) {
	ctx, cancel := kind.withLimit(ctx)
	defer cancel()
	var answer *Answer
	err := c.attempts(ctx, kind, func(credential string) error {
		var header, trailer metadata.MD
		var err error
		answer, err = method(withHeaders(ctx, credential), request, grpc.Header(&header), grpc.Trailer(&trailer))
		if err != nil {
			return c.failure(ctx, err, header, trailer)
		}
		return nil
	})
	return answer, err
}

// stream is a call with many answers.
type stream[Answer any] struct {
	connection *connection
	// Of the caller: the source's own ends with the call, however it ends.
	ctx    context.Context
	source grpc.ServerStreamingClient[Answer]
	first  *Answer
	err    error
	cancel context.CancelFunc
}

// openMethod is a generated method with many answers.
type openMethod[Request, Answer any] = func(context.Context, *Request, ...grpc.CallOption) (grpc.ServerStreamingClient[Answer], error)

// open begins a call with many answers and repeats it until the first of them at most. Its reader closes it.
func open[Request, Answer any](
	ctx context.Context, c *connection, kind kind, method openMethod[Request, Answer], request *Request,
) (*stream[Answer], error) {
	return openWithin(ctx, ctx, c, kind, method, request)
}

// openWithin is open where the call ends with life, and ctx ends only the tries.
func openWithin[Request, Answer any](
	ctx, life context.Context, c *connection, kind kind, method openMethod[Request, Answer], request *Request,
) (*stream[Answer], error) {
	var opened *stream[Answer]
	err := c.attempts(ctx, kind, func(credential string) error {
		life, cancel := context.WithCancel(withHeaders(life, credential))
		source, err := method(life, request)
		if err != nil {
			err = c.failure(life, err, nil, nil)
			cancel()
			return err
		}
		opened = &stream[Answer]{connection: c, ctx: life, source: source, cancel: cancel}
		if opened.first, opened.err = opened.receive(); opened.err != nil && opened.err != io.EOF {
			cancel()
			return opened.err
		}
		return nil
	})
	return opened, err
}

// next returns io.EOF after the last answer.
func (s *stream[Answer]) next() (*Answer, error) {
	if s.first != nil || s.err != nil {
		first := s.first
		s.first = nil
		return first, s.err
	}
	return s.receive()
}

func (s *stream[Answer]) receive() (*Answer, error) {
	answer, err := s.source.Recv()
	if err == nil || err == io.EOF {
		return answer, err
	}
	header, _ := s.source.Header()
	return nil, s.connection.failure(s.ctx, err, header, s.source.Trailer())
}

func (s *stream[Answer]) close() { s.cancel() }

// rootCAs reads certificates in PEM.
func rootCAs(pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, invalid("WithRootCAs: there is no certificate in PEM")
	}
	return pool, nil
}
