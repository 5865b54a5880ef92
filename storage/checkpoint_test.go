package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/pgtest"
)

// personID is of a person whose data is easy to find in the files: the id has more than four
// bytes.
const personID = int64(0x1d_5a7b_9c3e)

// sealedValues returns what is sealed in the rows of the database.
func sealedValues(t *testing.T, db *DB) (values []string) {
	t.Helper()
	columns := selectStrings(t, db, `SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name LIKE '%_sealed'`)
	for _, column := range columns {
		table, name, _ := strings.Cut(column, ".")
		values = append(values, selectStrings(t, db, `SELECT `+name+` FROM `+table+` WHERE `+name+` <> '' AND `+name+` IS NOT NULL`)...)
	}
	return values
}

// remnants returns which of the values are in the database or its write-ahead log.
func remnants(t *testing.T, path string, values ...string) (found []string) {
	t.Helper()
	for _, name := range []string{path, path + "-wal"} {
		content, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, value := range values {
			if n := bytes.Count(content, []byte(value)); n > 0 {
				found = append(found, fmt.Sprintf("%d times %q in %s", n, value, filepath.Base(name)))
			}
		}
	}
	return found
}

func idBytes(id int64) string {
	return strings.TrimLeft(string(binary.BigEndian.AppendUint64(nil, uint64(id))), "\x00")
}

// useBot stores something of each kind about a person, and returns what is sealed of it.
func useBot(t *testing.T, db *DB, user int64, name string) []string {
	t.Helper()
	ctx := t.Context()
	before := map[string]bool{}
	for _, value := range sealedValues(t, db) {
		before[value] = true
	}
	if _, _, err := db.TouchUser(ctx, user, name, "en", true); err != nil {
		t.Fatal(err)
	}
	numbers := []int64{user*10 + 1, user*10 + 2}
	orders := placed(t, db, user, numbers...)
	if _, _, err := db.TouchUser(ctx, user, name, "en", true); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := db.AddSearch(ctx, user, fmt.Sprintf("https://instagram.com/%s/%d", name, i)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := db.StoreUpdates(ctx, me, []int64{user*10 + int64(i)}, []int64{user}, [][]byte{[]byte("/key " + name)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.SetReminder(ctx, Reminder{OrderID: orders[0].ID, UserID: user, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := db.SetWatch(ctx, Watch{UserID: user, Service: 2, Name: "Goods", Kind: WatchRestock}, 10); err != nil {
		t.Fatal(err)
	}
	closed := orders[1]
	closed.Polls++
	closed.State, closed.ClosedAt = OrderDelivered, time.Now()
	if _, _, err := db.UpdateOrder(ctx, closed, nil, []redact.Secret{redact.Secret("goods-of-" + name)}, func(Order, []redact.Secret) ([]Message, error) {
		return []Message{{UserID: user, OrderID: closed.ID, Kind: "x", Body: []byte("goods-of-" + name), CreatedAt: time.Now()}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.FinishWithDialog(ctx, me, user, user*10, user, "step", name, farFuture); err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, value := range sealedValues(t, db) {
		if !before[value] {
			own = append(own, value)
		}
	}
	for i := range 5 {
		if _, err := db.Finish(ctx, me, user, user*10+int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	return append(own, name, idBytes(user), fmt.Sprint(user))
}

// Nothing of a person is left in the files once they are forgotten, also where many
// others' rows are on the same pages.
func TestForgottenPersonLeavesNoRemnants(t *testing.T) {
	pgtest.SQLiteOnly(t)
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "bot.db")
		db := openAt(t, path, testKeys(t, 1))
		for user := range int64(40) {
			useBot(t, db, personID+user, fmt.Sprint("other-", user))
		}
		values := useBot(t, db, personID, "Persephone-Quackenbush")
		if found := remnants(t, path, values...); len(found) < len(values)/2 {
			t.Fatalf("only %d values of %d are in the files before", len(found), len(values))
		}
		for user := range int64(40) {
			useBot(t, db, 2000+user, fmt.Sprint("later-", user))
		}
		const tap = 4711
		if _, _, err := db.StoreUpdates(t.Context(), me, []int64{tap}, []int64{personID}, [][]byte{[]byte("tap")}); err != nil {
			t.Fatal(err)
		}
		values = append(values, selectStrings(t, db, `SELECT payload_sealed FROM inbox WHERE update_id = 4711`)...)
		if err := db.Forget(t.Context(), personID, time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Finish(t.Context(), me, personID, tap); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * urgentInterval)
		synctest.Wait()
		if found := remnants(t, path, values...); len(found) > 0 {
			t.Errorf("in the files are %q", found)
		}
		mustClose(t, db)
		if found := remnants(t, path, values...); len(found) > 0 {
			t.Errorf("after the stop, in the files are %q", found)
		}
	})
}

func vacuumDue(t *testing.T, db *DB) bool {
	t.Helper()
	value, err := db.Setting(t.Context(), vacuumSetting)
	if err != nil {
		t.Fatal(err)
	}
	return value != ""
}

// Writes wait for a VACUUM, so people who are forgotten one after another cause one a
// minute. The last of them leaves nothing either.
func TestVacuumRunsOnceAMinute(t *testing.T) {
	pgtest.SQLiteOnly(t)
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "bot.db")
		db := openAt(t, path, testKeys(t, 1))
		due := func() bool { return vacuumDue(t, db) }
		var values []string
		for user := range int64(3) {
			values = append(values, useBot(t, db, personID+user, fmt.Sprint("Persephone-", user))...)
		}
		for user := range int64(3) {
			if err := db.Forget(t.Context(), personID+user, time.Now()); err != nil {
				t.Fatal(err)
			}
			if want := user > 0; due() != want {
				t.Errorf("after person %d a VACUUM is due: %v, want %v", user, !want, want)
			}
		}
		time.Sleep(vacuumInterval + checkpointInterval)
		synctest.Wait()
		if due() {
			t.Error("two minutes later a VACUUM is still due")
		}
		if found := remnants(t, path, values...); len(found) > 0 {
			t.Errorf("in the files are %q", found)
		}
	})
}

// A large database is rewritten in the next night.
func TestLargeDatabaseIsRewrittenAtNight(t *testing.T) {
	pgtest.SQLiteOnly(t)
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "bot.db")
		db := openAt(t, path, testKeys(t, 1))
		if _, err := db.writer.ExecContext(t.Context(), `INSERT INTO settings (name, value) VALUES ('large', hex(zeroblob(?)))`, maxVacuum/2); err != nil {
			t.Fatal(err)
		}
		values := useBot(t, db, personID, "Persephone-Quackenbush")
		if err := db.Forget(t.Context(), personID, time.Now()); err != nil {
			t.Fatal(err)
		}
		due := func() bool { return vacuumDue(t, db) }
		for range 24 {
			hour := time.Now().Hour()
			if hour < vacuumFrom && !due() {
				t.Fatalf("it was rewritten at %d o'clock", hour)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			if hour == vacuumFrom && due() {
				t.Fatalf("after %d o'clock it is not rewritten", hour)
			}
		}
		if found := remnants(t, path, values...); len(found) > 0 {
			t.Errorf("in the files are %q", found)
		}
	})
}

// Goods that were sent, updates that were handled, and removed keys are gone from the
// files within a minute.
func TestDeletedSecretsLeaveNoRemnants(t *testing.T) {
	pgtest.SQLiteOnly(t)
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "bot.db")
		db := openAt(t, path, testKeys(t, 1))
		ctx := t.Context()
		useBot(t, db, personID, "Persephone-Quackenbush")
		if err := db.AddMessage(ctx, Message{UserID: personID, Kind: "goods", Body: []byte("user:password"), CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		messages, err := db.ClaimMessages(ctx, "test", time.Now(), time.Now().Add(time.Minute), 10)
		if err != nil || len(messages) == 0 {
			t.Fatalf("%d messages, %v", len(messages), err)
		}
		if _, _, err := db.StoreUpdates(ctx, me, []int64{1}, []int64{personID}, [][]byte{[]byte("/key something")}); err != nil {
			t.Fatal(err)
		}
		goods := selectStrings(t, db, `SELECT body_sealed FROM outbox WHERE id = `+fmt.Sprint(messages[0].ID))
		keys := selectStrings(t, db, `SELECT secret_sealed FROM api_keys`)
		update := selectStrings(t, db, `SELECT payload_sealed FROM inbox WHERE update_id = 1`)
		if len(remnants(t, path, append(append(goods, keys...), update...)...)) < 3 {
			t.Fatal("the test looks for the wrong values")
		}
		if err := db.RemoveKey(ctx, personID); err != nil {
			t.Fatal(err)
		}
		if found := remnants(t, path, keys...); len(found) > 0 {
			t.Errorf("a removed key: %q", found)
		}
		time.Sleep(2 * time.Minute) // the files are truncated at most once a minute
		if err := db.MarkSent(ctx, messages[0], 0, time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Finish(ctx, me, personID, 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(checkpointInterval + time.Second)
		synctest.Wait()
		if found := remnants(t, path, append(goods, update...)...); len(found) > 0 {
			t.Errorf("sent goods and a handled update: %q", found)
		}
	})
}

// A process that is killed right after a deletion leaves a write-ahead log, which the
// next one truncates.
func TestOpenTruncatesLog(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path, copied := filepath.Join(t.TempDir(), "bot.db"), filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 1))
	values := useBot(t, db, personID, "Persephone-Quackenbush")
	if _, err := db.writer.ExecContext(t.Context(), `DELETE FROM searches`); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if len(remnants(t, copied, values...)) == 0 {
		t.Fatal("the copy holds nothing")
	}
	openAt(t, copied, testKeys(t, 1))
	if info, err := os.Stat(copied + "-wal"); err == nil && info.Size() > 0 {
		t.Errorf("the log has %d bytes", info.Size())
	}
}

// What an older program has deleted is removed from the file once.
func TestMigrationRemovesDeletedContent(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 1))
	provider, err := sqliteSchema.newProvider(db.writer)
	if err == nil {
		_, err = provider.DownTo(t.Context(), 11)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`PRAGMA secure_delete = OFF`,
		`INSERT INTO settings (name, value) VALUES ('x', 'Persephone-Quackenbush')`,
		`DELETE FROM settings WHERE name = 'x'`,
	} {
		if _, err := db.writer.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, db)
	if len(remnants(t, path, "Persephone-Quackenbush")) == 0 {
		t.Fatal("nothing is left to remove")
	}
	openAt(t, path, testKeys(t, 1))
	if found := remnants(t, path, "Persephone-Quackenbush"); len(found) > 0 {
		t.Errorf("in the files are %q", found)
	}
}
