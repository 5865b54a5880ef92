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

// The inbox holds what was received until it is handled, sealed, and the ids
// of what was handled long enough to know them again.

const (
	inboxLife      = 48 * time.Hour      // of the ids of what is done: Telegram repeats for 24 h
	deadLetterLife = 30 * 24 * time.Hour // of what was given up, with its payload
	putRows        = 128                 // of one INSERT at most: getUpdates gives 100 (Bot API)
	sweepRows      = 500                 // of one DELETE, so that nobody's write waits long for it
)

// StoreUpdates stores received updates durably, in their order, as attempted once.
// fresh says by position which were not known before; known ones are left as
// they are.
func (db *DB) StoreUpdates(ctx context.Context, ids, chats []int64, payloads [][]byte) (fresh []bool, err error) {
	if len(chats) != len(ids) || len(payloads) != len(ids) {
		return nil, errors.New("put updates: ids, chats and payloads differ in number")
	}
	fresh = make([]bool, len(ids))
	if len(ids) == 0 {
		return fresh, nil
	}
	var sealed []string // before the transaction: others wait for it
	for i, payload := range payloads {
		sealed = append(sealed, db.sealText("inbox", "payload", ids[i], string(payload)))
	}
	now := toMillis(time.Now())
	err = db.submit(ctx, func(tx *sqlx.Tx) error {
		for from, to := 0, 0; from < len(ids); from = to {
			// Powers of two, so that few different statements are prepared.
			to = from + 1<<(bits.Len(uint(min(len(ids)-from, putRows)))-1)
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
		return nil, fmt.Errorf("put updates: %w", err)
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

// Unfinished returns the updates that were received but neither finished nor
// parked, oldest first.
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

// StartAttempt counts one more attempt at an unfinished update, durably, and returns
// it. The error is ErrNotFound for one that is finished, parked or unknown.
// When the payload can't be unsealed the attempt has been counted all the same.
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
		return nil, 0, fmt.Errorf("begin update: %w", err)
	}
	text, err := db.unsealText("inbox", "payload", id, row.PayloadSealed)
	if err != nil {
		return nil, row.Attempts, fmt.Errorf("begin update: %w", err)
	}
	return []byte(text), row.Attempts, nil
}

// Finish records that an update is done and blanks its payload. Finishing
// what is finished or parked changes nothing; the error is ErrNotFound for an
// unknown one.
func (db *DB) Finish(ctx context.Context, id int64) error {
	return db.end(ctx, "finish update", markDone, id, nil)
}

// FinishWithDialog is Finish, and in the same transaction makes step, with
// its data, what the person's next text means until then; step "" clears it.
func (db *DB) FinishWithDialog(ctx context.Context, id, user int64, step, data string, until time.Time) error {
	sealed := db.sealText("dialogs", "data", user, data)
	return db.end(ctx, "finish update", markDone, id, func(tx *sqlx.Tx) error {
		return db.setDialog(ctx, tx, user, step, sealed, until)
	})
}

// DeadLetter gives an update up: it is not handled again, and its payload is kept
// sealed for thirty days. Otherwise it is as Finish.
func (db *DB) DeadLetter(ctx context.Context, id int64) error {
	return db.end(ctx, "park update", markDeadLettered, id, nil)
}

// Of what is done only the id is needed. The chat would be the person: the tap by
// which they are forgotten is done after that.
const (
	markDone         = `UPDATE inbox SET state = 'done', chat_id = 0, payload_sealed = '', finished_at = ? WHERE update_id = ? AND finished_at IS NULL`
	markDeadLettered = `UPDATE inbox SET state = 'dead_lettered', finished_at = ? WHERE update_id = ? AND finished_at IS NULL`
)

// end moves an update to its end and runs also if this call moved it.
func (db *DB) end(ctx context.Context, what, query string, id int64, also func(tx *sqlx.Tx) error) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		n, err := affected(tx.ExecContext(ctx, db.bind(query), toMillis(time.Now()), id))
		if err != nil {
			return err
		}
		if n > 0 && also != nil {
			return also(tx)
		}
		if n > 0 {
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

// Sweep removes what has served its time: ids of updates done 48 hours ago,
// updates parked 30 days ago, dialogs that are over. It works in small
// batches that let other writes through.
func (db *DB) Sweep(ctx context.Context) error {
	now := time.Now()
	for _, old := range []struct {
		query string
		until time.Time
	}{
		{`DELETE FROM inbox WHERE update_id IN
			(SELECT update_id FROM inbox WHERE finished_at < ? AND state = 'done' ORDER BY finished_at LIMIT ?)`, now.Add(-inboxLife)},
		{`DELETE FROM inbox WHERE update_id IN
			(SELECT update_id FROM inbox WHERE finished_at < ? AND state = 'dead_lettered' ORDER BY finished_at LIMIT ?)`, now.Add(-deadLetterLife)},
		{`DELETE FROM dialogs WHERE user_id IN
			(SELECT user_id FROM dialogs WHERE expires_at <= ? LIMIT ?)`, now},
	} {
		for {
			var n int64
			err := db.write(ctx, func(tx *sqlx.Tx) (err error) {
				n, err = affected(tx.ExecContext(ctx, db.bind(old.query), toMillis(old.until), sweepRows))
				return err
			})
			if err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
			if n < sweepRows {
				break
			}
		}
	}
	return nil
}
