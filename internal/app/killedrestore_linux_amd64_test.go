package app_test

import (
	"os"
	"path/filepath"
	"testing"

	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// restore puts a backup in the place of a database that has one person more. At no moment is
// there no database, or a part of one, and the one before is kept.
func restore() fileScenario {
	const inBackup = 40
	people := func(t *testing.T, name string) int {
		t.Helper()
		all, _ := contentsOf(t, "sqlite:"+name, testworld.SecretKey)
		return len(all["users"])
	}
	kept := func(t *testing.T, folder string) (whole int) {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(folder, "bot.db.before-restore-*"))
		testworld.Must(t, err)
		for _, name := range names {
			if people(t, name) == inBackup+1 {
				whole++
			}
		}
		return whole
	}
	return fileScenario{
		command: "restore", keys: testworld.SecretKey,
		prepare: func(t *testing.T, folder string) {
			t.Helper()
			shop(t, folder)
			testworld.Must(t, os.WriteFile(filepath.Join(folder, backupFile), []byte(read(t, filepath.Join(folder, "bot.db"))), 0o600)) // it is closed
			testworld.Must(t, openWith(t, "sqlite:"+filepath.Join(folder, "bot.db"), testworld.SecretKey, func(db *storage.DB) {
				_, _, err := db.TouchUser(t.Context(), inBackup+1, "Ann", "en", true)
				testworld.Must(t, err)
			}))
		},
		after: func(t *testing.T, folder string, _ contents) (again bool) {
			t.Helper()
			if n := people(t, filepath.Join(folder, "bot.db")); n == inBackup && kept(t, folder) == 0 || n < inBackup {
				t.Errorf("the database has %d people, and the one before is not kept", n)
			}
			return true
		},
		check: func(t *testing.T, folder string, before contents) {
			t.Helper()
			testworld.Must(t, openWith(t, "sqlite:"+filepath.Join(folder, "bot.db"), testworld.SecretKey, func(*storage.DB) {}))
			now, _ := contentsOf(t, "sqlite:"+filepath.Join(folder, "bot.db"), testworld.SecretKey)
			last := func(table string, r row) bool {
				return table == "settings" || table == "users" && r["id"] == int64(inBackup+1)
			}
			same(t, "restore", before.without(last), now.without(last))
			if n := people(t, filepath.Join(folder, "bot.db")); n != inBackup || kept(t, folder) == 0 {
				t.Errorf("the database has %d people, and %d before it are kept", n, kept(t, folder))
			}
		},
		must: []string{"write bot.db.restoring", "sync bot.db.restoring", "link", "unlink", "rename bot.db"},
	}
}
