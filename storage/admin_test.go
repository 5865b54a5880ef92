package storage

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Somebody seen elsewhere only can't be written to, and who has blocked the bot
// does not come back by that.
func TestSeenElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	synctest.Test(t, func(t *testing.T) {
		db := openAt(t, path, testKeys(t, 1))
		see := func(private bool) User {
			t.Helper()
			user, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", private)
			if err != nil {
				t.Fatal(err)
			}
			return user
		}
		reachable := func(want bool) {
			t.Helper()
			ids, err := db.Reachable(t.Context(), []int64{6, 7, 8})
			if err != nil || (len(ids) == 1) != want {
				t.Errorf("reachable are %v (%v), want Ann: %v", ids, err, want)
			}
		}
		if see(false).Private {
			t.Error("an inline query opens the private chat")
		}
		reachable(false)
		if !see(true).Private || !see(false).Private {
			t.Error("the private chat is not seen")
		}
		reachable(true)
		if err := db.AddMessage(t.Context(), Message{UserID: 7, Kind: "goods", CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := db.SetUnreachable(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * seenEvery)
		if !see(false).Unreachable {
			t.Error("an inline query makes who blocked the bot reachable")
		}
		reachable(false)
		if _, released, err := db.TouchUser(t.Context(), 7, "Ann", "en", true); err != nil || !released {
			t.Errorf("held messages are not released (%v)", err)
		}
		reachable(true)
	})
}

func TestBlocked(t *testing.T) {
	db := openTest(t)
	deed := AuditEntry{AdminID: 1, Action: "block", Subject: 7, At: time.Now()}
	if _, err := db.SetBlocked(t.Context(), 7, true, deed); !errors.Is(err, ErrNotFound) {
		t.Errorf("somebody never seen: %v", err)
	}
	if _, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} { // the second time it is so already
		if changed, err := db.SetBlocked(t.Context(), 7, true, deed); err != nil || changed != want {
			t.Errorf("changed: %v (%v), want %v", changed, err, want)
		}
	}
	user, _, err := db.TouchUser(t.Context(), 7, "Anna", "en", true)
	if err != nil || !user.Blocked {
		t.Errorf("%+v (%v) is not blocked any more", user, err)
	}
	if deeds, total, err := db.AuditLog(t.Context(), 8, 0); err != nil || total != 1 || deeds[0].Subject != 7 {
		t.Errorf("written down are %+v (%v)", deeds, err)
	}
	if err := db.Forget(t.Context(), 7, time.Now()); err != nil {
		t.Fatal(err)
	}
	if deeds, _, err := db.AuditLog(t.Context(), 8, 0); err != nil || len(deeds) != 1 || deeds[0].Subject != 0 {
		t.Errorf("after being forgotten: %+v (%v)", deeds, err)
	}
}

func TestMaintenance(t *testing.T) {
	db := openTest(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	check := func(want Maintenance, deeds int) {
		t.Helper()
		got, err := db.Maintenance(t.Context())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v%s", err, diff)
		}
		if _, total, err := db.AuditLog(t.Context(), 8, 0); err != nil || total != deeds {
			t.Errorf("%d deeds are written down (%v), want %d", total, err, deeds)
		}
	}
	set := func(since time.Time) {
		t.Helper()
		if err := db.SetMaintenance(t.Context(), since, AuditEntry{AdminID: 1, Action: "maintenance", At: now}); err != nil {
			t.Fatal(err)
		}
	}
	check(Maintenance{}, 0)
	set(time.Time{}) // so it is already
	check(Maintenance{}, 0)
	set(now)
	set(now.Add(time.Hour)) // the first counts
	check(Maintenance{Since: now}, 1)
	if err := db.SetMaintenanceText(t.Context(), "Back soon", AuditEntry{AdminID: 1, Action: "text", At: now}); err != nil {
		t.Fatal(err)
	}
	check(Maintenance{Since: now, Text: "Back soon"}, 2)
	set(time.Time{})
	check(Maintenance{Text: "Back soon"}, 3)
}

func TestCensus(t *testing.T) {
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
		key, err := db.SaveKey(t.Context(), 1, "a-key-of-somebody")
		if err != nil {
			t.Fatal(err)
		}
		rented(t, db, 1, key, 23501, 23502)
		if _, err := db.StoreUpdates(t.Context(), []int64{1, 2, 3}, []int64{1, 1, 1}, [][]byte{[]byte("{}"), []byte("{}"), []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		if err := db.DeadLetter(t.Context(), 2); err != nil {
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
