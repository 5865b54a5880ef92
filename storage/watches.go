package storage

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// WatchKind is what a person wants to be notified of.
type WatchKind string

// The kinds of watches. A person has at most one of each for a service.
const (
	WatchRestock WatchKind = "restock" // it is in stock again
	WatchPrice   WatchKind = "price"   // it costs Price or less
)

// Watch is a person's wish to be notified of a service. It stays until the person
// removes it.
type Watch struct {
	ID        int64           `db:"id"`
	UserID    int64           `db:"user_id"`
	Service   int64           `db:"service"`
	SMM       bool            `db:"smm"`
	Name      string          `db:"name"` // when it was set
	Kind      WatchKind       `db:"kind"`
	Price     decimal.Decimal `db:"price"`                                                                                                                                                                                  // of a WatchPrice, as the person sees prices: with their markup
	Currency  string          `db:"currency"`                                                                                                                                                                               // of Price
	Markup    decimal.Decimal `db:"markup" from:"COALESCE((SELECT allowances.markup FROM allowances JOIN api_keys ON api_keys.user_id = allowances.user_id WHERE allowances.user_id = watches.user_id AND pays = 1), '0')"` // of the person's allowance in percent, where it pays
	Armed     bool            `db:"armed"`                                                                                                                                                                                  // false: it has notified, and fires only once armed again
	ChangedAt time.Time       `db:"changed_at"`
}

// SetWatch sets a watch of a person's, armed, in place of the one of that kind for
// that service. The error is ErrFull where they have limit others.
func (db *DB) SetWatch(ctx context.Context, w Watch, limit int) error {
	w.ID, w.Armed, w.ChangedAt = newID(), true, time.Now()
	if w.Kind != WatchPrice {
		w.Price = decimal.Decimal{}
	}
	err := db.submitOnce(ctx, repeatable, func(tx *sqlx.Tx) error {
		var others int
		err := tx.GetContext(ctx, &others, `SELECT COUNT(*) FROM watches WHERE user_id = ? AND (service <> ? OR kind <> ?)`,
			w.UserID, w.Service, w.Kind)
		if err != nil {
			return err
		}
		if others >= limit {
			return ErrFull
		}
		query, args := db.insertion("watches", &w)
		_, err = tx.ExecContext(ctx, query+`
			ON CONFLICT (user_id, service, kind) DO UPDATE SET smm = excluded.smm, name = excluded.name, price = excluded.price,
			currency = excluded.currency, armed = excluded.armed, changed_at = excluded.changed_at`, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("set watch: %w", err)
	}
	return nil
}

// RemoveWatch removes a watch of a person's, if there is one.
func (db *DB) RemoveWatch(ctx context.Context, userID, service int64, kind WatchKind) error {
	_, err := db.transition(ctx, "remove watch", `DELETE FROM watches WHERE user_id = ? AND service = ? AND kind = ?`, userID, service, kind)
	return err
}

// Watches returns a person's watches of a service.
func (db *DB) Watches(ctx context.Context, userID, service int64) ([]Watch, error) {
	return db.watches(ctx, `WHERE user_id = ? AND service = ?`, userID, service)
}

// WatchesOf returns all watches of a person, the newest first.
func (db *DB) WatchesOf(ctx context.Context, userID int64) ([]Watch, error) {
	return db.watches(ctx, `WHERE user_id = ? ORDER BY changed_at DESC, id`, userID)
}

// ownerReachable leaves out the watches of people who are unreachable or blocked:
// they stay as they are.
const ownerReachable = `EXISTS (SELECT 1 FROM users WHERE users.id = watches.user_id AND users.unreachable = 0 AND users.blocked = 0)`

// WatchedServices returns the services that anyone reachable watches, each once and
// in ascending order; with smm the SMM services, else the products.
func (db *DB) WatchedServices(ctx context.Context, smm bool) ([]int64, error) {
	var services []int64
	err := db.reader.SelectContext(ctx, &services, `SELECT DISTINCT service FROM watches WHERE smm = ? AND `+ownerReachable+` ORDER BY service`, bit(smm))
	if err != nil {
		return nil, fmt.Errorf("read watched services: %w", err)
	}
	return services, nil
}

// WatchesBetween returns all watches of the services from first to last. Unreadable
// ones are left out; the error beside the others names them.
func (db *DB) WatchesBetween(ctx context.Context, smm bool, first, last int64) ([]Watch, error) {
	return db.watches(ctx, `WHERE smm = ? AND service >= ? AND service <= ? AND `+ownerReachable+` ORDER BY service, id`, bit(smm), first, last)
}

func (db *DB) watches(ctx context.Context, where string, args ...any) ([]Watch, error) {
	found, err := selectRows[Watch](ctx, db, db.reader, `SELECT `+columnsOf[Watch]()+` FROM watches `+where, args...)
	if err != nil {
		err = fmt.Errorf("read watches: %w", err)
	}
	return found, err
}

// WatcherKeys returns keys of people who watch the services from first to last in a
// currency ("": any), at most limit, chosen at random. Damaged keys are left out; the
// error beside the others names them.
func (db *DB) WatcherKeys(ctx context.Context, smm bool, first, last int64, currency string, limit int) ([]redact.Secret, error) {
	keys, err := db.usableKeys(ctx, "read watchers' keys", `SELECT `+keyColumns+` FROM api_keys WHERE state = 'active' AND invalid = 0
		AND user_id IN (SELECT user_id FROM watches WHERE smm = ? AND service >= ? AND service <= ? AND ? IN ('', currency)) ORDER BY RANDOM() LIMIT ?`,
		bit(smm), first, last, currency, limit)
	secrets := make([]redact.Secret, 0, len(keys))
	for _, key := range keys {
		secrets = append(secrets, key.Secret)
	}
	return secrets, err
}

// WatchChange arms a watch again, or notifies: with Message, after which the watch
// is disarmed or, with End, deleted.
type WatchChange struct {
	Watch   Watch // as it was read
	Rearm   bool
	Message Message // where Rearm is false
	End     bool
}

// ApplyWatchChanges makes the changes that still apply, with their messages, in one
// transaction, and returns how many people are notified. A watch that another
// process or its owner has changed since it was read is skipped.
func (db *DB) ApplyWatchChanges(ctx context.Context, changes []WatchChange, now time.Time) (notified int, err error) {
	var stored []Message
	err = db.writeOnce(ctx, func(tx *sqlx.Tx) (bool, error) { return messagesExist(ctx, stored)(tx) }, func(tx *sqlx.Tx) error {
		var messages []Message
		for _, change := range changes {
			query, args := `UPDATE watches SET armed = ?, changed_at = ? WHERE`, []any{bit(change.Rearm), toMillis(now)}
			if change.End {
				query, args = `DELETE FROM watches WHERE`, nil
			}
			found, err := db.transitionTx(ctx, tx, query+` id = ? AND armed = ? AND changed_at = ?`,
				append(args, change.Watch.ID, bit(change.Watch.Armed), toMillis(change.Watch.ChangedAt))...)
			if err != nil {
				return err
			}
			if !found || change.Rearm {
				continue
			}
			message := withIDs(change.Message)
			if err := db.insertMessages(ctx, tx, message); err != nil {
				return err
			}
			messages = append(messages, message...)
		}
		stored = messages
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("change watches: %w", err)
	}
	return len(stored), nil
}

// watchRoundSetting holds when the next watch round is due, as unix milliseconds.
const watchRoundSetting = "watch_round"

// ClaimWatchRound reports whether the caller is to make the watch round that is due,
// which one caller in all processes is. dueAt is when the next round is due: pause
// from now if the caller makes this one.
func (db *DB) ClaimWatchRound(ctx context.Context, now time.Time, pause time.Duration) (mine bool, dueAt time.Time, err error) {
	made := func(tx *sqlx.Tx) (bool, error) {
		if !mine {
			return false, nil
		}
		return finds(ctx, `SELECT 1 FROM settings WHERE name = ? AND value = ?`, watchRoundSetting, strconv.FormatInt(toMillis(dueAt), 10))(tx)
	}
	err = db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		value, err := setting(ctx, tx, selectSetting, watchRoundSetting)
		if err != nil {
			return err
		}
		mine, dueAt = false, now.Add(pause)
		if at, err := strconv.ParseInt(value, 10, 64); err == nil {
			// Later than a pause from now: the clock was set back, which must not stop the rounds.
			if due := fromMillis(at); due.After(now) && !due.After(dueAt) {
				dueAt = due
				return nil
			}
		}
		mine = true
		return setSetting(ctx, tx, upsertSetting, watchRoundSetting, strconv.FormatInt(toMillis(dueAt), 10))
	})
	if err != nil {
		return false, time.Time{}, fmt.Errorf("claim a watch round: %w", err)
	}
	return mine, dueAt, nil
}
