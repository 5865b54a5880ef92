package storage

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
)

// TestRestoredDumpRaisesTheEpoch: pg_restore makes other tables on the same server, and
// nothing is bought until an admin has looked, whatever becomes of the server.
func TestRestoredDumpRaisesTheEpoch(t *testing.T) {
	pgtest.Require(t)
	url := postgresURL(t, filepath.Join(t.TempDir(), "bot.db"))
	db := openURL(t, url)
	w := newCommitWorld(t, db)
	before := w.draft()
	mustClose(t, db)
	db = openURL(t, url) // the same tables
	if restoration, err := db.Restoration(t.Context()); err != nil || !restoration.At.IsZero() {
		t.Errorf("%+v, %v", restoration, err)
	}
	mustClose(t, db)
	dump := filepath.Join(t.TempDir(), "dump")
	for _, command := range [][]string{
		{"pg_dump", "--format=custom", "--file=" + dump, url},
		{"pg_restore", "--clean", "--if-exists", "--dbname=" + url, dump},
	} {
		path, err := exec.LookPath(command[0])
		if err != nil {
			t.Skip(err)
		}
		if output, err := exec.CommandContext(t.Context(), path, command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	db = openURL(t, url)
	restoration, err := db.Restoration(t.Context())
	if err != nil || !restoration.Backup || restoration.At.IsZero() {
		t.Errorf("%+v, %v", restoration, err)
	}
	if old, err := db.DrawnBeforeRestoration(t.Context(), before.ID); err != nil || !old {
		t.Errorf("an earlier draft: %v, %v", old, err)
	}
	db.failover = FailoverNone
	if err := db.Durable(t.Context()); !errors.Is(err, ErrRestored) {
		t.Errorf("buying: %v", err)
	}
	w.db, w.now = db, time.Now()
	p := w.draft()
	if claimed, err := db.ClaimPurchase(t.Context(), 7, p.ID, "owner", w.now, w.now.Add(time.Minute)); err != nil || claimed {
		t.Errorf("claimed %v, %v", claimed, err)
	}
	mustClose(t, db)
	db = openURL(t, url)
	if again, err := db.Restoration(t.Context()); err != nil || again != restoration {
		t.Errorf("%+v, then %+v, %v", restoration, again, err)
	}
}
