package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hstockbot/internal/app"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

func TestMain(m *testing.M) {
	if url, ok := os.LookupEnv(envDatabase); ok {
		if command := os.Getenv(envCommand); command != "" {
			if err := runCommand(command, url); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
		fmt.Fprintln(os.Stderr, runUntilKilled(url))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

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

// A program on a database that another one uses says so once, does nothing, and starts
// when the other one has stopped. Before that it does not open the database: it would
// migrate what the other one, perhaps an older version, still uses.
func TestWaitsForTheDatabase(t *testing.T) {
	pgtest.SQLiteOnly(t)
	testworld.Run(t, func(w *testworld.World) {
		first := w.Start(w.Config(), app.Options{})
		// While this is set, a program that opens the database ends with an error.
		schemaMin, err := first.DB.Setting(w.T.Context(), "schema_min")
		testworld.Must(w.T, err)
		testworld.Must(w.T, first.DB.SetSetting(w.T.Context(), "schema_min", "999"))

		var calls atomic.Int64 // the program calls Telegram from several goroutines
		started := make(chan *app.App, 1)
		go func() {
			started <- w.Start(w.Config(), app.Options{ObserveCall: func(string, string) { calls.Add(1) }})
		}()
		testworld.Pass(time.Minute)
		if len(started) > 0 {
			t.Error("the second program has started")
		}
		if n := strings.Count(w.Log.String(), "another process uses this database"); n != 1 {
			t.Errorf("the second program said %d times that it waits", n)
		}
		if n := calls.Load(); n > 0 {
			t.Errorf("the second program called Telegram %d times", n)
		}
		testworld.Must(w.T, first.DB.SetSetting(w.T.Context(), "schema_min", schemaMin))
		testworld.Must(w.T, first.Stop(w.T.Context()))
		second := <-started
		anna := w.Telegram.Join(telegram.Person{ID: 1, FirstName: "Anna", LanguageCode: "en"})
		anna.Type("/start")
		testworld.Pass(time.Second)
		if !strings.Contains(anna.Transcript(), "Anna") {
			t.Errorf("the chat is:\n%s", anna.Transcript())
		}
		testworld.Must(w.T, second.Stop(context.WithoutCancel(w.T.Context())))
	})
}

// Waiting for the database ends with the context.
func TestStopsWaitingForTheDatabase(t *testing.T) {
	pgtest.SQLiteOnly(t)
	testworld.Run(t, func(w *testworld.World) {
		first := w.Start(w.Config(), app.Options{})
		ctx, cancel := context.WithTimeout(w.T.Context(), time.Second)
		defer cancel()
		if _, err := app.New(ctx, w.Config(), app.Options{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		testworld.Must(w.T, first.Stop(context.WithoutCancel(w.T.Context())))
	})
}
