package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// restoreFrom restores a backup over the database of the shop, which is closed, and returns
// the database.
func (s *shop) restoreFrom(from string) (*DB, Restored) {
	s.Helper()
	result, err := Restore(s.Context(), RestoreOptions{Path: s.path, From: from, Keys: testKeys(s.T, 1)})
	if err != nil {
		s.Fatal(err)
	}
	return openItself(s.T, s.path, testKeys(s.T, 1)), result
}

func TestRestore(t *testing.T) {
	s := newShop(t)
	before := s.draft()
	claimed := s.claimed()
	from := s.backup()
	after := s.draft()
	mustClose(t, s.db)
	began := time.Now().Add(-time.Millisecond)
	db, result := s.restoreFrom(from)
	if _, err := db.Purchase(t.Context(), 7, after.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a purchase after the backup: %v", err)
	}
	restoration, err := db.Restoration(t.Context())
	if err != nil || !restoration.Backup || restoration.At.Before(began) || toMillis(restoration.From) != toMillis(claimed.CreatedAt) || !restoration.From.Equal(result.Until) {
		t.Errorf("%+v, %+v, %v; the last was stored %v", restoration, result, err, claimed.CreatedAt)
	}
	if err := db.Durable(t.Context()); !errors.Is(err, ErrRestored) {
		t.Errorf("buying: %v", err)
	}
	if old, err := db.DrawnBeforeRestoration(t.Context(), before.ID); err != nil || !old {
		t.Errorf("an earlier draft: %v, %v", old, err)
	}
	if rejected, err := db.RejectOverdue(t.Context(), claimed.ID, "x", s.now.Add(time.Hour), s.message()); err != nil || rejected {
		t.Errorf("an earlier claim is rejected: %v, %v", rejected, err)
	}
	if marked, err := db.MarkOutcomeUnknown(t.Context(), claimed, "", s.now.Add(time.Hour), s.message()); err != nil || !marked {
		t.Errorf("an earlier claim is unknown: %v, %v", marked, err)
	}
	w := &commitWorld{T: t, db: db, key: s.key, now: time.Now()}
	next := w.draft()
	claim := func() bool {
		got, err := db.ClaimPurchase(t.Context(), 7, next.ID, "owner", w.now, w.now.Add(time.Minute))
		if err != nil {
			t.Error(err)
		}
		return got
	}
	if claim() {
		t.Error("bought before an admin has looked")
	}
	if err := db.EndRestoration(t.Context(), restoration.At, s.entry()); err != nil {
		t.Error(err)
	}
	if err := db.Durable(t.Context()); err != nil || !claim() {
		t.Errorf("nothing is bought after an admin has looked: %v", err)
	}
	if n := len(backupsBeside(t, s.path)); n != 1 || result.Kept == "" {
		t.Errorf("%d files are kept", n)
	}
	kept := openItself(t, result.Kept, testKeys(t, 1))
	if _, err := kept.Purchase(t.Context(), 7, after.ID); err != nil {
		t.Errorf("the database before: %v", err)
	}
	if info, err := os.Stat(s.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestRestoreElsewhere: to a folder without a database, of a backup of an earlier version.
func TestRestoreElsewhere(t *testing.T) {
	from := oldDatabase(t)
	s := &shop{&commitWorld{T: t}, filepath.Join(t.TempDir(), "shop.db")}
	db, result := s.restoreFrom(from)
	if epoch, err := db.Setting(t.Context(), epochSetting); err != nil || epoch != "1" || result.Kept != "" {
		t.Errorf("epoch %q, kept %q, %v", epoch, result.Kept, err)
	}
	if _, err := db.User(t.Context(), 7); err != nil {
		t.Error(err)
	}
	mustClose(t, db)
	equal(t, "files", []string{"shop.db"}, files(t, filepath.Dir(s.path)))
	equal(t, "the backup", []string{"bot.db"}, files(t, filepath.Dir(from)))
}

// TestRestoreKeepsWhatWasNotFolded: the newest commits of a killed process are in the log.
func TestRestoreKeepsWhatWasNotFolded(t *testing.T) {
	s := newShop(t)
	from := s.backup()
	after := s.draft()
	killed := filepath.Join(t.TempDir(), "bot.db")
	for _, suffix := range []string{"", "-wal"} {
		if err := os.WriteFile(killed+suffix, []byte(readAll(t, s.path+suffix)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := &shop{s.commitWorld, killed}
	db, result := other.restoreFrom(from)
	if _, err := db.Purchase(t.Context(), 7, after.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the log of the database before is used: %v", err)
	}
	kept := openItself(t, result.Kept, testKeys(t, 1))
	if _, err := kept.Purchase(t.Context(), 7, after.ID); err != nil {
		t.Error(err)
	}
}

// TestRestoreOverADamagedDatabase keeps its files as they are.
func TestRestoreOverADamagedDatabase(t *testing.T) {
	s := newShop(t)
	from := s.backup()
	damaged := map[string]string{"": strings.Repeat("damaged", 1000), "-wal": "what was written last"}
	folder := t.TempDir()
	for suffix, content := range damaged {
		if err := os.WriteFile(filepath.Join(folder, "bot.db"+suffix), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := &shop{s.commitWorld, filepath.Join(folder, "bot.db")}
	_, result := other.restoreFrom(from)
	for suffix, content := range damaged {
		if readAll(t, result.Kept+suffix) != content {
			t.Errorf("%q was not kept", suffix)
		}
	}
}

// TestRestoreRefusesAnOpenDatabase: what another program wrote would be lost, and its log
// would become a part of the restored database.
func TestRestoreRefusesAnOpenDatabase(t *testing.T) {
	s := newShop(t)
	from := s.backup()
	after := s.draft()
	mustClose(t, s.db)
	other, err := open(s.path, writerPragmas, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.ExecContext(t.Context(), `UPDATE users SET name = 'Zoe'`); err != nil {
		t.Fatal(err)
	}
	before, present, log := files(t, filepath.Dir(s.path)), readAll(t, s.path), readAll(t, s.path+"-wal")
	_, err = Restore(t.Context(), RestoreOptions{Path: s.path, From: from, Keys: testKeys(t, 1)})
	if !errors.Is(err, ErrInUse) || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is %v", err)
	}
	equal(t, "files", before, files(t, filepath.Dir(s.path)))
	if readAll(t, s.path) != present || readAll(t, s.path+"-wal") != log {
		t.Error("the database has changed")
	}
	if _, err := other.ExecContext(t.Context(), `UPDATE users SET name = 'Zora'`); err != nil {
		t.Error(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	db, result := s.restoreFrom(from)
	if _, err := db.Purchase(t.Context(), 7, after.ID); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	kept := openItself(t, result.Kept, testKeys(t, 1))
	if user, err := kept.User(t.Context(), 7); err != nil || user.Name != "Zora" {
		t.Errorf("what the other program wrote: %q, %v", user.Name, err)
	}
}

// TestRestoreLocksTheDatabaseBefore until the other one is in its place: what a program
// wrote meanwhile would be in neither.
func TestRestoreLocksTheDatabaseBefore(t *testing.T) {
	s := newShop(t)
	from := s.backup()
	mustClose(t, s.db)
	tried := false
	_, err := Restore(t.Context(), RestoreOptions{Path: s.path, From: from, Keys: testKeys(t, 1), checkpoint: func(step string) {
		if step != "kept" {
			return
		}
		tried = true
		other, err := open(s.path, nil, 1, false)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := other.ExecContext(t.Context(), `UPDATE users SET name = 'Zoe'`); !isBusy(err) {
			t.Errorf("it can be written to: %v", err)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}})
	if err != nil || !tried {
		t.Errorf("tried %v, %v", tried, err)
	}
}

// TestRestoreTakesNothingBeside: SQLite would add the log of a damaged database to the
// restored one, or undo with its journal what the restored one has.
func TestRestoreTakesNothingBeside(t *testing.T) {
	s := newShop(t)
	from := s.backup()
	after := s.draft()
	log := readAll(t, s.path+"-wal") // as a killed process leaves it
	folder := t.TempDir()
	path := filepath.Join(folder, "bot.db")
	for suffix, content := range map[string]string{"": strings.Repeat("damaged", 1000), "-wal": log, "-shm": readAll(t, s.path+"-shm"), "-journal": "what was not committed"} {
		if err := os.WriteFile(path+suffix, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	result, err := Restore(t.Context(), RestoreOptions{Path: path, From: from, Keys: testKeys(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Base(result.Kept)
	equal(t, "files", []string{"bot.db", kept, kept + "-journal", kept + "-wal"}, files(t, folder))
	if readAll(t, result.Kept+"-wal") != log {
		t.Error("the log of the database before has changed")
	}
	db := openItself(t, path, testKeys(t, 1))
	if _, err := db.Purchase(t.Context(), 7, after.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("the log of the database before is used: %v", err)
	}
}

func TestRestoreTwice(t *testing.T) {
	s := newShop(t)
	from := s.backup()
	mustClose(t, s.db)
	db, first := s.restoreFrom(from)
	again := filepath.Join(t.TempDir(), "x")
	if _, err := Backup(t.Context(), s.options(), again); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	db, second := s.restoreFrom(again) // also in the same second
	if n := len(backupsBeside(t, s.path)); n != 2 {
		t.Errorf("%d files are kept", n)
	}
	epoch, err := db.Setting(t.Context(), epochSetting)
	if err != nil || epoch != "2" || second.Until.After(first.Until) {
		t.Errorf("epoch %q, %v; missing from %v, then %v", epoch, err, first.Until, second.Until)
	}
}

func TestRestoreRefuses(t *testing.T) {
	s := newShop(t)
	if err := s.db.belongTo(t.Context(), "1234"); err != nil {
		t.Fatal(err)
	}
	good := s.backup()
	content := readAll(t, good)
	mustClose(t, s.db)
	folder := t.TempDir()
	with := func(name, query string) string {
		name = filepath.Join(folder, name)
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		changeFile(t, name, query)
		return name
	}
	write := func(name, text string) string {
		name = filepath.Join(folder, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	before, present := files(t, filepath.Dir(s.path)), readAll(t, s.path)
	for _, test := range []struct {
		name, from, want string
		key              byte
	}{
		{"nothing", filepath.Join(folder, "none"), "missing or empty", 1},
		{"an empty file", write("empty", ""), "missing or empty", 1},
		{"a folder", folder, "it is a folder", 1},
		{"text", write("text", strings.Repeat("no database ", 1000)), "no database of this program", 1},
		{"half a backup", write("half", content[:len(content)/2]), "damaged or incomplete", 1},
		{"a few bytes", write("few", content[:60]), "damaged or incomplete", 1},
		{"zeros in it", write("zeros", content[:8192]+strings.Repeat("\x00", 65536)+content[8192+65536:]), "damaged or incomplete", 1},
		{"an index that lacks rows", with("index", `PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE INDEX users_seen ON users (id)' WHERE name = 'users_seen'`), "damaged or incomplete", 1},
		{"another program's", with("other", `DROP TABLE goose_db_version`), "no database of this program", 1},
		{"a newer version", with("newer", `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`), "needs a newer program", 1},
		{"a moved one", with("moved", `INSERT INTO settings (name, value) VALUES ('moved', '1')`), "was moved by migrate-db", 1},
		{"another bot's", with("bot", `UPDATE settings SET value = '99' WHERE name = 'bot_id'`), "belongs to another bot", 1},
		{"a wrong key", good, "which SECRET_KEY (or secret.key) lacks", 2},
		{"the database itself", s.path, "the database itself", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Restore(t.Context(), RestoreOptions{Path: s.path, From: test.from, Keys: testKeys(t, test.key)})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), folder) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	equal(t, "files", before, files(t, filepath.Dir(s.path)))
	if readAll(t, s.path) != present {
		t.Error("the database has changed")
	}
}

func TestRestoreWithoutSpace(t *testing.T) {
	s := newShop(t)
	from := s.backup()
	mustClose(t, s.db)
	full := smallDisk(t, fmt.Sprintf("size=%d", len(readAll(t, s.path))+100_000)) // for one database, not for two
	path := filepath.Join(full, "bot.db")
	if err := os.WriteFile(path, []byte(readAll(t, s.path)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Restore(t.Context(), RestoreOptions{Path: path, From: from, Keys: testKeys(t, 1)})
	if err == nil || !strings.Contains(err.Error(), "no space is left on the disk") {
		t.Errorf("the error is %v", err)
	}
	equal(t, "files", []string{"bot.db"}, files(t, full))
	if readAll(t, path) != readAll(t, s.path) {
		t.Error("the database has changed")
	}
}

// TestPeopleAreForgottenAgain: those whom the bot has forgotten since the backup, and not
// those who came back before it, nor anybody else.
func TestPeopleAreForgottenAgain(t *testing.T) {
	s := newShop(t)
	touch(t, s.db, 8)
	touch(t, s.db, 9)
	now := time.Now()
	if err := s.db.Forget(t.Context(), 8, now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	touch(t, s.db, 8) // came back
	if _, _, err := s.db.StoreUpdates(t.Context(), "me", []int64{1, 2}, []int64{7, 8}, [][]byte{[]byte("{}"), []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	sending(t, s.db, 7, s.key, 1)
	from := s.backup() // while the person buys
	if _, err := s.db.writer.ExecContext(t.Context(), `UPDATE purchases SET state = 'rejected'`); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Forget(t.Context(), 7, time.Now()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s.db)
	list := readAll(t, s.path+forgottenSuffix)
	if info, err := os.Stat(s.path + forgottenSuffix); err != nil || info.Mode().Perm() != 0o600 || strings.Count(list, "\n") != 2 || strings.Contains(list, " 7\n") {
		t.Errorf("%v, %v, %q", info, err, list)
	}
	db, result := s.restoreFrom(from)
	if result.Forgotten != 1 || result.Old {
		t.Errorf("%+v", result)
	}
	if _, err := db.User(t.Context(), 7); !errors.Is(err, ErrNotFound) {
		t.Errorf("the person who was forgotten: %v", err)
	}
	for _, id := range []int64{8, 9} {
		if _, err := db.User(t.Context(), id); err != nil {
			t.Errorf("%d: %v", id, err)
		}
	}
	for query, want := range map[string]int{
		`SELECT COUNT(*) FROM purchases`: 0, `SELECT COUNT(*) FROM api_keys`: 0,
		`SELECT COUNT(*) FROM inbox WHERE finished_at IS NULL`: 1, `SELECT COUNT(*) FROM inbox WHERE chat_id = 7`: 0, `SELECT COUNT(*) FROM chats`: 1,
	} {
		if n := db.count(t, query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	equal(t, "list", list, readAll(t, s.path+forgottenSuffix))
}

// TestForgottenWithoutAList: a person is forgotten only if that is noted.
func TestForgottenWithoutAList(t *testing.T) {
	s := newShop(t)
	if err := os.Mkdir(s.path+forgottenSuffix, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Forget(t.Context(), 7, time.Now()); err == nil {
		t.Error("no error")
	}
	if _, err := s.db.User(t.Context(), 7); err != nil {
		t.Error(err)
	}
}

// TestRefusedForgetIsNotNoted: a person who could not be forgotten is not forgotten by a
// restore.
func TestRefusedForgetIsNotNoted(t *testing.T) {
	s := newShop(t)
	s.claimed()
	if err := s.db.Forget(t.Context(), 7, time.Now()); !errors.Is(err, ErrPurchaseInFlight) {
		t.Fatal(err)
	}
	if exists(s.path + forgottenSuffix) {
		t.Error("it is noted")
	}
}

func TestListOfForgottenPeople(t *testing.T) {
	name := filepath.Join(t.TempDir(), "bot.db")
	now := time.Now()
	line := func(age time.Duration, digest string) string {
		return fmt.Sprint(toMillis(now.Add(-age)), " ", digest, "\n")
	}
	add := func(lines, want string) {
		t.Helper()
		if err := addForgotten(name+forgottenSuffix, lines, now); err != nil {
			t.Fatal(err)
		}
		equal(t, "list", want, readAll(t, name+forgottenSuffix))
	}
	old, first, second := line(91*day, "a"), line(time.Hour, "b"), line(time.Minute, "b")
	add(old, old)
	add(first, first)
	add(second, first+second)
	if err := os.WriteFile(name+forgottenSuffix, []byte(first+"1700000"), 0o600); err != nil { // cut off
		t.Fatal(err)
	}
	add(second, first+second)
	found, err := readForgotten(name)
	if err != nil || len(found) != 1 || toMillis(found["b"]) != toMillis(now.Add(-time.Minute)) {
		t.Errorf("%v, %v", found, err)
	}
	other := filepath.Join(t.TempDir(), "other.db")
	for range 2 {
		if err := CopyForgotten(name, other); err != nil {
			t.Fatal(err)
		}
	}
	if copied, err := readForgotten(other); err != nil || len(copied) != 1 {
		t.Errorf("%v, %v", copied, err)
	}
	if err := CopyForgotten(filepath.Join(t.TempDir(), "none"), other); err != nil {
		t.Error(err)
	}
}

const (
	restoreCrashStep = "STORAGE_TEST_RESTORE_STEP"
	restoreCrashPath = "STORAGE_TEST_RESTORE_PATH"
	restoreCrashFrom = "STORAGE_TEST_RESTORE_FROM"
)

// restoreUntilKilled restores and ends the process at a step.
func restoreUntilKilled(step string) int {
	keys := Keyring{}
	one, err := newSealKey([]byte(strings.Repeat("\x01", keySize)))
	if err == nil {
		keys.keys = append(keys.keys, one)
		_, err = Restore(context.Background(), RestoreOptions{
			Path: os.Getenv(restoreCrashPath), From: os.Getenv(restoreCrashFrom), Keys: keys,
			checkpoint: func(at string) {
				if at == step {
					os.Exit(9)
				}
			},
		})
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// TestKilledRestore: the database is the one before, and the next restore works.
func TestKilledRestore(t *testing.T) {
	for _, step := range []string{"copied", "prepared", "kept"} {
		t.Run(step, func(t *testing.T) {
			s := newShop(t)
			from := s.backup()
			after := s.draft()
			mustClose(t, s.db)
			command := exec.CommandContext(t.Context(), os.Args[0])
			command.Env = append(os.Environ(), restoreCrashStep+"="+step, restoreCrashPath+"="+s.path, restoreCrashFrom+"="+from)
			output, err := command.CombinedOutput()
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 9 {
				t.Fatalf("%v: %s", err, output)
			}
			db := openItself(t, s.path, testKeys(t, 1))
			if _, err := db.Purchase(t.Context(), 7, after.ID); err != nil {
				t.Error(err)
			}
			mustClose(t, db)
			db, _ = s.restoreFrom(from)
			if _, err := db.Purchase(t.Context(), 7, after.ID); !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
			for _, name := range files(t, filepath.Dir(s.path)) {
				if strings.Contains(name, restoringSuffix) {
					t.Errorf("%s is left", name)
				}
			}
		})
	}
}
