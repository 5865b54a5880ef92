package storage

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// A transition is one UPDATE that names the state it expects (a compare-and-set).
// It reports whether it found a row in that state: of any number of concurrent
// callers exactly one is told true.

// transitionTx runs a transition within a transaction.
func (db *DB) transitionTx(ctx context.Context, tx *sqlx.Tx, query string, args ...any) (bool, error) {
	n, err := affected(tx.ExecContext(ctx, db.bind(query), args...))
	return n > 0, err
}

// transition runs a transition in a transaction of its own. what begins the error.
func (db *DB) transition(ctx context.Context, what, query string, args ...any) (bool, error) {
	return db.transitionWith(ctx, what, func(*sqlx.Tx) error { return nil }, query, args...)
}

// transitionWithMessage is transition; the message is stored if a row was found.
func (db *DB) transitionWithMessage(ctx context.Context, what string, message Message, query string, args ...any) (bool, error) {
	return db.transitionWith(ctx, what, func(tx *sqlx.Tx) error { return db.insertMessage(ctx, tx, message) }, query, args...)
}

// transitionAudited is transition; the audit entry is stored if a row was found.
func (db *DB) transitionAudited(ctx context.Context, what string, entry AuditEntry, query string, args ...any) (bool, error) {
	return db.transitionWith(ctx, what, func(tx *sqlx.Tx) error { return db.insertAudit(ctx, tx, entry) }, query, args...)
}

// transitionWith is transition; also runs in the same transaction if a row was found.
func (db *DB) transitionWith(ctx context.Context, what string, also func(tx *sqlx.Tx) error, query string, args ...any) (found bool, err error) {
	err = db.write(ctx, func(tx *sqlx.Tx) error {
		found, err = db.transitionTx(ctx, tx, query, args...)
		if err != nil || !found {
			return err
		}
		return also(tx)
	})
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return found, nil
}
