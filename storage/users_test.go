package storage

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTouchUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	synctest.Test(t, func(t *testing.T) {
		db := openAt(t, path, testKeys(t, 1))
		start := time.Now().UTC()
		const id = 7_000_000_000 // beyond 32 bits
		want := User{ID: id, Name: "Ann", TelegramLang: "pt-br", CreatedAt: start, SeenAt: start, Private: true}
		see := func() {
			t.Helper()
			for range 2 { // what TouchUser says is what is kept
				got, _, err := db.TouchUser(t.Context(), id, want.Name, want.TelegramLang, true)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v%s", err, diff)
				}
				got, err = db.User(t.Context(), id)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v%s", err, diff)
				}
			}
		}
		if _, err := db.User(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("an unknown person: %v", err)
		}
		see()

		time.Sleep(seenEvery - time.Millisecond)
		see() // not written yet
		time.Sleep(time.Millisecond)
		want.SeenAt = time.Now().UTC()
		see()

		midnight := time.Now().UTC().Truncate(day).Add(day)
		time.Sleep(time.Until(midnight.Add(-time.Minute)))
		want.SeenAt = time.Now().UTC()
		see()
		time.Sleep(time.Minute) // another day
		want.SeenAt = midnight
		see()

		time.Sleep(time.Minute)
		want.Name, want.SeenAt = "Anna", time.Now().UTC()
		see()
		want.TelegramLang = ""
		see()

		if err := db.SetLang(t.Context(), id, "zh"); err != nil {
			t.Fatal(err)
		}
		want.Lang = "zh"
		see()
		want.Name = "Ann" // a language chosen by hand outlives any update
		see()

		if err := db.SetUnreachable(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if got, err := db.User(t.Context(), id); err != nil || !got.Unreachable {
			t.Errorf("unreachable: %+v, %v", got, err)
		}
		see() // reachable again

		for _, err := range []error{db.SetLang(t.Context(), 8, "zh"), db.SetUnreachable(t.Context(), 8)} {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("an unknown person: %v", err)
			}
		}
	})
}

// A repeated visit writes nothing.
func TestTouchUserWritesNothing(t *testing.T) {
	db := openTest(t)
	if _, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true); err != nil {
		t.Fatal(err)
	}
	release := occupy(t, db) // a write would wait for ever
	defer release()
	if _, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true); err != nil {
		t.Fatal(err)
	}
}

func TestTouchUserConcurrently(t *testing.T) {
	db := openTest(t)
	var taps sync.WaitGroup
	for range 32 {
		taps.Go(func() {
			if user, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true); err != nil || user.Name != "Ann" {
				t.Errorf("%+v, %v", user, err)
			}
		})
	}
	taps.Wait()
}

// A person who has never used the private chat can't be written to, and one who has
// blocked the bot stays unreachable outside it.
func TestTouchUserOutsidePrivateChat(t *testing.T) {
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

func TestSetBlocked(t *testing.T) {
	db := openTest(t)
	entry := AuditEntry{AdminID: 1, Action: "block", Subject: 7, At: time.Now()}
	if _, err := db.SetBlocked(t.Context(), 7, true, entry); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown person: %v", err)
	}
	if _, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} { // the second time it is so already
		if changed, err := db.SetBlocked(t.Context(), 7, true, entry); err != nil || changed != want {
			t.Errorf("changed: %v (%v), want %v", changed, err, want)
		}
	}
	user, _, err := db.TouchUser(t.Context(), 7, "Anna", "en", true)
	if err != nil || !user.Blocked {
		t.Errorf("%+v (%v) is no longer blocked", user, err)
	}
	if entries, total, err := db.AuditLog(t.Context(), 8, 0); err != nil || total != 1 || entries[0].Subject != 7 {
		t.Errorf("recorded are %+v (%v)", entries, err)
	}
	if err := db.Forget(t.Context(), 7, time.Now()); err != nil {
		t.Fatal(err)
	}
	if entries, _, err := db.AuditLog(t.Context(), 8, 0); err != nil || len(entries) != 1 || entries[0].Subject != 0 {
		t.Errorf("after being forgotten: %+v (%v)", entries, err)
	}
}
