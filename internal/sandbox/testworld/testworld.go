// Package testworld is the world that tests run in: the pretend marketplace and
// the pretend Telegram on a network in memory, a database in a file, and a log,
// inside a synctest bubble whose time is simulated. Tests of one package build
// that package on it; Start builds the whole program.
package testworld

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/app"
	"hstockbot/internal/config"
	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/memnet"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	// Token is the bot's.
	Token = "1234567:AAcanary-token-of-the-pretend-bot"
	// SecretKey seals the databases of tests.
	SecretKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" //nolint:gosec // of tests only
	// AnnaKey and OperatorKey are API keys with 100 dollars each, PoorKey has one.
	AnnaKey     = redact.Secret("canary-key-anna-0123456789")
	OperatorKey = redact.Secret("canary-key-operator-012345")
	PoorKey     = redact.Secret("canary-key-poor-0123456789")
)

// World is one test's world.
type World struct {
	T        *testing.T
	Dir      string // of the database
	Net      *memnet.Network
	Market   *market.Server
	Telegram *telegram.Server
	Log      *Log

	stopMarket func()
}

// Run runs a test in a world, and fails it where the marketplace was asked
// something that its document does not allow.
func Run(t *testing.T, test func(w *World)) {
	t.Helper()
	create := prepareDatabase(t)
	synctest.Test(t, func(t *testing.T) {
		w := &World{T: t, Dir: t.TempDir(), Net: memnet.New(), Log: &Log{}}
		create(w.DatabasePath())
		w.Market = market.New(market.Options{})
		_, w.stopMarket = w.Net.Serve("market", w.Market)
		w.Telegram = telegram.New(telegram.Options{Token: Token, Username: "shop_bot", Name: "Shop"})
		_, stopTelegram := w.Net.Serve("telegram", w.Telegram)
		w.Market.AddKey(AnnaKey.Reveal(), "100.00", "USD")
		w.Market.AddKey(OperatorKey.Reveal(), "100.00", "USD")
		w.Market.AddKey(PoorKey.Reveal(), "1.00", "USD")

		defer func() { // also after a test that ended early
			w.Telegram.Close()
			w.Market.Close()
			stopTelegram()
			w.stopMarket()
			if violations := w.Market.Violations(); len(violations) > 0 {
				t.Errorf("the marketplace was asked what the document does not allow: %q", violations)
			}
		}()
		test(w)
	})
}

// CutMarket takes the marketplace off the network for good.
func (w *World) CutMarket() { w.stopMarket() }

// Client returns a client of the marketplace, which ends with the test.
func (w *World) Client() *hstock.Client {
	w.T.Helper()
	client, err := hstock.New(hstock.Options{URL: "http://market", Dial: w.Net.Dial})
	Must(w.T, err)
	w.T.Cleanup(client.Close)
	return client
}

type (
	// Config is the configuration of a program.
	Config = config.Config
	// Options is what a program is built with beside it.
	Options = app.Options
	// App is a built program.
	App = app.App
)

// Config is that of a program in this world: 30 messages and 20 calls a second, no
// admins, and no page for operators.
func (w *World) Config() Config {
	cfg := BaseConfig(DatabaseURL(w.T, w.DatabasePath()))
	cfg.TelegramAPIURL, cfg.HStockAPIURL = "http://telegram", "http://market"
	cfg.TelegramRate, cfg.HStockAPIKey = 30, OperatorKey
	return cfg
}

// BaseConfig is a configuration without addresses.
func BaseConfig(databaseURL string) Config {
	return Config{
		TelegramToken: Token, HStockRate: 20, CatalogTTL: 5 * time.Minute, SMMRatePer: 1000,
		DatabaseURL: databaseURL, SecretKey: SecretKey, DefaultLang: "en", SupportText: "support@hstockplus.net",
	}
}

// Build builds the whole program. The caller stops it, also one that it did not
// start.
func (w *World) Build(cfg Config, o Options) (*App, error) {
	w.T.Helper()
	var err error
	o.Dial = w.Net.Dial
	o.Alone = true // beats every few seconds would make simulated days slow
	o.Log = slog.New(redact.New(cfg.Secrets()...).Handler(slog.NewTextHandler(w.Log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	o.Bundle, err = Languages()
	Must(w.T, err)
	return app.New(w.T.Context(), cfg, o)
}

// Start builds the whole program and starts it. The caller stops it.
func (w *World) Start(cfg Config, o Options) *App {
	w.T.Helper()
	program, err := w.Build(cfg, o)
	Must(w.T, err)
	Must(w.T, program.Start(w.T.Context()))
	synctest.Wait()
	return program
}

// Languages reads the message files once for all worlds.
var Languages = sync.OnceValues(locales.Load)

// Pass lets simulated time pass and everything in it happen.
func Pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // in a bubble: no real time
	synctest.Wait()
}

// Must fails a test on an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Log keeps what is logged.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns everything that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Reset forgets what was logged.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Reset()
}

// Recorder is an outbox.Sender that keeps the messages instead of sending them.
// The zero value is ready.
type Recorder struct {
	mu   sync.Mutex
	sent []storage.Message
	fail func(storage.Message) error
}

// Send implements outbox.Sender.
func (r *Recorder) Send(_ context.Context, message storage.Message) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(message); err != nil {
			return 0, err
		}
	}
	r.sent = append(r.sent, message)
	return int64(len(r.sent)), nil
}

// FailWith makes Send return the error that fail returns for a message; nil: every
// message arrives.
func (r *Recorder) FailWith(fail func(storage.Message) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = fail
}

// Sent returns the messages that have arrived, in order, once the world is idle.
func (r *Recorder) Sent() []storage.Message {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent)
}

// Kinds returns the kinds of Sent.
func (r *Recorder) Kinds() []string {
	var kinds []string
	for _, message := range r.Sent() {
		kinds = append(kinds, message.Kind)
	}
	return kinds
}
