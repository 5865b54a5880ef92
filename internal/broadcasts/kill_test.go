package broadcasts_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/broadcasts"
	"hstockbot/storage"
)

// What the process that is killed is told through its environment.
const (
	killAt    = "HSTOCKBOT_TEST_KILL_AT" // the step, and how often it is made before
	killDB    = "HSTOCKBOT_TEST_DB"
	killGotIn = "HSTOCKBOT_TEST_GOT"

	killPeople  = 40
	killSenders = 15
)

// TestKilledBetweenTwoSteps kills a process with SIGKILL after each step of a
// message, in the middle of a broadcast, and lets another one take over. Nobody
// gets two copies, only who was in hand may get none, and the counts say so.
func TestKilledBetweenTwoSteps(t *testing.T) {
	for _, step := range []string{"taken 0", "taken 3", "sending 0", "sending 9", "sent 0", "sent 12", "recorded 0", "recorded 20", "drawn 0", "finished 0"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, gotIn := filepath.Join(dir, "bot.db"), filepath.Join(dir, "got")
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), killAt+"="+step, killDB+"="+path, killGotIn+"="+gotIn)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			err := cmd.Run()
			if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
				t.Fatalf("the process was to be killed: %v\n%s", err, &stderr)
			}
			before, err := got(gotIn)
			must(t, err)
			takeOver(t, path, before)
		})
	}
}

// takeOver is the next process, in simulated time from now on.
func takeOver(t *testing.T, path string, before map[int64]int) {
	now := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(now)) // the leases in the database are of today
		w := newWorld(t, path)
		defer func() { must(t, w.db.Close(t.Context())) }()
		s := w.process()
		pass(5 * time.Minute)
		stop(t, s)
		all, err := w.db.Broadcasts(t.Context(), 1)
		must(t, err)
		b := all[0]
		copies := before
		for id, texts := range w.copies {
			copies[id] += len(texts)
		}
		for id, n := range copies {
			if n > 1 {
				t.Errorf("%d got %d copies", id, n)
			}
		}
		n := int64(total(copies))
		switch {
		case b.State != storage.BroadcastDone || b.Handled() != killPeople:
			t.Errorf("came to %+v", b)
		case b.Uncertain > killSenders || n < b.Sent || n > b.Sent+b.Uncertain:
			t.Errorf("%d people got it: %+v", n, b)
		}
		if len(w.drawn[b.ID]) == 0 {
			t.Error("the end was not shown by the next process")
		}
	})
}

// sendUntilKilled is the process: it sends to some people and ends itself at a step.
func sendUntilKilled(at string) error {
	var step string
	var after int64
	if _, err := fmt.Sscan(at, &step, &after); err != nil {
		return err
	}
	var made atomic.Int64
	die := func(at string) {
		if at == step && made.Add(1) > after {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until the signal is there
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := openDB(ctx, os.Getenv(killDB))
	if err != nil {
		return err
	}
	if err := join(ctx, db, killPeople); err != nil {
		return err
	}
	if _, err := confirm(ctx, db, author, killPeople, toAll); err != nil {
		return err
	}
	phone, err := os.OpenFile(os.Getenv(killGotIn), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	service := broadcasts.New(broadcasts.Options{
		DB: db, Rate: 30, Log: slog.New(slog.DiscardHandler), Checkpoint: die,
		Language: func(storage.User) string { return "en" },
		Admin:    func(int64) bool { return true },
		Send: func(_ context.Context, id int64, _ string) error {
			die("sending")
			_, err := fmt.Fprintln(phone, id)
			return err
		},
		Progress: func(ctx context.Context, id int64) error {
			b, err := db.Broadcast(ctx, id)
			if err == nil && b.State == storage.BroadcastDone {
				die("finished")
			}
			die("drawn")
			return err
		},
	})
	service.Start()
	<-ctx.Done()
	return ctx.Err()
}
