package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
)

var (
	// ErrNotFound says that there is no such row, or that it belongs to another person.
	ErrNotFound = errors.New("storage: not found")
	// ErrClosed says that the database was closed before the write.
	ErrClosed = errors.New("storage: closed")
)

// Options of Open.
type Options struct {
	URL  string  // sqlite:PATH
	Keys Keyring // at least one key; the first one seals, all of them unseal
}

// DB is the open database. It is safe for concurrent use.
type DB struct {
	writer *sqlx.DB // one connection, immediate transactions
	reader *sqlx.DB // a few connections that can't write
	keys   Keyring
	digest []byte // the key of Digest
	batch  *batcher
}

// Open opens the database, creates it if need be (folder 0700, files 0600),
// and brings its tables up to date. The error is a *SchemaError when the database
// needs a newer program, and an *UnknownKeyError when it is sealed with a key that
// Options.Keys lacks.
func Open(ctx context.Context, options Options) (*DB, error) {
	path, err := FilePath(options.URL)
	if err != nil {
		return nil, err
	}
	if len(options.Keys.keys) == 0 {
		return nil, errors.New("storage: no key to seal with")
	}
	if err := createFile(path); err != nil {
		return nil, fmt.Errorf("storage: creating the database: %w", err)
	}
	db := &DB{keys: options.Keys}
	if err := db.open(ctx, path); err != nil {
		return nil, errors.Join(err, db.Close(context.WithoutCancel(ctx)))
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, path string) (err error) {
	if db.writer, err = open(path, writerPragmas, 1, true); err != nil {
		return err
	}
	if err := checkPragmas(ctx, db.writer, writerPragmas); err != nil {
		return err
	}
	if err := migrate(ctx, db.writer); err != nil {
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
	db.batch = startBatcher(db.writer)
	return nil
}

// Close waits for the writes handed in until ctx is done, and closes all connections.
// Where ctx was done first the error says so (it wraps ctx's), and writes that have
// not started fail. It may be called again.
func (db *DB) Close(ctx context.Context) error {
	failures := []error{db.waitForWrites(ctx)}
	if db.reader != nil {
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
	conn, err := db.writer.Conn(ctx) // the only one: while it is taken, a write runs
	if err == nil {
		return conn.Close()
	}
	if ctx.Err() != nil {
		return fmt.Errorf("writes are pending: %w", ctx.Err())
	}
	return nil // closed already
}

// Ping returns an error unless the database answers.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	if err := db.reader.GetContext(ctx, &one, "SELECT 1"); err != nil {
		return fmt.Errorf("storage: ping: %w", err)
	}
	return nil
}

// write runs fn in an immediate transaction of its own and returns after the commit is
// durable. ctx is obeyed while the write waits; a started transaction is not cancelled,
// so an error means that nothing was written. An error of fn is returned as it is and
// rolls everything back; a panic becomes an error.
//
// fn reads through tx: db.reader doesn't see what tx has written, and db.write or
// db.submit inside fn would deadlock.
func (db *DB) write(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	conn, err := db.writer.Connx(ctx)
	if err != nil {
		return fmt.Errorf("storage: waiting to write: %w", err)
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	tx, err := conn.BeginTxx(context.WithoutCancel(ctx), nil)
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

// submit is write for small, frequent writes: those that wait at the same time share one
// transaction, and so one durable commit. Each has a savepoint: its error or panic
// undoes only itself.
func (db *DB) submit(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	return db.batch.submit(ctx, fn)
}
