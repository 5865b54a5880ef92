package testworld

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"hstockbot/bot"
	"hstockbot/internal/app"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// Loopback is a world for benchmarks: in real time, and over TCP.
type Loopback struct {
	Telegram    *telegram.Server
	TelegramURL string
	// Floods counts the calls that Telegram refused because there were too many.
	Floods atomic.Int64
}

// NewLoopback starts the pretend Telegram, which ends with the benchmark.
func NewLoopback(b *testing.B, o telegram.Options) *Loopback {
	b.Helper()
	o.Token = Token
	server := telegram.New(o)
	listener := httptest.NewServer(server)
	b.Cleanup(func() { server.Close(); listener.Close() })
	return &Loopback{Telegram: server, TelegramURL: listener.URL}
}

// Start starts the whole program with a marketplace. Both end with the benchmark.
// The rate is in messages a second; 0: no limit.
func (l *Loopback) Start(b *testing.B, rate float64, adminIDs ...int64) *App {
	b.Helper()
	marketplace := market.New(market.Options{})
	listener := httptest.NewServer(marketplace)
	cfg := baseConfig(filepath.Join(b.TempDir(), "bot.db"))
	cfg.TelegramAPIURL, cfg.HStockAPIURL, cfg.TelegramRate, cfg.AdminIDs = l.TelegramURL, listener.URL, rate, adminIDs
	program, err := app.New(b.Context(), cfg, Options{Log: slog.New(slog.DiscardHandler), ObserveCall: func(_, outcome string) {
		if outcome == bot.OutcomeFlood {
			l.Floods.Add(1)
		}
	}})
	Must(b, err)
	Must(b, program.Start(b.Context()))
	b.Cleanup(func() {
		Must(b, program.Stop(context.WithoutCancel(b.Context())))
		marketplace.Close()
		listener.Close()
	})
	return program
}
