package storage

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(crashFolder); folder != "" {
		os.Exit(writeUntilKilled(folder))
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
	return openAt(tb, filepath.Join(tb.TempDir(), "data", "bot.db"), testKeys(tb, 1))
}

func openAt(tb testing.TB, path string, keys Keyring) *DB {
	tb.Helper()
	db, err := Open(tb.Context(), Options{URL: "sqlite:" + path, Keys: keys})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mustClose(tb, db) })
	return db
}

func mustClose(tb testing.TB, db *DB) {
	tb.Helper()
	if err := db.Close(context.WithoutCancel(tb.Context())); err != nil {
		tb.Error(err)
	}
}
