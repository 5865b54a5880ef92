package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"hstockbot/internal/sandbox/pgtest"
)

var farFuture = time.UnixMilli(4_000_000_000_000).UTC()

func TestFilePath(t *testing.T) {
	for url, want := range map[string]string{
		"sqlite:data/bot.db":  "data/bot.db",
		"sqlite:/var/bot.db":  "/var/bot.db",
		"sqlite:///var/b.db":  "/var/b.db",
		"sqlite:bot.db":       "bot.db",
		"sqlite:a b?c#d%20.x": "a b?c#d%20.x",

		"postgres://bot:hunter2@localhost/bot?sslmode=disable": "",
		"postgresql://localhost":                               "",
	} {
		if got, err := FilePath(url); err != nil || got != want {
			t.Errorf("FilePath(%q) = %q, %v; want %q", url, got, err, want)
		}
	}
	for _, url := range []string{
		"", "hunter2", "data/hunter2.db", "sqlite:", "sqlite::memory:", "sqlite:file::memory:?hunter2", "sqlite:hunter2/",
		"postgres://bot:hunter2@localhost:0x/bot", "postgres:hunter2", "SQLITE:hunter2", "sqlite:hunter2\x00", "sqlite:hunter2\x01",
	} {
		_, err := Open(t.Context(), Options{URL: url, Keys: testKeys(t, 1)})
		if !errors.Is(err, ErrURL) {
			t.Errorf("Open(%q): %v, want ErrURL", url, err)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("the error shows the value: %v", err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file"), []byte("not a database, but long enough to look like one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string]Options{
		"no key":         {URL: "sqlite:" + filepath.Join(folder, "bot.db")},
		"not a database": {URL: "sqlite:" + filepath.Join(folder, "file"), Keys: testKeys(t, 1)},
		"a folder":       {URL: "sqlite:" + folder, Keys: testKeys(t, 1)},
		"in a file":      {URL: "sqlite:" + filepath.Join(folder, "file", "bot.db"), Keys: testKeys(t, 1)},
	} {
		if _, err := Open(t.Context(), options); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestPathsWithSpecialCharacters(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path := filepath.Join(t.TempDir(), "a b?c=d&e", "100%25#f;'.db")
	db := openItself(t, path, testKeys(t, 1))
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestPragmas(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	check := func(conn *sqlx.Conn, want map[string]string) {
		t.Helper()
		for name, value := range want {
			var got string
			if err := conn.GetContext(t.Context(), &got, "PRAGMA "+name); err != nil || got != value {
				t.Errorf("%s is %q (%v), want %q", name, got, err, value)
			}
		}
	}
	connections := func(pool *sqlx.DB) (conns []*sqlx.Conn) {
		for range pool.Stats().MaxOpenConnections {
			conn, err := pool.Connx(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			conns = append(conns, conn)
		}
		return conns
	}
	writers, all := connections(db.writer), connections(db.reader)
	if len(writers) != 1 || len(all) != 4 {
		t.Fatalf("%d writers and %d readers", len(writers), len(all))
	}
	check(writers[0], map[string]string{"busy_timeout": "5000", "journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "query_only": "0"})
	for _, conn := range all {
		check(conn, map[string]string{"busy_timeout": "5000", "foreign_keys": "1", "query_only": "1"})
		if _, err := conn.ExecContext(t.Context(), "DELETE FROM users"); err == nil {
			t.Error("a reader writes")
		}
	}
}

func TestPragmasAreReadBack(t *testing.T) {
	pgtest.SQLiteOnly(t)
	wrong := []pragma{{"journal_mode", "WAL", "delete"}}
	pool, err := open(filepath.Join(t.TempDir(), "bot.db"), wrong, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	if err := checkPragmas(t.Context(), pool, wrong); err == nil || !strings.Contains(err.Error(), "journal_mode") {
		t.Errorf("a wrong pragma gives %v", err)
	}
}

// Concurrent first starts agree on the schema; a second start does not change it.
func TestMigrations(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path := filepath.Join(t.TempDir(), "bot.db")
	var starts sync.WaitGroup
	for range 4 {
		starts.Go(func() {
			db, err := Open(t.Context(), Options{URL: "sqlite:" + path, Keys: testKeys(t, 1)})
			if err != nil {
				t.Error(err)
				return
			}
			mustClose(t, db)
		})
	}
	starts.Wait()
	schema := func(db *DB) (tables []string) {
		if err := db.reader.SelectContext(t.Context(), &tables, "SELECT name || ': ' || COALESCE(sql, '') FROM sqlite_master ORDER BY name"); err != nil {
			t.Fatal(err)
		}
		return tables
	}
	db := openAt(t, path, testKeys(t, 1))
	first := schema(db)
	mustClose(t, db)
	if diff := cmp.Diff(first, schema(openAt(t, path, testKeys(t, 1)))); diff != "" {
		t.Error(diff)
	}
}

// The queries that would be slow on a large database use an index.
func TestIndexes(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	for query, index := range map[string]string{
		"SELECT update_id FROM inbox WHERE chat_id = 1 AND finished_at IS NULL ORDER BY update_id LIMIT 9":                  "inbox_of_chat",
		"SELECT 1 FROM inbox, chats WHERE inbox.chat_id = chats.chat_id AND finished_at IS NULL":                            "inbox_of_chat",
		"SELECT update_id FROM inbox WHERE finished_at < 1 AND state = 'done' ORDER BY finished_at LIMIT 5":                 "inbox_finished",
		"SELECT id FROM api_keys WHERE user_id = 1 AND state = 'active'":                                                    "api_keys_active",
		strings.Replace(dropUnused, "?", "1", 1):                                                                            "purchases_links",
		"UPDATE inbox SET state = 'done', payload_sealed = '', finished_at = 1 WHERE update_id = 1 AND finished_at IS NULL": "sqlite_autoindex_inbox_1",
	} {
		var plan []struct {
			ID, Parent, Notused int
			Detail              string
		}
		if err := db.reader.SelectContext(t.Context(), &plan, "EXPLAIN QUERY PLAN "+query); err != nil {
			t.Fatal(err)
		}
		used := fmt.Sprint(plan)
		if !strings.Contains(used, index) || strings.Contains(used, "SCAN purchases") {
			t.Errorf("%s\nuses %s, want %s", query, used, index)
		}
	}
}

func TestClose(t *testing.T) {
	db := openTest(t)
	if err := db.SetSetting(t.Context(), "a", "1"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := db.SetSetting(t.Context(), "a", "2"); !errors.Is(err, ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
	if err := db.write(t.Context(), func(*sqlx.Tx) error { return nil }); err == nil {
		t.Error("a write of its own after Close passes")
	}
	if err := db.Ping(t.Context()); err == nil {
		t.Error("a closed database answers")
	}
}

func TestPingDetectsLock(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path := filepath.Join(t.TempDir(), "bot.db")
	db, other := openAt(t, path, testKeys(t, 1)), openAt(t, path, testKeys(t, 1))
	tx, err := other.writer.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := db.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another process writes: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestPingDetectsRefusedWrites(t *testing.T) {
	pgtest.SQLiteOnly(t)
	db := openTest(t)
	if _, err := db.writer.ExecContext(t.Context(), "PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "readonly database") {
		t.Errorf("a database that refuses writes: %v", err)
	}
}

// Writes that have started or wait when Close is called are completed.
func TestCloseWaitsForWrites(t *testing.T) {
	pgtest.SQLiteOnly(t)
	path := filepath.Join(t.TempDir(), "bot.db")
	db := openAt(t, path, testKeys(t, 1))
	started, release := make(chan struct{}), make(chan struct{})
	var writes sync.WaitGroup
	put := func(name string, gate bool, write func(context.Context, func(*sqlx.Tx) error) error) {
		writes.Go(func() {
			err := write(t.Context(), func(tx *sqlx.Tx) error {
				if gate {
					close(started)
					<-release
				}
				return setSetting(t.Context(), tx, upsertSetting, name, "kept")
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	put("own", true, db.write)
	<-started
	for i := range 10 {
		put(fmt.Sprint("shared", i), false, db.submit)
	}
	waitQueued(t, db, 10)
	closed := make(chan error)
	go func() { closed <- db.Close(t.Context()) }()
	close(release)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	writes.Wait()
	db = openAt(t, path, testKeys(t, 1))
	for _, name := range []string{"own", "shared0", "shared9"} {
		if value, err := db.Setting(t.Context(), name); err != nil || value != "kept" {
			t.Errorf("%s: %q, %v", name, value, err)
		}
	}
}

// A Close whose context is done closes at once; the write that has started completes.
func TestCloseObeysContext(t *testing.T) {
	pgtest.SQLiteOnly(t)
	for name, write := range map[string]func(*DB, context.Context, func(*sqlx.Tx) error) error{"own transaction": (*DB).write, "shared transaction": (*DB).submit} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bot.db")
			db := openAt(t, path, testKeys(t, 1))
			started, release, written := make(chan struct{}), make(chan struct{}), make(chan error)
			go func() {
				written <- write(db, t.Context(), func(tx *sqlx.Tx) error {
					close(started)
					<-release
					return setSetting(t.Context(), tx, upsertSetting, "started", "kept")
				})
			}()
			<-started
			queued := make(chan error)
			go func() { queued <- db.SetSetting(t.Context(), "queued", "lost") }()
			if name == "own transaction" {
				waitQueued(t, db, 1)
			}
			ctx, cancel := context.WithCancel(t.Context())
			closed := make(chan error)
			go func() { closed <- db.Close(ctx) }()
			cancel()
			if err := <-closed; !errors.Is(err, context.Canceled) {
				t.Errorf("the error is %v", err)
			}
			close(release)
			if err := <-written; err != nil {
				t.Errorf("the write that had started: %v", err)
			}
			queuedErr := <-queued // it had not started, so either outcome is right
			t.Logf("the queued write: %v", queuedErr)
			if err := db.Close(t.Context()); err != nil {
				t.Errorf("closed again: %v", err)
			}
			db = openAt(t, path, testKeys(t, 1))
			if value, err := db.Setting(t.Context(), "started"); err != nil || value != "kept" {
				t.Errorf("the setting is %q, %v", value, err)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	db := openTest(t)
	for _, want := range []string{"", "1000", "1", ""} {
		if want != "" {
			if err := db.SetSetting(t.Context(), "smm_rate_per", want); err != nil {
				t.Fatal(err)
			}
		} else if err := db.SetSetting(t.Context(), "smm_rate_per", ""); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Setting(t.Context(), "smm_rate_per"); err != nil || got != want {
			t.Errorf("the setting is %q (%v), want %q", got, err, want)
		}
	}
	if got, err := db.Setting(t.Context(), "never set"); err != nil || got != "" {
		t.Errorf("a setting never set is %q, %v", got, err)
	}
}

// A value is replaced only by somebody who knows it.
func TestSwapSetting(t *testing.T) {
	db := openTest(t)
	for _, test := range []struct {
		old, value string
		want       bool
	}{{"1", "2", false}, {"", "1", true}, {"", "2", false}, {"1", "2", true}, {"1", "2", true}, {"1", "3", false}} {
		if swapped, err := db.SwapSetting(t.Context(), "name", test.old, test.value); err != nil || swapped != test.want {
			t.Errorf("%q to %q: %v, %v", test.old, test.value, swapped, err)
		}
	}
	if got, err := db.Setting(t.Context(), "name"); err != nil || got != "2" {
		t.Errorf("the setting is %q, %v", got, err)
	}
}

func TestIsUnique(t *testing.T) {
	db := openTest(t)
	insert := func(name string) error {
		return db.write(t.Context(), func(tx *sqlx.Tx) error {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO settings (name, value) VALUES (?, '')", name)
			return err
		})
	}
	if err := insert("a"); err != nil {
		t.Fatal(err)
	}
	if err := insert("a"); !isUnique(err) {
		t.Errorf("twice the same key: %v", err)
	}
	notNull := db.write(t.Context(), func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO settings (name) VALUES ('b')")
		return err
	})
	for _, err := range []error{nil, errors.New("x"), notNull} {
		if isUnique(err) {
			t.Errorf("%v is taken for a unique violation", err)
		}
	}
}

func TestNewID(t *testing.T) {
	seen := map[int64]bool{}
	for range 10_000 {
		id := newID()
		if id <= 0 || id >= 1<<53 || seen[id] {
			t.Fatalf("id %d", id)
		}
		seen[id] = true
	}
}
