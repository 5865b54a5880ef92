package storage

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	synctest.Test(t, func(t *testing.T) {
		db := openAt(t, path, testKeys(t, 1))
		began := time.Now().UTC()
		see := func(id int64) {
			t.Helper()
			if _, _, err := db.TouchUser(t.Context(), id, "Somebody", "en", true); err != nil {
				t.Fatal(err)
			}
		}
		see(1)
		see(2)
		key, err := db.SaveKey(t.Context(), 1, "a-key")
		if err != nil {
			t.Fatal(err)
		}
		rented(t, db, 1, key, 23501, 23502)
		if _, _, err := db.StoreUpdates(t.Context(), me, []int64{1, 2, 3}, []int64{1, 1, 1}, [][]byte{[]byte("{}"), []byte("{}"), []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.DeadLetter(t.Context(), me, 1, 2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		day := time.Now()
		see(2)
		see(3)
		if err := db.AddMessage(t.Context(), Message{UserID: 3, Kind: "goods", CreatedAt: day}); err != nil {
			t.Fatal(err)
		}
		if err := db.AddMessage(t.Context(), Message{UserID: 1, Kind: "goods", CreatedAt: day}); err != nil {
			t.Fatal(err)
		}
		if err := db.SetUnreachable(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if _, err := db.SetBlocked(t.Context(), 2, true, AuditEntry{}); err != nil {
			t.Fatal(err)
		}
		got, err := db.Stats(t.Context(), time.Now(), day, 3)
		want := Stats{
			People: 3, New: 1, Active: 2, Unreachable: 1, Blocked: 1, OpenSMS: 2, OldestOpen: began,
			Pending: 1, Held: 1, OldestPending: day.UTC(), Unfinished: 1, DeadLettered: 1, OldestUnfinished: began,
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v%s", err, diff)
		}
	})
}
