package hstock

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/callrate"
	"hstockbot/internal/redact"
)

// TestSafeCause: a timeout is one, what net/http says of a connection or a certificate is
// kept, and nothing else.
func TestSafeCause(t *testing.T) {
	network := &net.OpError{Op: "dial", Err: errors.New("refused")}
	cert := &tls.CertificateVerificationError{Err: errors.New("unknown authority")}
	for _, test := range []struct{ err, want error }{
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, context.DeadlineExceeded},
		{network, network},
		{cert, cert},
		{io.ErrUnexpectedEOF, io.ErrUnexpectedEOF},
		{io.EOF, io.EOF},
		{errors.New("malformed answer: canary"), errConnection},
	} {
		for _, err := range []error{test.err, &url.Error{Op: "Post", URL: "http://canary", Err: test.err}} {
			if got := safeCause(t.Context(), err); got != test.want { //nolint:errorlint // nothing may wrap it
				t.Errorf("%v became %v, want %v", err, got, test.want)
			}
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if got := safeCause(canceled, network); !errors.Is(got, context.Canceled) {
		t.Errorf("a canceled call failed because of %v", got)
	}
}

// TestSleep: a sleep that ends no earlier than its context does not begin.
func TestSleep(t *testing.T) {
	for limit, want := range map[time.Duration]bool{time.Second - 1: false, time.Second: false, time.Second + 1: true, 0: true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if limit > 0 {
				ctx, cancel = context.WithTimeout(ctx, limit)
				defer cancel()
			}
			began := time.Now()
			if slept := sleep(ctx, time.Second); slept != want || (time.Since(began) == time.Second) != want {
				t.Errorf("with %s left: %v after %s", limit, slept, time.Since(began))
			}
		})
	}
}

func TestInconclusive(t *testing.T) {
	for status, want := range map[int]bool{199: true, 200: false, 299: false, 300: true, 399: true, 400: false, 408: true, 429: true, 499: false, 500: true} {
		if inconclusive(status) != want {
			t.Errorf("%d is inconclusive: %v", status, !want)
		}
	}
}

// TestWaitForRate: why a call may not be made. A call that was given up takes no slot.
func TestWaitForRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Options{URL: "http://market.test", Limiter: callrate.New(callrate.Options{Most: 0.01})})
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 { // a select that sees two reasons takes either
			if err := c.waitForRate(canceled); !errors.Is(err, context.Canceled) {
				t.Fatalf("canceled before: %v", err)
			}
		}
		for range 2 {
			if err := c.waitForRate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.waitForRate(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a deadline while waiting: %v", err)
		}
		if err := c.waitForRate(t.Context()); !errors.Is(err, errRateLimited) {
			t.Errorf("no slot in time: %v", err)
		}
		began := time.Now()
		if _, err := c.Balance(t.Context(), secretKey); !errors.Is(err, errRateLimited) || time.Since(began) != rateTimeout {
			t.Errorf("a read without a slot is tried once: %v after %s", err, time.Since(began))
		}
	})
}

// TestRateResult: a refusal is as good an answer as any.
func TestRateResult(t *testing.T) {
	for _, kind := range []Kind{Refused, RefusedOther, InvalidKey} {
		if got := rateResult(&Error{Kind: kind, Status: http.StatusOK}); got != callrate.Accepted {
			t.Errorf("%s is %v", kind, got)
		}
	}
	for _, kind := range []Kind{Unreachable, Unreadable, OutcomeUnknown} {
		if got := rateResult(&Error{Kind: kind, Status: http.StatusOK}); got != callrate.Unanswered {
			t.Errorf("%s is %v", kind, got)
		}
	}
}

// TestAnswerEndsFailures: after any answer, also a refusal, the failures of a key and the
// pauses that it got do not count.
func TestAnswerEndsFailures(t *testing.T) {
	status, body := http.StatusInternalServerError, ""
	answer := func(w http.ResponseWriter, r *http.Request) { respond(status, body)(w, r) }
	inBubble(t, Options{}, answer, func(t *testing.T, c *Client, _ *fakeServer) {
		read := func(key redact.Secret) error { _, err := c.Balance(t.Context(), key); return err }
		_, _ = read("a"), read("b")
		status, body = http.StatusOK, `{"error":"Order not found"}`
		_ = read("b")
		status, body = http.StatusInternalServerError, ""
		for n := range breakerFailures {
			if err := read("a"); isOpen(err) {
				t.Fatalf("read %d: %v", n, err)
			}
		}
	})
	inBubble(t, Options{}, answer, func(t *testing.T, c *Client, m *fakeServer) {
		read := func() { _, _ = c.Balance(SingleAttempt(t.Context()), secretKey) }
		for range 3 {
			status = http.StatusTooManyRequests
			read()
			time.Sleep(firstBackoff)
			status, body = http.StatusOK, `{"balance":"1"}`
			read()
		}
		if got := len(m.requests()); got != 6 {
			t.Errorf("%d requests, want 6", got)
		}
	})
}

// TestBackoff: before the second attempt, and four times as long before the third, ±50 %.
func TestBackoff(t *testing.T) {
	var at []time.Time
	answer := func(w http.ResponseWriter, r *http.Request) {
		at = append(at, time.Now())
		respond(http.StatusBadGateway, "")(w, r)
	}
	inBubble(t, Options{}, answer, func(t *testing.T, c *Client, _ *fakeServer) {
		_, _ = c.Balance(t.Context(), secretKey)
	})
	for n, want := range []time.Duration{firstBackoff, 4 * firstBackoff} {
		if got := at[n+1].Sub(at[n]); got < want/2 || got >= want*3/2 {
			t.Errorf("attempt %d after %s, want %s", n+2, got, want)
		}
	}
}

func TestUnmarshal(t *testing.T) {
	for data, want := range map[string]int{`{"a":1`: 7, `{"a":1}x`: 7, `{"b":1}`: 7, `{"a":1,"b":"x"}`: 1} {
		v := struct{ A, B int }{7, 7}
		if complete := unmarshal([]byte(data), &v); complete != json.Valid([]byte(data)) || v.A != want {
			t.Errorf("%s: %v %v", data, complete, v)
		}
	}
}

// TestReadBody: an answer that has arrived counts, although its call was canceled meanwhile.
func TestReadBody(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if body, err := readBody(canceled, strings.NewReader(" {}\n"), "", 10); err != nil || string(body) != "{}" {
		t.Errorf("got %q, %v", body, err)
	}
	if body, err := readBody(t.Context(), strings.NewReader(" \n"), "", 10); !errors.Is(err, errEmpty) {
		t.Errorf("a blank answer is %q, %v", body, err)
	}
}

func TestFindJSON(t *testing.T) {
	for text, want := range map[string]string{`"{\"a\":1}"`: `{"a":1}`, `"23501"`: `"23501"`, `["{\"a\":1}"]`: `["{\"a\":1}"]`, `"{a"`: `"{a"`, `"{\"a"`: `"{\"a"`} {
		if got := findJSON([]byte(text)); string(got) != want {
			t.Errorf("%s contains %s, want %s", text, got, want)
		}
	}
}

// TestProxy of the environment is used, unless Dial replaces the network.
func TestProxy(t *testing.T) {
	for _, dial := range []func(context.Context, string, string) (net.Conn, error){nil, make(pipes).dial} {
		c := newClient(t, Options{URL: "http://market.test", Dial: dial})
		for _, client := range []*http.Client{c.reads, c.purchases} {
			if proxied := client.Transport.(*http.Transport).Proxy != nil; proxied != (dial == nil) {
				t.Errorf("with a Dial %v: a proxy %v", dial != nil, proxied)
			}
		}
	}
}

// TestUnwrap: an empty member is not the answer, whichever comes first.
func TestUnwrap(t *testing.T) {
	for range 50 { // the members of a map have no order
		if got := unwrap([]byte(`{"data":{},"result":{"order":1}}`)); string(got) != `{"order":1}` {
			t.Fatalf("got %s", got)
		}
	}
}
