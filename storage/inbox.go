package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// The inbox holds received updates, sealed, until they are handled, and then their ids,
// to recognize repeated ones (sweepRules says for how long).
//
// A chat has a row exactly as long as it has unfinished updates. Its owner, a replica,
// handles them in the order of their ids. Each transaction that stores or finishes updates
// of a chat locks that row first, so that none is overlooked.

const (
	// insertRows is how many updates one INSERT stores at most: getUpdates gives 100 (Bot
	// API).
	insertRows = 128
	// maxCounted bounds how many unfinished updates of a chat are counted.
	maxCounted = 64
)

// StoreUpdates stores received updates durably; known ones do not change. The owner gets
// the chats that nobody handles. fresh says by index which updates were not known, and
// unfinished how many unfinished updates, up to 64, the chat of each has now; 0 if another
// owner handles the chat.
func (db *DB) StoreUpdates(ctx context.Context, owner string, ids, chats []int64, payloads [][]byte) (fresh []bool, unfinished []int, err error) {
	if len(chats) != len(ids) || len(payloads) != len(ids) {
		return nil, nil, errors.New("store updates: ids, chats and payloads differ in number")
	}
	if len(ids) == 0 {
		return nil, nil, nil
	}
	var sealed []string // before the transaction, which blocks other writes
	for i, payload := range payloads {
		sealed = append(sealed, db.sealText("inbox", "payload", ids[i], string(payload)))
	}
	var different [][]int64
	for _, chat := range slices.Compact(slices.Sorted(slices.Values(chats))) {
		different = append(different, []int64{chat})
	}
	table, args := values(different)
	now := toMillis(time.Now())
	inserted, counts := map[int64]bool{}, map[int64]int{}
	err = db.pipeline(ctx, func() []command {
		clear(inserted)
		clear(counts)
		// The update of a row that exists locks it.
		statements := []command{{
			query: `INSERT INTO chats (chat_id, owner) SELECT DISTINCT column1, CAST(? AS TEXT) FROM ` + table + ` WHERE TRUE ORDER BY 1
				ON CONFLICT (chat_id) DO UPDATE SET owner = chats.owner`,
			args: slices.Concat([]any{owner}, args),
		}}
		for from, to := 0, 0; from < len(ids); from = to {
			// Powers of two, so that few different statements are prepared.
			to = from + 1<<(bits.Len(uint(min(len(ids)-from, insertRows)))-1)
			statements = append(statements, insertUpdates(ids[from:to], chats[from:to], sealed[from:to], now, from, inserted))
		}
		return append(statements,
			command{ // repeated updates that are done
				query: `DELETE FROM chats WHERE chat_id IN (SELECT column1 FROM ` + table + `)
					AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.chat_id = chats.chat_id AND finished_at IS NULL)`,
				args: args,
			},
			command{
				query: `SELECT chat_id, (SELECT COUNT(*) FROM (SELECT 1 FROM inbox WHERE inbox.chat_id = chats.chat_id AND finished_at IS NULL LIMIT ?) AS counted)
					FROM chats WHERE owner = ? AND chat_id IN (SELECT column1 FROM ` + table + `)`,
				args: slices.Concat([]any{maxCounted, owner}, args),
				scan: func(row row) error {
					var chat int64
					var count int
					err := row.Scan(&chat, &count)
					counts[chat] = count
					return err
				},
			})
	})
	if err != nil {
		return nil, nil, fmt.Errorf("store updates: %w", err)
	}
	fresh, unfinished = make([]bool, len(ids)), make([]int, len(ids))
	for i, id := range ids {
		fresh[i], unfinished[i] = inserted[id], counts[chats[i]]
		delete(inserted, id) // an id twice in one batch is fresh once
	}
	return fresh, unfinished, nil
}

// insertUpdates adds the ids that were new to inserted.
func insertUpdates(ids, chats []int64, sealed []string, received int64, position int, inserted map[int64]bool) command {
	s := command{
		query: `INSERT INTO inbox (update_id, chat_id, state, attempts, payload_sealed, received_at, position) VALUES ` +
			strings.Repeat(`(?, ?, 'received', 0, ?, ?, ?), `, len(ids)-1) + `(?, ?, 'received', 0, ?, ?, ?)
			ON CONFLICT (update_id) DO NOTHING RETURNING update_id`,
		args: make([]any, 0, 5*len(ids)),
		scan: func(row row) error {
			var id int64
			err := row.Scan(&id)
			inserted[id] = true
			return err
		},
	}
	for i, id := range ids {
		s.args = append(s.args, id, chats[i], sealed[i], received, position+i)
	}
	return s
}

// isOrphan is about a row of chats: no replica handles the chat.
const isOrphan = `chats.owner NOT IN (SELECT id FROM replicas)`

// OrphanedChats returns the chats whose owner is no replica, each with the greatest id of
// its unfinished updates. Those with the fewest attempts at one update come first, of them
// the one that has waited longest.
func (db *DB) OrphanedChats(ctx context.Context) (chats, last []int64, err error) {
	var rows []struct {
		Chat int64 `db:"chat_id"`
		Last int64 `db:"last"`
	}
	err = db.reader.SelectContext(ctx, &rows, `SELECT chats.chat_id, MAX(update_id) AS last FROM chats
		JOIN inbox ON inbox.chat_id = chats.chat_id AND finished_at IS NULL
		WHERE `+isOrphan+` GROUP BY chats.chat_id ORDER BY MAX(attempts), MIN(received_at), MIN(update_id)`)
	if err != nil {
		return nil, nil, fmt.Errorf("read orphaned chats: %w", err)
	}
	for _, row := range rows {
		chats, last = append(chats, row.Chat), append(last, row.Last)
	}
	return chats, last, nil
}

// AdoptChats makes a replica the owner of all these chats that are still orphaned.
func (db *DB) AdoptChats(ctx context.Context, owner string, chats []int64) error {
	err := db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		for some := range slices.Chunk(chats, 1<<10) {
			var rows [][]int64
			for _, chat := range some {
				rows = append(rows, []int64{chat})
			}
			table, args := values(rows)
			_, err := tx.ExecContext(ctx, `UPDATE chats SET owner = ? WHERE chat_id IN (SELECT column1 FROM `+table+`) AND `+isOrphan, slices.Concat([]any{owner}, args)...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("adopt chats: %w", err)
	}
	return nil
}

// OwnedChats returns the chats of a replica.
func (db *DB) OwnedChats(ctx context.Context, owner string) (chats []int64, err error) {
	if err := db.reader.SelectContext(ctx, &chats, `SELECT chat_id FROM chats WHERE owner = ?`, owner); err != nil {
		return nil, fmt.Errorf("read chats of a replica: %w", err)
	}
	return chats, nil
}

// RestoreChats makes the rows of chats that have unfinished updates and no row, as orphans,
// and returns how many. There should be none.
func (db *DB) RestoreChats(ctx context.Context) (count int, err error) {
	const missing = `SELECT DISTINCT chat_id FROM inbox WHERE finished_at IS NULL AND NOT EXISTS (SELECT 1 FROM chats WHERE chats.chat_id = inbox.chat_id)`
	var found int
	if err = db.reader.GetContext(ctx, &found, `SELECT COUNT(*) FROM (`+missing+`) AS missing`); err == nil && found > 0 {
		err = db.writeOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
			result, err := tx.ExecContext(ctx, `INSERT INTO chats (chat_id, owner) SELECT chat_id, '' FROM (`+missing+`) AS missing`)
			if err != nil {
				return err
			}
			changed, err := result.RowsAffected()
			count = int(changed)
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("restore chats: %w", err)
	}
	return count, nil
}

// ChatBacklog calls each with the first unfinished updates of an owner's chat, at most
// limit, in their order. payload is nil if it can't be unsealed.
func (db *DB) ChatBacklog(ctx context.Context, owner string, chat int64, limit int, each func(id int64, received time.Time, payload []byte)) error {
	var rows []struct {
		ID       int64  `db:"update_id"`
		Received int64  `db:"received_at"`
		Sealed   string `db:"payload_sealed"`
	}
	err := db.reader.SelectContext(ctx, &rows, `SELECT update_id, received_at, payload_sealed FROM inbox
		WHERE chat_id = ? AND finished_at IS NULL AND EXISTS (SELECT 1 FROM chats WHERE chats.chat_id = ? AND owner = ?) ORDER BY update_id LIMIT ?`,
		chat, chat, owner, limit)
	if err != nil {
		return fmt.Errorf("read backlog of a chat: %w", err)
	}
	for _, row := range rows {
		var payload []byte
		if text, err := db.unsealText("inbox", "payload", row.ID, row.Sealed); err == nil {
			payload = []byte(text)
		}
		each(row.ID, fromMillis(row.Received), payload)
	}
	return nil
}

// StartAttempt counts an attempt at an unfinished update, durably. The error is
// ErrNotFound for one that is done, dead-lettered or unknown.
func (db *DB) StartAttempt(ctx context.Context, id int64) (attempts int, err error) {
	made := func(tx *sqlx.Tx) (bool, error) {
		return finds(ctx, `SELECT 1 FROM inbox WHERE update_id = ? AND attempts = ? AND finished_at IS NULL`, id, attempts)(tx)
	}
	err = db.submitOnce(ctx, made, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &attempts, `UPDATE inbox SET attempts = attempts + 1
			WHERE update_id = ? AND finished_at IS NULL RETURNING attempts`, id)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("start attempt at update: %w", err)
	}
	return attempts, nil
}

// recoverySetting is set while a process handles the updates that earlier ones have left.
const recoverySetting = "inbox_recovery"

// BeginRecovery records, durably, that this process begins to handle the updates that
// earlier ones have left. again reports whether an earlier one recorded that, and ended
// before EndRecovery.
func (db *DB) BeginRecovery(ctx context.Context) (again bool, err error) {
	value, err := db.Setting(ctx, recoverySetting)
	if err != nil || value != "" {
		return value != "", err
	}
	return false, db.SetSetting(ctx, recoverySetting, "1")
}

// EndRecovery undoes BeginRecovery. Without one it writes nothing.
func (db *DB) EndRecovery(ctx context.Context) error {
	value, err := db.Setting(ctx, recoverySetting)
	if err != nil || value == "" {
		return err
	}
	return db.SetSetting(ctx, recoverySetting, "")
}

// Finish records, in one transaction, that updates of an owner's chat are done, and deletes
// their payloads. Others do not change. more reports that the chat may have further
// unfinished updates.
func (db *DB) Finish(ctx context.Context, owner string, chat int64, ids ...int64) (more bool, err error) {
	return db.end(ctx, "finish update", markDone, owner, chat, ids, nil)
}

// FinishWithDialog is Finish for one update and, in the same transaction, sets what the
// person's next text means until then: step, with its data; step "" closes the dialog.
func (db *DB) FinishWithDialog(ctx context.Context, owner string, chat, id, user int64, step, data string, until time.Time) (more bool, err error) {
	return db.end(ctx, "finish update", markDone, owner, chat, []int64{id}, func(now int64) command {
		// Only where this call has finished the update.
		const finished = `EXISTS (SELECT 1 FROM inbox WHERE update_id = ? AND finished_at = ?)`
		if step == "" {
			return command{query: `DELETE FROM dialogs WHERE user_id = ? AND ` + finished, args: []any{user, id, now}}
		}
		return command{
			query: `INSERT INTO dialogs (user_id, step, data_sealed, expires_at)
				SELECT CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT) WHERE ` + finished + `
				ON CONFLICT (user_id) DO UPDATE SET step = excluded.step, data_sealed = excluded.data_sealed, expires_at = excluded.expires_at`,
			args: []any{user, step, db.sealText("dialogs", "data", user, data), toMillis(until), id, now},
		}
	})
}

// DeadLetter is Finish for an update that failed too often: it is not handled again, and
// its payload is kept, sealed, for 30 days.
func (db *DB) DeadLetter(ctx context.Context, owner string, chat, id int64) (more bool, err error) {
	return db.end(ctx, "dead-letter update", markDeadLettered, owner, chat, []int64{id}, nil)
}

// Of a done update only the id is needed. Its chat would identify the person, and the
// update by which a person is forgotten is done after that.
const (
	markDone         = `UPDATE inbox SET state = 'done', chat_id = 0, payload_sealed = '', finished_at = ?`
	markDeadLettered = `UPDATE inbox SET state = 'dead_lettered', finished_at = ?`
)

// end finishes updates of a chat. also returns a further statement.
func (db *DB) end(ctx context.Context, what, mark, owner string, chat int64, ids []int64, also func(now int64) command) (more bool, err error) {
	defer db.checkpoints.request()
	now := toMillis(time.Now())
	query := mark + ` WHERE update_id IN (?` + strings.Repeat(`, ?`, len(ids)-1) + `) AND finished_at IS NULL
		AND EXISTS (SELECT 1 FROM chats WHERE chats.chat_id = ? AND owner = ?)`
	args := []any{now}
	for _, id := range ids {
		args = append(args, id)
	}
	args = append(args, chat, owner)
	err = db.pipeline(ctx, func() []command {
		more = true
		statements := append(db.lockChat(chat), command{query: query, args: args})
		if also != nil {
			statements = append(statements, also(now))
		}
		return append(statements, command{
			query: `DELETE FROM chats WHERE chat_id = ? AND owner = ? AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.chat_id = ? AND finished_at IS NULL) RETURNING chat_id`,
			args:  []any{chat, owner, chat},
			scan: func(row row) error {
				more = false
				var chat int64
				return row.Scan(&chat)
			},
		})
	})
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return more, nil
}
