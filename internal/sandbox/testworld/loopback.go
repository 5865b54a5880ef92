package testworld

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"

	"hstockbot/bot"
	"hstockbot/internal/app"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// Loopback is a world for benchmarks: in real time, and over TCP. DatabaseURL may be set
// before Start.
type Loopback struct {
	DatabaseURL string
	Telegram    *telegram.Server
	TelegramURL string
	// Floods counts the calls that Telegram refused because there were too many.
	Floods atomic.Int64

	program *App
}

// NewLoopback starts the pretend Telegram, which ends with the benchmark.
func NewLoopback(b testing.TB, o telegram.Options) *Loopback {
	b.Helper()
	o.Token = Token
	server := telegram.New(o)
	listener := httptest.NewServer(server)
	b.Cleanup(func() { server.Close(); listener.Close() })
	return &Loopback{Telegram: server, TelegramURL: listener.URL}
}

// Start starts the whole program with a marketplace. Both end with the benchmark.
// The rate is in messages a second; 0: no limit.
func (l *Loopback) Start(b testing.TB, rate float64, adminIDs ...int64) *App {
	b.Helper()
	cfg := l.Config(b, rate, adminIDs...)
	l.program = l.start(b, cfg, true)
	return l.program
}

// StartCopies starts copies of the program behind a webhook that gives each update to the
// next copy.
func (l *Loopback) StartCopies(b testing.TB, count int, rate float64) {
	b.Helper()
	cfg := l.Config(b, rate)
	var copies []http.Handler
	var next atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		copies[next.Add(1)%int64(len(copies))].ServeHTTP(w, r)
	}))
	b.Cleanup(hook.Close)
	for range count {
		listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
		Must(b, err)
		Must(b, listener.Close())
		addr := listener.Addr().String()
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
		proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 100}
		copies = append(copies, proxy)
		cfg.WebhookURL, cfg.WebhookAddr, cfg.WebhookSecrets = hook.URL, addr, []redact.Secret{"hook-secret"}
		l.start(b, cfg, false)
	}
}

// Config starts a marketplace, which ends with the benchmark, and returns the configuration
// of programs that use it.
func (l *Loopback) Config(b testing.TB, rate float64, adminIDs ...int64) Config {
	b.Helper()
	if l.DatabaseURL == "" {
		l.DatabaseURL = DatabaseURL(b, filepath.Join(b.TempDir(), "bot.db"))
	}
	marketplace := market.New(market.Options{})
	listener := httptest.NewServer(marketplace)
	b.Cleanup(func() { marketplace.Close(); listener.Close() })
	cfg := BaseConfig(l.DatabaseURL)
	cfg.TelegramAPIURL, cfg.HStockAPIURL, cfg.TelegramRate, cfg.AdminIDs = l.TelegramURL, listener.URL, rate, adminIDs
	return cfg
}

func (l *Loopback) start(b testing.TB, cfg Config, alone bool) *App {
	b.Helper()
	program, err := app.New(b.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler), Alone: alone, ObserveCall: func(_, outcome string) {
		if outcome == bot.OutcomeFlood {
			l.Floods.Add(1)
		}
	}})
	Must(b, err)
	Must(b, program.Start(b.Context()))
	b.Cleanup(func() {
		err := program.Stop(context.WithoutCancel(b.Context()))
		if alone { // else a connection that the proxy has just opened may delay the webhook's end
			Must(b, err)
		}
	})
	return program
}

// NewApp builds the program as it is shipped, for a process of its own.
func NewApp(ctx context.Context, cfg Config) (*App, error) {
	return app.New(ctx, cfg, Options{Log: slog.New(slog.DiscardHandler)})
}

// AwaitIdle waits until the program of Start has handled all updates that it has received.
func (l *Loopback) AwaitIdle(b testing.TB) {
	b.Helper()
	Must(b, l.program.Bot.Idle(b.Context()))
}
