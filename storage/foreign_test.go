package storage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hstockbot/internal/sandbox/pgtest"
)

// TestForeignFileIsLeftAlone: opening a file of another program changes nothing in it.
func TestForeignFileIsLeftAlone(t *testing.T) {
	pgtest.SQLiteOnly(t)
	folder := t.TempDir()
	text, other := filepath.Join(folder, "text.db"), filepath.Join(folder, "other.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	pool, err := open(other, nil, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.ExecContext(t.Context(), `CREATE TABLE bookmarks (id INTEGER)`); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{text, other} {
		before := readAll(t, path)
		_, err := Open(t.Context(), Options{URL: "sqlite:" + path, Keys: testKeys(t, 1)})
		if !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
		if err := moveTo(t, "sqlite:"+path, newFile(t)); !errors.Is(err, ErrForeign) {
			t.Errorf("%s moved: %v", filepath.Base(path), err)
		}
		if err := moveTo(t, fullShop(t), "sqlite:"+path); !errors.Is(err, ErrForeign) {
			t.Errorf("%s as the target: %v", filepath.Base(path), err)
		}
		if readAll(t, path) != before {
			t.Errorf("%s has changed", filepath.Base(path))
		}
	}
	equal(t, "files", []string{"other.db", "text.db"}, files(t, folder))
}
