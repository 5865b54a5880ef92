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
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrNoDatabase says that the file is missing or empty, or that the database of
	// PostgreSQL has no tables. The bot makes it at its start.
	ErrNoDatabase = errors.New("storage: there is no database")
	// ErrChanged says that a program began to write to a file that was read without locks:
	// what was read may not fit together.
	ErrChanged = errors.New("storage: a program began to use the database")
	// ErrForeign says that a database is not one of this program.
	ErrForeign = errors.New("storage: this is no database of this program")
)

// inspectSettings are those of the connections of an Inspector.
var inspectSettings = map[string]string{
	"default_transaction_read_only": "on",
	"lock_timeout":                  "2s",
}

// Inspector reads a database for a diagnosis, also beside a running bot. It neither
// creates nor migrates nor writes anything. Its methods end when ctx does.
type Inspector struct {
	side *moveSide
	db   *DB // only to read; without keys
	// unchanged reports false if what was read may not fit together.
	unchanged func() bool
}

// Inspect opens a database to read it. The error is ErrNoDatabase, ErrForeign, ErrMoved or
// ErrMoveUnfinished, or says why the database can't be opened.
func Inspect(ctx context.Context, databaseURL string, failover Failover) (i *Inspector, err error) {
	path, err := FilePath(databaseURL)
	if err != nil {
		return nil, err
	}
	i = &Inspector{db: &DB{failover: failover}}
	if path == "" {
		i.db.writes = make(chan struct{}) // it is PostgreSQL; there are no writes
		i.side, err = inspectPostgres(ctx, databaseURL)
		i.unchanged = func() bool { return true }
	} else {
		i.side, i.unchanged, err = openForReading(ctx, path)
	}
	if err != nil {
		return nil, err
	}
	i.db.reader = i.side.pool
	if err := i.checkOwn(ctx); err != nil {
		return nil, errors.Join(err, i.Close())
	}
	return i, nil
}

func inspectPostgres(ctx context.Context, databaseURL string) (*moveSide, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, ErrURL
	}
	if config.ConnectTimeout <= 0 || config.ConnectTimeout > connectTimeout {
		config.ConnectTimeout = connectTimeout
	}
	pool := sqlx.NewDb(sql.OpenDB(pgConnector{Connector: stdlib.GetConnector(*config, withSettings(inspectSettings)), inspects: true}), driverName)
	conn, err := pool.Connx(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("storage: opening the database: %w", err), pool.Close())
	}
	return &moveSide{Conn: conn, pool: pool, name: "database", postgres: true}, nil
}

// StatFile returns what the file system says of a database file, and refuses what can't be
// one. The error is ErrNoDatabase for a file that is missing or empty.
func StatFile(path string) (info fs.FileInfo, err error) {
	info, err = os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0:
		return nil, fmt.Errorf("%w: the file is missing or empty", ErrNoDatabase)
	case err != nil:
		return nil, fmt.Errorf("storage: opening the database: %w", withoutPath(err))
	case info.IsDir():
		return nil, errors.New("storage: it is a folder, not a database")
	case !info.Mode().IsRegular():
		return nil, ErrForeign
	}
	return info, nil
}

// openForReading opens a database file on one connection and changes nothing. Statements
// end when their context does.
//
// SQLite makes -wal and -shm for a database without them, to read it. Such a file is
// complete in itself, and it is read without locks: if unchanged reports false afterwards,
// a program has written to it.
func openForReading(ctx context.Context, path string) (side *moveSide, unchanged func() bool, err error) {
	path = realPath(path)
	before, err := StatFile(path)
	if err != nil {
		return nil, nil, err
	}
	used := func() bool { return exists(path+"-wal") || exists(path+"-journal") }
	query, unchanged := "?mode=ro&_pragma=busy_timeout("+busyMillis+")", func() bool { return true }
	if !used() {
		query += "&immutable=1"
		unchanged = func() bool {
			after, err := os.Stat(path)
			return err == nil && after.Size() == before.Size() && after.ModTime().Equal(before.ModTime()) && !used()
		}
	}
	sqlx.BindDriver(driverName, sqlx.QUESTION)
	inner, err := sqlite.NewConnector("file:" + (&url.URL{Path: path}).EscapedPath() + query)
	if err != nil {
		return nil, nil, fmt.Errorf("storage: opening the database: %w", err)
	}
	side = &moveSide{name: "database", pool: sqlx.NewDb(sql.OpenDB(inner), driverName)}
	if side.Conn, err = side.pool.Connx(ctx); err != nil {
		return nil, nil, errors.Join(plainly("opening the database", err), side.pool.Close())
	}
	return side, unchanged, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// Close closes the database. After ErrChanged what was read must be read again.
func (i *Inspector) Close() error {
	if err := errors.Join(i.side.Close(), i.db.reader.Close()); err != nil {
		return fmt.Errorf("storage: closing: %w", err)
	}
	if !i.unchanged() {
		return ErrChanged
	}
	return nil
}

// checkOwn refuses a database that is not one of this program, or that was moved.
func (i *Inspector) checkOwn(ctx context.Context) error {
	version, err := i.side.version(ctx)
	switch {
	case err != nil:
		return plainly("reading the schema", err)
	case version == 0:
		tables, err := i.side.tables(ctx)
		if err == nil && len(tables) == 0 {
			return fmt.Errorf("%w: it has no tables", ErrNoDatabase)
		}
		return errors.Join(ErrForeign, err)
	}
	if exists, err := i.side.has(ctx, "settings"); err != nil || !exists {
		return errors.Join(ErrForeign, err)
	}
	return checkNotMoved(ctx, i.side)
}

// Schema is the schema version of a database and those that matter for it.
type Schema struct {
	Version  int64 // of the database
	Required int64 // the lowest that a program must know to open the database; 0 = any
	Known    int64 // the newest that this program knows
}

// Schema reads the schema version.
func (i *Inspector) Schema(ctx context.Context) (schema Schema, err error) {
	if schema.Known, err = knownVersion(); err != nil {
		return Schema{}, err
	}
	if schema.Version, err = i.side.version(ctx); err != nil {
		return Schema{}, err
	}
	text, err := i.Setting(ctx, schemaMinSetting)
	if err != nil || text == "" { // before version 10
		return schema, err
	}
	if schema.Required, err = strconv.ParseInt(text, 10, 64); err != nil {
		return Schema{}, fmt.Errorf("storage: setting %s: %w", schemaMinSetting, err)
	}
	return schema, nil
}

// Setting returns the value of a setting, "" where it is not stored.
func (i *Inspector) Setting(ctx context.Context, name string) (string, error) {
	return setting(ctx, i.side, i.side.Rebind(selectSetting), name)
}

// CheckBot returns ErrOtherBot for a database that belongs to another bot.
func (i *Inspector) CheckBot(ctx context.Context, botID string) error {
	owner, err := i.Setting(ctx, botSetting)
	if err != nil || owner == "" { // no bot has opened it yet
		return err
	}
	return checkBot(owner, botID)
}

// Integrity returns what SQLite finds damaged, at most 3 things. PostgreSQL has no such
// check.
func (i *Inspector) Integrity(ctx context.Context) (damages []string, err error) {
	if i.side.postgres {
		return nil, nil
	}
	var failure *sqlite.Error
	err = i.side.SelectContext(ctx, &damages, `PRAGMA quick_check(3)`)
	switch {
	case errors.As(err, &failure) && failure.Code()&0xff == sqlite3.SQLITE_CORRUPT:
		return []string{failure.Error()}, nil
	case err != nil:
		return nil, fmt.Errorf("storage: checking the database: %w", err)
	case slices.Equal(damages, []string{"ok"}):
		return nil, nil
	}
	return damages, nil
}

// Sealed opens a value of each sealed column and key, and returns how many were opened and
// why others can't be. No error shows a value.
func (i *Inspector) Sealed(ctx context.Context, keys Keyring) (opened int, failures []error, err error) {
	db := &DB{keys: keys}
	for _, column := range sealedColumns {
		ids, err := i.side.keyIDs(ctx, column)
		if err != nil {
			return 0, nil, err
		}
		for _, id := range ids {
			failure, err := i.side.openOne(ctx, db, column, id)
			if err != nil {
				return 0, nil, err
			}
			if failure != nil {
				failures = append(failures, fmt.Errorf("%s.%s: %w", column.table, column.column, failure))
				continue
			}
			opened++
		}
	}
	return opened, failures, nil
}

// Replicas returns the copies of the program that are alive by the clock of the database's
// server. A file has one that may have been killed: its lock says whether it lives.
func (i *Inspector) Replicas(ctx context.Context) ([]Replica, error) {
	offset, err := i.ClockOffset(ctx)
	if err != nil {
		return nil, err
	}
	replicas, err := selectRows[Replica](ctx, i.db, i.side, i.side.Rebind(selectReplicas), toMillis(time.Now().Add(-offset)))
	if err != nil {
		return nil, fmt.Errorf("read replicas: %w", err)
	}
	return replicas, nil
}

// ClockOffset is that of DB.
func (i *Inspector) ClockOffset(ctx context.Context) (time.Duration, error) {
	return i.db.ClockOffset(ctx)
}

// CheckServer returns an error for a PostgreSQL server that the bot refuses.
func (i *Inspector) CheckServer(ctx context.Context) error {
	if !i.side.postgres {
		return nil
	}
	return checkServer(ctx, i.db.reader)
}

// Durable is that of DB.
func (i *Inspector) Durable(ctx context.Context) error { return i.db.Durable(ctx) }

// Standbys returns how many standbys a PostgreSQL server sends its changes to.
func (i *Inspector) Standbys(ctx context.Context) (int64, error) {
	if !i.side.postgres {
		return 0, nil
	}
	return i.side.count(ctx, `SELECT COUNT(*) FROM pg_stat_replication`)
}

// Waiting is how much waits for a person to look at it.
type Waiting struct {
	DeadLettered   int64 `db:"dead_lettered"`   // updates
	OutcomeUnknown int64 `db:"outcome_unknown"` // purchases
}

// Waiting counts.
func (i *Inspector) Waiting(ctx context.Context) (Waiting, error) {
	waiting, err := selectRow[Waiting](ctx, i.db, i.side, `SELECT
		(SELECT COUNT(*) FROM inbox WHERE state = 'dead_lettered') AS dead_lettered,
		(SELECT COUNT(*) FROM purchases WHERE state = 'outcome_unknown') AS outcome_unknown`)
	if err != nil {
		return Waiting{}, fmt.Errorf("count what waits: %w", err)
	}
	return waiting, nil
}

// Unreached returns those of these people who never wrote to the bot in private, and those
// who have blocked it since.
func (i *Inspector) Unreached(ctx context.Context, ids []int64) (silent, gone []int64, err error) {
	for _, id := range ids {
		var unreachable []int64
		if err := i.side.SelectContext(ctx, &unreachable, i.side.Rebind(`SELECT unreachable FROM users WHERE id = ? AND private_chat = 1`), id); err != nil {
			return nil, nil, fmt.Errorf("read people: %w", err)
		}
		switch {
		case len(unreachable) == 0:
			silent = append(silent, id)
		case unreachable[0] != 0:
			gone = append(gone, id)
		}
	}
	return silent, gone, nil
}

// KeysFile returns the keys in secret.key beside the database file at path, and creates
// nothing: the error is fs.ErrNotExist where the file is missing.
func KeysFile(path string) (Keyring, error) { return readKeys(SecretFile(path)) }

// SecretFile returns the name of the secret.key beside the database file at path.
func SecretFile(path string) string { return filepath.Join(filepath.Dir(path), secretFile) }
