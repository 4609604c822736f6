package drydock

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// Of a token whose lifetime cannot be read.
const defaultTokenLifetime = 5 * time.Minute

// tokens exchanges an API key for short-lived tokens, one at a time, each before the one before it ends. The lifetime is the
// token's own and counted from its arrival: the clock of this machine may be wrong. A credential that is a token already is sent as
// it is.
type tokens struct {
	apiKey   string
	exchange func() (string, error)
	now      func() time.Time

	mutex   sync.Mutex
	token   string
	until   time.Time
	pending *exchange
}

// exchange is one that is under way, for all who wait for it.
type exchange struct {
	done  chan struct{}
	token string
	err   error
}

func newTokens(apiKey string, exchange func() (string, error)) *tokens {
	return &tokens{apiKey: apiKey, exchange: exchange, now: time.Now}
}

func (t *tokens) fixed() bool { return !strings.HasPrefix(t.apiKey, "dk_") }

// get returns the credential to send. An exchange outlives the context of a call that waits for it: others wait for it too.
func (t *tokens) get(ctx context.Context) (string, error) {
	if t.fixed() {
		return t.apiKey, nil
	}
	t.mutex.Lock()
	if t.token != "" && t.now().Before(t.until) {
		defer t.mutex.Unlock()
		return t.token, nil
	}
	if t.pending == nil {
		t.pending = &exchange{done: make(chan struct{})}
		go t.renew(t.pending)
	}
	pending := t.pending
	t.mutex.Unlock()
	select {
	case <-pending.done:
		return pending.token, pending.err
	case <-ctx.Done():
		return "", contextError(ctx)
	}
}

// refused forgets a credential that the platform did not take. Tells whether another one may be had.
func (t *tokens) refused(credential string) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.token == credential {
		t.token = ""
	}
	return !t.fixed()
}

func (t *tokens) renew(pending *exchange) {
	pending.token, pending.err = t.exchange()
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.pending = nil
	if pending.err == nil {
		t.token = pending.token
		// Renewed in the last fifth of its lifetime.
		t.until = t.now().Add(lifetimeOf(pending.token) * 4 / 5)
	}
	close(pending.done)
}

func lifetimeOf(token string) time.Duration {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return defaultTokenLifetime
	}
	var claims struct {
		IssuedAt int64 `json:"iat"`
		Expires  int64 `json:"exp"`
	}
	content, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(content, &claims) != nil || claims.Expires <= claims.IssuedAt {
		return defaultTokenLifetime
	}
	return time.Duration(claims.Expires-claims.IssuedAt) * time.Second
}
