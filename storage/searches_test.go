package storage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/pgtest"
)

// TestSearchOfAnotherPerson: not readable, even with the same words.
func TestSearchOfAnotherPerson(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	ids := map[int64]int64{}
	for _, user := range []int64{7, 8} {
		id, err := db.AddSearch(t.Context(), user, "telegram")
		if err != nil {
			t.Fatal(err)
		}
		ids[user] = id
	}
	for user, other := range map[int64]int64{7: 8, 8: 7} {
		if query, err := db.Search(t.Context(), user, ids[user]); err != nil || query != "telegram" {
			t.Errorf("own: %q, %v", query, err)
		}
		if query, err := db.Search(t.Context(), user, ids[other]); !errors.Is(err, ErrNotFound) || query != "" {
			t.Errorf("another person's: %q, %v", query, err)
		}
	}
	var sealed []string
	if err := db.reader.SelectContext(t.Context(), &sealed, `SELECT query_sealed FROM searches`); err != nil {
		t.Fatal(err)
	}
	if len(sealed) != 2 || slices.ContainsFunc(sealed, func(s string) bool { return !strings.HasPrefix(s, "v1.") }) || sealed[0] == sealed[1] {
		t.Errorf("kept as %q", sealed)
	}
}

func TestSearch(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	id, err := db.AddSearch(t.Context(), 7, "canary words")
	if err != nil {
		t.Fatal(err)
	}
	if query, err := db.Search(t.Context(), 7, id); err != nil || query != "canary words" {
		t.Errorf("got %q, %v", query, err)
	}
	if _, err := db.Search(t.Context(), 8, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("another person's: %v", err)
	}
	if err := db.Sweep(t.Context(), time.Now().Add(30*day-time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Search(t.Context(), 7, id); err != nil {
		t.Errorf("swept too early: %v", err)
	}
	if err := db.Sweep(t.Context(), time.Now().Add(30*day+time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Search(t.Context(), 7, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("not swept: %v", err)
	}
}

// TestPhonesAndQueriesAreSealed: the files contain neither in plain text.
func TestPhonesAndQueriesAreSealed(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 1))
	if _, _, err := db.TouchUser(t.Context(), 7, "Ann", "en", true); err != nil {
		t.Fatal(err)
	}
	rented(t, db, 7, saveKey(t, db, 7, "first-secret"), 501)
	if _, err := db.AddSearch(t.Context(), 7, "canary words"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"12025550123", "canary", redact.Secret("first-secret").Reveal()} {
			if strings.Contains(string(content), secret) {
				t.Errorf("%s holds %q", filepath.Base(file), secret)
			}
		}
	}
}

func TestSearchesOfOnePersonAreBounded(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	first, err := db.AddSearch(t.Context(), 8, "another person's")
	if err != nil {
		t.Fatal(err)
	}
	var newest int64
	for range maxSearches + 20 {
		if newest, err = db.AddSearch(t.Context(), 7, "telegram"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Search(t.Context(), 7, newest); err != nil {
			t.Fatalf("the newest search: %v", err)
		}
	}
	if n := db.count(t, `SELECT COUNT(*) FROM searches WHERE user_id = 7`); n != maxSearches {
		t.Errorf("%d searches are kept, want %d", n, maxSearches)
	}
	if _, err := db.Search(t.Context(), 8, first); err != nil {
		t.Errorf("another person's search: %v", err)
	}
}
