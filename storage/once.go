package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jmoiron/sqlx"
)

// A commit that was sent to PostgreSQL and not answered was made or not (ErrAmbiguous).
// Each method that changes something finds out, by writeOnce or submitOnce. SQLite
// answers each commit.

// committed looks for what the last run of another transaction has written, whose commit
// was not answered. Where it reports true, what that run has assigned outside of itself
// holds: a run that fails at a statement must not assign anything there.
type committed func(tx *sqlx.Tx) (bool, error)

// repeatable is for a transaction that may run again after its commit: it changes
// nothing more and returns the same.
func repeatable(*sqlx.Tx) (bool, error) { return false, nil }

// finds reports true where the query finds a row.
func finds(ctx context.Context, query string, args ...any) committed {
	return func(tx *sqlx.Tx) (bool, error) {
		var n int
		err := tx.GetContext(ctx, &n, `SELECT COUNT(*) FROM (`+query+`) AS found`, args...)
		return n > 0, err
	}
}

// writeOnce is write, and finds out what became of a commit that was not answered. The
// error is ErrAmbiguous only where the database stays away for as long as writes are
// retried, or its synchronous standby does.
func (db *DB) writeOnce(ctx context.Context, made committed, fn func(tx *sqlx.Tx) error) error {
	return db.once(ctx, db.write(ctx, fn), made, fn)
}

// submitOnce is submit as writeOnce is write.
func (db *DB) submitOnce(ctx context.Context, made committed, fn func(tx *sqlx.Tx) error) error {
	return db.once(ctx, db.submit(ctx, fn), made, fn)
}

// once runs fn again after an ambiguous commit, unless that was made. The first commit
// may still be under way: serializable transactions that write the same rows wait for it
// and fail, and then made finds it.
func (db *DB) once(ctx context.Context, err error, made committed, fn func(tx *sqlx.Tx) error) error {
	if !errors.Is(err, ErrAmbiguous) || errors.Is(err, errNotReplicated) { // this server can't say what others have
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), retryFor)
	defer cancel()
	for existed := false; ctx.Err() == nil; {
		again := db.write(ctx, func(tx *sqlx.Tx) error {
			if done, err := made(tx); done || err != nil {
				return err
			}
			return fn(tx)
		})
		switch {
		case errors.Is(again, errNotReplicated):
			return again
		case errors.Is(again, ErrAmbiguous): // fn has run: made looks for that
		case isUnique(again) && !existed: // the first commit was made between made and fn
			existed = true
		case ctx.Err() != nil || errors.Is(again, ErrClosed) || isUncertain(again):
			return fmt.Errorf("%w: %w", err, again)
		default:
			return again
		}
	}
	return err
}

// isUncertain reports whether an error is the database's, and so no answer of fn.
func isUncertain(err error) bool {
	_, refused := errors.AsType[*pgconn.PgError](err)
	return refused && !isUnique(err) || isBroken(err)
}
