package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
)

// shop is a database file with a person, a key and purchases.
type shop struct {
	*commitWorld
	path string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	pgtest.SQLiteOnly(t)
	path := filepath.Join(t.TempDir(), "bot.db")
	return &shop{newCommitWorld(t, openAt(t, path, testKeys(t, 1))), path}
}

func (s *shop) options() BackupOptions { return BackupOptions{Path: s.path, Keys: testKeys(s.T, 1)} }

// backup makes a backup in a folder of its own.
func (s *shop) backup() string {
	s.Helper()
	to := filepath.Join(s.TempDir(), "backup.db")
	if _, err := Backup(s.Context(), s.options(), to); err != nil {
		s.Fatal(err)
	}
	return to
}

// files returns the names of the files in a folder.
func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestBackupIsTheDatabase(t *testing.T) {
	s := newShop(t)
	p := s.draft()
	to := s.backup()
	equal(t, "files", []string{"backup.db"}, files(t, filepath.Dir(to)))
	info, err := os.Stat(to)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	copied := openItself(t, to, testKeys(t, 1))
	got, err := copied.Purchase(t.Context(), 7, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	want, err := s.db.Purchase(t.Context(), 7, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "purchase", want, got)
	if key, err := copied.ActiveKey(t.Context(), 7); err != nil || key.Secret != s.key.Secret {
		t.Errorf("key: %v", err)
	}
	if copied.Digest("x", nil) != s.db.Digest("x", nil) {
		t.Error("the key of the digests differs")
	}
}

func TestBackupToAWriter(t *testing.T) {
	s := newShop(t)
	before := files(t, filepath.Dir(s.path))
	var written bytes.Buffer
	result, err := WriteBackup(t.Context(), s.options(), &written)
	if err != nil || result.Size != int64(written.Len()) || written.Len() == 0 {
		t.Errorf("%d of %d bytes, %v", written.Len(), result.Size, err)
	}
	equal(t, "files", before, files(t, filepath.Dir(s.path)))
	to := filepath.Join(t.TempDir(), "bot.db")
	if err := os.WriteFile(to, written.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	openItself(t, to, testKeys(t, 1))
}

// TestBackupContainsNothingDeleted: pages keep what deleted rows have left in them.
func TestBackupContainsNothingDeleted(t *testing.T) {
	s := newShop(t)
	for _, query := range []string{`PRAGMA secure_delete = OFF`, `UPDATE users SET name = 'canary-of-a-name'`, `DELETE FROM api_keys`, `DELETE FROM users`} {
		if _, err := s.db.writer.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	if content := readAll(t, s.path); !strings.Contains(content+readAll(t, s.path+"-wal"), "canary-of-a-name") {
		t.Fatal("the database does not contain what was deleted")
	}
	if strings.Contains(readAll(t, s.backup()), "canary-of-a-name") {
		t.Error("the backup does")
	}
}

func readAll(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestBackupUnderLoad: each backup is one state of the database: of what is written in one
// transaction it has all or nothing.
func TestBackupUnderLoad(t *testing.T) {
	s := newShop(t)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	wrote := make(chan struct{}, 1)
	for user := range int64(4) {
		writers.Go(func() {
			for n := int64(0); ctx.Err() == nil; n++ {
				order := importedOrder(7, user<<32+n)
				if _, err := s.db.ImportOrder(context.WithoutCancel(ctx), order, nil, s.compose); err != nil {
					t.Error(err)
				}
				signal(wrote)
			}
		})
	}
	for range 5 {
		<-wrote
		copied := openItself(t, s.backup(), testKeys(t, 1))
		orders, messages := copied.count(t, `SELECT COUNT(*) FROM orders`), copied.count(t, `SELECT COUNT(*) FROM outbox`)
		if orders != messages || orders == 0 {
			t.Errorf("%d orders and %d messages", orders, messages)
		}
	}
	stop()
	writers.Wait()
}

func TestBackupRefuses(t *testing.T) {
	s := newShop(t)
	folder := t.TempDir()
	other := filepath.Join(folder, "other.db")
	pool, err := open(other, writerPragmas, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.ExecContext(t.Context(), `CREATE TABLE settings (name TEXT, value TEXT)`); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		name = filepath.Join(folder, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	content := readAll(t, s.backup())
	newer := write("newer", content)
	changeFile(t, newer, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`)
	required := write("required", content)
	changeFile(t, required, `UPDATE settings SET value = '99999' WHERE name = 'schema_min'`)
	moved := write("moved", content)
	changeFile(t, moved, `INSERT INTO settings (name, value) VALUES ('moved', '1')`)
	digest := write("digest", content)
	changeFile(t, digest, `UPDATE settings SET value = '`+(&DB{keys: testKeys(t, 9)}).seal("settings", digestSetting, 0, []byte("x"))+`' WHERE name = '`+digestSetting+`'`)
	before := files(t, folder)
	for _, test := range []struct {
		name, path, to, want string
		keys                 Keyring
	}{
		{"an existing file", s.path, other, "overwrites nothing", Keyring{}},
		{"the database itself", s.path, s.path, "overwrites nothing", Keyring{}},
		{"a file of the database", s.path, s.path + "-journal", "belongs to the database", Keyring{}},
		{"the list of forgotten people", s.path, s.path + ".forgotten", "belongs to the database", Keyring{}},
		{"the key", s.path, filepath.Join(filepath.Dir(s.path), "secret.key"), "belongs to the database", Keyring{}},
		{"a folder", s.path, folder, "that is a folder", Keyring{}},
		{"the name of a folder", s.path, folder + "/new/", "the name of a folder", Keyring{}},
		{"a missing folder", s.path, filepath.Join(folder, "none", "x"), "no such file or directory", Keyring{}},
		{"a wrong key", s.path, "", "which SECRET_KEY (or secret.key) lacks", testKeys(t, 2)},
		{"a wrong key of the digests", digest, "", "which SECRET_KEY (or secret.key) lacks", Keyring{}},
		{"no database", filepath.Join(folder, "none"), "", "missing or empty", Keyring{}},
		{"an empty database", write("empty", ""), "", "missing or empty", Keyring{}},
		{"a folder as the database", folder, "", "it is a folder", Keyring{}},
		{"text", write("text", strings.Repeat("no database ", 1000)), "", "no database of this program", Keyring{}},
		{"another program's database", other, "", "no database of this program", Keyring{}},
		{"half a database", write("half", content[:len(content)/2]), "", "damaged or incomplete", Keyring{}},
		{"a newer version", newer, "", "needs a newer program", Keyring{}},
		{"a newer version by its setting", required, "", "needs a newer program", Keyring{}},
		{"a moved database", moved, "", "was moved by migrate-db", Keyring{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			keys := test.keys
			if len(keys.keys) == 0 {
				keys = testKeys(t, 1)
			}
			to := test.to
			if to == "" {
				to = filepath.Join(folder, "backup")
			}
			_, err := Backup(t.Context(), BackupOptions{Path: test.path, Keys: keys}, to)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), folder) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	before = append(before, "empty", "half", "text")
	slices.Sort(before)
	equal(t, "files", before, files(t, folder))
	openItself(t, s.backup(), testKeys(t, 1))
}

// changeFile writes to a database file as another program does.
func changeFile(t *testing.T, path, query string) {
	t.Helper()
	pool, err := open(path, writerPragmas, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBackupOfDamagedValues: what no key opens in the database is copied as it is, and
// named. A missing older key hinders no backup.
func TestBackupOfDamagedValues(t *testing.T) {
	s := newShop(t)
	old := &DB{keys: testKeys(t, 9)}
	if _, err := s.db.writer.ExecContext(t.Context(), `INSERT INTO searches (id, user_id, query_sealed, created_at) VALUES (5, 7, ?, 1)`, old.seal("searches", "query", 5, []byte("x"))); err != nil {
		t.Fatal(err)
	}
	result, err := Backup(t.Context(), s.options(), filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "unreadable", []string{"searches.query_sealed"}, result.Unreadable)
}

// TestBackupOfAStoppedDatabase makes no file beside it, and sees what was written last by a
// process that was killed.
func TestBackupOfAStoppedDatabase(t *testing.T) {
	s := newShop(t)
	p := s.draft()
	killed := filepath.Join(t.TempDir(), "bot.db")
	for _, suffix := range []string{"", "-wal"} {
		if err := os.WriteFile(killed+suffix, []byte(readAll(t, s.path+suffix)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	to := filepath.Join(t.TempDir(), "x")
	if _, err := Backup(t.Context(), BackupOptions{Path: killed, Keys: testKeys(t, 1)}, to); err != nil {
		t.Fatal(err)
	}
	if _, err := openItself(t, to, testKeys(t, 1)).Purchase(t.Context(), 7, p.ID); err != nil {
		t.Error(err)
	}
	mustClose(t, s.db)
	equal(t, "files", []string{"bot.db"}, files(t, filepath.Dir(s.path)))
	s.backup()
	equal(t, "files", []string{"bot.db"}, files(t, filepath.Dir(s.path)))
}

// smallDisk mounts a file system of a few bytes, or skips the test.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	folder := t.TempDir()
	if output, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", options, "tmpfs", folder).CombinedOutput(); err != nil {
		t.Skipf("a file system can't be mounted: %v %s", err, output)
	}
	t.Cleanup(func() {
		if output, err := exec.CommandContext(context.WithoutCancel(t.Context()), "umount", folder).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, output)
		}
	})
	return folder
}

func TestBackupWithoutSpace(t *testing.T) {
	s := newShop(t)
	full := smallDisk(t, "size=64k")
	_, err := Backup(t.Context(), s.options(), filepath.Join(full, "backup"))
	if err == nil || !strings.Contains(err.Error(), "no space is left on the disk") {
		t.Errorf("the error is %v", err)
	}
	if left := files(t, full); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestBackupsAtOnce(t *testing.T) {
	s := newShop(t)
	to := filepath.Join(t.TempDir(), "x")
	var group sync.WaitGroup
	results := make([]error, 4)
	for i := range results {
		group.Go(func() { _, results[i] = Backup(t.Context(), s.options(), to) })
	}
	group.Wait()
	made := 0
	for _, err := range results {
		if err == nil {
			made++
		} else if !errors.Is(err, ErrExists) {
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d were made", made)
	}
	equal(t, "files", []string{"x"}, files(t, filepath.Dir(to)))
	openItself(t, to, testKeys(t, 1))
}

func TestStoppedBackupLeavesNothing(t *testing.T) {
	s := newShop(t)
	ctx, cancel := context.WithCancel(t.Context())
	options := s.options()
	options.Progress = func(task string) {
		if task == "checking the copy" {
			cancel()
		}
	}
	to := filepath.Join(t.TempDir(), "x")
	if _, err := Backup(ctx, options, to); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	equal(t, "files", []string(nil), files(t, filepath.Dir(to)))
}

// oldDatabase makes a database file of an earlier version with a person.
func oldDatabase(t *testing.T) string {
	t.Helper()
	s := newShop(t)
	mustClose(t, s.db)
	pool, err := open(s.path, writerPragmas, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := sqliteSchema.newProvider(pool)
	if err != nil {
		t.Fatal(err)
	}
	_, err = provider.DownTo(t.Context(), 21)
	if err := errors.Join(err, pool.Close()); err != nil {
		t.Fatal(err)
	}
	return s.path
}

func backupsBeside(t *testing.T, path string) (found []string) {
	t.Helper()
	for _, name := range files(t, filepath.Dir(path)) {
		if strings.Contains(name, ".before-") {
			found = append(found, name)
		}
	}
	return found
}

func TestBackupBeforeMigration(t *testing.T) {
	path := oldDatabase(t)
	before := readAll(t, path)
	openItself(t, path, testKeys(t, 1))
	found := backupsBeside(t, path)
	known, err := knownVersion()
	if err != nil || len(found) != 1 || !strings.HasPrefix(found[0], fmt.Sprintf("bot.db.before-%05d-", known)) || !strings.HasSuffix(found[0], ".bak") {
		t.Fatalf("found %v, %v", found, err)
	}
	side, _, err := openForReading(t.Context(), filepath.Join(filepath.Dir(path), found[0]))
	if err != nil {
		t.Fatal(err)
	}
	version, err := side.version(t.Context())
	if err := errors.Join(err, side.close()); err != nil || version >= 22 {
		t.Errorf("it has version %d, %v", version, err)
	}
	if len(before) == 0 {
		t.Error("the database was empty")
	}
	openItself(t, path, testKeys(t, 1)) // nothing to migrate
	equal(t, "backups", found, backupsBeside(t, path))
}

func TestNewDatabaseIsNotBackedUp(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path := filepath.Join(t.TempDir(), "bot.db")
	openItself(t, path, testKeys(t, 1))
	equal(t, "backups", []string(nil), backupsBeside(t, path))
}

// TestFailingMigrationIsBackedUpOnce: a program that starts again and again does not push
// out older backups.
func TestFailingMigrationIsBackedUpOnce(t *testing.T) {
	path := oldDatabase(t)
	changeFile(t, path, `ALTER TABLE purchases ADD COLUMN epoch BIGINT`)
	for n := range 3 {
		for _, name := range backupsBeside(t, path) { // each start is in a second of its own
			name = filepath.Join(filepath.Dir(path), name)
			if err := os.Rename(name, fmt.Sprintf("%s2026010%dT000000.bak", name[:len(name)-len("20260101T000000.bak")], n+1)); err != nil {
				t.Fatal(err)
			}
		}
		if db, err := Open(t.Context(), Options{URL: sqliteScheme + path, Keys: testKeys(t, 1)}); err == nil {
			mustClose(t, db)
			t.Fatal("the migration did not fail")
		}
	}
	if found := backupsBeside(t, path); len(found) != 1 {
		t.Errorf("found %v", found)
	}
}

func TestFiveBackupsBeforeMigrationsAreKept(t *testing.T) {
	path := oldDatabase(t)
	for _, name := range []string{
		"00009-20260101T000000.bak", "00009-20260102T000000.bak", "00030-20260103T000000.bak", "00011-20260104T000000.bak", "00012-20260105T000000.bak", "00013-20260106T000000.bak",
		"00014-20260107T000000.bak.123.part",
	} {
		if err := os.WriteFile(path+".before-"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path+".before-"+name, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	openItself(t, path, testKeys(t, 1))
	found := backupsBeside(t, path)
	if len(found) != 5 || slices.ContainsFunc(found, func(name string) bool {
		return strings.Contains(name, "20260101") || strings.Contains(name, "20260102") || strings.HasSuffix(name, ".part")
	}) {
		t.Errorf("found %v", found)
	}
}

// TestNoMigrationWithoutItsBackup: the error says so, and nothing has changed.
func TestNoMigrationWithoutItsBackup(t *testing.T) {
	path := oldDatabase(t)
	full := smallDisk(t, fmt.Sprintf("size=%d", len(readAll(t, path))+100_000))
	moved := filepath.Join(full, "bot.db")
	if err := os.WriteFile(moved, []byte(readAll(t, path)), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Options{URL: sqliteScheme + moved, Keys: testKeys(t, 1)})
	if err == nil {
		mustClose(t, db)
	}
	if err == nil || !strings.Contains(err.Error(), "nothing was migrated") || !strings.Contains(err.Error(), "no space is left on the disk") {
		t.Errorf("the error is %v", err)
	}
	equal(t, "files", []string{"bot.db"}, files(t, full))
	if readAll(t, moved) != readAll(t, path) {
		t.Error("the database has changed")
	}
}

func TestDailyBackups(t *testing.T) {
	s := newShop(t)
	folder := filepath.Join(t.TempDir(), "new")
	if last, err := s.db.LastDailyBackup(folder); err != nil || !last.IsZero() {
		t.Errorf("%v, %v", last, err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	of := func(bot, stamp string) string { return filepath.Join(folder, "bot.db."+bot+".daily-"+stamp) }
	for day := range 9 {
		for _, bot := range []string{"", "2"} {
			if err := os.WriteFile(of(bot, fmt.Sprintf("2026010%dT000000.bak", day+1)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	cutOff, another := of("", "20260109T000000.bak.1.part"), of("", "20260109T000000.bak.2.part")
	for _, name := range []string{cutOff, another} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(cutOff, time.Time{}, time.Now().Add(-unfinishedAfter)); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	if err := s.db.BackupDaily(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	last, err := s.db.LastDailyBackup(folder)
	if err != nil || last.Before(now) {
		t.Errorf("the last is of %v, %v", last, err)
	}
	found := files(t, folder)
	if len(found) != 7+9+1 || slices.Contains(found, filepath.Base(of("", "20260103T000000.bak"))) || !slices.Contains(found, filepath.Base(another)) {
		t.Errorf("found %v", found)
	}
	openItself(t, of("", last.Format(stampLayout)+".bak"), testKeys(t, 1))
	if err := os.WriteFile(of("", "29990101T000000.bak"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := s.db.LastDailyBackup(folder); err != nil || !again.Equal(last) {
		t.Errorf("beside one of the future: %v, %v", again, err)
	}
}

// A copy of the whole database that was cut off is not kept until the next migration: the
// next start, and the next backup of that name, remove it.
func TestUnfinishedCopiesAreRemoved(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path := filepath.Join(t.TempDir(), "bot.db")
	openAt(t, path, testKeys(t, 1))
	cutOff := func(name string, age time.Duration) string {
		name += ".1.part"
		for _, name := range []string{name, name + "-journal"} {
			if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Chtimes(name, time.Time{}, time.Now().Add(-age))); err != nil {
				t.Fatal(err)
			}
		}
		return filepath.Base(name)
	}
	to := filepath.Join(t.TempDir(), "copy")
	old := []string{cutOff(path+".before-00039-20260101T000000.bak", unfinishedAfter), cutOff(path+".backup", unfinishedAfter), cutOff(to, unfinishedAfter)}
	young := cutOff(path+".before-00039-20260102T000000.bak", 0) // may still be written
	openAt(t, path, testKeys(t, 1))
	if _, err := Backup(t.Context(), BackupOptions{Path: path, Keys: testKeys(t, 1)}, to); err != nil {
		t.Fatal(err)
	}
	found := append(files(t, filepath.Dir(path)), files(t, filepath.Dir(to))...)
	for _, name := range old {
		if slices.Contains(found, name) || slices.Contains(found, name+"-journal") {
			t.Errorf("%s is left", name)
		}
	}
	if !slices.Contains(found, young) {
		t.Errorf("%s was removed", young)
	}
}
