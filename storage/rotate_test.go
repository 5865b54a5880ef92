package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/sandbox/pgtest"
)

// rotateShop returns the URL of a database with rows in all tables, sealed with key 1.
func rotateShop(tb testing.TB) string {
	tb.Helper()
	if pgtest.Wanted() {
		return shopOnServer(tb)
	}
	return fullShop(tb)
}

func rotateOptions(url string, keys Keyring) RotateOptions {
	return RotateOptions{URL: url, Keys: keys, Running: func() (bool, error) { return false, nil }, Progress: func(string, int64, int64) {}}
}

// sealedContents returns what is in the sealed columns, by column and row: the id of the
// key and the content, or the stored text where no key opens it.
func sealedContents(tb testing.TB, url string, keys Keyring) map[string]string {
	tb.Helper()
	side, db := sideOf(tb, url), &DB{keys: keys}
	all := map[string]string{}
	for _, column := range sealedColumns {
		var values []sealedValue
		err := side.SelectContext(tb.Context(), &values, `SELECT `+column.identity()+column.column+` AS sealed`+column.from(column.column+` <> ''`))
		if err != nil {
			tb.Fatal(err)
		}
		if len(values) == 0 {
			tb.Errorf("%s.%s has no values: the test misses it", column.table, column.column)
		}
		for _, value := range values {
			plain, err := db.unseal(column.sealTable, column.sealColumn, value.Row, value.Sealed, column.ownerOf(value)...)
			content := value.Sealed
			if err == nil {
				content = strings.Split(value.Sealed, ".")[1] + " " + string(plain)
			}
			all[fmt.Sprintf("%s.%s %d", column.table, column.column, value.Row)] = content
		}
	}
	if err := side.close(); err != nil {
		tb.Fatal(err)
	}
	return all
}

// rotated returns contents as they are under another key.
func rotated(contents map[string]string, from, to Keyring) map[string]string {
	after := maps.Clone(contents)
	for name, content := range after {
		if plain, ok := strings.CutPrefix(content, from.keys[0].id+" "); ok {
			after[name] = to.keys[0].id + " " + plain
		}
	}
	return after
}

// unsealedRows returns the rows without their sealed columns and without the settings that
// hold a sealed value or are about rotations.
func unsealedRows(tb testing.TB, url string) (all []string) {
	tb.Helper()
	side := sideOf(tb, url)
	tables, err := side.tables(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	for _, table := range tables {
		for _, row := range rowsOfTable(tb, side, table.name) {
			maps.DeleteFunc(row, func(column string, _ any) bool { return strings.HasSuffix(column, "_sealed") })
			if name, _ := row["name"].(string); table.name == "settings" && (name == digestSetting || strings.HasPrefix(name, "rotated_to_")) {
				continue
			}
			all = append(all, fmt.Sprintf("%s %#v", table.name, row))
		}
	}
	if err := side.close(); err != nil {
		tb.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// Every value has the same content under the newest key, nothing else changes, and the
// program reads everything without the older key.
func TestRotate(t *testing.T) {
	url := rotateShop(t)
	digest := openURL(t, url).Digest("a", []byte("b"))
	before, rows := sealedContents(t, url, testKeys(t, 1)), unsealedRows(t, url)
	for name, content := range before {
		if !strings.HasPrefix(content, testKeys(t, 1).keys[0].id+" ") {
			t.Fatalf("%s is %q", name, content)
		}
	}
	var tasks []string
	options := rotateOptions(url, testKeys(t, 2, 1))
	options.Progress = func(task string, done, total int64) {
		if done > total || total < int64(len(before)) {
			t.Errorf("%s: %d of %d", task, done, total)
		}
		if !slices.Contains(tasks, task) {
			tasks = append(tasks, task)
		}
	}
	began := time.Now()
	result, err := Rotate(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	if result.Sealed != int64(len(before)) || !result.Older || result.Since.Before(began) || result.Since.After(time.Now().Add(time.Second)) {
		t.Errorf("got %+v for %d values", result, len(before))
	}
	if len(tasks) != 24 || tasks[0] != "encrypting settings" || tasks[23] != "checking room_messages" {
		t.Errorf("the tasks are %q", tasks)
	}
	equal(t, "contents", rotated(before, testKeys(t, 1), testKeys(t, 2)), sealedContents(t, url, testKeys(t, 2)))
	equal(t, "other rows", rows, unsealedRows(t, url))

	again, err := Rotate(t.Context(), rotateOptions(url, testKeys(t, 2, 1)))
	if want := (Rotation{Older: true, Since: result.Since}); err != nil || again != want {
		t.Errorf("again: got %+v, %v, want %+v", again, err, want)
	}
	alone, err := Rotate(t.Context(), rotateOptions(url, testKeys(t, 2)))
	if want := (Rotation{Since: result.Since}); err != nil || alone != want {
		t.Errorf("without the older key: got %+v, %v, want %+v", alone, err, want)
	}
	db, err := Open(t.Context(), Options{URL: url, Keys: testKeys(t, 2)})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, db)
	if key, err := db.ActiveKey(t.Context(), version9Ann); err != nil || key.Secret != "ann-new" {
		t.Errorf("Ann's key is %+v, %v", key, err)
	}
	if db.Digest("a", []byte("b")) != digest {
		t.Error("the digests have changed")
	}
	if err := tryOpen(t, url); !isUnknownKey(err) {
		t.Errorf("opened with the older key alone: %v", err)
	}
}

// A database that always had one key needs no statement about backups.
func TestRotateWithOneKey(t *testing.T) {
	if result, err := Rotate(t.Context(), rotateOptions(rotateShop(t), testKeys(t, 1))); err != nil || result != (Rotation{}) {
		t.Errorf("got %+v, %v", result, err)
	}
}

// What another process stores while a value is sealed anew stays.
func TestRotateKeepsNewerValues(t *testing.T) {
	url := rotateShop(t)
	db := &DB{keys: testKeys(t, 2, 1)}
	at := slices.IndexFunc(sealedColumns, func(c sealedColumn) bool { return c.table == "dialogs" })
	column := sealedColumns[at]
	opened, err := openExisting(t.Context(), url, db.keys)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, opened)
	values, err := opened.sealedValues(t.Context(), column, 0)
	if err != nil || len(values) == 0 {
		t.Fatalf("read %v, %v", values, err)
	}
	stale, user := values[0], values[0].Row
	newer := db.seal(column.sealTable, column.sealColumn, user, []byte("newer"))
	execute(t, url, fmt.Sprintf(`UPDATE dialogs SET data_sealed = '%s' WHERE user_id = %d`, newer, user))
	r := &rotation{RotateOptions: rotateOptions(url, db.keys), db: opened}
	if err := r.seal(t.Context(), column, []sealedValue{stale}); err != nil {
		t.Fatal(err)
	}
	if content := sealedContents(t, url, testKeys(t, 2))[fmt.Sprintf("dialogs.data_sealed %d", user)]; !strings.HasSuffix(content, " newer") || r.result.Sealed != 0 {
		t.Errorf("stored %q, %d values", content, r.result.Sealed)
	}
	execute(t, url, fmt.Sprintf(`DELETE FROM dialogs WHERE user_id = %d`, user))
	if err := r.seal(t.Context(), column, []sealedValue{stale}); err != nil || r.result.Sealed != 0 {
		t.Errorf("a deleted row: %v, %d values", err, r.result.Sealed)
	}
}

// Values that no key opens are counted and stay; the rest is sealed anew.
func TestRotateReportsUnreadableValues(t *testing.T) {
	url := rotateShop(t)
	execute(t, url,
		`UPDATE api_keys SET secret_sealed = '`+(&DB{keys: testKeys(t, 3)}).seal("api_keys", "secret", 1, []byte("x"), 1)+`'`,
		`UPDATE orders SET link_sealed = 'v1.72cd6e84.damaged', phone_sealed = 'plain' WHERE id = (SELECT MIN(id) FROM orders)`)
	before := sealedContents(t, url, testKeys(t, 1))
	keys := 0
	for name := range before {
		if strings.HasPrefix(name, "api_keys") {
			keys++
		}
	}
	_, err := Rotate(t.Context(), rotateOptions(url, testKeys(t, 2, 1)))
	unreadable, ok := errors.AsType[*UnreadableError](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	equal(t, "unreadable", []TableCount{{"api_keys", int64(keys)}, {"orders", 2}}, unreadable.Values)
	if want := fmt.Sprintf("stay as they are: %d (api_keys %d, orders 2)", keys+2, keys); !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %q, want %q in it", err, want)
	}
	equal(t, "contents", rotated(before, testKeys(t, 1), testKeys(t, 2)), sealedContents(t, url, testKeys(t, 2)))
	side := sideOf(t, url)
	recorded, err := side.mark(t.Context(), rotatedSetting(testKeys(t, 2).keys[0].id))
	if err := errors.Join(err, side.close()); err != nil || recorded != "" {
		t.Errorf("recorded %q, %v", recorded, err)
	}
}

// The key of the digests comes first, and may be the one that no key opens.
func TestRotateWithoutTheKey(t *testing.T) {
	url := rotateShop(t)
	before := sealedContents(t, url, testKeys(t, 1))
	_, err := Rotate(t.Context(), rotateOptions(url, testKeys(t, 3)))
	unreadable, ok := errors.AsType[*UnreadableError](err)
	if !ok || unreadable.Values[0] != (TableCount{"settings", 1}) {
		t.Errorf("got %v", err)
	}
	equal(t, "contents", before, sealedContents(t, url, testKeys(t, 1)))
}

func TestRotateRefusesBotWithoutTheKey(t *testing.T) {
	for _, test := range []struct {
		name    string
		keys    Keyring // of the bot
		refused bool
	}{
		{"unknown", testKeys(t, 1), true},
		{"known, not used", testKeys(t, 1, 2), true},
		{"used", testKeys(t, 2, 1), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := rotateShop(t)
			before := sealedContents(t, url, testKeys(t, 1))
			bot, err := Open(t.Context(), Options{URL: url, Keys: test.keys})
			if err != nil {
				t.Fatal(err)
			}
			defer mustClose(t, bot)
			if err := bot.RemoveReplicas(t.Context()); err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			if err := bot.AddReplica(t.Context(), Replica{ID: "bot", StartedAt: now, Until: now.Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			options := rotateOptions(url, testKeys(t, 2, 1))
			running := true
			options.Running = func() (bool, error) { return running, nil }
			if _, err := Rotate(t.Context(), options); errors.Is(err, ErrKeyNotUsed) != test.refused || !test.refused && err != nil {
				t.Fatalf("got %v", err)
			}
			if !test.refused {
				return
			}
			equal(t, "contents", before, sealedContents(t, url, testKeys(t, 1)))
			execute(t, url, `UPDATE replicas SET keys = ''`) // of a program before this column
			if _, err := Rotate(t.Context(), options); !errors.Is(err, ErrKeyNotUsed) {
				t.Errorf("of an older program: %v", err)
			}
			running = false
			execute(t, url, fmt.Sprintf(`UPDATE replicas SET until = %d`, toMillis(now))) // SQLite: the file is not locked
			if _, err := Rotate(t.Context(), options); err != nil {
				t.Errorf("after the bot: %v", err)
			}
		})
	}
}

// A bot that does not know the key and starts while Rotate runs is seen, or does not start.
func TestRotateWhileBotStarts(t *testing.T) {
	url := rotateShop(t)
	bot := openURL(t, url)
	started := errors.New("not started")
	transactions := 0
	options := rotateOptions(url, testKeys(t, 2, 1))
	options.Running = func() (bool, error) { return true, nil }
	execute(t, url, `DELETE FROM replicas`)
	options.checkpoint = func() {
		if transactions++; transactions == 2 { // the first has sealed the key of the digests
			started = bot.AddReplica(t.Context(), Replica{ID: "bot", StartedAt: time.Now(), Until: time.Now().Add(time.Hour)})
		}
	}
	if _, err := Rotate(t.Context(), options); !isUnknownKey(started) || !errors.Is(err, ErrKeyNotUsed) {
		t.Errorf("the bot: %v, the rotation: %v", started, err)
	}
}

// One that has started right before the key of the digests is sealed anew is seen then.
func TestRotateAfterBotHasStarted(t *testing.T) {
	url := rotateShop(t)
	bot := openURL(t, url)
	execute(t, url, `DELETE FROM replicas`)
	if err := bot.AddReplica(t.Context(), Replica{ID: "bot"}); err != nil { // not alive yet
		t.Fatal(err)
	}
	transactions := 0
	options := rotateOptions(url, testKeys(t, 2, 1))
	options.Running = func() (bool, error) { return true, nil }
	options.checkpoint = func() {
		if transactions++; transactions == 1 {
			execute(t, url, `UPDATE replicas SET until = 4000000000000`)
		}
	}
	if _, err := Rotate(t.Context(), options); !errors.Is(err, ErrKeyNotUsed) || transactions != 1 {
		t.Errorf("got %v after %d transactions", err, transactions)
	}
	execute(t, url, `DELETE FROM replicas`)
	if _, err := Rotate(t.Context(), options); err != nil {
		t.Error(err)
	}
}

// Long values are stored in transactions of their own.
func TestRotateLimitsTransactions(t *testing.T) {
	url := rotateShop(t)
	db := openURL(t, url)
	for range 3 {
		if err := db.AddMessage(t.Context(), Message{UserID: 7, Kind: "x", Body: []byte(strings.Repeat("x", rotateBytes/2)), CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	transactions := 0
	options := rotateOptions(url, testKeys(t, 2, 1))
	options.checkpoint = func() { transactions++ }
	if _, err := Rotate(t.Context(), options); err != nil || transactions != len(sealedColumns)+3 && transactions != len(sealedColumns)+2 {
		t.Errorf("%d transactions, %v", transactions, err)
	}
}

// A column of many rows is read and stored in pieces.
func TestRotateManyRows(t *testing.T) {
	url := rotateShop(t)
	db := openURL(t, url)
	err := db.write(t.Context(), func(tx *sqlx.Tx) error {
		for id := range int64(2*rotateRows + 3) {
			sealed := db.seal("searches", "query", id, fmt.Append(nil, "query ", id))
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO searches (id, user_id, query_sealed, created_at) VALUES (?, 7, ?, 1)`, id, sealed); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	before := sealedContents(t, url, testKeys(t, 1))
	transactions := 0
	options := rotateOptions(url, testKeys(t, 2, 1))
	options.checkpoint = func() { transactions++ }
	if _, err := Rotate(t.Context(), options); err != nil || transactions != len(sealedColumns)+2 {
		t.Errorf("%d transactions, %v", transactions, err)
	}
	equal(t, "contents", rotated(before, testKeys(t, 1), testKeys(t, 2)), sealedContents(t, url, testKeys(t, 2)))
}

func TestRotateStops(t *testing.T) {
	url := rotateShop(t)
	ctx, cancel := context.WithCancel(t.Context())
	options := rotateOptions(url, testKeys(t, 2, 1))
	options.checkpoint = cancel
	if _, err := Rotate(ctx, options); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "run rotate again to go on") {
		t.Errorf("got %v", err)
	}
	options.checkpoint = nil
	if _, err := Rotate(t.Context(), options); err != nil {
		t.Error(err)
	}
}

func TestRotateRefusesMovedDatabase(t *testing.T) {
	url := rotateShop(t)
	execute(t, url, `INSERT INTO settings (name, value) VALUES ('moved', '1')`)
	if _, err := Rotate(t.Context(), rotateOptions(url, testKeys(t, 2, 1))); !errors.Is(err, ErrMoved) {
		t.Errorf("got %v", err)
	}
}

// The schema of another version stays as it is.
func TestRotateRefusesOtherVersions(t *testing.T) {
	known, err := knownVersion()
	if err != nil {
		t.Fatal(err)
	}
	url := rotateShop(t)
	execute(t, url, fmt.Sprintf(`UPDATE goose_db_version SET version_id = %d WHERE version_id = %d`, known+1, known))
	_, err = Rotate(t.Context(), rotateOptions(url, testKeys(t, 2, 1)))
	if _, ok := errors.AsType[*SchemaError](err); !ok {
		t.Errorf("a newer schema: %v", err)
	}
	execute(t, url, fmt.Sprintf(`DELETE FROM goose_db_version WHERE version_id = %d`, known+1))
	if _, err := Rotate(t.Context(), rotateOptions(url, testKeys(t, 2, 1))); err == nil || !strings.Contains(err.Error(), "start the bot of this program on it once") {
		t.Errorf("an older schema: %v", err)
	}
	if pgtest.Wanted() {
		_, err := Rotate(t.Context(), rotateOptions(pgtest.Empty(t), testKeys(t, 2, 1)))
		if !errors.Is(err, ErrNoDatabase) {
			t.Errorf("an empty database: %v", err)
		}
	}
}

// A file that is no database of this program keeps its bytes, and none is made.
func TestRotateRefusesOtherFiles(t *testing.T) {
	pgtest.SQLiteOnly(t)
	folder := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	other, err := open(filepath.Join(folder, "other.db"), nil, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.ExecContext(t.Context(), `CREATE TABLE bookmarks (id INTEGER)`); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"missing.db":                            "missing or empty",
		"missing/bot.db":                        "missing or empty",
		".":                                     "it is a folder",
		write("empty.db", ""):                   "missing or empty",
		write("text", strings.Repeat("a", 999)): "this is no database of this program",
		"other.db":                              "this is no database of this program",
	} {
		path := filepath.Join(folder, name)
		before, _ := os.ReadFile(path)
		_, err := Rotate(t.Context(), rotateOptions(sqliteScheme+path, testKeys(t, 2, 1)))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Errorf("%s was changed", name)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 3 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}
