package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Everything that depends on SQLite is in this file and in driver.go, batch.go and
// checkpoint.go; for Move in movedialect.go and moveside.go.

const (
	driverName   = "sqlite"
	sqliteScheme = "sqlite:"
	readers      = 4

	// busyTimeout is how long to wait for another process's lock.
	busyTimeout = 5 * time.Second
)

// pragma is a setting, and the value that reading it must give.
type pragma struct{ name, set, want string }

var (
	busyMillis    = strconv.FormatInt(busyTimeout.Milliseconds(), 10)
	writerPragmas = []pragma{
		{"busy_timeout", busyMillis, busyMillis}, // first: switching to WAL may wait for a lock
		{"journal_mode", "WAL", "wal"},
		{"synchronous", "FULL", "2"},
		{"foreign_keys", "1", "1"},
		{"secure_delete", "ON", "1"},
	}
	// rotatePragmas let Rotate wait until the bot has rewritten the file (VACUUM).
	rotatePragmas = append([]pragma{{"busy_timeout", "30000", "30000"}}, writerPragmas[1:]...)
	readerPragmas = append(writerPragmas[:len(writerPragmas):len(writerPragmas)], pragma{"query_only", "1", "1"})
)

// sqliteSchema is how migrations run on SQLite.
var sqliteSchema = schema{
	dialect: goose.DialectSQLite3,
	tables:  `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?`,
}

func (db *DB) openSQLite(ctx context.Context, path string, backup bool) (err error) {
	if err := refuseForeign(ctx, path); err != nil {
		return err
	}
	if err := CreateFile(path); err != nil {
		return fmt.Errorf("storage: creating the database: %w", err)
	}
	if db.writer, err = open(path, writerPragmas, 1, true); err != nil {
		return err
	}
	if err := checkPragmas(ctx, db.writer, writerPragmas); err != nil {
		return err
	}
	on := sqliteSchema
	if backup {
		removeUnfinished(realPath(path) + ".") // of a start or a backup that was killed
		on.before = func(version int64) error { return backupBeforeMigration(ctx, path, db.keys, version) }
	}
	if err := migrate(ctx, db.writer, on); err != nil {
		return err
	}
	if db.reader, err = open(path, readerPragmas, readers, false); err != nil {
		return err
	}
	if err := checkPragmas(ctx, db.reader, readerPragmas); err != nil {
		return err
	}
	if db.digest, err = db.digestKey(ctx); err != nil {
		return err
	}
	if err := db.sealKeysForOwners(ctx); err != nil {
		return err
	}
	db.checkpoints = newCheckpointer(db.erase)
	db.checkpoints.start()
	db.batch = startBatcher(db.writer)
	db.users = &knownUsers{users: map[int64]User{}}
	return db.checkpoint(ctx) // an earlier process may have been killed before its own
}

// refuseForeign returns ErrForeign for a file of another program, before anything in it is
// changed. What can't be read is left to the one who opens the file.
func refuseForeign(ctx context.Context, path string) error {
	side, _, err := openForReading(ctx, path)
	if err != nil {
		return nil // there is none, or see above
	}
	defer func() { _ = side.close() }() // it was only read
	version, err := side.version(ctx)
	if err != nil {
		if err = plainly("", err); errors.Is(err, ErrForeign) {
			return err
		}
		return nil
	}
	if tables, err := side.tables(ctx); err == nil && version == 0 && len(tables) > 0 {
		return ErrForeign
	}
	return nil
}

// CreateFile creates the folder and the empty file of a database (0600, whatever the umask is). SQLite gives
// -wal and -shm the permissions of the database; existing ones are restricted here.
func CreateFile(path string) error {
	if err := createFolder(filepath.Dir(path)); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.Mode().Perm() == 0o600 {
			continue
		}
		if err := os.Chmod(name, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// createFolder creates a folder for this user only (0700). An existing folder is not
// changed: it may be shared.
func createFolder(name string) error {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) { //nolint:gosec // the operator names the folder
		return err
	}
	return os.MkdirAll(name, 0o700) //nolint:gosec // the same
}

func dsn(path string, pragmas []pragma, immediate bool) string {
	var query strings.Builder
	for i, p := range pragmas {
		if i > 0 {
			query.WriteByte('&')
		}
		fmt.Fprintf(&query, "_pragma=%s(%s)", p.name, p.set)
	}
	if immediate {
		query.WriteString("&_txlock=immediate")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.String()
}

// open returns a pool of connections; immediate is about their transactions.
func open(path string, pragmas []pragma, connections int, immediate bool) (*sqlx.DB, error) {
	// sqlx does not know the name of this driver.
	sqlx.BindDriver(driverName, sqlx.QUESTION)
	inner, err := sqlite.NewConnector(dsn(path, pragmas, immediate))
	if err != nil {
		return nil, fmt.Errorf("storage: opening the database: %w", err)
	}
	pool := sql.OpenDB(connector{inner})
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return sqlx.NewDb(pool, driverName), nil
}

// checkPragmas opens all connections of the pool and reads their settings: SQLite ignores
// some pragmas silently (for example WAL on a network file system).
func checkPragmas(ctx context.Context, db *sqlx.DB, pragmas []pragma) (err error) {
	for range db.Stats().MaxOpenConnections {
		conn, err := db.Connx(ctx)
		if err != nil {
			return fmt.Errorf("storage: opening the database: %w", err)
		}
		defer func() { _ = conn.Close() }() // after all are open
		for _, p := range pragmas {
			var got string
			if err := conn.GetContext(ctx, &got, "PRAGMA "+p.name); err != nil {
				return fmt.Errorf("storage: reading pragma %s: %w", p.name, err)
			}
			if got != p.want {
				return fmt.Errorf("storage: the database's %s is %q and must be %q: is it on a network file system?", p.name, got, p.want)
			}
		}
	}
	return nil
}

// isBusy reports whether another process holds a lock.
func isBusy(err error) bool {
	var failure *sqlite.Error
	return errors.As(err, &failure) && failure.Code()&0xff == sqlite3.SQLITE_BUSY // without the extended code
}
