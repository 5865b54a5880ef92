package storage

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/sandbox/pgtest"
)

// crashFolder, in the environment of the test binary, makes it the child that
// is killed: it writes there and says on its output what was acknowledged.
const crashFolder = "STORAGE_CRASH_FOLDER"

// Each write that was acknowledged before kill -9 is complete afterwards.
func TestWritesSurviveKill(t *testing.T) {
	pgtest.SQLiteOnly(t)
	for _, lines := range []int{1, 10, 300} {
		t.Run(fmt.Sprint(lines), func(t *testing.T) {
			folder := t.TempDir()
			acknowledged := killAfter(t, folder, lines)

			path := filepath.Join(folder, "bot.db")
			keys, err := KeysBeside(path)
			if err != nil {
				t.Fatal(err)
			}
			db := openAt(t, path, keys)
			for _, line := range acknowledged {
				var what string
				var id int64
				if _, err := fmt.Sscan(line, &what, &id); err != nil {
					t.Fatalf("the child said %q: %v", line, err)
				}
				checkKept(t, db, what, id)
			}
			var verdict string
			if err := db.reader.GetContext(t.Context(), &verdict, "PRAGMA integrity_check"); err != nil || verdict != "ok" {
				t.Errorf("integrity check: %q, %v", verdict, err)
			}
		})
	}
}

func checkKept(t *testing.T, db *DB, what string, id int64) {
	t.Helper()
	switch what {
	case "put": // finished or not by now, but known
		fresh, _, err := db.StoreUpdates(t.Context(), me, []int64{id}, []int64{1}, [][]byte{nil})
		if err != nil || fresh[0] {
			t.Errorf("put %d was lost (%v)", id, err)
		}
	case "finish":
		var state string
		err := db.reader.GetContext(t.Context(), &state, "SELECT state FROM inbox WHERE update_id = ?", id)
		if err != nil || state != "done" {
			t.Errorf("finish %d was lost: %q, %v", id, state, err)
		}
		step, data, err := db.Dialog(t.Context(), id)
		if err != nil || step != "amount" || data != fmt.Sprint("data of ", id) {
			t.Errorf("dialog of %d: %q, %q, %v", id, step, data, err)
		}
	case "write":
		if value, err := db.Setting(t.Context(), fmt.Sprint("w", id)); err != nil || value != "kept" {
			t.Errorf("write %d was lost (%v)", id, err)
		}
	default:
		t.Errorf("the child said %q", what)
	}
}

// killAfter runs the child, kills it after so many lines, and returns every
// whole line it has said.
func killAfter(t *testing.T, folder string, lines int) []string {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), crashFolder+"="+folder)
	child.Stderr = os.Stderr
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	reader := bufio.NewReader(output)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			break // the half line of a killed child counts for nothing
		}
		said = append(said, strings.TrimSpace(line))
		if len(said) == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	if len(said) < lines {
		t.Fatalf("the child said %d lines only", len(said))
	}
	return said
}

// writeUntilKilled is the child: eight writers, until the end.
func writeUntilKilled(folder string) int {
	ctx := context.Background()
	path := filepath.Join(folder, "bot.db")
	keys, err := KeysBeside(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	db, err := Open(ctx, Options{URL: "sqlite:" + path, Keys: keys})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var mu sync.Mutex
	say := func(what string, id int64) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = fmt.Fprintln(os.Stdout, what, id)
	}
	fail := make(chan error)
	for worker := range int64(8) {
		go func() {
			for id := worker + 1; ; id += 8 {
				if err := writeOne(ctx, db, id, say); err != nil {
					fail <- err
				}
			}
		}()
	}
	fmt.Fprintln(os.Stderr, <-fail)
	return 1
}

func writeOne(ctx context.Context, db *DB, id int64, say func(string, int64)) error {
	if _, _, err := db.StoreUpdates(ctx, me, []int64{id}, []int64{1}, [][]byte{[]byte("an update")}); err != nil {
		return err
	}
	say("put", id)
	if _, err := db.FinishWithDialog(ctx, me, 1, id, id, "amount", fmt.Sprint("data of ", id), farFuture); err != nil {
		return err
	}
	say("finish", id)
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		return setSetting(ctx, tx, upsertSetting, fmt.Sprint("w", id), "kept")
	})
	if err != nil {
		return err
	}
	say("write", id)
	return nil
}
