package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// BroadcastState is the state of a broadcast.
type BroadcastState string

// The states of a broadcast, in their order; it ends done or stopped.
const (
	BroadcastDraft   BroadcastState = "draft"   // is being written
	BroadcastWaiting BroadcastState = "waiting" // confirmed; others are sent first
	BroadcastSending BroadcastState = "sending" // one at a time
	BroadcastDone    BroadcastState = "done"
	BroadcastStopped BroadcastState = "stopped"
)

// Broadcast is a message to all reachable people.
type Broadcast struct {
	ID          int64          `db:"id"`
	Author      int64          `db:"author_id"` // Telegram's id of an admin
	State       BroadcastState `db:"state"`
	Revision    int64          `db:"revision"` // counts the changes of a draft
	Total       int64          `db:"total"`    // recipients, when it was confirmed
	Sent        int64          `db:"sent"`
	Unreachable int64          `db:"unreachable"` // turned out to have blocked the bot
	Failed      int64          `db:"failed"`      // surely not delivered
	Uncertain   int64          `db:"uncertain"`   // may be delivered, so not sent again
	Cursor      int64          `db:"cursor_id"`   // the last person who was considered
	ChatID      int64          `db:"chat_id"`     // of the message that shows the progress
	MessageID   int64          `db:"message_id"`
	StoppedBy   int64          `db:"stopped_by"` // 0: it ended because its author is no longer an admin
	CreatedAt   time.Time      `db:"created_at"`
	ConfirmedAt time.Time      `db:"confirmed_at"`
	StartedAt   time.Time      `db:"started_at"`
	EndedAt     time.Time      `db:"ended_at"`
}

var broadcastColumns = columnsOf[Broadcast]()

// Handled is the number of recipients whose outcome is recorded.
func (b Broadcast) Handled() int64 { return b.Sent + b.Unreachable + b.Failed + b.Uncertain }

// Recipient is a person whom a broadcast is being sent to.
type Recipient struct {
	UserID int64  `db:"user_id"`
	Lang   string `db:"lang"`  // of the text that is sent
	Tries  int    `db:"tries"` // that failed before
}

// BroadcastOutcome is the outcome of a broadcast for one recipient.
type BroadcastOutcome string

// Outcomes are named as the columns that count them.
const (
	OutcomeSent        BroadcastOutcome = "sent"
	OutcomeUnreachable BroadcastOutcome = "unreachable"
	OutcomeFailed      BroadcastOutcome = "failed"
	OutcomeUncertain   BroadcastOutcome = "uncertain"
)

// canReceive selects the people who get broadcasts.
const canReceive = `unreachable = 0 AND blocked = 0 AND private_chat = 1`

// AudienceLanguage is how many reachable people have chosen Lang and have
// TelegramLang in Telegram.
type AudienceLanguage struct {
	Lang         string `db:"lang"`
	TelegramLang string `db:"telegram_lang"`
	Count        int64  `db:"count"`
}

// AudienceLanguages counts the people who get broadcasts, by language. only lists the
// ids of those who may get them, none for all.
func (db *DB) AudienceLanguages(ctx context.Context, only []int64) ([]AudienceLanguage, error) {
	condition, args, err := idIn(only)
	var languages []AudienceLanguage
	if err == nil {
		languages, err = selectRows[AudienceLanguage](ctx, db, db.reader,
			`SELECT lang, telegram_lang, COUNT(*) AS count FROM users WHERE `+canReceive+condition+` GROUP BY lang, telegram_lang`, args...)
	}
	if err != nil {
		return nil, fmt.Errorf("count the audience: %w", err)
	}
	return languages, nil
}

// Audience returns the next people who get broadcasts and were known at the given
// time, by ascending id. only is as for AudienceLanguages.
func (db *DB) Audience(ctx context.Context, only []int64, after int64, at time.Time, limit int) ([]User, error) {
	condition, args, err := idIn(only)
	var users []User
	if err == nil {
		users, err = selectRows[User](ctx, db, db.reader,
			`SELECT `+userColumns+` FROM users WHERE `+canReceive+condition+` AND id > ? AND created_at <= ? ORDER BY id LIMIT ?`,
			append(args, after, toMillis(at), limit)...)
	}
	if err != nil {
		return nil, fmt.Errorf("read the audience: %w", err)
	}
	return users, nil
}

// idIn returns a condition on the ids of people, "" where there are no ids.
func idIn(ids []int64) (condition string, args []any, err error) {
	if len(ids) == 0 {
		return "", nil, nil
	}
	return sqlx.In(` AND id IN (?)`, ids)
}

// Broadcast returns a broadcast, or ErrNotFound.
func (db *DB) Broadcast(ctx context.Context, id int64) (Broadcast, error) {
	return db.broadcast(ctx, `WHERE id = ?`, id)
}

// BroadcastDraft returns an admin's draft, or ErrNotFound.
func (db *DB) BroadcastDraft(ctx context.Context, author int64) (Broadcast, error) {
	return db.broadcast(ctx, `WHERE author_id = ? AND state = 'draft'`, author)
}

func (db *DB) broadcast(ctx context.Context, where string, args ...any) (Broadcast, error) {
	b, err := selectRow[Broadcast](ctx, db, db.reader, `SELECT `+broadcastColumns+` FROM broadcasts `+where, args...)
	if err != nil {
		return Broadcast{}, fmt.Errorf("read broadcast: %w", err)
	}
	return b, nil
}

// Broadcasts returns confirmed broadcasts, the newest first.
func (db *DB) Broadcasts(ctx context.Context, limit int) ([]Broadcast, error) {
	broadcasts, err := selectRows[Broadcast](ctx, db, db.reader,
		`SELECT `+broadcastColumns+` FROM broadcasts WHERE confirmed_at > 0 ORDER BY confirmed_at DESC, id DESC LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("read broadcasts: %w", err)
	}
	return broadcasts, nil
}

// BroadcastTexts returns the texts of a broadcast by language; "" is for people whose
// language has none.
func (db *DB) BroadcastTexts(ctx context.Context, id int64) (map[string]string, error) {
	var rows []struct {
		Lang string `db:"lang"`
		Body string `db:"body"`
	}
	if err := db.reader.SelectContext(ctx, &rows, `SELECT lang, body FROM broadcast_texts WHERE broadcast_id = ?`, id); err != nil {
		return nil, fmt.Errorf("read the texts of a broadcast: %w", err)
	}
	texts := make(map[string]string, len(rows))
	for _, row := range rows {
		texts[row.Lang] = row.Body
	}
	return texts, nil
}

// SetBroadcastText stores one text of an admin's draft, which it creates where there
// is none; "" deletes the text.
func (db *DB) SetBroadcastText(ctx context.Context, author int64, lang, text string) error {
	var id, revision int64
	made := func(tx *sqlx.Tx) (bool, error) {
		return finds(ctx, `SELECT 1 FROM broadcasts WHERE id = ? AND revision = ?`, id, revision)(tx)
	}
	err := db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		query, args := db.insertion("broadcasts", &Broadcast{ID: newID(), Author: author, State: BroadcastDraft, CreatedAt: time.Now()},
			"reported", 0, "lease_owner", "", "lease_until", 0)
		if _, err := tx.ExecContext(ctx, query+` ON CONFLICT (author_id) WHERE state = 'draft' DO NOTHING`, args...); err != nil {
			return err
		}
		row := tx.QueryRowxContext(ctx, `UPDATE broadcasts SET revision = revision + 1 WHERE author_id = ? AND state = 'draft' RETURNING id, revision`, author)
		if err := row.Scan(&id, &revision); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM broadcast_texts WHERE broadcast_id = ? AND lang = ?`, id, lang); err != nil || text == "" {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO broadcast_texts (broadcast_id, lang, body) VALUES (?, ?, ?)`, id, lang, text)
		return err
	})
	if err != nil {
		return fmt.Errorf("set a text of a broadcast: %w", err)
	}
	return nil
}

// DiscardBroadcastDraft deletes an admin's draft, if there is one.
func (db *DB) DiscardBroadcastDraft(ctx context.Context, author int64) error {
	_, err := db.transition(ctx, "discard a broadcast", `DELETE FROM broadcasts WHERE author_id = ? AND state = 'draft'`, author)
	return err
}

// ConfirmBroadcast confirms a draft of the author's if it still has this revision, and
// reports whether it did. total is the number of recipients; the message of the chat
// shows the progress from now on.
func (db *DB) ConfirmBroadcast(ctx context.Context, author, id, revision, total, chat, message int64, entry AuditEntry) (bool, error) {
	return db.transitionAudited(ctx, "confirm a broadcast", entry, `UPDATE broadcasts SET state = 'waiting', total = ?, chat_id = ?, message_id = ?, confirmed_at = ?
		WHERE id = ? AND author_id = ? AND revision = ? AND state = 'draft'`, total, chat, message, toMillis(entry.At), id, author, revision)
}

// StopBroadcast ends a broadcast that waits or is being sent, and reports whether it
// did. by is 0 where its author is no longer an admin.
func (db *DB) StopBroadcast(ctx context.Context, id, by int64, entry AuditEntry) (bool, error) {
	return db.transitionAudited(ctx, "stop a broadcast", entry, `UPDATE broadcasts SET state = 'stopped', stopped_by = ?, ended_at = ?
		WHERE id = ? AND state IN ('waiting', 'sending')`, by, toMillis(entry.At), id)
}

// SetBroadcastMessage records that another message shows the progress of a broadcast.
func (db *DB) SetBroadcastMessage(ctx context.Context, id, chat, message int64) error {
	_, err := db.transition(ctx, "set the message of a broadcast", `UPDATE broadcasts SET chat_id = ?, message_id = ? WHERE id = ?`, chat, message, id)
	return err
}

// ClaimBroadcast leases to owner the broadcast to work on: one that has ended without
// being reported, else the one being sent, else the one that waits longest, which is
// being sent from now on. Recipients whom a process with an expired lease was sending
// to are counted as uncertain. ErrNotFound: there is none, or another owner has it.
func (db *DB) ClaimBroadcast(ctx context.Context, owner string, now, until time.Time) (Broadcast, error) {
	var b Broadcast
	made := finds(ctx, `SELECT 1 FROM broadcasts WHERE lease_owner = ? AND lease_until = ?`, owner, toMillis(until))
	err := db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		next, err := selectRow[Broadcast](ctx, db, tx, `SELECT `+broadcastColumns+` FROM broadcasts
			 WHERE state IN ('done', 'stopped') AND reported = 0 AND lease_until <= ?
			    OR state = 'sending' AND lease_until <= ?
			    OR state = 'waiting' AND NOT EXISTS (SELECT 1 FROM broadcasts busy WHERE busy.state = 'sending')
			 ORDER BY CASE state WHEN 'waiting' THEN 2 WHEN 'sending' THEN 1 ELSE 0 END, confirmed_at, id LIMIT 1`, toMillis(now), toMillis(now))
		if err != nil {
			return err
		}
		if next, err = db.leaseBroadcast(ctx, tx, next, owner, now, until); err == nil {
			b = next
		}
		return err
	})
	if isUnique(err) { // another one is being sent by now
		err = ErrNotFound
	}
	if err != nil {
		return Broadcast{}, fmt.Errorf("claim a broadcast: %w", err)
	}
	return b, nil
}

// leaseBroadcast leases a broadcast if it is still in the state that was read, and not
// leased, else the error is ErrNotFound. The caller rolls back.
func (db *DB) leaseBroadcast(ctx context.Context, tx *sqlx.Tx, b Broadcast, owner string, now, until time.Time) (Broadcast, error) {
	uncertain, err := affected(tx.ExecContext(ctx, `DELETE FROM broadcast_recipients WHERE broadcast_id = ? AND state = 'sending'`, b.ID))
	if err != nil {
		return Broadcast{}, err
	}
	return selectRow[Broadcast](ctx, db, tx, `UPDATE broadcasts SET
		   state = CASE WHEN state = 'waiting' THEN 'sending' ELSE state END,
		   started_at = CASE WHEN state = 'waiting' THEN ? ELSE started_at END,
		   uncertain = uncertain + ?, lease_owner = ?, lease_until = ? WHERE id = ? AND state = ? AND lease_until <= ? RETURNING `+broadcastColumns,
		toMillis(now), uncertain, owner, toMillis(until), b.ID, b.State, toMillis(now))
}

// PendingRecipients returns the recipients whose next attempt is due, those with the
// fewest failures first, and otherwise when the next one is due (zero: none waits).
func (db *DB) PendingRecipients(ctx context.Context, id int64, now time.Time, limit int) ([]Recipient, time.Time, error) {
	rows, err := selectRows[struct {
		Recipient
		NextTryAt time.Time `db:"next_try_at"`
	}](ctx, db, db.reader, `SELECT user_id, lang, tries, next_try_at FROM broadcast_recipients
		 WHERE broadcast_id = ? AND state = 'pending'
		 ORDER BY CASE WHEN next_try_at <= ? THEN 0 ELSE next_try_at END, tries, user_id LIMIT ?`, id, toMillis(now), limit)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read pending recipients: %w", err)
	}
	var due []Recipient
	var next time.Time
	for _, row := range rows {
		if !row.NextTryAt.After(now) {
			due = append(due, row.Recipient)
		} else if next.IsZero() {
			next = row.NextTryAt
		}
	}
	return due, next, nil
}

// Take says which recipients TakeRecipients takes.
type Take struct {
	ID     int64
	Owner  string
	Until  time.Time // of the lease, from now on
	Cursor int64     // the last person who was considered
	People []Recipient
}

// TakeRecipients records, durably, to whom a broadcast is about to be sent, and moves
// its cursor. taken leaves out people who have become unreachable. held is false, and
// no recipient is taken, where the broadcast was stopped or the lease has expired.
func (db *DB) TakeRecipients(ctx context.Context, take Take) (taken []Recipient, held bool, err error) {
	made := func(tx *sqlx.Tx) (bool, error) {
		if len(taken) == 0 {
			return false, nil
		}
		return finds(ctx, `SELECT 1 FROM broadcast_recipients WHERE broadcast_id = ? AND user_id = ? AND state = 'sending'`, take.ID, taken[0].UserID)(tx)
	}
	err = db.submitOnce(ctx, made, func(tx *sqlx.Tx) error {
		found, err := db.transitionTx(ctx, tx, `UPDATE broadcasts SET cursor_id = ?, lease_until = ? WHERE id = ? AND state = 'sending' AND lease_owner = ?`,
			take.Cursor, toMillis(take.Until), take.ID, take.Owner)
		if err != nil {
			return err
		}
		people := take.People
		if !found {
			people = nil
		}
		var sending []Recipient
		for _, person := range people {
			fresh, err := db.transitionTx(ctx, tx, `INSERT INTO broadcast_recipients (broadcast_id, user_id, lang, state, tries, next_try_at)
				SELECT CAST(? AS BIGINT), id, CAST(? AS TEXT), 'sending', 0, 0 FROM users WHERE id = ? AND `+canReceive+`
				ON CONFLICT (broadcast_id, user_id) DO UPDATE SET state = 'sending' WHERE broadcast_recipients.state = 'pending'`, take.ID, person.Lang, person.UserID)
			if err != nil {
				return err
			}
			if fresh {
				sending = append(sending, person)
				continue
			}
			// A pending recipient who has become unreachable.
			if _, err := db.transitionTx(ctx, tx, `DELETE FROM broadcast_recipients WHERE broadcast_id = ? AND user_id = ? AND state = 'pending'`, take.ID, person.UserID); err != nil {
				return err
			}
		}
		taken, held = sending, found
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("take recipients: %w", err)
	}
	return taken, held, nil
}

// SettleRecipient counts an outcome. It counts nothing where the person is no longer
// being sent to: then they were counted as uncertain, or are forgotten.
func (db *DB) SettleRecipient(ctx context.Context, id, userID int64, outcome BroadcastOutcome) error {
	err := db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		settled, err := db.transitionTx(ctx, tx, `DELETE FROM broadcast_recipients WHERE broadcast_id = ? AND user_id = ? AND state = 'sending'`, id, userID)
		if err != nil || !settled {
			return err
		}
		column := string(outcome) // one of the constants
		_, err = tx.ExecContext(ctx, `UPDATE broadcasts SET `+column+` = `+column+` + 1 WHERE id = ?`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("settle a recipient: %w", err)
	}
	return nil
}

// ReturnRecipient schedules another attempt for a recipient who surely got nothing.
func (db *DB) ReturnRecipient(ctx context.Context, id int64, person Recipient, at time.Time) error {
	err := db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE broadcast_recipients SET state = 'pending', tries = ?, next_try_at = ?
			WHERE broadcast_id = ? AND user_id = ? AND state = 'sending'`, person.Tries, toMillis(at), id, person.UserID)
		return err
	})
	if err != nil {
		return fmt.Errorf("return a recipient: %w", err)
	}
	return nil
}

// FinishBroadcast ends a broadcast after its last recipient. It reports false where it
// is not owner's, or recipients are left.
func (db *DB) FinishBroadcast(ctx context.Context, id int64, owner string, now time.Time) (bool, error) {
	made := finds(ctx, `SELECT 1 FROM broadcasts WHERE id = ? AND state = 'done' AND lease_owner = ?`, id, owner)
	return db.transitionOnce(ctx, "finish a broadcast", made, nil, `UPDATE broadcasts SET state = 'done', ended_at = ? WHERE id = ? AND state = 'sending' AND lease_owner = ?
		AND NOT EXISTS (SELECT 1 FROM broadcast_recipients WHERE broadcast_id = broadcasts.id)`, toMillis(now), id, owner)
}

// DropPendingRecipients deletes the pending recipients of a stopped broadcast.
func (db *DB) DropPendingRecipients(ctx context.Context, id int64) error {
	_, err := db.transition(ctx, "drop pending recipients", `DELETE FROM broadcast_recipients WHERE broadcast_id = ? AND state = 'pending'
		AND EXISTS (SELECT 1 FROM broadcasts WHERE broadcasts.id = broadcast_id AND broadcasts.state = 'stopped')`, id)
	return err
}

// MarkReported records that the progress message shows the end of a broadcast.
func (db *DB) MarkReported(ctx context.Context, id int64) error {
	_, err := db.transition(ctx, "mark a broadcast reported", `UPDATE broadcasts SET reported = 1 WHERE id = ? AND state IN ('done', 'stopped')`, id)
	return err
}

// ReleaseBroadcast ends owner's lease at the given time.
func (db *DB) ReleaseBroadcast(ctx context.Context, id int64, owner string, at time.Time) error {
	_, err := db.transition(ctx, "release a broadcast", `UPDATE broadcasts SET lease_until = ? WHERE id = ? AND lease_owner = ?`, toMillis(at), id, owner)
	return err
}
