package ops_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hstockbot/internal/ops"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves until the test ends and returns the base URL.
func start(t *testing.T, options ops.Options) (*ops.Server, string) {
	t.Helper()
	options.Addr = "127.0.0.1:0"
	if options.Metrics == nil {
		options.Metrics = ops.NewMetrics("test")
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	server := ops.New(options)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return server, "http://" + server.Addr()
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	return do(t, http.MethodGet, url)
}

func do(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

func passes(context.Context) error { return nil }

func fails(text string) func(context.Context) error {
	return func(context.Context) error { return errors.New(text) }
}

func TestPages(t *testing.T) {
	const canary = "CANARY-token"
	for _, test := range []struct {
		name, method, path string
		checks             []ops.Check
		status             int
		body               string
	}{
		{name: "lives", path: "/healthz", status: 200, body: "ok\n"},
		{name: "lives though nothing is ready", path: "/healthz", checks: []ops.Check{{"database", fails("x")}}, status: 200, body: "ok\n"},
		{name: "ready without checks", path: "/readyz", status: 200},
		{name: "ready", path: "/readyz", checks: []ops.Check{{"telegram", passes}, {"database", passes}}, status: 200, body: "database: ok\ntelegram: ok\n"},
		{name: "one fails", path: "/readyz", checks: []ops.Check{{"telegram", fails(canary)}, {"database", passes}}, status: 503, body: "database: ok\ntelegram: failed\n"},
		{name: "unknown", path: "/", status: 404, body: "404 page not found\n"},
		{name: "no writing", method: http.MethodPost, path: "/healthz", status: 405, body: "Method Not Allowed\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, base := start(t, ops.Options{Checks: test.checks})
			status, body := do(t, test.method, base+test.path)
			if status != test.status || body != test.body {
				t.Errorf("got %d %q, want %d %q", status, body, test.status, test.body)
			}
			if strings.Contains(body, canary) {
				t.Error("an error's text is served")
			}
		})
	}
}

func TestStateIsLoggedWhenItChanges(t *testing.T) {
	var log lockedBuffer
	var mu sync.Mutex
	var state error
	check := func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		return state
	}
	_, base := start(t, ops.Options{
		Checks: []ops.Check{{"database", check}},
		Log:    slog.New(slog.NewTextHandler(&log, nil)),
	})
	down := errors.New("disk full")
	for _, next := range []error{nil, nil, down, down, down, nil, nil} {
		mu.Lock()
		state = next
		mu.Unlock()
		get(t, base+"/readyz")
	}
	if got := strings.Count(log.String(), "not ready"); got != 1 {
		t.Errorf("%d lines say that it is not ready, want 1:\n%s", got, &log)
	}
	if got := strings.Count(log.String(), "ready again"); got != 1 {
		t.Errorf("%d lines say that it is ready again, want 1:\n%s", got, &log)
	}
}

// A check that ignores its context does not hold up the answer.
func TestCheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hang := func(context.Context) error { <-release; return nil }
		handler := ops.Handler(ops.New(ops.Options{
			Metrics: ops.NewMetrics("test"),
			Checks:  []ops.Check{{"telegram", hang}, {"database", passes}},
			Log:     slog.New(slog.DiscardHandler),
		}))
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", http.NoBody))
		if got, want := recorder.Body.String(), "database: ok\ntelegram: no answer\n"; recorder.Code != 503 || got != want {
			t.Errorf("got %d %q, want 503 %q", recorder.Code, got, want)
		}
		close(release)
	})
}

func TestMetrics(t *testing.T) {
	metrics := ops.NewMetrics("v1.2.3")
	metrics.ObserveMarket("balance", "ok", 30*time.Millisecond)
	metrics.ObserveMarket("balance", "ok", 40*time.Millisecond)
	metrics.ObserveMarket("add", "outcome unknown", 20*time.Second)
	metrics.ObserveBot("tap", 2*time.Millisecond)
	if err := metrics.Gauge("outbox_waiting", "Deliveries not sent yet.", func(context.Context) (int64, error) { return 7, nil }); err != nil {
		t.Fatal(err)
	}
	if err := metrics.Gauge("orders_open", "Orders being watched.", func(context.Context) (int64, error) { return 0, errors.New("CANARY database is locked") }); err != nil {
		t.Fatal(err)
	}
	_, base := start(t, ops.Options{Metrics: metrics})
	status, body := get(t, base+"/metrics")
	if status != 200 {
		t.Fatalf("status %d:\n%s", status, body)
	}
	for _, line := range []string{
		`hstockbot_market_calls_total{action="balance",outcome="ok"} 2`,
		`hstockbot_market_calls_total{action="add",outcome="outcome unknown"} 1`,
		`hstockbot_market_call_seconds_bucket{action="balance",le="0.05"} 2`,
		`hstockbot_market_call_seconds_bucket{action="add",le="10"} 0`,
		`hstockbot_bot_event_seconds_count{event="tap"} 1`,
		`hstockbot_outbox_waiting 7`,
		`version="v1.2.3"`,
		`go_goroutines `,
	} {
		if !strings.Contains(body, line) {
			t.Errorf("missing: %s", line)
		}
	}
	if strings.Contains(body, "CANARY") || strings.Contains(body, "hstockbot_orders_open ") {
		t.Error("a gauge that fails is still served")
	}
}

func TestGaugeRefusesANameTwice(t *testing.T) {
	metrics := ops.NewMetrics("test")
	zero := func(context.Context) (int64, error) { return 0, nil }
	if err := metrics.Gauge("inbox_waiting", "Updates.", zero); err != nil {
		t.Fatal(err)
	}
	if err := metrics.Gauge("inbox_waiting", "Updates.", zero); err == nil {
		t.Error("it was taken twice")
	}
}

// Whatever is thrown at the recorders, a label never carries an id and never
// has more values than the bound.
func TestLabelsAreBounded(t *testing.T) {
	metrics := ops.NewMetrics("test")
	for _, label := range []string{"", "user 123456789", "4711", "önë", "a\nb", strings.Repeat("x", 100)} {
		metrics.ObserveBot(label, 0)
		metrics.ObserveMarket(label, label, 0)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 100 {
				name := fmt.Sprintf("event %d:%d", i, j)
				metrics.ObserveBot(name, 0)
				metrics.ObserveMarket(name, name, 0)
			}
		})
	}
	group.Wait()
	_, base := start(t, ops.Options{Metrics: metrics})
	_, body := get(t, base+"/metrics")
	var events []string
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, `hstockbot_bot_event_seconds_count{event="`); ok {
			events = append(events, rest[:strings.Index(rest, `"`)])
		}
	}
	if len(events) != 65 || !slices.Contains(events, "other") {
		t.Errorf("%d events, want 64 and other", len(events))
	}
	for _, leak := range []string{"123456789", "4711", "önë"} {
		if strings.Contains(body, leak) {
			t.Errorf("%s is served", leak)
		}
	}
}

func TestStartAndStopTwice(t *testing.T) {
	server := ops.New(ops.Options{Addr: "127.0.0.1:0", Metrics: ops.NewMetrics("test"), Log: slog.New(slog.DiscardHandler)})
	if err := server.Stop(t.Context()); err != nil {
		t.Errorf("Stop before Start: %v", err)
	}
	if err := server.Start(t.Context()); err == nil {
		t.Error("Start after Stop is taken")
	}

	server, base := start(t, ops.Options{})
	addr := server.Addr()
	if err := server.Start(t.Context()); err != nil || server.Addr() != addr {
		t.Errorf("second Start: %v, now at %s", err, server.Addr())
	}
	if status, _ := get(t, base+"/healthz"); status != 200 {
		t.Errorf("after the second Start: %d", status)
	}
	for range 2 {
		if err := server.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	}
	if server.Addr() != "" {
		t.Errorf("after Stop still at %s", server.Addr())
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr); err == nil {
		t.Error("after Stop somebody still listens")
	}
}

func TestOff(t *testing.T) {
	server := ops.New(ops.Options{Metrics: ops.NewMetrics("test"), Log: slog.New(slog.DiscardHandler)})
	if err := server.Start(t.Context()); err != nil || server.Addr() != "" {
		t.Errorf("got %v at %q, want nothing", err, server.Addr())
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAddressInUse(t *testing.T) {
	first, _ := start(t, ops.Options{})
	second := ops.New(ops.Options{Addr: first.Addr(), Metrics: ops.NewMetrics("test"), Log: slog.New(slog.DiscardHandler)})
	if err := second.Start(t.Context()); err == nil {
		t.Error("two servers at one address")
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A request that does not end is cut off when Stop's context is over.
func TestStopCutsOff(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	hang := func(context.Context) error { close(asked); <-release; return nil }
	server, base := start(t, ops.Options{Checks: []ops.Check{{"telegram", hang}}})
	over := make(chan struct{})
	go func() {
		defer close(over)
		request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, base+"/readyz", http.NoBody)
		if err != nil {
			t.Error(err)
			return
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
			t.Errorf("the request was answered: %s", response.Status)
		}
	}()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that time was over", err)
	}
	<-over
	close(release)
}

func TestHealthcheck(t *testing.T) {
	ready, _ := start(t, ops.Options{Checks: []ops.Check{{"database", passes}}})
	broken, _ := start(t, ops.Options{Checks: []ops.Check{{"database", passes}, {"telegram", fails("CANARY")}}})
	closed := ops.New(ops.Options{Addr: "127.0.0.1:0", Metrics: ops.NewMetrics("test"), Log: slog.New(slog.DiscardHandler)})
	if err := closed.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone := closed.Addr()
	if err := closed.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	port := func(server *ops.Server) string {
		_, port, err := net.SplitHostPort(server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // not for questions to ourselves
	for _, test := range []struct{ name, addr, want string }{
		{name: "ready", addr: ready.Addr()},
		{name: "every address", addr: ":" + port(ready)},
		{name: "every IPv4 address", addr: "0.0.0.0:" + port(ready)},
		{name: "not ready", addr: broken.Addr(), want: "not ready: database: ok, telegram: failed"},
		{name: "nobody there", addr: gone, want: "ask the bot: "},
		{name: "off", addr: "", want: "HTTP_ADDR is empty, so there is nothing to ask"},
		{name: "no address", addr: "nonsense", want: "HTTP_ADDR: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := ops.Healthcheck(t.Context(), test.addr)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
