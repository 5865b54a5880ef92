package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/shopspring/decimal"
)

// PersonalData is everything that is kept about a person, the newest first. Of goods
// only digests are kept, which are left out. Damaged rows are included.
type PersonalData struct {
	User           User
	Keys           []Key
	Step           string // of the open dialog, "" for none
	StepUntil      time.Time
	Purchases      []Purchase // without prices where the operator's key has paid
	Orders         []Order    // likewise
	Searches       []PastSearch
	Saved          []SavedItem
	Numbers        []SavedNumber
	Watches        []Watch
	BalanceWatches []BalanceWatch
	Reminders      []Reminder
	Swaps          []Swap
	Baskets        []BasketLine
	Sets           []BasketSet
	Allowances     []Allowance  // at most one; without the markup
	Ledger         []LedgerLine // without the cost and the markup
	Messages       []Message    // not yet sent; without their bodies
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
	if data.Keys, err = selectRows[Key](ctx, db, db.reader, `SELECT `+keyColumns+` FROM api_keys WHERE user_id = ? AND house = 0 ORDER BY created_at`, userID); err != nil {
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
	house := map[int64]bool{} // purchases that the operator's key has paid: the ledger has what they cost the person
	for i, p := range data.Purchases {
		if p.House {
			house[p.ID] = true
			data.Purchases[i] = p.WithoutAccount()
			data.Purchases[i].Rate, data.Purchases[i].Markup = decimal.Zero, decimal.Zero
		}
	}
	if data.Orders, err = db.orders(ctx, "read all orders", `WHERE user_id = ? ORDER BY created_at DESC, id DESC`, userID); err != nil {
		return data, err
	}
	for i, o := range data.Orders {
		if house[o.PurchaseID] {
			data.Orders[i].Charge = decimal.NullDecimal{}
		}
	}
	if data.Searches, err = selectRows[PastSearch](ctx, db, db.reader,
		`SELECT `+columnsOf[PastSearch]()+` FROM searches WHERE user_id = ? ORDER BY created_at DESC`, userID); err != nil {
		return data, err
	}
	if data.Saved, err = db.SavedItems(ctx, userID, math.MaxInt32, 0); err != nil {
		return data, err
	}
	if data.Numbers, err = db.SavedNumbers(ctx, userID); err != nil {
		return data, err
	}
	if data.Watches, err = db.watches(ctx, `WHERE user_id = ?`, userID); err != nil {
		return data, err
	}
	if data.BalanceWatches, err = db.BalanceWatches(ctx, userID); err != nil {
		return data, err
	}
	if data.Reminders, err = db.reminders(ctx, `WHERE user_id = ? ORDER BY at`, userID); err != nil {
		return data, err
	}
	if data.Swaps, err = db.swaps(ctx, `WHERE user_id = ? ORDER BY created_at DESC`, userID); err != nil {
		return data, err
	}
	if data.Baskets, err = db.basketLines(ctx, db.reader, `user_id = ? ORDER BY basket_id DESC, place`, userID); err != nil {
		return data, err
	}
	if data.Sets, err = db.BasketSets(ctx, userID); err != nil {
		return data, err
	}
	allowance, err := db.Allowance(ctx, userID, time.Now())
	if err == nil {
		allowance.Markup = decimal.Zero
		data.Allowances = []Allowance{allowance}
	} else if !errors.Is(err, ErrNotFound) {
		return data, err
	}
	if data.Ledger, err = db.ledgerOf(ctx, userID); err != nil {
		return data, err
	}
	data.Messages, err = selectRows[Message](ctx, db, db.reader,
		`SELECT `+plainColumnsOf[Message]()+` FROM outbox WHERE user_id = ? AND state NOT IN ('sent', 'draft') ORDER BY created_at`, userID)
	return data, err
}
