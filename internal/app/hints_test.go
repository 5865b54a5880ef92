package app_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"hstockbot/internal/app"
	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// hintDeadline is less than the outbox pauses without a hint, and far more than a hint takes.
const hintDeadline = 10 * time.Second

// arrived is an outbox.Sender that reports the kinds of messages instead of sending them.
type arrived chan string

func (a arrived) Send(_ context.Context, message storage.Message) (int64, error) {
	a <- message.Kind
	return 0, nil
}

func (a arrived) await(t *testing.T, kind string) {
	t.Helper()
	select {
	case got := <-a:
		if got != kind {
			t.Errorf("%q arrived, want %q", got, kind)
		}
	case <-time.After(hintDeadline):
		t.Errorf("%q has not arrived", kind)
	}
}

// buildCopy builds a program on a shared database. It is not started.
func buildCopy(t *testing.T, url string, log *testworld.Log) *app.App {
	t.Helper()
	bundle, err := testworld.Languages()
	testworld.Must(t, err)
	cfg := testworld.BaseConfig(url)
	cfg.TelegramAPIURL, cfg.HStockAPIURL = "http://127.0.0.1:1", "http://127.0.0.1:1"
	program, err := app.New(t.Context(), cfg, app.Options{Log: slog.New(slog.NewTextHandler(log, nil)), Bundle: bundle})
	testworld.Must(t, err)
	t.Cleanup(func() { testworld.Must(t, program.Stop(context.WithoutCancel(t.Context()))) })
	return program
}

// TestMessageOfAnotherCopyIsSentSoon: one copy stores it, and the outbox of another one
// sends it after a hint. Where no hints arrive, it looks each second.
func TestMessageOfAnotherCopyIsSentSoon(t *testing.T) {
	var log testworld.Log
	proxy := testworld.PostgresProxy(t)
	storing, sending := buildCopy(t, proxy.URL(), &log), buildCopy(t, proxy.URL(), &log)
	_, _, err := storing.DB.TouchUser(t.Context(), 7, "Anna", "en", true)
	testworld.Must(t, err)
	messages := make(arrived, 10)
	store := func(kind string) {
		testworld.Must(t, storing.DB.AddMessage(t.Context(), storage.Message{
			UserID: 7, Kind: kind, Priority: outbox.PriorityReply, Body: []byte(kind), CreatedAt: time.Now().Add(-time.Second),
		}))
		storing.Outbox.Wake()
	}
	storing.Hints.Start()
	sending.Hints.Start()
	sending.Outbox.Start(messages)
	for _, kind := range []string{"first", "second", "third"} {
		if kind == "third" {
			proxy.Mute(true)
			proxy.Down()
			proxy.Up()
		}
		store(kind)
		messages.await(t, kind)
		for range 100 { // the outbox looks once more after a message; that must not find the next one
			testworld.Must(t, storing.DB.Ping(t.Context()))
		}
	}
}

// TestWakesAreHints: each service that has work for another copy gives a hint, and so does
// a copy that stops.
func TestWakesAreHints(t *testing.T) {
	var log testworld.Log
	url := testworld.PostgresProxy(t).URL()
	program, other := buildCopy(t, url, &log), buildCopy(t, url, &log)
	hints := make(arrived, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- other.DB.Listen(ctx, func(hint string) { hints <- hint }) }()
	hints.await(t, "")
	program.Hints.Start()
	for hint, wake := range map[string]func(){
		"outbox": program.Outbox.Wake, "broadcasts": program.Broadcasts.Wake, "all-polls": program.Orders.WakePoller,
	} {
		wake()
		hints.await(t, hint)
	}
	testworld.Must(t, program.Stop(t.Context()))
	hints.await(t, "lease")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("listening ended with %v", err)
	}
}
