package app_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// fileScenario is what an operator does while the process is killed.
type fileScenario struct {
	command string
	keys    string // of the command
	prepare func(t *testing.T, folder string)
	check   func(t *testing.T, folder string, before contents)              // after the command was repeated
	after   func(t *testing.T, folder string, before contents) (again bool) // right after the kill: is it to be repeated?
	must    []string
	server  string // toPostgres, onPostgres, or "" without PostgreSQL, whose commits are events, too
}

// TestKilledWhileWritingFiles kills backups, restores, rotations, migrations and moves before
// each call that changes a file and each commit on PostgreSQL, or, without envMatrix, a few of
// them. Repeating the command finishes what it has begun.
func TestKilledWhileWritingFiles(t *testing.T) {
	pgtest.SQLiteOnly(t)
	everywhere := os.Getenv(envMatrix) != ""
	scenarios := []fileScenario{namedBackup(), rotation(), move()}
	if everywhere {
		scenarios = append(scenarios, dailyBackup(), migration(), restore(), moveToServer(), rotationOnServer(), migrationOnServer())
	}
	for _, s := range scenarios {
		t.Run(s.command+s.server, func(t *testing.T) {
			if s.server != "" {
				pgtest.Require(t)
			}
			s.killEverywhere(t, everywhere)
		})
	}
}

func (s fileScenario) killEverywhere(t *testing.T, everywhere bool) {
	template := t.TempDir()
	s.prepare(t, template)
	var before contents
	if s.command != "migrate" { // values of that version are sealed in another way
		before, _ = contentsOf(t, databaseOf(t, template), s.keys)
	}
	var points []string
	t.Run("not killed", func(t *testing.T) { points, _ = s.run(t, template, before, "") })
	if s.server != onPostgres { // there each commit counts
		points = ends(points)
	}
	if !everywhere {
		points = firstOf(points, s.must)
	}
	killAll(t, points, s.must, 2, func(t *testing.T, point string) string {
		_, killed := s.run(t, template, before, point)
		return killed
	})
}

// ends returns the first and the last of events in a row that have the same name.
func ends(events []string) (ends []string) {
	name := func(i int) string { return events[i][:strings.LastIndex(events[i], " ")] }
	for i := range events {
		if i == 0 || i == len(events)-1 || name(i) != name(i-1) || name(i) != name(i+1) {
			ends = append(ends, events[i])
		}
	}
	return ends
}

// run carries the command out in a copy of a folder, kills it at an event, and repeats it.
func (s fileScenario) run(t *testing.T, template string, before contents, at string) (happened []string, killed string) {
	t.Helper()
	folder := t.TempDir()
	testworld.Must(t, os.CopyFS(folder, os.DirFS(template)))
	e := &events{}
	e.arm(at)
	env := append(os.Environ(), envCommand+"="+s.command, envKeys+"="+s.keys)
	switch s.server {
	case onPostgres:
		env = append(env, envDatabase+"="+copyOnServer(t, folder, e))
	case toPostgres:
		env = append(env, envTarget+"="+serverFor(t, folder, e))
		fallthrough
	default:
		env = append(env, envDatabase+"="+databaseOf(t, folder))
	}
	trace(t, env, folder, e)
	if happened, killed = e.disarm(); killed != "" {
		if s.after == nil || s.after(t, folder, before) {
			trace(t, env, folder, &events{})
		}
	}
	s.check(t, folder, before)
	if t.Failed() {
		left, _ := filepath.Glob(filepath.Join(folder, "*"))
		t.Logf("killed at %q after\n%s\nthe folder has %q", killed, strings.Join(happened, "\n"), left)
	}
	return happened, killed
}

// shop makes a database with some people and their keys.
func shop(t *testing.T, folder string) {
	t.Helper()
	testworld.Must(t, openWith(t, databaseOf(t, folder), testworld.SecretKey, func(db *storage.DB) {
		for id := range int64(40) {
			_, _, err := db.TouchUser(t.Context(), id+1, "Ann", "en", true)
			testworld.Must(t, err)
			_, err = db.SaveKey(t.Context(), id+1, "key-of-ann")
			testworld.Must(t, err)
		}
	}))
}

// finished returns the finished backups in a folder, each of which holds all rows.
func finished(t *testing.T, pattern string, before contents) (names []string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	testworld.Must(t, err)
	names = slices.DeleteFunc(names, func(name string) bool { return strings.Contains(filepath.Base(name), ".part") })
	for _, name := range names {
		copied, _ := contentsOf(t, "sqlite:"+name, testworld.SecretKey)
		same(t, "backup", before, copied)
	}
	return names
}

// namedBackup is the command backup. What was cut off has another name than a backup.
func namedBackup() fileScenario {
	to := func(folder string) string { return filepath.Join(folder, backupFile) }
	return fileScenario{
		command: "backup", keys: testworld.SecretKey, prepare: shop,
		after: func(t *testing.T, folder string, before contents) (again bool) {
			t.Helper()
			return len(finished(t, to(folder), before)) == 0 // else it refuses to overwrite it
		},
		check: func(t *testing.T, folder string, before contents) {
			t.Helper()
			if len(finished(t, to(folder), before)) != 1 {
				t.Error("there is no backup")
			}
		},
		must: []string{"write " + backupFile, "sync " + backupFile, "link", "unlink"},
	}
}

// dailyBackup is the daily backup, which removes what was cut off.
func dailyBackup() fileScenario {
	pattern := func(folder string) string { return filepath.Join(folder, "daily", "*") }
	return fileScenario{
		command: "daily", keys: testworld.SecretKey, prepare: shop,
		after: func(t *testing.T, folder string, before contents) (again bool) {
			t.Helper()
			finished(t, pattern(folder), before)
			cutOff, err := filepath.Glob(pattern(folder))
			testworld.Must(t, err)
			for _, name := range cutOff { // one of today may still be written
				testworld.Must(t, os.Chtimes(name, time.Time{}, time.Now().Add(-time.Hour)))
			}
			return true
		},
		check: func(t *testing.T, folder string, before contents) {
			t.Helper()
			if len(finished(t, pattern(folder), before)) == 0 {
				t.Error("there is no backup")
			}
			if left, _ := filepath.Glob(pattern(folder) + ".part*"); len(left) > 0 {
				t.Errorf("garbage is left: %q", left)
			}
		},
		must: []string{"mkdir", "write bot.db", "sync bot.db", "link", "unlink"},
	}
}

// rotation gives the database a new key.
func rotation() fileScenario { return rotationOf(testworld.SecretKey, shop) }

// rotationOf gives a database a new key in front of an older one.
func rotationOf(older string, prepare func(t *testing.T, folder string)) fileScenario {
	both := newestKey + "," + older
	compare := func(t *testing.T, folder, keys string, before contents) {
		t.Helper()
		now, _ := contentsOf(t, databaseOf(t, folder), keys)
		same(t, "rotate", before, now.without(func(table string, r row) bool {
			return table == "settings" && strings.HasPrefix(fmt.Sprint(r["name"]), "rotated_to_")
		}))
	}
	return fileScenario{
		command: "rotate", keys: both, prepare: prepare,
		after: func(t *testing.T, folder string, before contents) (again bool) {
			t.Helper()
			compare(t, folder, both, before)
			return true
		},
		check: func(t *testing.T, folder string, before contents) { t.Helper(); compare(t, folder, newestKey, before) },
		must:  []string{"write bot.db-wal", "sync bot.db-wal", "write bot.db ", "sync bot.db "},
	}
}

// version9 is the database of schema version 9 that storage has for its tests, and
// version9Key the key of what is sealed in it.
var (
	version9    = filepath.Join("..", "..", "storage", "testdata", "version9.sqlite")
	version9Key = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
)

// migrates opens a database of version 9, which brings it up to date.
func migrates(t *testing.T, url string) contents {
	t.Helper()
	testworld.Must(t, openWith(t, url, version9Key, func(*storage.DB) {}))
	now, _ := contentsOf(t, url, version9Key)
	return now
}

// migration starts with a database of schema version 9.
func migration() fileScenario {
	var want contents
	return fileScenario{
		command: "migrate", keys: version9Key,
		prepare: func(t *testing.T, folder string) {
			t.Helper()
			old := read(t, version9)
			migrated := t.TempDir()
			for _, folder := range []string{folder, migrated} {
				testworld.Must(t, os.WriteFile(filepath.Join(folder, "bot.db"), []byte(old), 0o600))
			}
			want = migrates(t, databaseOf(t, migrated))
		},
		check: func(t *testing.T, folder string, _ contents) {
			t.Helper()
			unfinished, err := filepath.Glob(filepath.Join(folder, "*.part"))
			testworld.Must(t, err)
			for _, name := range unfinished {
				testworld.Must(t, os.Chtimes(name, time.Time{}, time.Now().Add(-time.Hour)))
			}
			now := migrates(t, databaseOf(t, folder))
			if left, _ := filepath.Glob(filepath.Join(folder, "*.part*")); len(left) > 0 {
				t.Errorf("garbage is left: %q", left)
			}
			same(t, "migrate", want, now)
			copies, err := filepath.Glob(filepath.Join(folder, "bot.db.before-*.bak"))
			testworld.Must(t, err)
			if len(copies) == 0 {
				t.Fatal("there is no backup from before")
			}
			restored := t.TempDir()
			testworld.Must(t, os.WriteFile(filepath.Join(restored, "bot.db"), []byte(read(t, copies[0])), 0o600))
			same(t, "backup", want, migrates(t, databaseOf(t, restored)))
		},
		must: []string{"write bot.db.before-", "link", "unlink", "write bot.db-wal", "sync bot.db-wal"},
	}
}
