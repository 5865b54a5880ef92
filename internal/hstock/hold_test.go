package hstock

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/redact"
)

const (
	evilKey  = redact.Secret("evil")
	otherKey = redact.Secret("good")
)

// inBubbleByKey runs f with a client whose calls with evilKey get one answer, and all
// others a good one. calls counts those of evilKey.
func inBubbleByKey(t *testing.T, evil http.HandlerFunc, f func(t *testing.T, c *Client, calls *int)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options{URL: "http://market.test"})
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		transport := roundTripper(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			w := httptest.NewRecorder()
			if bytes.Contains(body, []byte("key="+evilKey.Reveal())) {
				calls++
				evil(w, r)
			} else {
				respond(200, `{"balance":"1","order":1}`)(w, r)
			}
			return w.Result(), nil
		})
		c.reads.Transport, c.purchases.Transport = transport, transport
		f(t, c, &calls)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestOneKeyDoesNotOpenBreaker checks that no failure of one key makes the calls of
// another fail.
func TestOneKeyDoesNotOpenBreaker(t *testing.T) {
	for name, evil := range map[string]http.HandlerFunc{
		"429":         respond(429, `{"error":"Too many requests"}`),
		"403 of HTML": respond(403, "<html>Attention Required!</html>"),
		"500":         respond(500, ""),
		"HTML":        respond(200, "<html>"),
	} {
		t.Run(name, func(t *testing.T) {
			inBubbleByKey(t, evil, func(t *testing.T, c *Client, _ *int) {
				for range 5 * breakerFailures {
					if _, err := c.Balance(SingleAttempt(t.Context()), evilKey); err == nil || isOpen(err) {
						t.Fatalf("got %v", err)
					}
					time.Sleep(time.Second)
				}
				if _, err := c.Balance(SingleAttempt(t.Context()), otherKey); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestKeyIsHeld checks that a key that got a 429 or a firewall's 403 is not sent again
// before its time, and only that key.
func TestKeyIsHeld(t *testing.T) {
	answer := func(status int, retryAfter string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			respond(status, "<html>")(w, r)
		}
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		held   time.Duration
	}{
		{"429", answer(429, ""), firstBackoff},
		{"403", answer(403, ""), firstBackoff},
		{"Retry-After", answer(429, "30"), 30 * time.Second},
		{"a very long Retry-After", answer(429, "86400"), longestHold},
		{"an unreadable Retry-After", answer(429, strings.Repeat("9", 99)), firstBackoff},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubbleByKey(t, test.answer, func(t *testing.T, c *Client, calls *int) {
				once := SingleAttempt(t.Context())
				_, _ = c.Balance(once, evilKey)
				time.Sleep(test.held - time.Millisecond)
				_, err := c.Balance(once, evilKey)
				var failure *Error
				if *calls != 1 || !errors.As(err, &failure) || failure.Kind != Unreachable || failure.Status == 0 || !errors.Is(err, ErrHeld) {
					t.Errorf("%d calls, %v", *calls, err)
				}
				if _, err := c.Balance(once, otherKey); err != nil {
					t.Errorf("another key: %v", err)
				}
				time.Sleep(2 * time.Millisecond)
				if _, _ = c.Balance(once, evilKey); *calls != 2 {
					t.Errorf("%d calls after the hold, want 2", *calls)
				}
			})
		})
	}
}

// TestHoldsGrow fourfold up to a minute, where no Retry-After says how long they are.
func TestHoldsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &newClient(t, Options{URL: "http://market.test"}).holds
		for _, want := range []time.Duration{firstBackoff, time.Second, 4 * time.Second, 16 * time.Second, time.Minute, time.Minute} {
			h.add(evilKey, 429, "")
			if got, status := h.left(evilKey); got != want || status != 429 {
				t.Errorf("held for %s after %d, want %s", got, status, want)
			}
			time.Sleep(want + time.Millisecond)
		}
		for retryAfter, want := range map[string]time.Duration{"0": 0, "-1": firstBackoff, "1": time.Second} {
			h.release(evilKey)
			h.add(evilKey, 429, retryAfter)
			if got, _ := h.left(evilKey); got != want {
				t.Errorf("Retry-After %s: held for %s, want %s", retryAfter, got, want)
			}
		}
		h.release(evilKey)
		h.add(evilKey, 429, "")
		h.add(otherKey, 429, "")
		if !h.several() {
			t.Error("two keys are held, which are several")
		}
		time.Sleep(firstBackoff)
		if h.several() {
			t.Error("no key is held any more")
		}
	})
}

// TestRefusalHoldsNoKey: a 403 that refuses in words is an answer.
func TestRefusalHoldsNoKey(t *testing.T) {
	for _, words := range []string{"Insufficient balance", "Invalid API key", "The shop is on holiday"} {
		inBubbleByKey(t, respond(403, `{"error":"`+words+`"}`), func(t *testing.T, c *Client, calls *int) {
			for range 3 {
				_, _ = c.Balance(SingleAttempt(t.Context()), evilKey)
			}
			if *calls != 3 {
				t.Errorf("%s: %d calls, want 3", words, *calls)
			}
		})
	}
}

// TestTrackedKeysAreBounded: keys that fail take no memory without end.
func TestTrackedKeysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{URL: "http://market.test"})
		for n := range maxTrackedKeys + 1 {
			key := redact.Secret(strconv.Itoa(n))
			c.failing.add(key)
			if n == maxTrackedKeys {
				time.Sleep(2 * firstBackoff) // the other holds are over
			}
			c.holds.add(key, 429, "")
		}
		if failing, held := len(c.failing.attempts), len(c.holds.byKey); failing != maxTrackedKeys || held != 1 {
			t.Errorf("%d keys fail and %d are held", failing, held)
		}
	})
}

// TestHeldKeyIsNoOutage checks what Options.Observe gets for one held key, and for
// several.
func TestHeldKeyIsNoOutage(t *testing.T) {
	inBubbleByKey(t, respond(429, ""), func(t *testing.T, c *Client, _ *int) {
		var outcomes []string
		c.observe = func(_, outcome string, _ time.Duration) { outcomes = append(outcomes, outcome) }
		once := SingleAttempt(t.Context())
		for range 2 {
			_, _ = c.Balance(once, evilKey)
		}
		_, _ = c.Add(once, evilKey, AddRequest{Service: 1, Quantity: 1})
		_, _ = c.Balance(once, otherKey)
		_, _ = c.Balance(once, evilKey+"2")
		if want := []string{"held", "held", "outcome_unknown", "ok", "unreachable"}; !slices.Equal(outcomes, want) {
			t.Errorf("outcomes %q, want %q", outcomes, want)
		}
	})
}

// TestHeldReadWaits checks that a read waits for a short hold, not for a long one.
func TestHeldReadWaits(t *testing.T) {
	refuse := true
	retryAfter := "2"
	evil := func(w http.ResponseWriter, r *http.Request) {
		if refuse {
			w.Header().Set("Retry-After", retryAfter)
			respond(429, "")(w, r)
			return
		}
		respond(200, `{"balance":"1","order":1}`)(w, r)
	}
	inBubbleByKey(t, evil, func(t *testing.T, c *Client, calls *int) {
		_, _ = c.Balance(SingleAttempt(t.Context()), evilKey)
		refuse = false
		began := time.Now()
		if _, err := c.Balance(t.Context(), evilKey); err != nil || time.Since(began) != maxHoldWait {
			t.Errorf("%v after %s, want the balance after 2s", err, time.Since(began))
		}
		refuse, retryAfter, *calls = true, "30", 0
		began = time.Now()
		if _, err := c.Balance(t.Context(), evilKey); err == nil || errors.Is(err, ErrHeld) || *calls != 1 || time.Since(began) > time.Second {
			t.Errorf("%v after %s and %d calls", err, time.Since(began), *calls)
		}
		refuse = false // a purchase is not held
		if _, err := c.Add(t.Context(), evilKey, AddRequest{Service: 1, Quantity: 1}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		refuse = true // a purchase that is refused holds reads
		_, _ = c.Add(t.Context(), evilKey, AddRequest{Service: 1, Quantity: 1})
		if _, err := c.Balance(t.Context(), evilKey); !errors.Is(err, ErrHeld) {
			t.Errorf("a read after a purchase that got a 429: %v", err)
		}
	})
}

// body is one that counts how many are open.
type body struct {
	io.Reader
	open *int
}

func (b body) Close() error { *b.open--; return nil }

// closing is a transport that counts how often its idle connections are closed.
type closing struct {
	roundTripper
	closed *int
}

func (c closing) CloseIdleConnections() { *c.closed++ }

// TestAnswersAreClosed whatever they are: else their connections stay open.
func TestAnswersAreClosed(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{"an answer": respond(200, `{"balance":"1","order":1}`), "500": respond(500, "")} {
		c, open, closed := newClient(t, Options{URL: "http://market.test"}), 0, 0
		transport := closing{roundTripper(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			answer(w, r)
			open++
			resp := w.Result()
			resp.Body = body{resp.Body, &open}
			return resp, nil
		}), &closed}
		c.reads.Transport, c.purchases.Transport = transport, transport
		_, _ = c.Balance(SingleAttempt(t.Context()), secretKey)
		_, _ = c.Add(t.Context(), secretKey, AddRequest{Service: 1, Quantity: 1})
		if open != 0 {
			t.Errorf("%d of two answers are left open: %s", open, name)
		}
		if c.Close(); closed != 2 {
			t.Errorf("idle connections of %d transports are closed, want 2", closed)
		}
	}
}
