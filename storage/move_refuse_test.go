package storage

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
)

// unchanged checks that a refused move has changed neither side.
func unchanged(t *testing.T, from, to string) func() {
	t.Helper()
	before := rowsOf(t, from)
	target := rowsOf(t, to)
	return func() {
		t.Helper()
		equal(t, "FROM", before, rowsOf(t, from))
		equal(t, "TO", target, rowsOf(t, to))
	}
}

// shopOnServer returns the URL of a database of PostgreSQL with rows in all tables.
func shopOnServer(tb testing.TB) string {
	tb.Helper()
	url := pgtest.Empty(tb)
	if err := moveTo(tb, fullShop(tb), url); err != nil {
		tb.Fatal(err)
	}
	return url
}

func openedFile(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "bot.db")
	createMigrated(tb, path)
	openOnce(tb, sqliteScheme+path)
	return sqliteScheme + path
}

func openedOnServer(tb testing.TB) string {
	tb.Helper()
	url := postgresURL(tb, filepath.Join(tb.TempDir(), "bot.db"))
	openOnce(tb, url)
	return url
}

func TestMoveRefuses(t *testing.T) {
	const (
		addPerson  = `INSERT INTO users (id, name, telegram_lang, lang, unreachable, created_at, seen_at) VALUES (1, '', '', '', 0, 0, 0)`
		addSetting = `INSERT INTO settings (name, value) VALUES ('maintenance_text', 'x')`
		addTable   = `CREATE TABLE extra (id BIGINT PRIMARY KEY)`
		isMoved    = `INSERT INTO settings (name, value) VALUES ('moved', '1')`
		isMoving   = `INSERT INTO settings (name, value) VALUES ('moving', '1')`
		older      = `DELETE FROM goose_db_version WHERE version_id = (SELECT MAX(version_id) FROM goose_db_version)`
		newer      = `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`
	)
	for _, test := range []struct {
		name     string
		from, to string // a statement that changes it
		want     string
	}{
		{name: "unknown table", from: addTable, want: `FROM has "extra"`},
		{name: "unknown column", from: `ALTER TABLE users ADD COLUMN extra TEXT`, want: `FROM has "users.extra"`},
		{name: "missing column", from: `ALTER TABLE purchases DROP COLUMN thread_id`, want: `TO has "purchases.thread_id"`},
		{name: "older schema", from: older, want: "start the bot of this program on it once"},
		{name: "newer schema", from: newer, want: "needs a newer program"},
		{name: "missing key", from: `UPDATE orders SET link_sealed = 'v1.00000000.AAAA'`, want: "sealed with key 00000000, which SECRET_KEY (or secret.key) lacks"},
		{name: "moved source", from: isMoved, want: "FROM: " + ErrMoved.Error()},
		{name: "unfinished source", from: isMoving, want: "FROM: " + ErrMoveUnfinished.Error()},
		{name: "target with a person", to: addPerson, want: "the table users has rows"},
		{name: "target with a setting", to: addSetting, want: "the table settings has rows"},
		{name: "older target", to: older, want: "tables of another version"},
		{name: "target with a table of another program", to: addTable, want: `TO has "extra"`},
		{name: "target of another program", to: `DROP TABLE goose_db_version`, want: "TO: " + ErrForeign.Error()},
		{name: "old source as the target", to: isMoved, want: "TO is the old database"},
		{name: "target of a move that was cut off", to: isMoving, want: "drop the database and create it again"},
	} {
		t.Run(test.name, func(t *testing.T) { refusesMove(t, fullShop(t), openedFile(t), test.from, test.to, test.want) })
		t.Run(test.name+", on a server", func(t *testing.T) {
			shop := fullShop
			if test.from != "" {
				shop = shopOnServer
			}
			refusesMove(t, shop(t), openedOnServer(t), test.from, test.to, test.want)
		})
	}
}

func refusesMove(t *testing.T, from, to, changeFrom, changeTo, want string) {
	t.Helper()
	for url, change := range map[string]string{from: changeFrom, to: changeTo} {
		if change != "" {
			execute(t, url, change)
		}
	}
	check := unchanged(t, from, to)
	if err := moveTo(t, from, to); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	check()
}

// What a file can hold and PostgreSQL can't.
func TestMoveRefusesValues(t *testing.T) {
	for name, test := range map[string]struct{ change, want string }{
		"zero byte":             {`UPDATE users SET name = 'Ann' || char(0) || 'x' WHERE id = 1`, "users.name has zero bytes in 1 rows"},
		"zero byte beside NULL": {`UPDATE orders SET charge = NULL, name = char(0)`, "orders.name has zero bytes"},
		"text in a number":      {`UPDATE users SET seen_at = 'soon' WHERE id = 1`, "copying users"},
		"no UTF-8":              {`UPDATE users SET name = CAST(x'ff41' AS TEXT) WHERE id = 1`, "copying users"},
		"binary data":           {`UPDATE users SET name = x'4142' WHERE id = 1`, "users.name holds a value of type"},
		"too large for INTEGER": {`UPDATE inbox SET attempts = 9999999999`, "copying inbox"},
	} {
		t.Run(name, func(t *testing.T) { refusesMove(t, fullShop(t), openedOnServer(t), test.change, "", test.want) })
	}
}

// The statement of docs/operations.md cuts zero bytes off.
func TestZeroBytesCanBeCutOff(t *testing.T) {
	from, to := fullShop(t), openedOnServer(t)
	execute(t, from, `UPDATE users SET name = 'Ann' || char(0) || 'x' WHERE id = 1`)
	execute(t, from, `UPDATE users SET name = substr(name, 1, length(name))`)
	if err := moveTo(t, from, to); err != nil {
		t.Fatal(err)
	}
	equal(t, "names", []string{"Ann", "Bo", "Cy", "Di", "Ed", "Boss"}, selectStrings(t, openURL(t, to), `SELECT name FROM users ORDER BY id`))
}

func TestMoveRefusesWrongDatabases(t *testing.T) {
	shop := fullShop(t)
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := newFile(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(strings.TrimPrefix(shop, sqliteScheme), link); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ from, to, want string }{
		"no URL":         {"hunter2", newFile(t), ErrURL.Error()},
		"no target URL":  {shop, "hunter2", ErrURL.Error()},
		"missing source": {missing, newFile(t), "missing or empty"},
		"empty source":   {sqliteScheme + empty, newFile(t), "missing or empty"},
		"the same file":  {shop, shop, "the same database"},
		"a link to it":   {shop, sqliteScheme + link, "the same database"},
	} {
		err := moveTo(t, test.from, test.to)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(strings.TrimPrefix(missing, sqliteScheme)); err == nil {
		t.Error("a missing source was created")
	}
	openOnce(t, shop)
}

func TestMoveRefusesServerWithoutSchema(t *testing.T) {
	if err := moveTo(t, pgtest.Empty(t), newFile(t)); err == nil || !strings.Contains(err.Error(), "no database of this program") {
		t.Error(err)
	}
	url := pgtest.Empty(t)
	openOnce(t, url)
	if err := moveTo(t, url, url); !errors.Is(err, ErrInUse) {
		t.Errorf("to itself: %v", err)
	}
}

// What writes to a database while it is moved ends the move, or is kept out.
func TestMoveRefusesDatabaseInUse(t *testing.T) {
	for name, from := range map[string]func(t *testing.T) string{
		"SQLite": func(t *testing.T) string { t.Helper(); return fullShop(t) },
		"PostgreSQL": func(t *testing.T) string {
			t.Helper()
			url := pgtest.Empty(t)
			openOnce(t, url)
			return url
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := from(t)
			db := openURL(t, url)
			var options *sql.TxOptions
			if db.writes != nil {
				options = &sql.TxOptions{Isolation: sql.LevelSerializable}
			}
			tx, err := db.writer.BeginTxx(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), `UPDATE settings SET value = value`); err != nil {
				t.Fatal(err)
			}
			if err := moveTo(t, url, newFile(t)); !errors.Is(err, ErrInUse) {
				t.Errorf("while a transaction runs: %v", err)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			written := make(chan error, 1)
			err = Move(t.Context(), MoveOptions{From: url, To: newFile(t), Keys: testKeys(t, 1), checkpoint: func(step string) {
				switch step {
				case "copied":
					go func() { written <- db.SetSetting(t.Context(), "late", "1") }()
				case "committed":
					if len(written) > 0 {
						t.Errorf("a write while the database is moved: %v", <-written)
					}
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if err := <-written; err != nil {
				t.Error(err)
			}
		})
	}
}

// The server's side of a program that was killed holds its locks until it notices. Who opens the
// database or moves to it meanwhile is told what to do.
func TestLockedDatabase(t *testing.T) {
	url, ctx := openedOnServer(t), t.Context()
	killed, next := sideOf(t, url), sideOf(t, url)
	if err := killed.execAll(ctx, []string{`BEGIN`, `DELETE FROM settings`}); err != nil {
		t.Fatal(err)
	}
	err := next.execAll(ctx, []string{`SET lock_timeout = '1ms'`, `DELETE FROM settings`})
	for _, told := range []error{plainly("opening the database", err), next.wrap(err)} {
		if !errors.Is(told, errLocked) {
			t.Errorf("told: %v", told)
		}
	}
	if err := errors.Join(killed.close(), next.close()); err != nil {
		t.Fatal(err)
	}
}

// A move sees a replica that is alive, or the replica sees that the database was moved.
func TestMoveAndReplicas(t *testing.T) {
	url, empty := openedOnServer(t), openedOnServer(t)
	ctx := t.Context()
	db := openURL(t, url)
	now := time.Now()
	beat := func(until time.Time) error {
		if err := db.AddReplica(ctx, Replica{ID: "one", StartedAt: now, Until: until}); err != nil {
			return err
		}
		_, err := db.Beat(ctx, "one", "lease", now, until)
		return err
	}
	if err := beat(now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := moveTo(t, url, empty); !errors.Is(err, ErrInUse) || !strings.HasPrefix(err.Error(), "FROM") {
		t.Errorf("from a database in use: %v", err)
	}
	if err := moveTo(t, fullShop(t), url); !errors.Is(err, ErrInUse) || !strings.HasPrefix(err.Error(), "TO") {
		t.Errorf("to a database in use: %v", err)
	}
	side := sideOf(t, url)
	if err := (&move{}).lock(ctx, side); !errors.Is(err, ErrInUse) {
		t.Errorf("locked: %v", err)
	}
	if err := side.close(); err != nil {
		t.Fatal(err)
	}
	if err := beat(now); err != nil { // its time is over
		t.Fatal(err)
	}
	if err := moveTo(t, url, empty); err != nil {
		t.Fatal(err)
	}
	if err := beat(now.Add(time.Minute)); !errors.Is(err, ErrMoved) {
		t.Errorf("the replica goes on: %v", err)
	}
}
