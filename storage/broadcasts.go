package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// BroadcastState is how far a message to everybody has come.
type BroadcastState string

// A draft is confirmed once, and then ends once.
const (
	BroadcastDraft   BroadcastState = "draft"   // is being written
	BroadcastWaiting BroadcastState = "waiting" // confirmed; its turn has not come
	BroadcastSending BroadcastState = "sending" // one at a time
	BroadcastDone    BroadcastState = "done"
	BroadcastStopped BroadcastState = "stopped"
)

// Broadcast is a message to everybody.
type Broadcast struct {
	ID          int64
	Author      int64 // Telegram's id of an admin
	State       BroadcastState
	Revision    int64 // counts the changes of a draft
	Total       int64 // people, when it was confirmed
	Sent        int64
	Unreachable int64 // have blocked the bot, as it turned out
	Failed      int64 // surely did not get it
	Uncertain   int64 // may have got it: nobody is sent a second one
	Cursor      int64 // the last person who was looked at
	ChatID      int64 // where the message stands that shows how far it is
	MessageID   int64
	StoppedBy   int64 // 0: it ended because its author is no admin any more
	CreatedAt   time.Time
	ConfirmedAt time.Time
	StartedAt   time.Time
	EndedAt     time.Time
}

// Handled is how many people it is known of what became of their message.
func (b Broadcast) Handled() int64 { return b.Sent + b.Unreachable + b.Failed + b.Uncertain }

// Recipient is somebody whom a broadcast is sent to now.
type Recipient struct {
	UserID int64
	Lang   string // of the text that they get
	Tries  int    // that failed before
}

// BroadcastOutcome is what became of a message to one person.
type BroadcastOutcome string

// Outcomes are the columns that count them.
const (
	OutcomeSent        BroadcastOutcome = "sent"
	OutcomeUnreachable BroadcastOutcome = "unreachable"
	OutcomeFailed      BroadcastOutcome = "failed"
	OutcomeUncertain   BroadcastOutcome = "uncertain"
)

// canBeTold is who gets broadcasts at all.
const canBeTold = `unreachable = 0 AND blocked = 0 AND private_chat = 1`

// AudienceLanguages is how many people who can be written to have chosen one language, and
// have one in their Telegram.
type AudienceLanguage struct {
	Lang         string `db:"lang"`
	TelegramLang string `db:"telegram_lang"`
	Count        int64  `db:"count"`
}

// AudienceLanguages counts who can be written to, by what tells their language. only are the
// ids of all who may be, none for everybody.
func (db *DB) AudienceLanguages(ctx context.Context, only []int64) ([]AudienceLanguage, error) {
	condition, args, err := amongThese(only)
	var readers []AudienceLanguage
	if err == nil {
		err = db.reader.SelectContext(ctx, &readers, db.bind(
			`SELECT lang, telegram_lang, COUNT(*) AS count FROM users WHERE `+canBeTold+condition+` GROUP BY lang, telegram_lang`), args...)
	}
	if err != nil {
		return nil, fmt.Errorf("count readers: %w", err)
	}
	return readers, nil
}

// Audience returns the next people who can be written to and were there at the
// given time, in the order of their ids. only is as for Readers.
func (db *DB) Audience(ctx context.Context, only []int64, after int64, at time.Time, limit int) ([]User, error) {
	condition, args, err := amongThese(only)
	var rows []userRow
	if err == nil {
		err = db.reader.SelectContext(ctx, &rows, db.bind(
			`SELECT `+userColumns+` FROM users WHERE `+canBeTold+condition+` AND id > ? AND created_at <= ? ORDER BY id LIMIT ?`),
			append(args, after, toMillis(at), limit)...)
	}
	if err != nil {
		return nil, fmt.Errorf("read the audience: %w", err)
	}
	users := make([]User, 0, len(rows))
	for _, row := range rows {
		users = append(users, row.user())
	}
	return users, nil
}

// amongThese is a condition on the ids of people, none where there are no ids.
func amongThese(ids []int64) (condition string, args []any, err error) {
	if len(ids) == 0 {
		return "", nil, nil
	}
	return sqlx.In(` AND id IN (?)`, ids)
}

// Broadcast returns one, or ErrNotFound.
func (db *DB) Broadcast(ctx context.Context, id int64) (Broadcast, error) {
	return db.broadcast(ctx, `WHERE id = ?`, id)
}

// BroadcastDraft returns what an admin is writing, or ErrNotFound.
func (db *DB) BroadcastDraft(ctx context.Context, author int64) (Broadcast, error) {
	return db.broadcast(ctx, `WHERE author_id = ? AND state = 'draft'`, author)
}

func (db *DB) broadcast(ctx context.Context, where string, args ...any) (Broadcast, error) {
	var row broadcastRow
	err := db.reader.GetContext(ctx, &row, db.bind(`SELECT `+broadcastColumns+` FROM broadcasts `+where), args...)
	if errors.Is(err, sql.ErrNoRows) {
		return Broadcast{}, ErrNotFound
	}
	if err != nil {
		return Broadcast{}, fmt.Errorf("read broadcast: %w", err)
	}
	return row.broadcast(), nil
}

// Broadcasts returns those that were confirmed, the newest first.
func (db *DB) Broadcasts(ctx context.Context, limit int) ([]Broadcast, error) {
	var rows []broadcastRow
	err := db.reader.SelectContext(ctx, &rows, db.bind(
		`SELECT `+broadcastColumns+` FROM broadcasts WHERE confirmed_at > 0 ORDER BY confirmed_at DESC, id DESC LIMIT ?`), limit)
	if err != nil {
		return nil, fmt.Errorf("read broadcasts: %w", err)
	}
	broadcasts := make([]Broadcast, 0, len(rows))
	for _, row := range rows {
		broadcasts = append(broadcasts, row.broadcast())
	}
	return broadcasts, nil
}

// BroadcastTexts returns what a broadcast says, by language; "" is for all who
// have none of their own.
func (db *DB) BroadcastTexts(ctx context.Context, id int64) (map[string]string, error) {
	var rows []struct {
		Lang string `db:"lang"`
		Body string `db:"body"`
	}
	if err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT lang, body FROM broadcast_texts WHERE broadcast_id = ?`), id); err != nil {
		return nil, fmt.Errorf("read the texts of a broadcast: %w", err)
	}
	texts := make(map[string]string, len(rows))
	for _, row := range rows {
		texts[row.Lang] = row.Body
	}
	return texts, nil
}

// SetBroadcastText keeps one text of an admin's draft, which it makes where there
// is none; "" takes it away.
func (db *DB) SetBroadcastText(ctx context.Context, author int64, lang, text string) error {
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, db.bind(`INSERT INTO broadcasts (id, author_id, state, revision, total, sent, unreachable, failed, uncertain, cursor_id,
				chat_id, message_id, stopped_by, reported, lease_owner, lease_until, created_at, confirmed_at, started_at, ended_at)
			SELECT CAST(? AS BIGINT), CAST(? AS BIGINT), 'draft', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, CAST(? AS BIGINT), 0, 0, 0
			 WHERE NOT EXISTS (SELECT 1 FROM broadcasts WHERE author_id = ? AND state = 'draft')`),
			newID(), author, toMillis(time.Now()), author)
		if err != nil {
			return err
		}
		var id int64
		if err := tx.GetContext(ctx, &id, db.bind(`UPDATE broadcasts SET revision = revision + 1 WHERE author_id = ? AND state = 'draft' RETURNING id`), author); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, db.bind(`DELETE FROM broadcast_texts WHERE broadcast_id = ? AND lang = ?`), id, lang); err != nil || text == "" {
			return err
		}
		_, err = tx.ExecContext(ctx, db.bind(`INSERT INTO broadcast_texts (broadcast_id, lang, body) VALUES (?, ?, ?)`), id, lang, text)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a text of a broadcast: %w", err)
	}
	return nil
}

// DiscardBroadcastDraft deletes what an admin is writing, if anything.
func (db *DB) DiscardBroadcastDraft(ctx context.Context, author int64) error {
	_, err := db.move(ctx, "discard a broadcast", `DELETE FROM broadcasts WHERE author_id = ? AND state = 'draft'`, author)
	return err
}

// ConfirmBroadcast makes a draft wait for its turn, if it still is its author's
// and as it was when it had this revision. total is how many people it is for,
// and the chat's message of that number shows from now on how far it is.
func (db *DB) ConfirmBroadcast(ctx context.Context, author, id, revision, total, chat, message int64, deed AuditEntry) (bool, error) {
	return db.moveAndRecord(ctx, "confirm a broadcast", deed, `UPDATE broadcasts SET state = 'waiting', total = ?, chat_id = ?, message_id = ?, confirmed_at = ?
		WHERE id = ? AND author_id = ? AND revision = ? AND state = 'draft'`, total, chat, message, toMillis(deed.At), id, author, revision)
}

// StopBroadcast ends a broadcast that waits or is being sent. by is 0 where it
// ends because its author is no admin any more.
func (db *DB) StopBroadcast(ctx context.Context, id, by int64, deed AuditEntry) (bool, error) {
	return db.moveAndRecord(ctx, "stop a broadcast", deed, `UPDATE broadcasts SET state = 'stopped', stopped_by = ?, ended_at = ?
		WHERE id = ? AND state IN ('waiting', 'sending')`, by, toMillis(deed.At), id)
}

// SetBroadcastMessage notes that another message shows how far a broadcast is.
func (db *DB) SetBroadcastMessage(ctx context.Context, id, chat, message int64) error {
	_, err := db.move(ctx, "place a broadcast", `UPDATE broadcasts SET chat_id = ?, message_id = ? WHERE id = ?`, chat, message, id)
	return err
}

// ClaimBroadcast leases to owner what is to be done next: an end that is to be
// told, else what is being sent, else what waits longest, which is being sent from
// then on. Whoever was being sent to by somebody whose lease is over may have got
// it, and is counted so. ErrNotFound: there is nothing, or it is somebody else's.
func (db *DB) ClaimBroadcast(ctx context.Context, owner string, now, until time.Time) (Broadcast, error) {
	var row broadcastRow
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &row, db.bind(`SELECT `+broadcastColumns+` FROM broadcasts
			 WHERE state IN ('done', 'stopped') AND reported = 0 AND lease_until <= ?
			    OR state = 'sending' AND lease_until <= ?
			    OR state = 'waiting' AND NOT EXISTS (SELECT 1 FROM broadcasts busy WHERE busy.state = 'sending')
			 ORDER BY CASE state WHEN 'waiting' THEN 2 WHEN 'sending' THEN 1 ELSE 0 END, confirmed_at, id LIMIT 1`), toMillis(now), toMillis(now))
		if err != nil {
			return err
		}
		uncertain, err := affected(tx.ExecContext(ctx, db.bind(`DELETE FROM broadcast_recipients WHERE broadcast_id = ? AND state = 'sending'`), row.ID))
		if err != nil {
			return err
		}
		return tx.GetContext(ctx, &row, db.bind(`UPDATE broadcasts SET
			   state = CASE WHEN state = 'waiting' THEN 'sending' ELSE state END,
			   started_at = CASE WHEN state = 'waiting' THEN ? ELSE started_at END,
			   uncertain = uncertain + ?, lease_owner = ?, lease_until = ? WHERE id = ? RETURNING `+broadcastColumns),
			toMillis(now), uncertain, owner, toMillis(until), row.ID)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Broadcast{}, ErrNotFound
	}
	if err != nil {
		return Broadcast{}, fmt.Errorf("claim a broadcast: %w", err)
	}
	return row.broadcast(), nil
}

// PendingRecipients returns who is to be tried again and is due, those that have
// failed least first, and when the next one is due where none is (zero: nobody waits).
func (db *DB) PendingRecipients(ctx context.Context, id int64, now time.Time, limit int) ([]Recipient, time.Time, error) {
	var rows []struct {
		UserID    int64  `db:"user_id"`
		Lang      string `db:"lang"`
		Tries     int    `db:"tries"`
		NextTryAt int64  `db:"next_try_at"`
	}
	err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT user_id, lang, tries, next_try_at FROM broadcast_recipients
		 WHERE broadcast_id = ? AND state = 'pending'
		 ORDER BY CASE WHEN next_try_at <= ? THEN 0 ELSE next_try_at END, tries, user_id LIMIT ?`), id, toMillis(now), limit)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read waiting recipients: %w", err)
	}
	var due []Recipient
	var next time.Time
	for _, row := range rows {
		if row.NextTryAt <= toMillis(now) {
			due = append(due, Recipient{UserID: row.UserID, Lang: row.Lang, Tries: row.Tries})
		} else if next.IsZero() {
			next = fromMillis(row.NextTryAt)
		}
	}
	return due, next, nil
}

// Take is what TakeRecipients does in one step.
type Take struct {
	ID     int64
	Owner  string
	Until  time.Time // of the lease, from now on
	Cursor int64     // the last person who was looked at
	People []Recipient
}

// TakeRecipients writes down, durably, to whom a broadcast is about to be sent, and
// moves its cursor. taken lacks those who can't be written to any more. held is
// false, and nobody is taken, where the broadcast is not owner's to send now:
// somebody has stopped it, or the lease was over.
func (db *DB) TakeRecipients(ctx context.Context, take Take) (taken []Recipient, held bool, err error) {
	err = db.submit(ctx, func(tx *sqlx.Tx) error {
		taken = taken[:0]
		held, err = db.moveTx(ctx, tx, `UPDATE broadcasts SET cursor_id = ?, lease_until = ? WHERE id = ? AND state = 'sending' AND lease_owner = ?`,
			take.Cursor, toMillis(take.Until), take.ID, take.Owner)
		if err != nil || !held {
			return err
		}
		for _, person := range take.People {
			fresh, err := db.moveTx(ctx, tx, `INSERT INTO broadcast_recipients (broadcast_id, user_id, lang, state, tries, next_try_at)
				SELECT CAST(? AS BIGINT), id, CAST(? AS TEXT), 'sending', 0, 0 FROM users WHERE id = ? AND `+canBeTold+`
				ON CONFLICT (broadcast_id, user_id) DO UPDATE SET state = 'sending' WHERE broadcast_recipients.state = 'pending'`, take.ID, person.Lang, person.UserID)
			if err != nil {
				return err
			}
			if fresh {
				taken = append(taken, person)
				continue
			}
			// Somebody who waited, and can't be told any more.
			if _, err := db.moveTx(ctx, tx, `DELETE FROM broadcast_recipients WHERE broadcast_id = ? AND user_id = ? AND state = 'pending'`, take.ID, person.UserID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("take recipients: %w", err)
	}
	return taken, held, nil
}

// SettleRecipient counts what became of a message. It counts nothing where the
// person is not being sent to any more: then they were counted as uncertain, or are
// forgotten.
func (db *DB) SettleRecipient(ctx context.Context, id, userID int64, outcome BroadcastOutcome) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		settled, err := db.moveTx(ctx, tx, `DELETE FROM broadcast_recipients WHERE broadcast_id = ? AND user_id = ? AND state = 'sending'`, id, userID)
		if err != nil || !settled {
			return err
		}
		column := string(outcome) // one of the constants
		_, err = tx.ExecContext(ctx, db.bind(`UPDATE broadcasts SET `+column+` = `+column+` + 1 WHERE id = ?`), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("settle a recipient: %w", err)
	}
	return nil
}

// ReturnRecipient puts somebody who was surely not sent to back, to be tried again.
func (db *DB) ReturnRecipient(ctx context.Context, id int64, person Recipient, at time.Time) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, db.bind(`UPDATE broadcast_recipients SET state = 'pending', tries = ?, next_try_at = ?
			WHERE broadcast_id = ? AND user_id = ? AND state = 'sending'`), person.Tries, toMillis(at), id, person.UserID)
		return err
	})
	if err != nil {
		return fmt.Errorf("return a recipient: %w", err)
	}
	return nil
}

// FinishBroadcast ends a broadcast that has come to everybody. It reports false
// where it is not owner's, or somebody is still in hand.
func (db *DB) FinishBroadcast(ctx context.Context, id int64, owner string, now time.Time) (bool, error) {
	return db.move(ctx, "finish a broadcast", `UPDATE broadcasts SET state = 'done', ended_at = ? WHERE id = ? AND state = 'sending' AND lease_owner = ?
		AND NOT EXISTS (SELECT 1 FROM broadcast_recipients WHERE broadcast_id = broadcasts.id)`, toMillis(now), id, owner)
}

// DropPendingRecipients lets go of those who are still to be tried when a broadcast was stopped.
func (db *DB) DropPendingRecipients(ctx context.Context, id int64) error {
	_, err := db.move(ctx, "drop waiting recipients", `DELETE FROM broadcast_recipients WHERE broadcast_id = ? AND state = 'pending'
		AND EXISTS (SELECT 1 FROM broadcasts WHERE broadcasts.id = broadcast_id AND broadcasts.state = 'stopped')`, id)
	return err
}

// MarkReported records that the message of a broadcast shows its end.
func (db *DB) MarkReported(ctx context.Context, id int64) error {
	_, err := db.move(ctx, "mark a broadcast reported", `UPDATE broadcasts SET reported = 1 WHERE id = ? AND state IN ('done', 'stopped')`, id)
	return err
}

// ReleaseBroadcast ends owner's lease at the given time.
func (db *DB) ReleaseBroadcast(ctx context.Context, id int64, owner string, at time.Time) error {
	_, err := db.move(ctx, "release a broadcast", `UPDATE broadcasts SET lease_until = ? WHERE id = ? AND lease_owner = ?`, toMillis(at), id, owner)
	return err
}

const broadcastColumns = `id, author_id, state, revision, total, sent, unreachable, failed, uncertain, cursor_id, chat_id, message_id, stopped_by,
	created_at, confirmed_at, started_at, ended_at`

type broadcastRow struct {
	ID          int64  `db:"id"`
	AuthorID    int64  `db:"author_id"`
	State       string `db:"state"`
	Revision    int64  `db:"revision"`
	Total       int64  `db:"total"`
	Sent        int64  `db:"sent"`
	Unreachable int64  `db:"unreachable"`
	Failed      int64  `db:"failed"`
	Uncertain   int64  `db:"uncertain"`
	CursorID    int64  `db:"cursor_id"`
	ChatID      int64  `db:"chat_id"`
	MessageID   int64  `db:"message_id"`
	StoppedBy   int64  `db:"stopped_by"`
	CreatedAt   int64  `db:"created_at"`
	ConfirmedAt int64  `db:"confirmed_at"`
	StartedAt   int64  `db:"started_at"`
	EndedAt     int64  `db:"ended_at"`
}

func (r broadcastRow) broadcast() Broadcast {
	return Broadcast{
		ID: r.ID, Author: r.AuthorID, State: BroadcastState(r.State), Revision: r.Revision,
		Total: r.Total, Sent: r.Sent, Unreachable: r.Unreachable, Failed: r.Failed, Uncertain: r.Uncertain, Cursor: r.CursorID,
		ChatID: r.ChatID, MessageID: r.MessageID, StoppedBy: r.StoppedBy,
		CreatedAt: fromMillis(r.CreatedAt), ConfirmedAt: fromMillis(r.ConfirmedAt), StartedAt: fromMillis(r.StartedAt), EndedAt: fromMillis(r.EndedAt),
	}
}
