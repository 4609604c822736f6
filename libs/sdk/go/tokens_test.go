package drydock

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// tokenFor is a token that lives for so many seconds.
func tokenFor(seconds int) string {
	claims := fmt.Sprintf(`{"iat": 1000, "exp": %d}`, 1000+seconds)
	return "head." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".signature"
}

func TestATokenIsSharedUntilTheLastFifthOfItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exchanges := 0
		tokens := newTokens("dk_key", func() (string, error) {
			exchanges++
			return tokenFor(100), nil
		})
		get := func() {
			if token, err := tokens.get(t.Context()); err != nil || token != tokenFor(100) {
				t.Fatalf("got %q and %v", token, err)
			}
		}
		get()
		time.Sleep(79 * time.Second)
		get()
		if exchanges != 1 {
			t.Errorf("exchanged %d times, want 1", exchanges)
		}
		time.Sleep(2 * time.Second)
		get()
		if exchanges != 2 {
			t.Errorf("exchanged %d times, want 2", exchanges)
		}
	})
}

func TestManyWaitForOneExchangeAndOneWhoLeavesDoesNotEndIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exchanges := 0
		tokens := newTokens("dk_key", func() (string, error) {
			exchanges++
			time.Sleep(time.Second)
			return "token", nil
		})
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		left := make(chan error, 1)
		go func() {
			_, err := tokens.get(impatient)
			left <- err
		}()
		synctest.Wait()
		token, err := tokens.get(t.Context())
		if token != "token" || err != nil || exchanges != 1 {
			t.Errorf("got %q and %v after %d exchanges", token, err, exchanges)
		}
		if err := <-left; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who left got %v", err)
		}
	})
}

func TestAnExchangeThatFailsIsTriedAgainByTheNextCall(t *testing.T) {
	failures := []error{errors.New("broken"), nil}
	tokens := newTokens("dk_key", func() (string, error) {
		err := failures[0]
		failures = failures[1:]
		return "token", err
	})
	if _, err := tokens.get(t.Context()); err == nil {
		t.Error("the first failure is told")
	}
	if token, err := tokens.get(t.Context()); token != "token" || err != nil {
		t.Errorf("got %q and %v", token, err)
	}
}

func TestATokenIsSentAsItIs(t *testing.T) {
	tokens := newTokens("a.b.c", func() (string, error) { return "", errors.New("exchanged") })
	if token, err := tokens.get(t.Context()); token != "a.b.c" || err != nil {
		t.Errorf("got %q and %v", token, err)
	}
	if tokens.refused("a.b.c") {
		t.Error("there is no other token to be had")
	}
}
