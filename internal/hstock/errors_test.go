package hstock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hstockbot/internal/redact"
)

// TestReadFailures answers each read with each kind of bad answer.
func TestReadFailures(t *testing.T) {
	const attempts = maxAttempts
	tests := []struct {
		name   string
		status int
		body   string
		kind   Kind
		calls  int
	}{
		{"an undocumented refusal", 200, `{"error":"The shop is on holiday"}`, RefusedOther, 1},
		{"an undocumented refusal with 422", 422, `{"error":"The shop is on holiday"}`, RefusedOther, 1},
		{"a refusal as an object", 400, `{"error":{"message":"No"}}`, RefusedOther, 1},
		{"a refusal as a list", 400, `{"error":["No"]}`, RefusedOther, 1},
		{"a refusal with a separate message", 400, `{"error":true,"message":"No"}`, RefusedOther, 1},
		{"500 with a documented error", 500, `{"error":"Order not found"}`, Unreachable, attempts},
		{"502 in HTML", 502, `<html>Bad Gateway</html>`, Unreachable, attempts},
		{"503", 503, ``, Unreachable, attempts},
		{"408", 408, `{"error":"Timeout"}`, Unreachable, attempts},
		{"429", 429, `{"error":"Slow down"}`, Unreachable, attempts},
		{"a proxy's 403", 403, `<html>Attention Required!</html>`, Unreadable, attempts},
		{"404 in JSON", 404, `{"message":"no such route"}`, Unreadable, attempts},
		{"400 with a balance", 400, `{"balance":"1"}`, Unreadable, attempts},
		{"a redirect", 302, `{}`, Unreachable, attempts},
		{"HTML with 200", 200, `<html>Maintenance</html>`, Unreadable, attempts},
		{"empty", 200, ``, Unreadable, attempts},
		{"blank", 200, " \n", Unreadable, attempts},
		{"cut off", 200, `{"services":[{"service":1,`, Unreadable, attempts},
		{"two JSON values", 200, `{}{}`, Unreadable, attempts},
		{"null", 200, `null`, Unreadable, attempts},
		{"a string", 200, `"OK"`, Unreadable, attempts},
		{"a number", 200, `0`, Unreadable, attempts},
		{"an empty object", 200, `{}`, Unreadable, attempts},
		{"an object of other fields", 200, `{"success":true,"message":"hello"}`, Unreadable, attempts},
		{"a list of other types", 200, `[1,"a",null,{},[]]`, Unreadable, attempts},
		{"204 without a body", 204, ``, Unreadable, attempts},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for action, call := range readCalls {
				t.Run(action, func(t *testing.T) {
					answer := func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Location", "/elsewhere")
						respond(test.status, test.body)(w, r)
					}
					inBubble(t, Options{}, answer, func(t *testing.T, c *Client, m *fakeServer) {
						value, err := call(t.Context(), c)
						var failure *Error
						if !errors.As(err, &failure) || failure.Kind != test.kind || failure.Action != action {
							t.Fatalf("got %v, %v, want %s", value, err, test.kind)
						}
						if failure.Status != test.status {
							t.Errorf("status %d, want %d", failure.Status, test.status)
						}
						if got := len(m.requests()); got != test.calls {
							t.Errorf("%d requests, want %d", got, test.calls)
						}
						for _, call := range m.requests() {
							if call.URI != "/api/v2" {
								t.Errorf("a redirect to %s was followed", call.URI)
							}
						}
					})
				})
			}
		})
	}
}

func TestReadTooLarge(t *testing.T) {
	answer := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"services":[`)
		_, _ = io.CopyN(w, spaces{}, maxReadBytes)
		_, _ = io.WriteString(w, `]}`)
	}
	inBubble(t, Options{}, answer, func(t *testing.T, c *Client, m *fakeServer) {
		_, err := c.Services(t.Context(), secretKey, Filter{})
		if kind, _ := KindOf(err); kind != Unreadable || !errors.Is(err, ErrTooLarge) {
			t.Errorf("got %v, want unreadable", err)
		}
		if got := len(m.requests()); got != 1 { // it would be as large again
			t.Errorf("%d requests, want 1", got)
		}
	})
	const limit, all = 1000, 1 << 20 // also of what an answer is decompressed to
	rest := io.LimitedReader{R: spaces{}, N: all}
	if _, err := readLimited(&rest, limit); !errors.Is(err, ErrTooLarge) || all-rest.N > limit+1 {
		t.Errorf("%d bytes were read, %v", all-rest.N, err)
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestReadRetriesAfterFailures fails two attempts and answers the third.
func TestReadRetriesAfterFailures(t *testing.T) {
	calls := 0
	answer := func(w http.ResponseWriter, r *http.Request) {
		calls++
		switch calls {
		case 1:
			respond(502, "<html>")(w, r)
		case 2:
			closeConnection(w)
		default:
			respond(200, `{"balance":"1.00","currency":"USD"}`)(w, r)
		}
	}
	inBubble(t, Options{}, answer, func(t *testing.T, c *Client, m *fakeServer) {
		balance, err := c.Balance(t.Context(), secretKey)
		if err != nil || !balance.Amount.Equal(amount("1")) {
			t.Errorf("got %v, %v", balance, err)
		}
		if got := len(m.requests()); got != 3 {
			t.Errorf("%d requests, want 3", got)
		}
	})
}

// closeConnection closes the connection without an answer.
func closeConnection(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func TestBatchLimits(t *testing.T) {
	c, m := newTestClient(t, respond(200, `[]`))
	many := make([]string, MaxBatch+1)
	ids := make([]string, MaxBatch+1)
	for name, call := range map[string]func() error{
		"cancel of none":              func() error { _, err := c.Cancel(t.Context(), secretKey, nil, time.Time{}); return err },
		"cancel of 101":               func() error { _, err := c.Cancel(t.Context(), secretKey, many, time.Time{}); return err },
		"allowcancel of none":         func() error { _, err := c.AllowCancel(t.Context(), secretKey, nil); return err },
		"allowcancel of 101":          func() error { _, err := c.AllowCancel(t.Context(), secretKey, many); return err },
		"products of 101 ids":         func() error { _, err := c.Products(t.Context(), secretKey, Filter{ProductIDs: ids}); return err },
		"services of 101 ids":         func() error { _, err := c.Services(t.Context(), secretKey, Filter{ProductIDs: ids}); return err },
		"add with a canceled context": func() error { return cancelledAdd(t, c) },
	} {
		if kind, _ := KindOf(call()); kind != NotSent {
			t.Errorf("%s: kind %s, want not_sent", name, kind)
		}
	}
	if got := len(m.requests()); got != 0 {
		t.Errorf("%d requests, want none", got)
	}
}

func cancelledAdd(t *testing.T, c *Client) error {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Add(ctx, secretKey, AddRequest{Service: 1, Quantity: 1})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled in the chain", err)
	}
	return err
}

// TestErrorsAreRedacted prints every failure with every verb and looks for the key,
// the rest of the request, the URL and the answer.
func TestErrorsAreRedacted(t *testing.T) {
	const (
		link    = "https://instagram.com/username"
		account = "canary-user:canary-pass"
	)
	respondWithKey := func(status int, format string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			respond(status, strings.ReplaceAll(format, "KEY", secretKey.Reveal()))(w, r)
		}
	}
	answers := map[string]http.HandlerFunc{
		"refusal with the key": respondWithKey(400, `{"error":"Key KEY may not order `+link+`"}`),
		"documented refusal":   respondWithKey(400, `{"error":"Invalid API key"}`),
		"500":                  respondWithKey(500, `{"error":"KEY"}`),
		"HTML":                 respondWithKey(200, `<html>KEY `+account),
		"other JSON":           respondWithKey(200, `{"key":"KEY","accounts2":["`+account+`"]}`),
		"cut off":              respondWithKey(200, `{"status":"Completed","accounts":["`+account),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://canary-host.example/?key="+secretKey.Reveal(), http.StatusTemporaryRedirect)
		},
		"connection closed": func(w http.ResponseWriter, _ *http.Request) { closeConnection(w) },
		"not HTTP": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, account+secretKey.Reveal()+"\r\n\r\n")
				_ = conn.Close()
			}
		},
		"bad header": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+account+secretKey.Reveal()+"\r\n\r\n")
				_ = conn.Close()
			}
		},
		"bad chunks": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+account+"\r\n")
				_ = conn.Close()
			}
		},
	}
	calls := map[string]apiCall{
		"status": readCalls["status"],
		"add": callOf(func(ctx context.Context, c *Client) (string, error) {
			return c.Add(ctx, secretKey, AddRequest{Service: 1, Quantity: 1000, Link: link})
		}),
	}
	for name, answer := range answers {
		for action, call := range calls {
			t.Run(name+"/"+action, func(t *testing.T) {
				o := Options{URL: "http://market.test/api/v2?canary=1"}
				inBubble(t, o, answer, func(t *testing.T, c *Client, _ *fakeServer) {
					_, err := call(t.Context(), c)
					canaries := []string{secretKey.Reveal(), "canary"}
					if action == "add" {
						canaries = append(canaries, link)
					}
					checkRedacted(t, err, canaries)
				})
			})
		}
	}
}

// checkRedacted prints an error, and the errors that it wraps, with every verb.
func checkRedacted(t *testing.T, err error, canaries []string) {
	t.Helper()
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("%T is not an *Error", err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "error", err)
	texts := []string{
		err.Error(), log.String(), fmt.Sprintf("%v %+v %#v %s %q %x", err, err, err, err, err, err),
		fmt.Sprintf("%v %+v %#v", fmt.Errorf("wrapped: %w", err), struct{ E error }{err}, []error{err}),
	}
	for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(cause) {
		texts = append(texts, fmt.Sprintf("%v %+v %#v", cause, cause, cause))
	}
	for _, text := range texts {
		for _, canary := range canaries {
			if strings.Contains(text, canary) {
				t.Errorf("%q contains %q", text, canary)
			}
		}
	}
	if strings.Contains(failure.Refusal, secretKey.Reveal()) {
		t.Errorf("the refusal %q contains the key", failure.Refusal)
	}
}

func TestNewRejectsInvalidURLs(t *testing.T) {
	for _, target := range []string{"", "hstockplus.com/api", "ftp://hstockplus.com", "https://", "http://[canary", "unix:///canary"} {
		c, err := New(Options{URL: target})
		if err == nil || c != nil {
			t.Errorf("New(%q) returned no error", target)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%v quotes the URL", err)
		}
	}
}

func TestRefusalIsSanitized(t *testing.T) {
	tests := []struct{ in, want string }{
		{" Not\tenough\r\nstock \x1b[31m\u202e\x00", "Not enough stock [31m"},
		{"Ключ неверен", "Ключ неверен"},
		{strings.Repeat("я", 500), strings.Repeat("я", maxRefusalRunes-1) + "…"},
		{"key=" + secretKey.Reveal(), "key=" + redact.Placeholder},
		{"", ""},
	}
	for _, test := range tests {
		e := newRefusal("add", 200, test.in, secretKey, nil)
		if e.Refusal != test.want || e.Kind != RefusedOther {
			t.Errorf("%q became %s %q, want %q", test.in, e.Kind, e.Refusal, test.want)
		}
		if utf8.RuneCountInString(e.Refusal) > maxRefusalRunes {
			t.Errorf("%d runes", utf8.RuneCountInString(e.Refusal))
		}
	}
	for _, message := range []string{"insufficient balance", "Insufficient balance.", " INSUFFICIENT BALANCE "} {
		if e := newRefusal("add", 200, message, secretKey, nil); !errors.Is(e, ErrInsufficientBalance) || e.Kind != Refused {
			t.Errorf("%q is %v", message, e)
		}
	}
	if e := newRefusal("add", 200, "Insufficient balance for the fee", secretKey, nil); e.Kind != RefusedOther {
		t.Errorf("a longer message than the documented one became %s", e.Kind)
	}
	if kind, ok := KindOf(errors.New("other")); ok {
		t.Errorf("KindOf(other) = %s", kind)
	}
}
