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
	n, err := affected(tx.ExecContext(ctx, query, args...))
	return n > 0, err
}

// transition runs a transition in a transaction of its own. what begins the error. After
// a commit that was not answered it runs again, and may report false although it was made:
// where that matters, transitionOnce.
func (db *DB) transition(ctx context.Context, what, query string, args ...any) (bool, error) {
	return db.transitionOnce(ctx, what, repeatable, nil, query, args...)
}

// transitionWithMessage is transitionOnce; the message is stored if a row was found.
func (db *DB) transitionWithMessage(ctx context.Context, what string, message Message, query string, args ...any) (bool, error) {
	messages := withIDs(message)
	return db.transitionOnce(ctx, what, messagesExist(ctx, messages), func(tx *sqlx.Tx) error { return db.insertMessages(ctx, tx, messages) }, query, args...)
}

// transitionAudited is transitionOnce; the audit entry is stored if a row was found.
func (db *DB) transitionAudited(ctx context.Context, what string, entry AuditEntry, query string, args ...any) (bool, error) {
	entry.ID = newID()
	return db.transitionOnce(ctx, what, auditExists(ctx, entry), func(tx *sqlx.Tx) error { return db.insertAudit(ctx, tx, entry) }, query, args...)
}

// transitionOnce is transition. also, unless nil, runs in the same transaction if a row
// was found. made recognizes the row as this call has left it.
func (db *DB) transitionOnce(ctx context.Context, what string, made committed, also func(tx *sqlx.Tx) error, query string, args ...any) (found bool, err error) {
	err = db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		now, err := db.transitionTx(ctx, tx, query, args...)
		if err == nil && now && also != nil {
			err = also(tx)
		}
		if err == nil {
			found = now
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return found, nil
}
