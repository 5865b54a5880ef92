package storage

import (
	"context"
	"fmt"
	"math"
	"time"
)

// PersonalData is everything that is kept about a person, the newest first. Of goods
// only digests are kept, which are left out. Damaged rows are included.
type PersonalData struct {
	User      User
	Keys      []Key
	Step      string // of the open dialog, "" for none
	StepUntil time.Time
	Purchases []Purchase
	Orders    []Order
	Searches  []PastSearch
	Saved     []SavedItem
	Watches   []Watch
	Reminders []Reminder
	Messages  []Message // not yet sent; without their bodies
}

// PersonalData reads all that is kept about this person.
func (db *DB) PersonalData(ctx context.Context, userID int64) (PersonalData, error) {
	data, err := db.personalData(ctx, userID)
	if err != nil {
		return PersonalData{}, fmt.Errorf("read personal data: %w", err)
	}
	return data, nil
}

func (db *DB) personalData(ctx context.Context, userID int64) (data PersonalData, err error) {
	if data.User, err = db.User(ctx, userID); err != nil {
		return data, err
	}
	if data.Keys, err = selectRows[Key](ctx, db, db.reader, `SELECT `+keyColumns+` FROM api_keys WHERE user_id = ? ORDER BY created_at`, userID); err != nil {
		return data, err
	}
	dialogs, err := selectRows[struct {
		Step      string    `db:"step"`
		ExpiresAt time.Time `db:"expires_at"`
	}](ctx, db, db.reader, `SELECT step, expires_at FROM dialogs WHERE user_id = ?`, userID)
	if err != nil {
		return data, err
	}
	for _, dialog := range dialogs { // at most one
		data.Step, data.StepUntil = dialog.Step, dialog.ExpiresAt
	}
	if data.Purchases, err = db.purchases(ctx, "read all purchases", `WHERE user_id = ? ORDER BY created_at DESC, id DESC`, userID); err != nil {
		return data, err
	}
	if data.Orders, err = db.orders(ctx, "read all orders", `WHERE user_id = ? ORDER BY created_at DESC, id DESC`, userID); err != nil {
		return data, err
	}
	if data.Searches, err = selectRows[PastSearch](ctx, db, db.reader,
		`SELECT `+columnsOf[PastSearch]()+` FROM searches WHERE user_id = ? ORDER BY created_at DESC`, userID); err != nil {
		return data, err
	}
	if data.Saved, err = db.SavedItems(ctx, userID, math.MaxInt32, 0); err != nil {
		return data, err
	}
	if data.Watches, err = db.watches(ctx, `WHERE user_id = ?`, userID); err != nil {
		return data, err
	}
	if data.Reminders, err = db.reminders(ctx, `WHERE user_id = ? ORDER BY at`, userID); err != nil {
		return data, err
	}
	data.Messages, err = selectRows[Message](ctx, db, db.reader,
		`SELECT `+plainColumnsOf[Message]()+` FROM outbox WHERE user_id = ? AND state <> 'sent' ORDER BY created_at`, userID)
	return data, err
}
