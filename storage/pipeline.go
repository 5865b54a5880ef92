package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jmoiron/sqlx"
)

// A pipeline is a transaction whose statements don't depend on each other's results in Go.
// PostgreSQL gets them in one round trip.

// command is one statement of a pipeline.
type command struct {
	query string
	args  []any
	scan  func(row row) error // called for each row; nil for none
}

// row is that of both drivers.
type row interface{ Scan(to ...any) error }

// pipeline runs statements as submit does: each sees what others have committed before it.
// The transaction must be repeatable, and commands is called for each attempt, so that what
// the rows are scanned into begins anew. The error is ErrAmbiguous as in submitOnce.
func (db *DB) pipeline(ctx context.Context, commands func() []command) error {
	defer db.observed(smallWrite, time.Now())
	if db.writes == nil {
		// Of a context that may end, database/sql starts a goroutine for each query.
		running := context.WithoutCancel(ctx)
		return db.batch.submit(ctx, true, func(tx *sqlx.Tx) error { return runAll(running, tx, commands()) })
	}
	var err error
	for deadline := time.Now().Add(retryFor); ; {
		err = db.retryWrite(ctx, func() error { return db.sendAll(ctx, commands()) })
		if !errors.Is(err, ErrAmbiguous) || errors.Is(err, errNotReplicated) || !time.Now().Before(deadline) {
			return err
		}
		ctx = context.WithoutCancel(ctx)
	}
}

// runAll runs statements one after another.
func runAll(ctx context.Context, tx *sqlx.Tx, statements []command) error {
	for _, s := range statements {
		if s.scan == nil {
			if _, err := tx.ExecContext(ctx, s.query, s.args...); err != nil {
				return err
			}
			continue
		}
		if err := queryAll(ctx, tx, s); err != nil {
			return err
		}
	}
	return nil
}

func queryAll(ctx context.Context, tx *sqlx.Tx, s command) error {
	rows, err := tx.QueryContext(ctx, s.query, s.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := s.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// sendAll sends statements together. PostgreSQL commits them when all were run.
func (db *DB) sendAll(ctx context.Context, statements []command) error {
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("storage: waiting to write: %w", err)
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	return conn.Raw(func(inner any) error {
		c, ok := inner.(*pgConn)
		if !ok {
			return errors.New("storage: the driver's connection is of another type")
		}
		return c.sendAll(ctx, statements)
	})
}

func (c *pgConn) sendAll(ctx context.Context, statements []command) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	batch := new(pgx.Batch)
	for _, s := range statements {
		args := make([]any, len(s.args))
		for i, arg := range s.args {
			args[i] = arg
			if text, ok := arg.(string); ok {
				args[i] = withoutZeroBytes(text)
			}
		}
		batch.Queue(numbered(s.query), args...)
	}
	seen := c.Conn.Conn().PgConn().CustomData()
	delete(seen, plainWarning)
	results := c.Conn.Conn().SendBatch(ctx, batch)
	var err error
	for _, s := range statements {
		if err = scanAll(results, s); err != nil {
			break
		}
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	return c.checked(ctx, outcome(err, seen[plainWarning] != nil))
}

func scanAll(results pgx.BatchResults, s command) error {
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if s.scan == nil {
			continue
		}
		if err := s.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// outcome returns the error of a commit. It wraps ErrAmbiguous where the server may have
// committed, and also errNotReplicated where it did, and a failover would lose that.
func outcome(err error, warned bool) error {
	if warned {
		return errors.Join(ErrAmbiguous, errNotReplicated, err)
	}
	if err == nil {
		return nil
	}
	refused, answered := errors.AsType[*pgconn.PgError](err)
	if answered && refused.SeverityUnlocalized == "ERROR" || pgconn.SafeToRetry(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrAmbiguous, err)
}

func withoutZeroBytes(text string) string { return strings.ReplaceAll(text, "\x00", "") }
