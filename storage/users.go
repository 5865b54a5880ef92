package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
)

// User is a person who has talked to the bot. ID is Telegram's.
type User struct {
	ID            int64     `db:"id"`
	Name          string    `db:"name"`
	TelegramLang  string    `db:"telegram_lang"`  // as Telegram reports it
	Lang          string    `db:"lang"`           // the person's choice, "" without one
	Unreachable   bool      `db:"unreachable"`    // has blocked the bot, or the account is gone
	Blocked       bool      `db:"blocked"`        // by an admin
	Private       bool      `db:"private_chat"`   // has used the private chat, so can be written to
	KeepsEmail    bool      `db:"keeps_email"`    // the last delivery e-mail is used without asking
	SkipsFeedback bool      `db:"skips_feedback"` // is never asked whether goods work
	CreatedAt     time.Time `db:"created_at"`
	SeenAt        time.Time `db:"seen_at"` // to the hour
}

var userColumns = columnsOf[User]()

// maxKnownUsers bounds the memory of knownUsers to about a megabyte.
const maxKnownUsers = 4096

// knownUsers keeps the users of a file as they were read: each update reads its person. No
// other process writes to the file, and whatever changes a user in it calls forget after
// its commit. A server is shared, so DB.users is nil there and keeps nothing.
type knownUsers struct {
	mu      sync.Mutex
	users   map[int64]User
	changes int // calls of forget
}

// get returns a user, and the number of changes for add.
func (k *knownUsers) get(id int64) (user User, known bool, changes int) {
	if k == nil {
		return User{}, false, 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	user, known = k.users[id]
	return user, known, k.changes
}

// add keeps a user who was read after get, unless one was changed since: it may be this
// one, read before the change.
func (k *knownUsers) add(user User, changes int) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if changes != k.changes {
		return
	}
	if len(k.users) >= maxKnownUsers {
		clear(k.users)
	}
	k.users[user.ID] = user
}

// forget makes users be read again, all without ids.
func (k *knownUsers) forget(ids ...int64) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	if len(ids) == 0 {
		clear(k.users)
	}
	for _, id := range ids {
		delete(k.users, id)
	}
}

// seenEvery is how often SeenAt is worth a write. The first visit of a day
// always is: Stats counts who was active today.
const seenEvery = time.Hour

// TouchUser records that a person has used the bot and returns them. private says
// that it was in the private chat: then an unreachable person is reachable again and
// the held messages become due; released reports whether there were any. It writes
// only what has changed, and SeenAt once an hour and at the first visit of a day.
func (db *DB) TouchUser(ctx context.Context, id int64, name, telegramLang string, private bool) (user User, released bool, err error) {
	now := time.Now()
	user, err = db.User(ctx, id)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, false, err
	}
	same := user.Name == name && user.TelegramLang == telegramLang && now.Sub(user.SeenAt) < seenEvery && !user.SeenAt.Before(db.DayBegins(db.Day(now)))
	if known && same && (!private || user.Private && !user.Unreachable) {
		return user, false, nil
	}
	defer db.users.forget(id)
	query, args := db.insertion("users", &User{ID: id, Name: name, TelegramLang: telegramLang, Private: private, CreatedAt: now, SeenAt: now})
	err = db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		user, err = selectRow[User](ctx, db, tx, query+`
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, telegram_lang = excluded.telegram_lang, seen_at = excluded.seen_at,
			   unreachable = CASE WHEN excluded.private_chat = 1 THEN 0 ELSE users.unreachable END,
			   private_chat = CASE WHEN excluded.private_chat = 1 THEN 1 ELSE users.private_chat END
			RETURNING `+userColumns, args...)
		if err != nil || !private {
			return err
		}
		// Even if the person was reachable when read: a message may have been held since.
		found, err := db.releaseMessages(ctx, tx, id, now)
		released = released || found
		return err
	})
	if err != nil {
		return User{}, false, fmt.Errorf("touch user: %w", err)
	}
	return user, released, nil
}

// User returns a person, or ErrNotFound.
func (db *DB) User(ctx context.Context, id int64) (User, error) {
	user, known, changes := db.users.get(id)
	if known {
		return user, nil
	}
	user, err := selectRow[User](ctx, db, db.reader, `SELECT `+userColumns+` FROM users WHERE id = ?`, id)
	if err != nil {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	db.users.add(user, changes)
	return user, nil
}

// SetKeepsEmail stores whether a person's last delivery e-mail is used without asking.
func (db *DB) SetKeepsEmail(ctx context.Context, id int64, keeps bool) error {
	defer db.users.forget(id)
	_, err := db.transition(ctx, "set whether an e-mail is asked for", `UPDATE users SET keeps_email = ? WHERE id = ?`, bit(keeps), id)
	return err
}

// SetLang stores the language that a person chose, "" to follow Telegram's. The
// error is ErrNotFound for an unknown person.
func (db *DB) SetLang(ctx context.Context, id int64, lang string) error {
	defer db.users.forget(id)
	err := db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
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
	defer db.users.forget(id)
	err := db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
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
	defer db.users.forget(id)
	entry.ID = newID()
	err = db.writeOnce(ctx, auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		if _, err := selectRow[User](ctx, db, tx, `SELECT `+userColumns+` FROM users WHERE id = ?`, id); err != nil {
			return err
		}
		found, err := db.transitionTx(ctx, tx, `UPDATE users SET blocked = ? WHERE id = ? AND blocked <> ?`, bit(blocked), id, bit(blocked))
		if err == nil && found {
			err = db.insertAudit(ctx, tx, entry)
		}
		if err == nil {
			changed = found
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("set blocked: %w", err)
	}
	return changed, nil
}
