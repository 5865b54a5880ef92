package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// User is a person who has talked to the bot. ID is Telegram's.
type User struct {
	ID           int64
	Name         string
	TelegramLang string // what their Telegram says, as it came
	Lang         string // chosen by hand, "" if none was
	Unreachable  bool   // has blocked the bot, or is gone
	Blocked      bool   // by an admin
	Private      bool   // has been seen in the private chat, so that they can be written to
	CreatedAt    time.Time
	SeenAt       time.Time // to the hour
}

// seenEvery is how often a person's mere presence is worth a write; the first of a
// day (UTC) always is, or who is active today would not be counted.
const seenEvery = time.Hour

// TouchUser records that a person was heard from and returns them. private says
// that it was in their private chat: then who was unreachable is reachable
// again, and what was held for them is due. released reports whether anything
// was. It writes only what has changed, and SeenAt once an hour and at midnight.
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
	var row userRow
	err = db.submit(ctx, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &row, db.bind(`INSERT INTO users (`+userColumns+`) VALUES (?, ?, ?, '', 0, ?, ?, 0, ?)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, telegram_lang = excluded.telegram_lang, seen_at = excluded.seen_at,
			   unreachable = CASE WHEN excluded.private_chat = 1 THEN 0 ELSE users.unreachable END,
			   private_chat = CASE WHEN excluded.private_chat = 1 THEN 1 ELSE users.private_chat END
			RETURNING `+userColumns), id, name, telegramLang, toMillis(now), toMillis(now), toBit(private))
		if err != nil || !private {
			return err
		}
		// Whatever was read before: a refusal of Telegram may have come in between.
		released, err = db.releaseMessages(ctx, tx, id, now)
		return err
	})
	if err != nil {
		return User{}, false, fmt.Errorf("see user: %w", err)
	}
	return row.user(), released, nil
}

// User returns a person, or ErrNotFound.
func (db *DB) User(ctx context.Context, id int64) (User, error) {
	var row userRow
	err := db.reader.GetContext(ctx, &row, db.bind(`SELECT `+userColumns+` FROM users WHERE id = ?`), id)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, ErrNotFound
	}
	if err != nil {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	return row.user(), nil
}

// SetLang keeps the language that a person chose, "" to follow their
// Telegram's. The error is ErrNotFound for somebody never seen.
func (db *DB) SetLang(ctx context.Context, id int64, lang string) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		n, err := affected(tx.ExecContext(ctx, db.bind(`UPDATE users SET lang = ? WHERE id = ?`), lang, id))
		if err == nil && n == 0 {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("set language: %w", err)
	}
	return nil
}

// SetUnreachable records that messages to a person can't arrive, and holds
// what waits for them until TouchUser. The error is ErrNotFound for somebody
// never seen.
func (db *DB) SetUnreachable(ctx context.Context, id int64) error {
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		n, err := affected(tx.ExecContext(ctx, db.bind(`UPDATE users SET unreachable = 1 WHERE id = ?`), id))
		if err == nil && n == 0 {
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

// SetBlocked records whether an admin has blocked a person, and what for the
// log. It reports false, and logs nothing, where that is so already. The error is
// ErrNotFound for somebody never seen.
func (db *DB) SetBlocked(ctx context.Context, id int64, blocked bool, deed AuditEntry) (changed bool, err error) {
	err = db.write(ctx, func(tx *sqlx.Tx) error {
		var known int
		if err := tx.GetContext(ctx, &known, db.bind(`SELECT COUNT(*) FROM users WHERE id = ?`), id); err != nil {
			return err
		}
		if known == 0 {
			return ErrNotFound
		}
		changed, err = db.moveTx(ctx, tx, `UPDATE users SET blocked = ? WHERE id = ? AND blocked <> ?`, toBit(blocked), id, toBit(blocked))
		if err != nil || !changed {
			return err
		}
		return db.insertDeed(ctx, tx, deed)
	})
	if err != nil {
		return false, fmt.Errorf("set blocked: %w", err)
	}
	return changed, nil
}

const userColumns = `id, name, telegram_lang, lang, unreachable, created_at, seen_at, blocked, private_chat`

type userRow struct {
	ID           int64  `db:"id"`
	Name         string `db:"name"`
	TelegramLang string `db:"telegram_lang"`
	Lang         string `db:"lang"`
	Unreachable  int64  `db:"unreachable"`
	CreatedAt    int64  `db:"created_at"`
	SeenAt       int64  `db:"seen_at"`
	Blocked      int64  `db:"blocked"`
	Private      int64  `db:"private_chat"`
}

func (r userRow) user() User {
	return User{
		ID: r.ID, Name: r.Name, TelegramLang: r.TelegramLang, Lang: r.Lang, Unreachable: r.Unreachable == 1,
		Blocked: r.Blocked == 1, Private: r.Private == 1, CreatedAt: fromMillis(r.CreatedAt), SeenAt: fromMillis(r.SeenAt),
	}
}
