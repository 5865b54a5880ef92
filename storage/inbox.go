package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// The inbox holds received updates, sealed, until they are handled, and then their ids,
// to recognize repeated ones (sweepRules says for how long).

// insertRows is how many updates one INSERT stores at most: getUpdates gives 100 (Bot
// API).
const insertRows = 128

// StoreUpdates stores received updates durably, in their order, as attempted once. fresh
// says by position which were not known before; known ones do not change.
func (db *DB) StoreUpdates(ctx context.Context, ids, chats []int64, payloads [][]byte) (fresh []bool, err error) {
	if len(chats) != len(ids) || len(payloads) != len(ids) {
		return nil, errors.New("store updates: ids, chats and payloads differ in number")
	}
	fresh = make([]bool, len(ids))
	if len(ids) == 0 {
		return fresh, nil
	}
	var sealed []string // before the transaction, which blocks other writes
	for i, payload := range payloads {
		sealed = append(sealed, db.sealText("inbox", "payload", ids[i], string(payload)))
	}
	now := toMillis(time.Now())
	err = db.submit(ctx, func(tx *sqlx.Tx) error {
		for from, to := 0, 0; from < len(ids); from = to {
			// Powers of two, so that few different statements are prepared.
			to = from + 1<<(bits.Len(uint(min(len(ids)-from, insertRows)))-1)
			inserted, err := db.insertUpdates(ctx, tx, ids[from:to], chats[from:to], sealed[from:to], now, from)
			if err != nil {
				return err
			}
			for i := from; i < to; i++ {
				fresh[i] = inserted[ids[i]]
				delete(inserted, ids[i]) // an id twice in one batch is fresh once
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store updates: %w", err)
	}
	return fresh, nil
}

// insertUpdates returns the ids that were new.
func (db *DB) insertUpdates(ctx context.Context, tx *sqlx.Tx, ids, chats []int64, sealed []string, now int64, position int) (map[int64]bool, error) {
	query := `INSERT INTO inbox (update_id, chat_id, state, attempts, payload_sealed, received_at, position) VALUES ` +
		strings.Repeat(`(?, ?, 'received', 1, ?, ?, ?), `, len(ids)-1) + `(?, ?, 'received', 1, ?, ?, ?)
		ON CONFLICT (update_id) DO NOTHING RETURNING update_id`
	args := make([]any, 0, 5*len(ids))
	for i, id := range ids {
		args = append(args, id, chats[i], sealed[i], now, position+i)
	}
	var inserted []int64
	if err := tx.SelectContext(ctx, &inserted, db.bind(query), args...); err != nil {
		return nil, err
	}
	fresh := make(map[int64]bool, len(inserted))
	for _, id := range inserted {
		fresh[id] = true
	}
	return fresh, nil
}

// Unfinished returns the updates that are neither done nor dead-lettered, oldest first.
func (db *DB) Unfinished(ctx context.Context) (ids, chats []int64, err error) {
	var rows []struct {
		ID   int64 `db:"update_id"`
		Chat int64 `db:"chat_id"`
	}
	err = db.reader.SelectContext(ctx, &rows,
		`SELECT update_id, chat_id FROM inbox WHERE finished_at IS NULL ORDER BY received_at, position, update_id`)
	if err != nil {
		return nil, nil, fmt.Errorf("read unfinished updates: %w", err)
	}
	for _, row := range rows {
		ids, chats = append(ids, row.ID), append(chats, row.Chat)
	}
	return ids, chats, nil
}

// StartAttempt counts another attempt at an unfinished update, durably, and returns the
// payload. The error is ErrNotFound for one that is done, dead-lettered or unknown. An
// attempt at a damaged payload is counted, too.
func (db *DB) StartAttempt(ctx context.Context, id int64) (payload []byte, attempts int, err error) {
	var row struct {
		PayloadSealed string `db:"payload_sealed"`
		Attempts      int    `db:"attempts"`
	}
	err = db.submit(ctx, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &row, db.bind(`UPDATE inbox SET attempts = attempts + 1
			WHERE update_id = ? AND finished_at IS NULL RETURNING payload_sealed, attempts`), id)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("start attempt at update: %w", err)
	}
	text, err := db.unsealText("inbox", "payload", id, row.PayloadSealed)
	if err != nil {
		return nil, row.Attempts, fmt.Errorf("start attempt at update: %w", err)
	}
	return []byte(text), row.Attempts, nil
}

// Finish records that an update is done and deletes its payload. An update that is done
// or dead-lettered does not change; the error is ErrNotFound for an unknown one.
func (db *DB) Finish(ctx context.Context, id int64) error {
	return db.end(ctx, "finish update", markDone, id, nil)
}

// FinishWithDialog is Finish and, in the same transaction, sets what the person's next
// text means until then: step, with its data; step "" closes the dialog.
func (db *DB) FinishWithDialog(ctx context.Context, id, user int64, step, data string, until time.Time) error {
	sealed := db.sealText("dialogs", "data", user, data)
	return db.end(ctx, "finish update", markDone, id, func(tx *sqlx.Tx) error {
		return db.setDialog(ctx, tx, user, step, sealed, until)
	})
}

// DeadLetter is Finish for an update that failed too often: it is not handled again, and
// its payload is kept, sealed, for 30 days.
func (db *DB) DeadLetter(ctx context.Context, id int64) error {
	return db.end(ctx, "dead-letter update", markDeadLettered, id, nil)
}

// Of a done update only the id is needed. Its chat would identify the person, and the
// update by which a person is forgotten is done after that.
const (
	markDone         = `UPDATE inbox SET state = 'done', chat_id = 0, payload_sealed = '', finished_at = ? WHERE update_id = ? AND finished_at IS NULL`
	markDeadLettered = `UPDATE inbox SET state = 'dead_lettered', finished_at = ? WHERE update_id = ? AND finished_at IS NULL`
)

// end finishes an update and runs also if this call did.
func (db *DB) end(ctx context.Context, what, query string, id int64, also func(tx *sqlx.Tx) error) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		ended, err := db.transitionTx(ctx, tx, query, toMillis(time.Now()), id)
		if err != nil {
			return err
		}
		if ended && also != nil {
			return also(tx)
		}
		if ended {
			return nil
		}
		var known int
		err = tx.GetContext(ctx, &known, db.bind(`SELECT 1 FROM inbox WHERE update_id = ?`), id)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
