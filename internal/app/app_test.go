package app_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hstockbot/internal/app"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The program starts, serves somebody, and stops; stopping again does nothing.
func TestStartAndStop(t *testing.T) {
	testworld.Run(t, func(w *testworld.World) {
		program := w.Start(w.Config(), app.Options{})
		anna := w.Telegram.Join(telegram.Person{ID: 1, FirstName: "Anna", LanguageCode: "en"})
		anna.Type("/start")
		testworld.Pass(time.Second)
		if !strings.Contains(anna.Transcript(), "Anna") {
			t.Errorf("the chat is:\n%s", anna.Transcript())
		}
		for range 2 {
			began := time.Now()
			testworld.Must(w.T, program.Stop(context.WithoutCancel(w.T.Context())))
			if took := time.Since(began); took > time.Second {
				t.Errorf("an idle program took %s to stop", took)
			}
		}
		if strings.Contains(w.Log.String(), "level=ERROR") {
			t.Errorf("the log holds errors:\n%s", w.Log)
		}
	})
}

// A start that fails leaves nothing behind once the program is stopped.
func TestFailedStart(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	testworld.Must(t, err)
	defer func() { _ = taken.Close() }()
	testworld.Run(t, func(w *testworld.World) {
		cfg := w.Config()
		cfg.HTTPAddr = taken.Addr().String()
		program, err := w.Build(cfg, app.Options{})
		testworld.Must(w.T, err)
		if err := program.Start(w.T.Context()); err == nil {
			t.Error("the program starts on an address in use")
		}
		testworld.Must(w.T, program.Stop(context.WithoutCancel(w.T.Context())))
	})
}

// What New has opened is closed again when it fails.
func TestFailedBuild(t *testing.T) {
	testworld.Run(t, func(w *testworld.World) {
		cfg := w.Config()
		cfg.TelegramToken = "no token"
		if _, err := w.Build(cfg, app.Options{}); err == nil || strings.Contains(err.Error(), "no token") {
			t.Errorf("got %v", err)
		}
		testworld.Must(w.T, w.OpenDB().Close(w.T.Context()))
	})
}
