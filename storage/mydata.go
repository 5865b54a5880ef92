package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"
)

// PersonalData is everything that is kept about a person, the newest first. Of
// what was delivered nothing is kept but digests, which are no use to anybody.
type PersonalData struct {
	User      User
	Keys      []Key
	Step      string // of the dialog they are in, "" for none
	StepUntil time.Time
	Purchases []Purchase
	Orders    []Order
	Searches  []PastSearch
	Saved     []Favourite
	Watches   []Watch
	Reminders []Reminder
	Messages  []Message // not yet sent; without their bodies
}

// PastSearch is what a person typed to find something.
type PastSearch struct {
	Query string
	At    time.Time
}

// PersonalData reads all that is kept about this person.
func (db *DB) PersonalData(ctx context.Context, userID int64) (PersonalData, error) {
	var (
		data PersonalData
		err  error
	)
	if data.User, err = db.User(ctx, userID); err != nil {
		return PersonalData{}, err
	}
	if data.Keys, err = db.keysOf(ctx, userID); err != nil {
		return PersonalData{}, err
	}
	if data.Step, data.StepUntil, err = db.stepOf(ctx, userID); err != nil {
		return PersonalData{}, err
	}
	if data.Purchases, err = db.purchases(ctx, "read all purchases", `SELECT `+purchaseColumns+` FROM purchases WHERE user_id = ? ORDER BY created_at DESC, id DESC`, userID); err != nil {
		return PersonalData{}, err
	}
	if data.Orders, err = db.orders(ctx, "read all orders", `SELECT `+orderColumns+` FROM orders WHERE user_id = ? ORDER BY created_at DESC, id DESC`, userID); err != nil {
		return PersonalData{}, err
	}
	if data.Searches, err = db.searchesOf(ctx, userID); err != nil {
		return PersonalData{}, err
	}
	if data.Saved, err = db.Favourites(ctx, userID, math.MaxInt32, 0); err != nil {
		return PersonalData{}, err
	}
	if data.Watches, err = db.alerts(ctx, `WHERE user_id = ?`, userID); err != nil {
		return PersonalData{}, err
	}
	if data.Reminders, err = db.reminders(ctx, `SELECT order_id, user_id, at FROM reminders WHERE user_id = ? ORDER BY at`, userID); err != nil {
		return PersonalData{}, err
	}
	data.Messages, err = db.messagesOf(ctx, userID)
	return data, err
}

func (db *DB) keysOf(ctx context.Context, userID int64) ([]Key, error) {
	var rows []keyRow
	if err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT `+keyColumns+` FROM api_keys WHERE user_id = ? ORDER BY created_at`), userID); err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	keys := make([]Key, 0, len(rows))
	for _, row := range rows {
		key, err := db.key(row)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (db *DB) stepOf(ctx context.Context, userID int64) (string, time.Time, error) {
	var row struct {
		Step      string `db:"step"`
		ExpiresAt int64  `db:"expires_at"`
	}
	err := db.reader.GetContext(ctx, &row, db.bind(`SELECT step, expires_at FROM dialogs WHERE user_id = ?`), userID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, fmt.Errorf("read dialog: %w", err)
	}
	return row.Step, fromMillis(row.ExpiresAt), nil
}

func (db *DB) searchesOf(ctx context.Context, userID int64) ([]PastSearch, error) {
	var rows []struct {
		ID          int64  `db:"id"`
		QuerySealed string `db:"query_sealed"`
		CreatedAt   int64  `db:"created_at"`
	}
	err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT id, query_sealed, created_at FROM searches WHERE user_id = ? ORDER BY created_at DESC`), userID)
	if err != nil {
		return nil, fmt.Errorf("read searches: %w", err)
	}
	searches := make([]PastSearch, 0, len(rows))
	for _, row := range rows {
		query, err := db.unsealText("searches", "query", row.ID, row.QuerySealed)
		if err != nil {
			return nil, fmt.Errorf("read search: %w", err)
		}
		searches = append(searches, PastSearch{Query: query, At: fromMillis(row.CreatedAt)})
	}
	return searches, nil
}

func (db *DB) messagesOf(ctx context.Context, userID int64) ([]Message, error) {
	var rows []messageRow
	err := db.reader.SelectContext(ctx, &rows, db.bind(`SELECT id, user_id, purchase_id, order_id, kind, priority, '' AS body_sealed, created_at, tries
		FROM outbox WHERE user_id = ? AND state <> 'sent' ORDER BY created_at`), userID)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	messages := make([]Message, 0, len(rows))
	for _, row := range rows {
		messages = append(messages, Message{
			ID: row.ID, UserID: row.UserID, PurchaseID: row.PurchaseID, OrderID: row.OrderID, Kind: row.Kind, Priority: row.Priority,
			CreatedAt: fromMillis(row.CreatedAt), Tries: row.Tries,
		})
	}
	return messages, nil
}
