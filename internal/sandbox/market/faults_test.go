package market

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/sandbox/memnet"
)

// buy makes an add call with alice's key over a connection.
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
		status int    // 0: no answer
		body   string // its prefix
		broken bool   // reading the answer fails
		orders int
	}{
		{"another action", Fault{Action: "balance", Kind: HTML502}, 200, placed, false, 1},
		{"another key", Fault{Key: bob, Kind: HTML502}, 200, placed, false, 1},
		{"slow", Fault{Kind: Slow, Delay: time.Millisecond}, 200, placed, false, 1},
		{"refuse", Fault{Action: "add", Kind: Refuse, Message: "Out of <b>order</b>", Status: 422}, 422, `{"error":"Out of <b>order</b>"}`, false, 0},
		{"refuse with the default status", Fault{Kind: Refuse}, 200, `{"error":"Something went wrong"}`, false, 0},
		{"refuse and commit", Fault{Kind: Refuse, Commit: true}, 200, `{"error":"Something went wrong"}`, false, 1},
		{"cut", Fault{Kind: Cut}, 200, `{"order`, true, 1},
		{"cut before", Fault{Kind: CutBefore, Commit: true}, 0, "", true, 0},
		{"commit, then lose", Fault{Kind: CommitThenLose}, 0, "", true, 1},
		{"502", Fault{Kind: HTML502}, 502, "<html>", false, 0},
		{"502 and commit", Fault{Kind: HTML502, Commit: true}, 502, "<html>", false, 1},
		{"429", Fault{Kind: TooMany, Delay: time.Hour}, 429, `{"error":"Too many requests"}`, false, 0},
		{"empty", Fault{Kind: Empty}, 200, "", false, 0},
		{"garbage", Fault{Kind: Garbage}, 200, "<!doctype html>", false, 0},
		{"another answer", Fault{Kind: Answer, Body: "<b>Warning</b> {answer}", Status: 201}, 201, "<b>Warning</b> ", false, 0},
		{"something around the answer", Fault{Kind: Answer, Body: `{"data":{answer}}`, Commit: true}, 200, `{"data":` + placed + `}`, false, 1},
		{"gzip", Fault{Kind: Slow, Gzip: true}, 200, placed, false, 1}, // net/http decompresses
		{"huge", Fault{Kind: Huge, Commit: true}, 200, placed, false, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, Options{})
			web := httptest.NewServer(s)
			defer web.Close()
			client := web.Client()
			client.Transport.(*http.Transport).DisableKeepAlives = true // net/http retries on a reused connection
			s.Fault(tt.fault)
			status, body, err := buy(t.Context(), client, web.URL)
			if status != tt.status || !strings.HasPrefix(string(body), tt.body) || (err != nil) != tt.broken {
				t.Errorf("status %d, body %.80q, error %v", status, body, err)
			}
			if tt.fault.Kind == Huge && len(body) < hugeSize {
				t.Errorf("%d bytes", len(body))
			}
			if got := s.Count("add"); got != 1 {
				t.Errorf("%d adds, want 1", got)
			}
			if got := len(s.Orders()); got != tt.orders {
				t.Errorf("%d orders, want %d", got, tt.orders)
			}
			web.Close() // waits until the call is logged
			if c := s.Calls()[0]; c.Status != tt.status || !bytes.HasPrefix(body, c.Answer[:min(len(body), len(c.Answer))]) {
				t.Errorf("logged %d %q", c.Status, c.Answer)
			}
			if left := len(s.Faults()); (left == 1) != (tt.name == "another action" || tt.name == "another key") {
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

func TestClearFault(t *testing.T) {
	s := open(t, Options{})
	s.Fault(Fault{Kind: Slow, Times: Always})
	s.Fault(Fault{Kind: Cut})
	s.ClearFault(func(f Fault) bool { return f.Kind == Slow })
	if left := s.Faults(); len(left) != 1 || left[0].Kind != Cut {
		t.Errorf("left: %+v", left)
	}
}

// TestDelayedFaults ends a delay in every way, before and after the action: the
// answer comes, the caller gives up, or the server is closed.
func TestDelayedFaults(t *testing.T) {
	tests := []struct {
		name                string
		fault               Fault
		timeout, closeAfter time.Duration
		orders              int
		took                time.Duration
		answered            bool
	}{
		{"answer", Fault{Kind: Slow, Delay: time.Hour}, 2 * time.Hour, 0, 1, time.Hour, true},
		{"timeout before the action", Fault{Kind: Slow, Delay: time.Hour}, time.Minute, 0, 0, time.Minute, false},
		{"timeout after the action", Fault{Kind: Slow, Delay: time.Hour, Commit: true}, time.Minute, 0, 1, time.Minute, false},
		{"server closed", Fault{Kind: Slow, Delay: time.Hour}, 2 * time.Hour, time.Second, 0, time.Second, false},
		{"delayed loss", Fault{Kind: CommitThenLose, Delay: 20 * time.Second}, time.Hour, 0, 1, 20 * time.Second, false},
		{"delayed cut", Fault{Kind: CutBefore, Delay: 20 * time.Second}, time.Hour, 0, 0, 20 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, network := open(t, Options{}), memnet.New()
				address, stop := network.Serve("market", s)
				defer stop()
				client := &http.Client{Transport: &http.Transport{DialContext: network.Dial, DisableKeepAlives: true}}
				s.Fault(tt.fault)
				if tt.closeAfter > 0 {
					time.AfterFunc(tt.closeAfter, s.Close)
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
				defer cancel()
				start := time.Now()
				_, _, err := buy(ctx, client, address)
				if took := time.Since(start); took != tt.took || (err == nil) != tt.answered {
					t.Errorf("after %v: %v", took, err)
				}
				synctest.Wait()
				if got := len(s.Orders()); got != tt.orders {
					t.Errorf("%d orders, want %d", got, tt.orders)
				}
			})
		})
	}
}

func TestClose(t *testing.T) {
	s := open(t, Options{})
	web := httptest.NewServer(s)
	defer web.Close()
	s.Close()
	s.Close()
	if _, _, err := buy(t.Context(), web.Client(), web.URL); err == nil {
		t.Error("a closed marketplace answered")
	}
	if got := len(s.Orders()); got != 0 {
		t.Errorf("a closed marketplace sold %d", got)
	}
}

func TestCallLog(t *testing.T) {
	s := open(t, Options{})
	changes, cancel := s.Subscribe()
	ask(t, s, "services", "lang", "zh", "limit", "3")
	select {
	case <-changes:
	default:
		t.Error("a call notified no change")
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
