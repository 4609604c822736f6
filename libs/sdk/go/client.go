package drydock

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"iter"
	"log/slog"
	"os"
)

const defaultRetries = 10

// Client of the platform. It has one connection, made at the first call, and is safe for concurrent use.
type Client struct {
	connection *connection
}

// Option of New.
type Option func(*clientOptions) error

type clientOptions struct {
	given      given
	rootCAs    *x509.CertPool
	maxRetries int
	logger     *slog.Logger
}

// WithURL says where the platform is; https means TLS. Default: that of a profile that is given, DRYDOCK_URL, that of the profile of
// the environment, http://127.0.0.1:8080.
func WithURL(url string) Option {
	return func(o *clientOptions) error { o.given.url = url; return nil }
}

// WithAPIKey gives an API key, which is exchanged for tokens, or a token. Default: as of WithURL, with DRYDOCK_API_KEY.
func WithAPIKey(key string) Option {
	return func(o *clientOptions) error { o.given.apiKey = key; return nil }
}

// WithProfile names a profile of ~/.config/drydock/config.toml; it must be there. Default: DRYDOCK_PROFILE, else default, which the
// environment wins over.
func WithProfile(name string) Option {
	return func(o *clientOptions) error { o.given.profile = name; return nil }
}

// WithRootCAs trusts the authorities of these certificates, in PEM, instead of the system's.
func WithRootCAs(pem []byte) Option {
	return func(o *clientOptions) (err error) { o.rootCAs, err = rootCAs(pem); return err }
}

// WithMaxRetries says how often a call that is safe to repeat is made again. Default 10, with growing waits; 0 for never.
func WithMaxRetries(count int) Option {
	return func(o *clientOptions) error {
		if count < 0 {
			return invalid("WithMaxRetries takes 0 and more, not %d", count)
		}
		o.maxRetries = count
		return nil
	}
}

// WithLogger tells a logger of each call at level debug: method, code and time, never keys or what a call carries. Default: none.
func WithLogger(logger *slog.Logger) Option {
	return func(o *clientOptions) error { o.logger = logger; return nil }
}

// New makes a client. Values of ctx, such as a trace, go with the calls that the client makes by itself; its end does not end the
// client, Close does. Fails with ErrInvalidArgument, and with ErrUnauthenticated where there is no key.
func New(ctx context.Context, options ...Option) (*Client, error) {
	o := &clientOptions{maxRetries: defaultRetries, logger: slog.New(slog.DiscardHandler)}
	for _, option := range options {
		if err := option(o); err != nil {
			return nil, err
		}
	}
	settings, err := resolveSettings(o.given, os.Getenv)
	if err != nil {
		return nil, err
	}
	connection, err := newConnection(ctx, settings, o)
	if err != nil {
		return nil, err
	}
	return &Client{connection}, nil
}

// Close ends the connection with all that is under way on it. That, and every later call, fails with ErrClientClosed.
func (c *Client) Close() error {
	c.connection.close()
	return c.connection.conn.Close()
}

// newRequestID makes a call safe to repeat.
func newRequestID() string { return rand.Text() }

// pages iterates over a list and fetches its pages meanwhile. An error is the last that is yielded.
func pages[T any](fetch func(pageToken string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for pageToken := ""; ; {
			items, next, err := fetch(pageToken)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			pageToken = next
		}
	}
}
