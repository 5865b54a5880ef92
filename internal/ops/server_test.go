package ops_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

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
		{name: "alive", path: "/healthz", status: 200, body: "ok\n"},
		{name: "alive but not ready", path: "/healthz", checks: []ops.Check{{"database", fails("x")}}, status: 200, body: "ok\n"},
		{name: "ready without checks", path: "/readyz", status: 200},
		{name: "ready", path: "/readyz", checks: []ops.Check{{"telegram", passes}, {"database", passes}}, status: 200, body: "database: ok\ntelegram: ok\n"},
		{name: "one fails", path: "/readyz", checks: []ops.Check{{"telegram", fails(canary)}, {"database", passes}}, status: 503, body: "database: ok\ntelegram: failed\n"},
		{name: "unknown path", path: "/", status: 404, body: "404 page not found\n"},
		{name: "wrong method", method: http.MethodPost, path: "/healthz", status: 405, body: "Method Not Allowed\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, base := start(t, ops.Options{Checks: test.checks})
			status, body := do(t, test.method, base+test.path)
			if status != test.status || body != test.body {
				t.Errorf("got %d %q, want %d %q", status, body, test.status, test.body)
			}
			if strings.Contains(body, canary) {
				t.Error("the text of an error is served")
			}
		})
	}
}

func TestReadinessChangesAreLogged(t *testing.T) {
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
		t.Errorf("%d log lines say that it is not ready, want 1:\n%s", got, &log)
	}
	if got := strings.Count(log.String(), "ready again"); got != 1 {
		t.Errorf("%d log lines say that it is ready again, want 1:\n%s", got, &log)
	}
}

// A check that ignores its context does not delay the response.
func TestReadyWithHangingCheck(t *testing.T) {
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

func TestRepeatedStartAndStop(t *testing.T) {
	server := ops.New(ops.Options{Addr: "127.0.0.1:0", Metrics: ops.NewMetrics("test"), Log: slog.New(slog.DiscardHandler)})
	if err := server.Stop(t.Context()); err != nil {
		t.Errorf("Stop before Start: %v", err)
	}
	if err := server.Start(t.Context()); err == nil {
		t.Error("Start after Stop has no error")
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
		t.Errorf("after Stop it has the address %s", server.Addr())
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr); err == nil {
		t.Error("after Stop it still listens")
	}
}

func TestServerWithoutAddress(t *testing.T) {
	server := ops.New(ops.Options{Metrics: ops.NewMetrics("test"), Log: slog.New(slog.DiscardHandler)})
	if err := server.Start(t.Context()); err != nil || server.Addr() != "" {
		t.Errorf("got %v and address %q, want neither", err, server.Addr())
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAddressInUse(t *testing.T) {
	first, _ := start(t, ops.Options{})
	second := ops.New(ops.Options{Addr: first.Addr(), Metrics: ops.NewMetrics("test"), Log: slog.New(slog.DiscardHandler)})
	if err := second.Start(t.Context()); err == nil {
		t.Error("a second server listens on the same address")
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A request that does not end is aborted when the context of Stop ends.
func TestStopAbortsRequests(t *testing.T) {
	server, aborted := startHanging(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	<-aborted
}

func TestConcurrentStopsObeyTheirOwnContexts(t *testing.T) {
	server, aborted := startHanging(t)
	first := make(chan error, 1)
	go func() { first <- server.Stop(context.WithoutCancel(t.Context())) }()
	for server.Addr() != "" { // until the first Stop has begun
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("second Stop: got %v, want context.Canceled", err)
	}
	<-aborted
	if err := <-first; err != nil {
		t.Errorf("first Stop: %v", err)
	}
}

// startHanging returns a server with a request that gets no response. aborted
// is closed when the connection of that request is closed.
func startHanging(t *testing.T) (server *ops.Server, aborted <-chan struct{}) {
	t.Helper()
	asked, release, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) })
	hang := func(context.Context) error { close(asked); <-release; return nil }
	server, base := start(t, ops.Options{Checks: []ops.Check{{"telegram", hang}}})
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
			t.Errorf("the request got a response: %s", response.Status)
		}
	}()
	<-asked
	return server, over
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
