package hstock

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/callrate"
	"hstockbot/internal/redact"
)

func TestReadDeadlines(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	inBubble(t, Options{}, hang, func(t *testing.T, c *Client, m *fakeServer) {
		start := time.Now()
		_, err := c.Balance(t.Context(), secretKey)
		if kind, _ := KindOf(err); kind != Unreachable || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want Unreachable after the deadline", err)
		}
		least, most := maxAttempts*readTimeout, maxAttempts*readTimeout+2*5*firstBackoff
		if took := time.Since(start); took <= least || took >= most {
			t.Errorf("took %s, want between %s and %s", took, least, most)
		}
		if got := len(m.requests()); got != maxAttempts {
			t.Errorf("%d requests, want %d", got, maxAttempts)
		}

		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err = c.Balance(ctx, secretKey)
		if kind, _ := KindOf(err); kind != Unreachable || time.Since(start) != 3*time.Second {
			t.Errorf("got %v after %s, want unreachable after 3s", err, time.Since(start))
		}
		if got := len(m.requests()); got != maxAttempts+1 {
			t.Errorf("%d requests, want one more", got)
		}
	})
}

// TestReadCancelledDuringBackoff checks that a read returns at once, with the error of
// its last attempt.
func TestReadCancelledDuringBackoff(t *testing.T) {
	inBubble(t, Options{}, respond(502, ""), func(t *testing.T, c *Client, m *fakeServer) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(firstBackoff/4, cancel)
		start := time.Now()
		_, err := c.Balance(ctx, secretKey)
		var failure *Error
		if !errors.As(err, &failure) || failure.Status != 502 || time.Since(start) != firstBackoff/4 || len(m.requests()) != 1 {
			t.Errorf("got %v after %s and %d requests", err, time.Since(start), len(m.requests()))
		}
	})
}

func TestBreakerOpensAndRecovers(t *testing.T) {
	testBreakerOpensAndRecovers(t, respond(503, ""), Unreachable)
	testBreakerOpensAndRecovers(t, respond(200, "<html>"), Unreadable)
}

func testBreakerOpensAndRecovers(t *testing.T, failure http.HandlerFunc, failed Kind) {
	t.Helper()
	down := true
	answer := func(w http.ResponseWriter, r *http.Request) {
		if down {
			failure(w, r)
			return
		}
		respond(200, `{"balance":"1","order":1}`)(w, r)
	}
	inBubble(t, Options{}, answer, func(t *testing.T, c *Client, m *fakeServer) {
		keys := []redact.Secret{"one key", "another key"}
		readBalance := func() error {
			keys[0], keys[1] = keys[1], keys[0]
			_, err := c.Balance(t.Context(), keys[0])
			return err
		}
		for range breakerFailures / maxAttempts {
			if kind, _ := KindOf(readBalance()); kind != failed {
				t.Fatalf("kind %s", kind)
			}
		}
		before, start := len(m.requests()), time.Now()
		for range 100 {
			if kind, _ := KindOf(readBalance()); kind != Unreachable {
				t.Fatalf("kind %s", kind)
			}
		}
		if got := len(m.requests()); got != before || time.Since(start) != 0 {
			t.Errorf("%d requests in %s while the breaker is open", got-before, time.Since(start))
		}

		down = false // a purchase ignores the breaker
		if _, err := c.Add(t.Context(), secretKey, AddRequest{Service: 1, Quantity: 1}); err != nil {
			t.Errorf("purchase while the breaker is open: %v", err)
		}
		time.Sleep(breakerTimeout + time.Second)
		for range 5 {
			if err := readBalance(); err != nil {
				t.Errorf("after the timeout: %v", err)
			}
		}
	})
}

// TestBreakerIgnores: what is about one key, or was not sent, is no sign of an outage, also
// after calls of others have failed.
func TestBreakerIgnores(t *testing.T) {
	const other = redact.Secret("another key")
	for name, test := range map[string]struct {
		status int
		body   string
		ctx    func(context.Context) context.Context
	}{
		"429":                 {429, "", SingleAttempt},
		"an unexpected shape": {200, `{"odd":1}`, SingleAttempt},
		"an unsent call":      {500, "", Background},
		"a canceled call": {500, "", func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		}},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := 500, ""
			answer := func(w http.ResponseWriter, r *http.Request) { respond(status, body)(w, r) }
			inBubble(t, Options{Limiter: callrate.New(callrate.Options{Most: 300})}, answer, func(t *testing.T, c *Client, _ *fakeServer) {
				for _, key := range []redact.Secret{"a", "b"} {
					_, _ = c.Balance(t.Context(), key)
				}
				status, body = test.status, test.body
				c.limiter.Report(callrate.Account{}, "status", callrate.Blocked, time.Second)
				for range breakerFailures - 2*maxAttempts {
					time.Sleep(time.Second) // no hold is longer
					_, _ = c.Balance(test.ctx(t.Context()), other)
				}
				status, body = 200, `{"balance":"1"}`
				if _, err := c.Balance(t.Context(), "a"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestBreakerStaysClosed checks that refusals, invalid keys, unexpected shapes and
// canceled calls do not open the breaker.
func TestBreakerStaysClosed(t *testing.T) {
	body := `{"error":"Order not found"}`
	answer := func(w http.ResponseWriter, r *http.Request) { respond(200, body)(w, r) }
	inBubble(t, Options{}, answer, func(t *testing.T, c *Client, _ *fakeServer) {
		for _, body = range []string{body, `{"error":"Invalid API key"}`, `{"error":"Other"}`, `{"odd":1}`} {
			for range 2 * breakerFailures {
				_, err := c.Balance(t.Context(), secretKey)
				if errors.Is(err, context.Canceled) || isOpen(err) {
					t.Fatal(err)
				}
			}
		}
		body = `{"balance":"1"}`
		if _, err := c.Balance(t.Context(), secretKey); err != nil {
			t.Error(err)
		}
	})
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	inBubble(t, Options{}, hang, func(t *testing.T, c *Client, m *fakeServer) {
		for n := range 2 * breakerFailures {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := c.Balance(ctx, secretKey); isOpen(err) || len(m.requests()) != n+1 {
				t.Fatalf("call %d: %v", n, err)
			}
		}
	})
}

// TestRateLimit checks how long reads and purchases together take under one limit.
func TestRateLimit(t *testing.T) {
	inBubble(t, Options{Limiter: callrate.New(callrate.Options{Most: 20})}, respond(200, `{"balance":"1","order":1}`), func(t *testing.T, c *Client, _ *fakeServer) {
		done := make(chan error)
		for n := range 45 {
			go func() {
				var err error
				if n%2 == 0 {
					_, err = c.Balance(t.Context(), secretKey)
				} else {
					_, err = c.Add(t.Context(), secretKey, AddRequest{Service: 1, Quantity: 1})
				}
				done <- err
			}()
		}
		start := time.Now()
		for range 45 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took.Truncate(time.Millisecond) != 1875*time.Millisecond { // 5 saved and 2.5 in advance, the others at 20 per second
			t.Errorf("45 calls took %s, want 1.875s", took)
		}
	})
}

func TestObserve(t *testing.T) {
	var outcomes []string
	observe := func(action, outcome string, took time.Duration) {
		outcomes = append(outcomes, fmt.Sprint(action, " ", outcome, " ", took.Truncate(10*time.Second)))
	}
	body := `{"balance":"1","order":1}`
	answer := func(w http.ResponseWriter, r *http.Request) {
		if body == "" {
			<-r.Context().Done()
			return
		}
		respond(200, body)(w, r)
	}
	inBubble(t, Options{Observe: observe}, answer, func(t *testing.T, c *Client, _ *fakeServer) {
		for _, body = range []string{body, `{"error":"Insufficient balance"}`, `{"error":"x"}`, `{"error":"Invalid API key"}`, `<html>`, ""} {
			_, _ = c.Balance(t.Context(), secretKey)
			_, _ = c.Add(t.Context(), secretKey, AddRequest{Service: 1, Quantity: 1})
		}
		_ = cancelledAdd(t, c)
	})
	want := []string{
		"balance ok 0s", "add ok 0s",
		"balance refused 0s", "add refused 0s",
		"balance refused_other 0s", "add refused_other 0s",
		"balance invalid_key 0s", "add invalid_key 0s",
		"balance unreadable 0s", "add outcome_unknown 0s",
		"balance unreachable 30s", "add outcome_unknown 30s",
		"add not_sent 0s",
	}
	if diff := cmp.Diff(want, outcomes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAllowanceHasTheDateOfItsAnswer, not of an answer before a retry, and none where it
// can't be read.
func TestAllowanceHasTheDateOfItsAnswer(t *testing.T) {
	for date, want := range map[string]string{
		"Tue, 23 Jun 2026 12:00:00 GMT": "2026-06-23T12:00:00Z",
		"23.06.2026":                    "0001-01-01T00:00:00Z",
		"":                              "0001-01-01T00:00:00Z",
	} {
		calls := 0
		inBubble(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				w.Header().Set("Date", "Wed, 01 Jan 2020 00:00:00 GMT")
				respond(http.StatusBadGateway, "")(w, r)
				return
			}
			w.Header()["Date"] = nil // net/http adds none
			if date != "" {
				w.Header().Set("Date", date)
			}
			respond(http.StatusOK, `[{"order":23501,"allowcancel":1},{"order":23502,"allowcancel":1}]`)(w, r)
		}, func(t *testing.T, c *Client, _ *fakeServer) {
			allowances, err := c.AllowCancel(t.Context(), secretKey, []string{"23501", "23502"})
			if err != nil || len(allowances) != 2 {
				t.Fatalf("got %+v, %v", allowances, err)
			}
			for _, allowance := range allowances {
				if got := allowance.AnsweredAt.UTC().Format(time.RFC3339); got != want {
					t.Errorf("Date %q: answered at %s, want %s", date, got, want)
				}
			}
		})
	}
}
