package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// User is a person who has talked to the bot. ID is Telegram's.
type User struct {
	ID           int64     `db:"id"`
	Name         string    `db:"name"`
	TelegramLang string    `db:"telegram_lang"` // as Telegram reports it
	Lang         string    `db:"lang"`          // the person's choice, "" without one
	Unreachable  bool      `db:"unreachable"`   // has blocked the bot, or the account is gone
	Blocked      bool      `db:"blocked"`       // by an admin
	Private      bool      `db:"private_chat"`  // has used the private chat, so can be written to
	CreatedAt    time.Time `db:"created_at"`
	SeenAt       time.Time `db:"seen_at"` // to the hour
}

var userColumns = columnsOf[User]()

// seenEvery is how often SeenAt is worth a write. The first visit of a day (UTC)
// always is: Stats counts who was active today.
const seenEvery = time.Hour

// TouchUser records that a person has used the bot and returns them. private says
// that it was in the private chat: then an unreachable person is reachable again and
// the held messages become due; released reports whether there were any. It writes
// only what has changed, and SeenAt once an hour and at midnight (UTC).
func (db *DB) TouchUser(ctx context.Context, id int64, name, telegramLang string, private bool) (user User, released bool, err error) {
	now := time.Now()
	user, err = db.User(ctx, id)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, false, err
	}
	same := user.Name == name && user.TelegramLang == telegramLang && now.Sub(user.SeenAt) < seenEvery && !user.SeenAt.Before(now.UTC().Truncate(day))
	if known && same && (!private || user.Private && !user.Unreachable) {
		return user, false, nil
	}
	query, args := db.insertion("users", &User{ID: id, Name: name, TelegramLang: telegramLang, Private: private, CreatedAt: now, SeenAt: now})
	err = db.submit(ctx, func(tx *sqlx.Tx) error {
		user, err = selectRow[User](ctx, db, tx, query+`
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, telegram_lang = excluded.telegram_lang, seen_at = excluded.seen_at,
			   unreachable = CASE WHEN excluded.private_chat = 1 THEN 0 ELSE users.unreachable END,
			   private_chat = CASE WHEN excluded.private_chat = 1 THEN 1 ELSE users.private_chat END
			RETURNING `+userColumns, args...)
		if err != nil || !private {
			return err
		}
		// Even if the person was reachable when read: a message may have been held since.
		released, err = db.releaseMessages(ctx, tx, id, now)
		return err
	})
	if err != nil {
		return User{}, false, fmt.Errorf("touch user: %w", err)
	}
	return user, released, nil
}

// User returns a person, or ErrNotFound.
func (db *DB) User(ctx context.Context, id int64) (User, error) {
	user, err := selectRow[User](ctx, db, db.reader, `SELECT `+userColumns+` FROM users WHERE id = ?`, id)
	if err != nil {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	return user, nil
}

// SetLang stores the language that a person chose, "" to follow Telegram's. The
// error is ErrNotFound for an unknown person.
func (db *DB) SetLang(ctx context.Context, id int64, lang string) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		known, err := db.transitionTx(ctx, tx, `UPDATE users SET lang = ? WHERE id = ?`, lang, id)
		if err == nil && !known {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("set language: %w", err)
	}
	return nil
}

// SetUnreachable records that messages to a person can't arrive, and holds the
// pending ones until TouchUser. The error is ErrNotFound for an unknown person.
func (db *DB) SetUnreachable(ctx context.Context, id int64) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		known, err := db.transitionTx(ctx, tx, `UPDATE users SET unreachable = 1 WHERE id = ?`, id)
		if err == nil && !known {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		return db.holdMessages(ctx, tx, id)
	})
	if err != nil {
		return fmt.Errorf("set unreachable: %w", err)
	}
	return nil
}

// SetBlocked records whether an admin has blocked a person, with the audit entry. It
// reports false, and records nothing, where that is so already. The error is
// ErrNotFound for an unknown person.
func (db *DB) SetBlocked(ctx context.Context, id int64, blocked bool, entry AuditEntry) (changed bool, err error) {
	err = db.write(ctx, func(tx *sqlx.Tx) error {
		if _, err := selectRow[User](ctx, db, tx, `SELECT `+userColumns+` FROM users WHERE id = ?`, id); err != nil {
			return err
		}
		changed, err = db.transitionTx(ctx, tx, `UPDATE users SET blocked = ? WHERE id = ? AND blocked <> ?`, bit(blocked), id, bit(blocked))
		if err != nil || !changed {
			return err
		}
		return db.insertAudit(ctx, tx, entry)
	})
	if err != nil {
		return false, fmt.Errorf("set blocked: %w", err)
	}
	return changed, nil
}
