package market

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// buy is one add of alice's over a real connection.
func buy(ctx context.Context, client *http.Client, address string) (status int, body []byte, err error) {
	form := url.Values{"key": {alice}, "action": {"add"}, "service": {"2"}, "quantity": {"1"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

func TestFaults(t *testing.T) {
	const placed = `{"order":23501}`
	tests := []struct {
		name   string
		fault  Fault
		status int    // 0: no answer at all
		body   string // how it begins
		broken bool   // reading it fails
		orders int
	}{
		{"none", Fault{Action: "balance", Kind: HTML502}, 200, placed, false, 1},
		{"another's key", Fault{Key: bob, Kind: HTML502}, 200, placed, false, 1},
		{"slow", Fault{Kind: Slow, Delay: time.Millisecond}, 200, placed, false, 1},
		{"refuse", Fault{Action: "add", Kind: Refuse, Message: "Out of <b>order</b>", Status: 422}, 422, `{"error":"Out of <b>order</b>"}`, false, 0},
		{"refuse with the usual status", Fault{Kind: Refuse}, 200, `{"error":"Something went wrong"}`, false, 0},
		{"refuse although it is done", Fault{Kind: Refuse, Commit: true}, 200, `{"error":"Something went wrong"}`, false, 1},
		{"cut", Fault{Kind: Cut}, 200, `{"order`, true, 1},
		{"cut before", Fault{Kind: CutBefore, Commit: true}, 0, "", true, 0},
		{"commit, then lose", Fault{Kind: CommitThenLose}, 0, "", true, 1},
		{"502", Fault{Kind: HTML502}, 502, "<html>", false, 0},
		{"502 although it is done", Fault{Kind: HTML502, Commit: true}, 502, "<html>", false, 1},
		{"429", Fault{Kind: TooMany, Delay: time.Hour}, 429, `{"error":"Too many requests"}`, false, 0},
		{"empty", Fault{Kind: Empty}, 200, "", false, 0},
		{"garbage", Fault{Kind: Garbage}, 200, "<!doctype html>", false, 0},
		{"huge", Fault{Kind: Huge, Commit: true}, 200, placed, false, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, Options{})
			web := httptest.NewServer(s)
			defer web.Close()
			client := web.Client()
			client.Transport.(*http.Transport).DisableKeepAlives = true // net/http repeats what fails on a kept connection
			s.Fault(tt.fault)
			status, body, err := buy(t.Context(), client, web.URL)
			if status != tt.status || !strings.HasPrefix(string(body), tt.body) || (err != nil) != tt.broken {
				t.Errorf("status %d, body %.80q, error %v", status, body, err)
			}
			if tt.fault.Kind == Huge && len(body) < hugeSize {
				t.Errorf("%d bytes", len(body))
			}
			if got := s.Count("add"); got != 1 {
				t.Errorf("%d adds came, want one", got)
			}
			if got := len(s.Orders()); got != tt.orders {
				t.Errorf("%d orders, want %d", got, tt.orders)
			}
			// Broken off calls are logged by a goroutine of the server: wait for it.
			ok(t, s.Await(t.Context(), func() bool { return s.Calls()[0].Took > 0 }))
			if c := s.Calls()[0]; c.Status != tt.status || !bytes.HasPrefix(body, c.Answer[:min(len(body), len(c.Answer))]) {
				t.Errorf("logged %d %q", c.Status, c.Answer)
			}
			if left := len(s.Faults()); (left == 1) != (tt.name == "none" || tt.name == "another's key") {
				t.Errorf("%d faults left", left)
			}
		})
	}
}

func TestFaultTimes(t *testing.T) {
	s := open(t, Options{})
	s.Fault(Fault{Action: "balance", Kind: Garbage, Times: 2})
	s.Fault(Fault{Kind: Empty, Times: Always})
	var got []string
	for range 4 {
		got = append(got, ask(t, s, "balance"))
	}
	s.ClearFaults()
	got = append(got, ask(t, s, "balance"))
	for i, want := range []string{"<!doc", "<!doc", "", "", `{"balance"`} {
		if !strings.HasPrefix(got[i], want) || (want == "" && got[i] != "") {
			t.Errorf("call %d: %q, want %q", i, got[i], want)
		}
	}
}

// Both actions that buy are Buying, and nothing else is.
func TestBuyingFaults(t *testing.T) {
	s := open(t, Options{})
	s.Fault(Fault{Action: Buying, Kind: Refuse, Message: "Not today", Times: Always})
	for action, form := range map[string][]string{
		"add":          {"service", "2", "quantity", "1"},
		"add_sms":      {"project_id", ProjectOpenAI},
		"balance":      nil,
		"inventory":    {"service", "2"},
		"sms_projects": nil,
	} {
		buys := action == "add" || action == "add_sms"
		if got := ask(t, s, action, form...); (got == `{"error":"Not today"}`) != buys {
			t.Errorf("%s: %.80s", action, got)
		}
	}
}

// pipes is a listener whose connections are made in memory, so that synctest
// knows when all is still.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "market", Net: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestSlowInABubble waits for hours in no time: the caller gives up, the server
// ends, or the answer comes; before the action, or after it.
func TestSlowInABubble(t *testing.T) {
	tests := []struct {
		name  string
		fault Fault
		patience,
		closeAfter time.Duration
		orders int
		took   time.Duration
		ok     bool
	}{
		{"it comes", Fault{Kind: Slow, Delay: time.Hour}, 2 * time.Hour, 0, 1, time.Hour, true},
		{"given up before it is done", Fault{Kind: Slow, Delay: time.Hour}, time.Minute, 0, 0, time.Minute, false},
		{"given up after it is done", Fault{Kind: Slow, Delay: time.Hour, Commit: true}, time.Minute, 0, 1, time.Minute, false},
		{"the server ends", Fault{Kind: Slow, Delay: time.Hour}, 2 * time.Hour, time.Second, 0, time.Second, false},
		{"lost late", Fault{Kind: CommitThenLose, Delay: 20 * time.Second}, time.Hour, 0, 1, 20 * time.Second, false},
		{"cut late", Fault{Kind: CutBefore, Delay: 20 * time.Second}, time.Hour, 0, 0, 20 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, Options{})
				listener := newPipes()
				web := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
				served := make(chan error)
				go func() { served <- web.Serve(listener) }()
				client := &http.Client{Transport: &http.Transport{DialContext: listener.dial, DisableKeepAlives: true}}
				s.Fault(tt.fault)
				if tt.closeAfter > 0 {
					time.AfterFunc(tt.closeAfter, s.Close)
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
				defer cancel()
				began := time.Now()
				_, _, err := buy(ctx, client, "http://market.test/api/v2")
				if took := time.Since(began); took != tt.took || (err == nil) != tt.ok {
					t.Errorf("after %v: %v", took, err)
				}
				synctest.Wait()
				if got := len(s.Orders()); got != tt.orders {
					t.Errorf("%d orders, want %d", got, tt.orders)
				}
				ok(t, web.Close())
				if err := <-served; !errors.Is(err, http.ErrServerClosed) {
					t.Error(err)
				}
			})
		})
	}
}

func TestClosed(t *testing.T) {
	s := open(t, Options{})
	web := httptest.NewServer(s)
	defer web.Close()
	s.Close()
	s.Close()
	if _, _, err := buy(t.Context(), web.Client(), web.URL); err == nil {
		t.Error("a closed marketplace answered")
	}
	if got := len(s.Orders()); got != 0 {
		t.Errorf("and sold %d", got)
	}
}

func TestCallLog(t *testing.T) {
	s := open(t, Options{})
	changes, cancel := s.Subscribe()
	ask(t, s, "services", "lang", "zh", "limit", "3")
	select {
	case <-changes:
	default:
		t.Error("a call changed nothing")
	}
	cancel()
	c := s.Calls()[0]
	if c.Action != "services" || c.Lang != "zh" || c.Fields.Get("key") != alice || c.Status != 200 || len(c.Answer) == 0 || c.Number != 1 {
		t.Errorf("%+v", c)
	}
	for range maxCalls + 5 {
		ask(t, s, "balance")
	}
	calls := s.Calls()
	if len(calls) != maxCalls || calls[0].Number != 7 || calls[maxCalls-1].Number != maxCalls+6 {
		t.Errorf("%d calls, from %d to %d", len(calls), calls[0].Number, calls[len(calls)-1].Number)
	}
	if after := s.CallsAfter(maxCalls + 4); len(after) != 2 {
		t.Errorf("%d calls after the last but two", len(after))
	}
	if s.Count("balance") != maxCalls+5 || s.Count("") != maxCalls+6 || s.Count("add") != 0 {
		t.Error("counts are wrong")
	}
	if big := s.CallsAfter(maxCalls + 6); len(big) != 0 {
		t.Errorf("%d calls after the last", len(big))
	}
	ask(t, s, "services")
	if c := s.CallsAfter(maxCalls + 6)[0]; len(c.Answer) != maxAnswer || c.Size <= maxAnswer {
		t.Errorf("a long answer: %d of %d bytes", len(c.Answer), c.Size)
	}
}
