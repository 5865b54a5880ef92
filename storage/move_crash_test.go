package storage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"hstockbot/internal/sandbox/pgtest"
)

// These, in the environment of the test binary, make it the child that is killed when its
// move reaches the step.
const (
	moveCrashStep = "STORAGE_MOVE_STEP"
	moveCrashFrom = "STORAGE_MOVE_FROM"
	moveCrashTo   = "STORAGE_MOVE_TO"
)

// moveUntilKilled is the child.
func moveUntilKilled(step string) int {
	var tb testing.T
	err := Move(context.Background(), MoveOptions{From: os.Getenv(moveCrashFrom), To: os.Getenv(moveCrashTo), Keys: testKeys(&tb, 1), checkpoint: func(at string) {
		if at == step {
			_, _ = fmt.Fprintln(os.Stdout, at)
			select {}
		}
	}})
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// killMove kills a move at a step.
func killMove(t *testing.T, from, to, step string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), moveCrashStep+"="+step, moveCrashFrom+"="+from, moveCrashTo+"="+to)
	child.Stderr = os.Stderr
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(output).ReadString('\n'); err != nil || strings.TrimSpace(line) != step {
		t.Fatalf("the child said %q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	for _, url := range []string{from, to} { // until the server has noticed
		if side := sideOf(t, url); side.postgres {
			for _, query := range []string{`SET lock_timeout = 0`, fmt.Sprintf(`SELECT pg_advisory_lock(%d)`, int64(moveLock))} {
				if _, err := side.ExecContext(t.Context(), query); err != nil {
					t.Fatal(err)
				}
			}
			if err := side.close(); err != nil {
				t.Fatal(err)
			}
		} else if err := side.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMoveIsKilled(t *testing.T) {
	for _, direction := range []struct {
		name     string
		from, to func(testing.TB) string
	}{
		{"to PostgreSQL", fullShop, pgtest.Empty},
		{"to SQLite", shopOnServer, newFile},
	} {
		for _, test := range []struct {
			step     string
			from, to error // of Open
			again    string
		}{
			{step: "copied"},
			{step: "committed", to: ErrMoveUnfinished, again: "TO has the rows of a move that was cut off"},
			{step: "marked", from: ErrMoved, to: ErrMoveUnfinished},
		} {
			t.Run(direction.name+", "+test.step, func(t *testing.T) {
				from, to := direction.from(t), direction.to(t)
				want := rowsOf(t, from)
				killMove(t, from, to, test.step)
				equal(t, "rows of the source", want, rowsOf(t, from))
				for url, refused := range map[string]error{from: test.from, to: test.to} {
					if err := tryOpen(t, url); !errors.Is(err, refused) {
						t.Errorf("opened with %v, want %v", err, refused)
					}
				}
				if test.step == "copied" {
					if n := len(rowsOf(t, to)); n != 1 { // settings
						t.Errorf("%d tables of the target have rows", n)
					}
				}
				err := moveTo(t, from, to)
				if test.again != "" {
					if err == nil || !strings.Contains(err.Error(), test.again) {
						t.Errorf("moved again: %v", err)
					}
					to = direction.to(t)
					err = moveTo(t, from, to)
				}
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "rows of the target", want, rowsOf(t, to))
				openOnce(t, to)
				if err := tryOpen(t, from); !errors.Is(err, ErrMoved) {
					t.Errorf("the source opens: %v", err)
				}
				if err := moveTo(t, to, from); err == nil || !strings.Contains(err.Error(), "give a new file or an empty database") {
					t.Errorf("moved back: %v", err)
				}
			})
		}
	}
}
