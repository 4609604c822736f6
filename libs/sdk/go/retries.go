package drydock

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstWait   = 100 * time.Millisecond
	longestWait = 2 * time.Second
	// Of a stream that is joined again, one after the other.
	maxBreaks = 10
	// A stream that lasted so long has not broken at once.
	lasting = 30 * time.Second
)

// passing tells whether a call that failed with this may succeed when it is made again, and after which time at the earliest.
func passing(err error) (time.Duration, bool) {
	var e *Error
	if !errors.As(err, &e) {
		return 0, false
	}
	refused := errors.Is(e, ErrNoCapacity) || errors.Is(e, ErrQuotaExceeded)
	return e.RetryAfter, errors.Is(e, ErrUnavailable) || (refused && e.RetryAfter > 0)
}

// waitBeforeRetry waits before another try, after so many (from 1): as the platform asked, else twice as long each time; a part
// of it by chance.
func (c *connection) waitBeforeRetry(ctx context.Context, tries int, after time.Duration) error {
	growing := min(longestWait, firstWait<<min(tries-1, 10))
	if after == 0 {
		after = growing / 2
	}
	timer := time.NewTimer(after + rand.N(growing/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	case <-c.closed.Done():
		return clientClosed()
	}
}

// breaks counts how often a stream breaks that is then joined again: ten times at most since it brought something new, or lasted
// half a minute.
type breaks struct {
	count  int
	joined time.Time
}

func newBreaks() breaks { return breaks{joined: time.Now()} }

func (b *breaks) reset() { b.count = 0 }

// wait returns nil when the stream is to be joined again, the first time at once. It returns what broke the stream where that will
// not pass, or breaks it too often.
func (b *breaks) wait(ctx context.Context, c *connection, broken error) error {
	if time.Since(b.joined) > lasting {
		b.count = 0
	}
	b.count++
	if !errors.Is(broken, ErrUnavailable) || b.count > maxBreaks {
		return broken
	}
	if b.count > 1 {
		after, _ := passing(broken)
		if err := c.waitBeforeRetry(ctx, b.count-1, after); err != nil {
			return err
		}
	}
	b.joined = time.Now()
	return nil
}
