package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// MessageDraft is a message that waits in the outbox until its author sends it. The
// author's id is in the body, which the caller defines and which is "" once sent.
type MessageDraft struct {
	ID     int64  `db:"id"`
	UserID int64  `db:"user_id"` // the recipient
	State  string `db:"state"`
	Body   []byte `db:"body_sealed" seal:"outbox.body"`
}

// Sent reports whether SendMessageDraft was called.
func (d MessageDraft) Sent() bool { return d.State != "draft" }

// AddMessageDraft stores a message that is not due, and returns its id. Sweep deletes it
// after a day unless it was sent.
func (db *DB) AddMessageDraft(ctx context.Context, message Message) (id int64, err error) {
	message = withIDs(message)[0]
	err = db.writeOnce(ctx, messagesExist(ctx, []Message{message}), func(tx *sqlx.Tx) error {
		if err := db.insertMessages(ctx, tx, []Message{message}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE outbox SET state = 'draft' WHERE id = ?`, message.ID)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("add message draft: %w", err)
	}
	return message.ID, nil
}

// MessageDraft returns a draft of this kind, or what became of it. The error is
// ErrNotFound where there is none, or none any longer.
func (db *DB) MessageDraft(ctx context.Context, kind string, id int64) (MessageDraft, error) {
	draft, err := selectRow[MessageDraft](ctx, db, db.reader,
		`SELECT `+columnsOf[MessageDraft]()+` FROM outbox WHERE id = ? AND kind = ?`, id, kind)
	if err != nil {
		return MessageDraft{}, fmt.Errorf("read message draft: %w", err)
	}
	return draft, nil
}

// SendMessageDraft makes a draft due, with the audit entry. It reports false, and records
// nothing, where it was sent before.
func (db *DB) SendMessageDraft(ctx context.Context, id int64, now time.Time, entry AuditEntry) (sent bool, err error) {
	entry.ID = newID()
	err = db.writeOnce(ctx, auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		found, err := db.transitionTx(ctx, tx,
			`UPDATE outbox SET state = 'pending', created_at = ?, next_try_at = ? WHERE id = ? AND state = 'draft'`, toMillis(now), toMillis(now), id)
		if err == nil && found {
			err = db.insertAudit(ctx, tx, entry)
		}
		if err == nil {
			sent = found
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("send message draft: %w", err)
	}
	return sent, nil
}
