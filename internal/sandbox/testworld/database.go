package testworld

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/storage"
)

// prepareDatabase makes an empty database in real time, and returns a function that
// copies it to the file of a world. PostgreSQL copies its own when a world asks for it.
func prepareDatabase(t *testing.T) (create func(path string)) {
	t.Helper()
	if pgtest.Wanted() {
		pgtest.Prepare(t, migrateDatabase)
		return func(string) {}
	}
	database, err := emptyDatabase()
	Must(t, err)
	return func(path string) { Must(t, os.WriteFile(path, database, 0o600)) }
}

// emptyDatabase returns a database after all migrations. They take longer than many a
// test, so they are made once for all worlds.
var emptyDatabase = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "testworld")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "bot.db")
	if err := migrateDatabase("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) //nolint:gosec // written above
})

// migrateDatabase runs all migrations.
func migrateDatabase(url string) error {
	keys, err := storage.ParseKeys(SecretKey)
	if err != nil {
		return err
	}
	db, err := storage.Open(context.Background(), storage.Options{URL: url, Keys: keys})
	if err != nil {
		return err
	}
	return db.Close(context.Background())
}

// DatabaseURL returns the URL of a database file, or of the PostgreSQL database that
// stands for it (package pgtest).
func DatabaseURL(tb testing.TB, path string) string {
	tb.Helper()
	if pgtest.Wanted() {
		return pgtest.URL(tb, path, migrateDatabase)
	}
	return "sqlite:" + path
}

// PostgresURL returns the URL of a new database on PostgreSQL.
func PostgresURL(tb testing.TB) string {
	tb.Helper()
	return pgtest.URL(tb, tb.TempDir(), migrateDatabase)
}

// PostgresProxy returns a proxy for a new database on PostgreSQL, outside of bubbles: a
// bubble's clock stands still while one of its goroutines reads from the network.
func PostgresProxy(tb testing.TB) *pgtest.Proxy {
	tb.Helper()
	return pgtest.NewProxy(tb, PostgresURL(tb))
}

// DatabasePath is that of the world's database; PostgreSQL has no such file.
func (w *World) DatabasePath() string { return filepath.Join(w.Dir, "bot.db") }

// OpenDB opens the world's database. The caller closes it.
func (w *World) OpenDB() *storage.DB {
	w.T.Helper()
	return OpenDB(w.T, w.DatabasePath())
}

// OpenDB opens a database with SecretKey.
func OpenDB(t testing.TB, path string) *storage.DB {
	t.Helper()
	keys, err := storage.ParseKeys(SecretKey)
	Must(t, err)
	db, err := storage.Open(t.Context(), storage.Options{URL: DatabaseURL(t, path), Keys: keys})
	Must(t, err)
	return db
}

// raw calls do with the database at a path, without the storage package.
func raw(tb testing.TB, path string, do func(db *sqlx.DB) error) {
	tb.Helper()
	if pgtest.Wanted() {
		Must(tb, do(rawPostgres(tb, path)))
		return
	}
	db, err := sqlx.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	Must(tb, err)
	Must(tb, errors.Join(do(db), db.Close()))
}

// rawPools are open until their tests end: PostgreSQL needs longer for a new connection
// than for most of what tests ask it.
var rawPools sync.Map // *sqlx.DB, by the path of the database

func rawPostgres(tb testing.TB, path string) *sqlx.DB {
	tb.Helper()
	if db, ok := rawPools.Load(path); ok {
		return db.(*sqlx.DB)
	}
	db, err := sqlx.Open("pgx", DatabaseURL(tb, path))
	Must(tb, err)
	rawPools.Store(path, db)
	tb.Cleanup(func() {
		rawPools.Delete(path)
		Must(tb, db.Close())
	})
	return db
}

// Exec changes the world's database without the storage package.
func (w *World) Exec(query string, args ...any) {
	w.T.Helper()
	Exec(w.T, w.DatabasePath(), query, args...)
}

// Exec changes the database at a path without the storage package.
func Exec(tb testing.TB, path, query string, args ...any) {
	tb.Helper()
	raw(tb, path, func(db *sqlx.DB) error {
		_, err := db.ExecContext(tb.Context(), db.Rebind(query), args...)
		return err
	})
}

// Refuse makes the database refuse a change until accept is called. The change is what
// follows BEFORE in CREATE TRIGGER.
func (w *World) Refuse(change string) (accept func()) {
	w.T.Helper()
	return w.trigger("refuse", change, `RAISE(ABORT, 'the disk is full')`, `RAISE 'the disk is full'`)
}

// Ignore makes the database leave out a change of a row, as if there were no such row, until
// heed is called.
func (w *World) Ignore(change string) (heed func()) {
	w.T.Helper()
	return w.trigger("leave_out", change, `RAISE(IGNORE)`, `RETURN NULL`)
}

// trigger makes the database do this before a change, in the words of SQLite or of PostgreSQL.
func (w *World) trigger(name, change, sqlite, postgres string) (drop func()) {
	w.T.Helper()
	if pgtest.Wanted() {
		w.Exec(`CREATE OR REPLACE FUNCTION ` + name + `() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` + postgres + `; END $$`)
		w.Exec(`CREATE TRIGGER ` + name + ` BEFORE ` + change + ` EXECUTE FUNCTION ` + name + `()`)
		return func() { w.Exec(`DROP FUNCTION ` + name + ` CASCADE`) }
	}
	w.Exec(`CREATE TRIGGER ` + name + ` BEFORE ` + change + ` BEGIN SELECT ` + sqlite + `; END`)
	return func() { w.Exec(`DROP TRIGGER ` + name) }
}

// Select reads the world's database without the storage package.
func (w *World) Select(to any, query string, args ...any) {
	w.T.Helper()
	raw(w.T, w.DatabasePath(), func(db *sqlx.DB) error { return db.SelectContext(w.T.Context(), to, db.Rebind(query), args...) })
}

// Tables returns the names of the tables of storage.
func (w *World) Tables() (names []string) {
	w.T.Helper()
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('goose_db_version', 'sqlite_sequence')`
	if pgtest.Wanted() {
		query = `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'goose_db_version'`
	}
	w.Select(&names, query)
	return names
}

// Columns returns the contents of a table by the names of its columns.
func (w *World) Columns(table string) map[string][]string {
	w.T.Helper()
	columns := map[string][]string{}
	raw(w.T, w.DatabasePath(), func(db *sqlx.DB) error {
		rows, err := db.QueryxContext(w.T.Context(), `SELECT * FROM `+table) //nolint:sqlclosecheck // closed below
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			row := map[string]any{}
			if err := rows.MapScan(row); err != nil {
				return err
			}
			for name, value := range row {
				columns[name] = append(columns[name], fmt.Sprint(value))
			}
		}
		return rows.Err()
	})
	return columns
}

// CopyEmpty makes a database file after all migrations.
func CopyEmpty(path string) error {
	database, err := emptyDatabase()
	if err != nil {
		return err
	}
	return os.WriteFile(path, database, 0o600)
}
