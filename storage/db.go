package storage

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"
)

var (
	// ErrNotFound says that there is no such row, or that it belongs to another person.
	ErrNotFound = errors.New("storage: not found")
	// ErrOtherBot says that the database belongs to another bot: its people, chats and
	// updates are not this one's.
	ErrOtherBot = errors.New("storage: the database belongs to another bot")
	// ErrClosed says that the database was closed before the write.
	ErrClosed = errors.New("storage: closed")
	// ErrAmbiguous says that the connection was lost during the commit, or the standby
	// did not confirm it: the write may or may not have been made. Only PostgreSQL gives it.
	ErrAmbiguous = errors.New("storage: the commit was not answered")
)

// Options of Open.
type Options struct {
	URL  string  // sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME
	Keys Keyring // at least one key; the first one seals, all of them unseal
	// Failover is about PostgreSQL.
	Failover Failover
	// BotID is Telegram's id of the bot whose database it is from now on; "" for any.
	BotID string
	Zone  *time.Location // of days; nil: UTC
	// Observe is called for each write that has ended, with its kind, "write" or
	// "small_write" (one that may share its commit), and its duration: from when it was
	// handed in, with its waits and retries. nil for none.
	Observe func(kind string, took time.Duration)

	restoring bool // a copy that Restore prepares: it is not backed up
}

// DB is the open database. It is safe for concurrent use.
type DB struct {
	writer *sqlx.DB // SQLite: one connection, immediate transactions
	reader *sqlx.DB // SQLite: a few connections that can't write; PostgreSQL: writer
	keys   Keyring
	house  atomic.Pointer[operator]
	digest []byte // the key of Digest
	zone   *time.Location

	// Of SQLite, else nil or "".
	path        string // of the file
	botID       string // Options.BotID
	batch       *batcher
	checkpoints *checkpointer
	users       *knownUsers
	// Of PostgreSQL: a token for each write in progress, else nil; new writes fail.
	writes     chan struct{}
	closed     atomic.Bool
	failover   Failover
	durability durability
	listener   *pgx.ConnConfig // of the connection that listens
	hintSender string          // the id of this process in its hints
	observe    func(kind string, took time.Duration)
}

// Open opens the database, creates the file if need be (SQLite: folder 0700, files
// 0600), and brings its tables up to date. The error is a *SchemaError when the database
// needs a newer program, an *UnknownKeyError when it is sealed with a key that
// Options.Keys lacks, and ErrOtherBot.
func Open(ctx context.Context, options Options) (*DB, error) {
	path, err := FilePath(options.URL)
	if err != nil {
		return nil, err
	}
	if len(options.Keys.keys) == 0 {
		return nil, errors.New("storage: no key to seal with")
	}
	db := &DB{keys: options.Keys, failover: options.Failover, observe: options.Observe, path: path, botID: options.BotID, zone: cmp.Or(options.Zone, time.UTC)}
	if path == "" {
		err = db.openPostgres(ctx, options.URL)
	} else {
		err = db.openSQLite(ctx, path, !options.restoring)
	}
	err = plainly("opening the database", err)
	if err == nil && options.BotID != "" {
		err = db.belongTo(ctx, options.BotID)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close(context.WithoutCancel(ctx)))
	}
	return db, nil
}

// Close waits for the writes handed in until ctx is done, and closes all connections.
// Where ctx was done first the error says so (it wraps ctx's), and writes that have
// not started fail. It may be called again.
func (db *DB) Close(ctx context.Context) error {
	failures := []error{db.waitForWrites(ctx)}
	if db.checkpoints != nil {
		failures = append(failures, db.checkpoints.close(ctx))
	}
	if db.reader != nil && db.reader != db.writer {
		failures = append(failures, db.reader.Close())
	}
	if db.writer != nil { // last, so that the WAL is folded into the database
		failures = append(failures, db.writer.Close())
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("storage: closing: %w", err)
	}
	return nil
}

// waitForWrites refuses new shared writes and waits until no write is left, or ctx is
// done.
func (db *DB) waitForWrites(ctx context.Context) error {
	if db.batch != nil {
		if err := db.batch.close(ctx); err != nil {
			return err
		}
	}
	if db.writer == nil {
		return nil
	}
	if db.writes != nil {
		db.closed.Store(true)
		return db.waitForTokens(ctx)
	}
	conn, err := db.writer.Conn(ctx) // the only one: while it is taken, a write runs
	if err == nil {
		return conn.Close()
	}
	if ctx.Err() != nil {
		return fmt.Errorf("writes are pending: %w", ctx.Err())
	}
	return nil // closed already
}

// Ping returns an error unless the database accepts a write before ctx is done: a full
// disk and a lock that another process holds don't prevent reading.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.SetSetting(ctx, pingSetting, strconv.FormatInt(time.Now().UnixMilli(), 10)); err != nil {
		return fmt.Errorf("storage: ping: %w", err)
	}
	return nil
}

// write runs fn in a transaction of its own, as if no other ran at the same time, and
// returns after the commit is durable. ctx is obeyed while the write waits; a started
// transaction is not cancelled. An error means that nothing was written, except
// ErrAmbiguous. An error of fn is returned as it is and rolls everything back; a panic
// becomes an error.
//
// fn reads through tx: db.reader doesn't see what tx has written, and db.write or
// db.submit inside fn would deadlock. PostgreSQL runs fn again after a conflict with
// another transaction, so what it assigns outside of itself it assigns in each run that
// succeeds. Methods call writeOnce, which resolves ErrAmbiguous.
func (db *DB) write(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	defer db.observed("write", time.Now())
	if db.writes != nil {
		return db.retry(ctx, sql.LevelSerializable, fn)
	}
	return db.transact(ctx, sql.LevelDefault, fn)
}

// submit is write for small, frequent writes, each of which first touches the one row
// that decides. SQLite: those that wait at the same time share one transaction, and so
// one durable commit; the error or panic of one undoes only itself.
// PostgreSQL: each statement sees what others have committed before it (read committed),
// which avoids conflicts. On both fn may run again after a rollback.
func (db *DB) submit(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	defer db.observed(smallWrite, time.Now())
	if db.writes != nil {
		return db.retry(ctx, sql.LevelReadCommitted, fn)
	}
	return db.batch.submit(ctx, false, fn)
}

// smallWrite is the kind of submit and pipeline for Options.Observe.
const smallWrite = "small_write"

// observed passes the duration of a write that ends now to Options.Observe.
func (db *DB) observed(kind string, began time.Time) {
	if db.observe != nil {
		db.observe(kind, time.Since(began))
	}
}

// transact runs fn in one transaction.
func (db *DB) transact(ctx context.Context, isolation sql.IsolationLevel, fn func(tx *sqlx.Tx) error) error {
	conn, err := db.writer.Connx(ctx)
	if err != nil {
		return fmt.Errorf("storage: waiting to write: %w", err)
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	tx, err := conn.BeginTxx(context.WithoutCancel(ctx), &sql.TxOptions{Isolation: isolation})
	if err != nil {
		return fmt.Errorf("storage: begin: %w", err)
	}
	if err := recoverTo(tx, fn); err != nil {
		return errors.Join(err, rollback(tx))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("storage: commit: %w", err)
	}
	return nil
}
