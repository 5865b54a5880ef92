package storage

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"hstockbot/internal/sandbox/pgtest"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(crashFolder); folder != "" {
		os.Exit(writeUntilKilled(folder))
	}
	if step := os.Getenv(moveCrashStep); step != "" {
		os.Exit(moveUntilKilled(step))
	}
	if url := os.Getenv(rotateCrashURL); url != "" {
		os.Exit(rotateUntilKilled(url))
	}
	if step := os.Getenv(restoreCrashStep); step != "" {
		os.Exit(restoreUntilKilled(step))
	}
	goleak.VerifyTestMain(m)
}

// testKeys returns a ring of keys made of these bytes, newest first.
func testKeys(tb testing.TB, of ...byte) Keyring {
	tb.Helper()
	var ring Keyring
	for _, b := range of {
		one, err := ParseKeys(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, keySize)))
		if err != nil {
			tb.Fatal(err)
		}
		ring.keys = append(ring.keys, one.keys...)
	}
	return ring
}

// openTest opens a new database in a folder of its own.
func openTest(tb testing.TB) *DB {
	tb.Helper()
	return openAt(tb, filepath.Join(tb.TempDir(), "bot.db"), testKeys(tb, 1))
}

// openAt opens a database, a new one without running the migrations.
func openAt(tb testing.TB, path string, keys Keyring) *DB {
	tb.Helper()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && !pgtest.Wanted() { // PostgreSQL copies its own
		createMigrated(tb, path)
	}
	return openItself(tb, path, keys)
}

func createMigrated(tb testing.TB, path string) {
	tb.Helper()
	content, err := migratedFile()
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// migratedFile is a file after all migrations, which no Open has written to. They take
// longer than most tests.
var migratedFile = sync.OnceValues(func() (content []byte, err error) {
	dir, err := os.MkdirTemp("", "storage")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "bot.db")
	pool, err := open(path, writerPragmas, 1, true)
	if err != nil {
		return nil, err
	}
	err = migrate(context.Background(), pool, sqliteSchema)
	if err := errors.Join(err, pool.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// openItself opens a database as the program does.
func openItself(tb testing.TB, path string, keys Keyring) *DB {
	tb.Helper()
	db, err := Open(tb.Context(), Options{URL: testURL(tb, path), Keys: keys})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mustClose(tb, db) })
	return db
}

// testURL returns the URL of a database file, or of the database that stands for it.
func testURL(tb testing.TB, path string) string {
	tb.Helper()
	if pgtest.Wanted() {
		return postgresURL(tb, path)
	}
	return sqliteScheme + path
}

func postgresURL(tb testing.TB, path string) string {
	tb.Helper()
	return pgtest.URL(tb, path, func(url string) error {
		db, err := Open(tb.Context(), Options{URL: url, Keys: testKeys(tb, 1)})
		if err != nil {
			return err
		}
		return db.Close(tb.Context())
	})
}

func mustClose(tb testing.TB, db *DB) {
	tb.Helper()
	if err := db.Close(context.WithoutCancel(tb.Context())); err != nil {
		tb.Error(err)
	}
}
