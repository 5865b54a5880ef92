package storage

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// Every change of a state is one UPDATE that names the state it expects. Whether
// it found the row so is all that the caller needs to know: of any number of
// callers exactly one is told yes.

// move runs one such compare-and-set in a transaction of its own.
func (db *DB) move(ctx context.Context, what, query string, args ...any) (bool, error) {
	moved := false
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		var err error
		moved, err = db.moveTx(ctx, tx, query, args...)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return moved, nil
}

// moveTx is move within a transaction.
func (db *DB) moveTx(ctx context.Context, tx *sqlx.Tx, query string, args ...any) (bool, error) {
	n, err := affected(tx.ExecContext(ctx, db.bind(query), args...))
	return n > 0, err
}

// moveAndTell is move together with the message that tells of it.
func (db *DB) moveAndTell(ctx context.Context, what string, message Message, query string, args ...any) (bool, error) {
	return db.moveWith(ctx, what, func(tx *sqlx.Tx) error { return db.insertMessage(ctx, tx, message) }, query, args...)
}

// moveAndRecord is move together with the admin's deed that it is.
func (db *DB) moveAndRecord(ctx context.Context, what string, deed AuditEntry, query string, args ...any) (bool, error) {
	return db.moveWith(ctx, what, func(tx *sqlx.Tx) error { return db.insertDeed(ctx, tx, deed) }, query, args...)
}

// moveWith is move together with what goes with it, if it moves.
func (db *DB) moveWith(ctx context.Context, what string, also func(tx *sqlx.Tx) error, query string, args ...any) (bool, error) {
	moved := false
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		var err error
		moved, err = db.moveTx(ctx, tx, query, args...)
		if err != nil || !moved {
			return err
		}
		return also(tx)
	})
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return moved, nil
}
