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

// StoreUpdates stores received updates durably, in their order, as attempted once.
// places says by position where each update stands among all updates, ascending in the
// order of storing, or 0 if it was known before; known ones do not change.
func (db *DB) StoreUpdates(ctx context.Context, ids, chats []int64, payloads [][]byte) (places []int64, err error) {
	if len(chats) != len(ids) || len(payloads) != len(ids) {
		return nil, errors.New("store updates: ids, chats and payloads differ in number")
	}
	places = make([]int64, len(ids))
	if len(ids) == 0 {
		return places, nil
	}
	var sealed []string // before the transaction, which blocks other writes
	for i, payload := range payloads {
		sealed = append(sealed, db.sealText("inbox", "payload", ids[i], string(payload)))
	}
	now := toMillis(time.Now())
	err = db.submit(ctx, func(tx *sqlx.Tx) error {
		// Later than every unfinished update, although clocks are set back and several
		// batches come within a millisecond: the order within a chat depends on it.
		var last int64
		if err := tx.GetContext(ctx, &last, `SELECT COALESCE(MAX(received_at), 0) FROM inbox WHERE finished_at IS NULL`); err != nil {
			return err
		}
		received := max(now, last+1)
		for from, to := 0, 0; from < len(ids); from = to {
			// Powers of two, so that few different statements are prepared.
			to = from + 1<<(bits.Len(uint(min(len(ids)-from, insertRows)))-1)
			inserted, err := db.insertUpdates(ctx, tx, ids[from:to], chats[from:to], sealed[from:to], received, from)
			if err != nil {
				return err
			}
			for i := from; i < to; i++ {
				places[i] = 0
				if inserted[ids[i]] {
					places[i] = placeOf(received, i)
				}
				delete(inserted, ids[i]) // an id twice in one batch is fresh once
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store updates: %w", err)
	}
	return places, nil
}

// A place is received_at and position in one number.
const placeBits = 20

func placeOf(received int64, position int) int64 { return received<<placeBits | int64(position) }

// insertUpdates returns the ids that were new.
func (db *DB) insertUpdates(ctx context.Context, tx *sqlx.Tx, ids, chats []int64, sealed []string, received int64, position int) (map[int64]bool, error) {
	query := `INSERT INTO inbox (update_id, chat_id, state, attempts, payload_sealed, received_at, position) VALUES ` +
		strings.Repeat(`(?, ?, 'received', 1, ?, ?, ?), `, len(ids)-1) + `(?, ?, 'received', 1, ?, ?, ?)
		ON CONFLICT (update_id) DO NOTHING RETURNING update_id`
	args := make([]any, 0, 5*len(ids))
	for i, id := range ids {
		args = append(args, id, chats[i], sealed[i], received, position+i)
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

// UnfinishedChats returns the chats that have updates which are neither done nor
// dead-lettered, the one that has waited longest first, and a place that is at or
// after all of these updates and before all later ones.
func (db *DB) UnfinishedChats(ctx context.Context) (chats []int64, last int64, err error) {
	var rows []struct {
		Chat     int64 `db:"chat_id"`
		Received int64 `db:"received"`
	}
	err = db.reader.SelectContext(ctx, &rows, `SELECT chat_id, MAX(received_at) AS received FROM inbox
		WHERE finished_at IS NULL GROUP BY chat_id ORDER BY MIN(received_at), MIN(position)`)
	if err != nil {
		return nil, 0, fmt.Errorf("read chats with unfinished updates: %w", err)
	}
	for _, row := range rows {
		// The last place of the batch: no other batch has this received_at.
		chats, last = append(chats, row.Chat), max(last, placeOf(row.Received, 1<<placeBits-1))
	}
	return chats, last, nil
}

// ChatBacklog calls each with the first unfinished updates of a chat after a place, at
// most limit, in their order. payload is nil if it can't be unsealed.
func (db *DB) ChatBacklog(ctx context.Context, chat, after int64, limit int, each func(id, place int64, received time.Time, payload []byte)) error {
	var rows []struct {
		ID       int64  `db:"update_id"`
		Received int64  `db:"received_at"`
		Position int    `db:"position"`
		Sealed   string `db:"payload_sealed"`
	}
	err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT update_id, received_at, position, payload_sealed FROM inbox
		WHERE chat_id = ? AND finished_at IS NULL AND (received_at, position) > (?, ?) ORDER BY received_at, position LIMIT ?`),
		chat, after>>placeBits, after&(1<<placeBits-1), limit)
	if err != nil {
		return fmt.Errorf("read backlog of a chat: %w", err)
	}
	for _, row := range rows {
		var payload []byte
		if text, err := db.unsealText("inbox", "payload", row.ID, row.Sealed); err == nil {
			payload = []byte(text)
		}
		each(row.ID, placeOf(row.Received, row.Position), fromMillis(row.Received), payload)
	}
	return nil
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

// Finish records, in one transaction, that updates are done and deletes their payloads.
// Those that are done or dead-lettered do not change; the error is ErrNotFound if one is
// unknown.
func (db *DB) Finish(ctx context.Context, ids ...int64) error {
	return db.end(ctx, "finish update", markDone, ids, nil)
}

// FinishWithDialog is Finish and, in the same transaction, sets what the person's next
// text means until then: step, with its data; step "" closes the dialog.
func (db *DB) FinishWithDialog(ctx context.Context, id, user int64, step, data string, until time.Time) error {
	sealed := db.sealText("dialogs", "data", user, data)
	return db.end(ctx, "finish update", markDone, []int64{id}, func(tx *sqlx.Tx) error {
		return db.setDialog(ctx, tx, user, step, sealed, until)
	})
}

// DeadLetter is Finish for an update that failed too often: it is not handled again, and
// its payload is kept, sealed, for 30 days.
func (db *DB) DeadLetter(ctx context.Context, id int64) error {
	return db.end(ctx, "dead-letter update", markDeadLettered, []int64{id}, nil)
}

// Of a done update only the id is needed. Its chat would identify the person, and the
// update by which a person is forgotten is done after that.
const (
	markDone         = `UPDATE inbox SET state = 'done', chat_id = 0, payload_sealed = '', finished_at = ? WHERE update_id = ? AND finished_at IS NULL`
	markDeadLettered = `UPDATE inbox SET state = 'dead_lettered', finished_at = ? WHERE update_id = ? AND finished_at IS NULL`
)

// end finishes updates, and runs also if this call finished one of them.
func (db *DB) end(ctx context.Context, what, query string, ids []int64, also func(tx *sqlx.Tx) error) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		ended := false
		for _, id := range ids {
			changed, err := db.transitionTx(ctx, tx, query, toMillis(time.Now()), id)
			if err != nil {
				return err
			}
			ended = ended || changed
			if changed {
				continue
			}
			var known int
			err = tx.GetContext(ctx, &known, db.bind(`SELECT 1 FROM inbox WHERE update_id = ?`), id)
			if errors.Is(err, sql.ErrNoRows) {
				return ErrNotFound
			}
			if err != nil {
				return err
			}
		}
		if ended && also != nil {
			return also(tx)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
