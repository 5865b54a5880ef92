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

func TestSeeUser(t *testing.T) {
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
			t.Errorf("somebody never seen: %v", err)
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
				t.Errorf("somebody never seen: %v", err)
			}
		}
	})
}

// The usual tap reads and writes nothing.
func TestSeeUserWritesNothing(t *testing.T) {
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

func TestSeeUserConcurrently(t *testing.T) {
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
