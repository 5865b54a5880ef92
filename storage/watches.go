package storage

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// WatchKind is what a person wants to be told of.
type WatchKind string

// The kinds of alerts. A person has at most one of each for a service.
const (
	WatchRestock WatchKind = "restock" // it can be had again
	WatchPrice   WatchKind = "price"   // it costs Price or less
)

// Watch is a wish to be told of something. It stands until it is taken away.
type Watch struct {
	ID        int64
	UserID    int64
	Service   int64
	SMM       bool
	Name      string // when it was set
	Kind      WatchKind
	Price     decimal.Decimal // of an WatchPrice
	Currency  string          // that Price was named in
	Armed     bool            // else it was told, and waits
	ChangedAt time.Time
}

// SetWatch sets an alert of a person's, armed, in place of the one of that kind
// for that service. The error is ErrFull where they have as many as most already.
func (db *DB) SetWatch(ctx context.Context, a Watch, most int) error {
	price := ""
	if a.Kind == WatchPrice {
		price = moneyText(a.Price)
	}
	err := db.submit(ctx, func(tx *sqlx.Tx) error {
		var others int
		err := tx.GetContext(ctx, &others, db.bind(`SELECT COUNT(*) FROM watches WHERE user_id = ? AND (service <> ? OR kind <> ?)`),
			a.UserID, a.Service, a.Kind)
		if err != nil {
			return err
		}
		if others >= most {
			return ErrFull
		}
		_, err = tx.ExecContext(ctx, db.bind(`INSERT INTO watches (`+alertColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?)
			ON CONFLICT (user_id, service, kind) DO UPDATE SET smm = excluded.smm, name = excluded.name, price = excluded.price,
			currency = excluded.currency, armed = 1, changed_at = excluded.changed_at`),
			newID(), a.UserID, a.Service, toBit(a.SMM), a.Name, a.Kind, price, a.Currency, toMillis(time.Now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("set alert: %w", err)
	}
	return nil
}

// RemoveWatch takes an alert of a person's away; it may be gone already.
func (db *DB) RemoveWatch(ctx context.Context, userID, service int64, kind WatchKind) error {
	_, err := db.move(ctx, "remove alert", `DELETE FROM watches WHERE user_id = ? AND service = ? AND kind = ?`, userID, service, kind)
	return err
}

// Watches returns a person's alerts for a service.
func (db *DB) Watches(ctx context.Context, userID, service int64) ([]Watch, error) {
	return db.alerts(ctx, `WHERE user_id = ? AND service = ?`, userID, service)
}

// reachable leaves out whom nothing can be told now, and whom admins have blocked:
// their alerts stay as they are.
const reachable = `EXISTS (SELECT 1 FROM users WHERE users.id = watches.user_id AND users.unreachable = 0 AND users.blocked = 0)`

// WatchedServices returns the services that somebody has an alert for, each once
// and in their order; SMM services are those for which smm is true.
func (db *DB) WatchedServices(ctx context.Context, smm bool) ([]int64, error) {
	var services []int64
	err := db.reader.SelectContext(ctx, &services, db.bind(`SELECT DISTINCT service FROM watches WHERE smm = ? AND `+reachable+` ORDER BY service`), toBit(smm))
	if err != nil {
		return nil, fmt.Errorf("read watched services: %w", err)
	}
	return services, nil
}

// WatchesBetween returns everybody's alerts for the services from first to last.
// Damaged ones are left out and told of in the error beside the others.
func (db *DB) WatchesBetween(ctx context.Context, smm bool, first, last int64) ([]Watch, error) {
	return db.alerts(ctx, `WHERE smm = ? AND service >= ? AND service <= ? AND `+reachable+` ORDER BY service, id`, toBit(smm), first, last)
}

// WatcherKeys returns keys of people with alerts for the services from first to
// last, others each time, at most limit. Damaged ones are told of beside the others.
func (db *DB) WatcherKeys(ctx context.Context, smm bool, first, last int64, limit int) ([]redact.Secret, error) {
	var rows []keyRow
	err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT `+keyColumns+` FROM api_keys WHERE state = 'active' AND invalid = 0
		AND user_id IN (SELECT user_id FROM watches WHERE smm = ? AND service >= ? AND service <= ?) ORDER BY RANDOM() LIMIT ?`),
		toBit(smm), first, last, limit)
	if err != nil {
		return nil, fmt.Errorf("read watchers' keys: %w", err)
	}
	keys := make([]redact.Secret, 0, len(rows))
	var damaged []error
	for _, row := range rows {
		key, err := db.key(row)
		if err != nil {
			damaged = append(damaged, err)
			continue
		}
		keys = append(keys, key.Secret)
	}
	return keys, errors.Join(damaged...)
}

// WatchChange is what has become of an alert: it is armed again, or it is told by
// Message, and then either waits or has ended.
type WatchChange struct {
	Watch   Watch // as it was
	Rearm   bool
	Message Message // of one that is told
	End     bool    // it is told once and no more
}

// ApplyWatchChanges makes the changes that still hold, each with its message, all in
// one transaction, and returns how many were told. An alert that somebody else has
// told or armed meanwhile, or that its owner has set or taken away, is left as it is.
func (db *DB) ApplyWatchChanges(ctx context.Context, changes []WatchChange, now time.Time) (told int, err error) {
	err = db.write(ctx, func(tx *sqlx.Tx) error {
		told = 0
		for _, change := range changes {
			query, args := `UPDATE watches SET armed = ?, changed_at = ? WHERE`, []any{toBit(change.Rearm), toMillis(now)}
			if change.End {
				query, args = `DELETE FROM watches WHERE`, nil
			}
			moved, err := db.moveTx(ctx, tx, query+` id = ? AND armed = ? AND changed_at = ?`,
				append(args, change.Watch.ID, toBit(change.Watch.Armed), toMillis(change.Watch.ChangedAt))...)
			if err != nil {
				return err
			}
			if !moved || change.Rearm {
				continue
			}
			if err := db.insertMessage(ctx, tx, change.Message); err != nil {
				return err
			}
			told++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("change alerts: %w", err)
	}
	return told, nil
}

// watchRoundSetting is the setting that says when the next round of alerts is due.
const watchRoundSetting = "watch_round"

// ClaimWatchRound reports whether a round of alerts is the caller's, which it is
// for one caller in all processes; the next one is due after pause. dueAt is when.
func (db *DB) ClaimWatchRound(ctx context.Context, now time.Time, pause time.Duration) (mine bool, dueAt time.Time, err error) {
	err = db.write(ctx, func(tx *sqlx.Tx) error {
		value, err := setting(ctx, tx, db.bind(selectSetting), watchRoundSetting)
		if err != nil {
			return err
		}
		mine, dueAt = false, now.Add(pause)
		if at, err := strconv.ParseInt(value, 10, 64); err == nil {
			// A clock that was put back must not stop the rounds.
			if due := fromMillis(at); due.After(now) && !due.After(dueAt) {
				dueAt = due
				return nil
			}
		}
		mine = true
		return setSetting(ctx, tx, db.bind(upsertSetting), watchRoundSetting, strconv.FormatInt(toMillis(dueAt), 10))
	})
	if err != nil {
		return false, time.Time{}, fmt.Errorf("claim a round of alerts: %w", err)
	}
	return mine, dueAt, nil
}

const alertColumns = `id, user_id, service, smm, name, kind, price, currency, armed, changed_at`

type watchRow struct {
	ID        int64     `db:"id"`
	UserID    int64     `db:"user_id"`
	Service   int64     `db:"service"`
	SMM       int64     `db:"smm"`
	Name      string    `db:"name"`
	Kind      WatchKind `db:"kind"`
	Price     string    `db:"price"`
	Currency  string    `db:"currency"`
	Armed     int64     `db:"armed"`
	ChangedAt int64     `db:"changed_at"`
}

func (db *DB) alerts(ctx context.Context, where string, args ...any) ([]Watch, error) {
	var rows []watchRow
	if err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT `+alertColumns+` FROM watches `+where), args...); err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	all := make([]Watch, 0, len(rows))
	var damaged []error
	for _, row := range rows {
		a := Watch{
			ID: row.ID, UserID: row.UserID, Service: row.Service, SMM: row.SMM == 1, Name: row.Name, Kind: row.Kind,
			Currency: row.Currency, Armed: row.Armed == 1, ChangedAt: fromMillis(row.ChangedAt),
		}
		if row.Kind == WatchPrice {
			var err error
			if a.Price, err = decimal.NewFromString(row.Price); err != nil {
				damaged = append(damaged, fmt.Errorf("read alert %d: its price: %w", row.ID, err))
				continue
			}
		}
		all = append(all, a)
	}
	return all, errors.Join(damaged...)
}
