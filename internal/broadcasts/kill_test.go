package broadcasts_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hstockbot/internal/broadcasts"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// The environment of the process that is killed.
const (
	envKillAt     = "HSTOCKBOT_TEST_KILL_AT" // the step, and how often it is made before
	envDatabase   = "HSTOCKBOT_TEST_DB"
	envRecipients = "HSTOCKBOT_TEST_GOT" // the file with the ids of the people who got a copy

	killPeople  = 40
	killSenders = 15
)

func TestMain(m *testing.M) {
	if step, ok := os.LookupEnv(envKillAt); ok {
		fmt.Fprintln(os.Stderr, sendUntilKilled(step))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// TestKilledBetweenTwoSteps kills a process with SIGKILL after each step of a
// message, in the middle of a broadcast, and starts another one. Nobody gets two
// copies, only recipients in flight may get none, and the counts say so.
func TestKilledBetweenTwoSteps(t *testing.T) {
	for _, step := range []string{"taken 0", "taken 3", "sending 0", "sending 9", "sent 0", "sent 12", "recorded 0", "recorded 20", "drawn 0", "finished 0"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, recipients := filepath.Join(dir, "bot.db"), filepath.Join(dir, "recipients")
			db := testworld.OpenDB(t, path)
			join(t, db, killPeople)
			confirm(t, db, author, killPeople, textForAll)
			testworld.Must(t, db.Close(t.Context()))
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), envKillAt+"="+step, envDatabase+"="+testworld.DatabaseURL(t, path), envRecipients+"="+recipients)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			err := cmd.Run()
			if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
				t.Fatalf("the process was not killed: %v\n%s", err, &stderr)
			}
			copies, err := readRecipients(recipients)
			testworld.Must(t, err)
			takeOver(t, dir, copies)
		})
	}
}

// takeOver runs the next process on the database in dir. copies has how many each
// person got from the killed one.
func takeOver(t *testing.T, dir string, copies map[int64]int) {
	now := time.Now()
	testworld.Run(t, func(base *testworld.World) {
		testworld.Pass(time.Until(now)) // the leases in the database are of today
		base.Dir = dir
		w := newWorld(base)
		s := w.startProcess()
		testworld.Pass(5 * time.Minute)
		w.stop(s)
		all, err := w.db.Broadcasts(w.T.Context(), 1)
		w.must(err)
		b := all[0]
		for id, texts := range w.copies {
			copies[id] += len(texts)
		}
		total := int64(0)
		for id, n := range copies {
			if total += int64(n); n > 1 {
				w.T.Errorf("%d got %d copies", id, n)
			}
		}
		switch {
		case b.State != storage.BroadcastDone || b.Handled() != killPeople:
			w.T.Errorf("the broadcast is %+v", b)
		case b.Uncertain > killSenders || total < b.Sent || total > b.Sent+b.Uncertain:
			w.T.Errorf("%d people got it: %+v", total, b)
		}
		if len(w.progress[b.ID]) == 0 {
			w.T.Error("the next process did not show the end")
		}
		w.close()
	})
}

// readRecipients counts the copies of each person in the file that the killed
// process has left.
func readRecipients(path string) (map[int64]int, error) {
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	copies := map[int64]int{}
	for line := range strings.Lines(string(content)) {
		var id int64
		if _, err := fmt.Sscan(line, &id); err != nil {
			return nil, err
		}
		copies[id]++
	}
	return copies, nil
}

// sendUntilKilled is the process: it sends to some people and kills itself at a
// step.
func sendUntilKilled(at string) error {
	var step string
	var after int64
	if _, err := fmt.Sscan(at, &step, &after); err != nil {
		return err
	}
	var made atomic.Int64
	killAt := func(at string) {
		if at == step && made.Add(1) > after {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until the signal arrives
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	keys, err := storage.ParseKeys(testworld.SecretKey)
	if err != nil {
		return err
	}
	db, err := storage.Open(ctx, storage.Options{URL: os.Getenv(envDatabase), Keys: keys})
	if err != nil {
		return err
	}
	recipients, err := os.OpenFile(os.Getenv(envRecipients), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	service := broadcasts.New(broadcasts.Options{
		DB: db, Rate: 30, Log: slog.New(slog.DiscardHandler), Checkpoint: killAt,
		Language: func(storage.User) string { return "en" },
		Admin:    func(int64) bool { return true },
		Send: func(_ context.Context, id int64, _ string) error {
			killAt("sending")
			_, err := fmt.Fprintln(recipients, id)
			return err
		},
		Progress: func(ctx context.Context, id int64) error {
			b, err := db.Broadcast(ctx, id)
			if err == nil && b.State == storage.BroadcastDone {
				killAt("finished")
			}
			killAt("drawn")
			return err
		},
	})
	service.Start()
	<-ctx.Done()
	return ctx.Err()
}
