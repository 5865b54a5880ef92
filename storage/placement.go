package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Placement is an order that the marketplace made of a purchase. The other fields are of
// rented numbers.
type Placement struct {
	ExternalID string
	Phone      string
	Country    string // "" where it is the requested one
	RawStatus  string // the marketplace's state
}

// PlacePurchase records all orders of a purchase as it was sent, with the messages that
// notify makes of each and those about the purchase, in one transaction. The marketplace's
// answer overrides every state: a failover of the database may have lost that the purchase
// was sent, claimed, or drafted. It reports false where the purchase is placed already, or
// the person was forgotten. An order that the person has imported meanwhile becomes the
// purchase's, and notify is not asked about it.
func (db *DB) PlacePurchase(ctx context.Context, p Purchase, given []Placement, now, firstPoll time.Time, notify func(Order) []Message, messages ...Message) ([]Order, bool, error) {
	messages = withIDs(messages...)
	var orders []Order
	placed := false
	made := func(tx *sqlx.Tx) (bool, error) { return db.ordersExist(ctx, tx, orders...) }
	err := db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		var stored []Order
		found, err := db.overrideWithPlaced(ctx, tx, p, now)
		if err == nil && found {
			stored, err = db.insertPlacements(ctx, tx, p, given, false, now, firstPoll, notify)
		}
		if err == nil && found {
			err = db.insertMessages(ctx, tx, messages)
		}
		if err == nil && found {
			err = db.recordLedger(ctx, tx, p.ID)
		}
		if err == nil {
			orders, placed = stored, found
		}
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("place purchase: %w", err)
	}
	return orders, placed, nil
}

// ErrExternalIDTaken is returned for an id of the marketplace that already is an order
// here.
var ErrExternalIDTaken = errors.New("this order is already known")

// isIncomplete is the condition of a purchase of which some phones were adopted, and others
// may yet be.
const isIncomplete = `(state = 'placed' AND kind = 'sms' AND quantity > (SELECT COUNT(*) FROM orders WHERE purchase_id = purchases.id)
	AND id IN (SELECT purchase_id FROM orders WHERE adopted = 1 AND kind = 'sms')
	AND NOT EXISTS (SELECT 1 FROM orders WHERE purchase_id = purchases.id AND adopted = 0))`

// restDismissed is the reason of a placed purchase whose other phones, as an admin says, were
// not placed.
const restDismissed = "rest_dismissed"

// AdoptOrder records that, as the person says, a purchase of unknown outcome became this
// order, with the messages that notify makes of it. A purchase of several numbers can
// adopt until it has them all. ErrExternalIDTaken: it is an order here already. entries are
// those of the admin who decides, where the operator's key has paid.
func (db *DB) AdoptOrder(ctx context.Context, p Purchase, given Placement, now, firstPoll time.Time, notify func(Order) []Message, entries ...AuditEntry) (Order, bool, error) {
	for i := range entries {
		entries[i].ID = newID()
	}
	var order Order
	adopted := false
	made := func(tx *sqlx.Tx) (bool, error) { return db.ordersExist(ctx, tx, order) }
	err := db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		taken, err := db.externalIDTaken(ctx, tx, p.UserID, p.Kind, given.ExternalID)
		if err != nil {
			return err
		}
		if taken {
			return ErrExternalIDTaken
		}
		found, err := db.transitionTx(ctx, tx, `UPDATE purchases SET state = ?, settled_at = ?, next_check_at = 0 WHERE id = ? AND state IN (?, ?)`,
			PurchasePlaced, toMillis(now), p.ID, PurchaseOutcomeUnknown, PurchaseDismissed)
		if err != nil {
			return err
		}
		if !found {
			var incomplete int
			err := tx.GetContext(ctx, &incomplete, `SELECT COUNT(*) FROM purchases WHERE id = ? AND `+isIncomplete, p.ID)
			if err != nil {
				return err
			}
			if incomplete == 0 {
				order, adopted = Order{}, false
				return nil
			}
		}
		orders, err := db.insertPlacements(ctx, tx, p, []Placement{given}, true, now, firstPoll, notify)
		if err == nil {
			err = db.recordLedger(ctx, tx, p.ID)
		}
		for _, entry := range entries {
			if err == nil {
				err = db.insertAudit(ctx, tx, entry)
			}
		}
		if err == nil {
			order, adopted = orders[0], true
		}
		return err
	})
	if isUnique(err) {
		return Order{}, false, ErrExternalIDTaken
	}
	if err != nil {
		return Order{}, false, fmt.Errorf("adopt order: %w", err)
	}
	return order, adopted, nil
}

// ExternalIDTaken reports whether an id of the marketplace already is an order here, of
// any person. Orders that other people have imported do not count: they may share the
// key. Rented numbers are looked up apart: the marketplace may count them apart.
func (db *DB) ExternalIDTaken(ctx context.Context, userID int64, kind Kind, externalID string) (bool, error) {
	return db.externalIDTaken(ctx, db.reader, userID, kind, externalID)
}

func (db *DB) externalIDTaken(ctx context.Context, q sqlx.QueryerContext, userID int64, kind Kind, externalID string) (bool, error) {
	var n int
	err := sqlx.GetContext(ctx, q, &n, `SELECT COUNT(*) FROM orders
		WHERE external_id = ? AND (kind = 'sms') = (? = 'sms') AND (external = 0 OR user_id = ?)`, externalID, kind, userID)
	if err != nil {
		return false, fmt.Errorf("look for an order of the marketplace: %w", err)
	}
	return n > 0, nil
}

// overrideWithPlaced moves a purchase from any other state to placed, with the terms on
// which it was sent, and stores it where it is gone.
func (db *DB) overrideWithPlaced(ctx context.Context, tx *sqlx.Tx, p Purchase, now time.Time) (bool, error) {
	p.State, p.Reason, p.NextCheckAt, p.SettledAt = PurchasePlaced, "", time.Time{}, now
	set, args := db.assignments(&p, "state", "reason", "next_check_at", "settled_at", "rate", "balance", "currency", "stock", "variants", "sent_at")
	placed, err := db.transitionTx(ctx, tx, `UPDATE purchases SET `+set+` WHERE id = ? AND user_id = ? AND state <> ?`, append(args, p.ID, p.UserID, PurchasePlaced)...)
	if err != nil || placed {
		return placed, err
	}
	return db.insertIfGone(ctx, tx, p)
}

// insertIfGone stores a purchase that a failover has lost, unless the person was forgotten.
func (db *DB) insertIfGone(ctx context.Context, tx *sqlx.Tx, p Purchase) (bool, error) {
	var stays int
	err := tx.GetContext(ctx, &stays, `SELECT COUNT(*) FROM users WHERE id = ? AND NOT EXISTS (SELECT 1 FROM purchases WHERE id = ?)`, p.UserID, p.ID)
	if err != nil || stays == 0 {
		return false, err
	}
	return true, db.insertPurchase(ctx, tx, p)
}

// ordersExist recognizes a transaction by the first of the orders that it has stored, which
// another transaction may have imported.
func (db *DB) ordersExist(ctx context.Context, tx *sqlx.Tx, orders ...Order) (bool, error) {
	if len(orders) == 0 {
		return false, nil
	}
	return finds(ctx, `SELECT 1 FROM orders WHERE id = ? AND purchase_id = ?`, orders[0].ID, orders[0].PurchaseID)(tx)
}

// insertPlacements stores the orders of a purchase, with their messages.
func (db *DB) insertPlacements(ctx context.Context, tx *sqlx.Tx, p Purchase, given []Placement, adopted bool, now, firstPoll time.Time, notify func(Order) []Message) ([]Order, error) {
	orders := make([]Order, 0, len(given))
	for i, g := range given {
		at := now
		if adopted && !p.SentAt.IsZero() {
			at = p.SentAt
		}
		at = at.Add(time.Duration(i) * time.Millisecond) // lists keep the marketplace's order
		order := Order{
			ID: newID(), UserID: p.UserID, PurchaseID: p.ID, KeyID: p.KeyID, KeyFingerprint: p.KeyFingerprint, Kind: p.Kind,
			ExternalID: g.ExternalID, Adopted: adopted, Service: p.Service, Name: p.Name, Category: p.Category, Quantity: p.Quantity, Link: p.Link, Rental: p.Rental,
			Origin: p.Origin, State: OrderOpen, RawStatus: g.RawStatus, Currency: p.Currency, AutoDelivery: true, Refill: p.Refill,
			CreatedAt: at, UpdatedAt: at, NextPollAt: firstPoll,
		}
		if p.Kind == KindSMS {
			order.Quantity, order.Rental.Phone = 1, g.Phone
			if p.Rental.Country == "" { // else the requested one: answers may spell it otherwise
				order.Rental.Country = g.Country
			}
		}
		imported, err := db.takeImported(ctx, tx, order)
		if err == nil {
			orders = append(orders, imported)
			continue
		}
		if !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if err := db.insertOrder(ctx, tx, order); err != nil {
			return nil, err
		}
		if err := db.insertMessages(ctx, tx, withIDs(notify(order)...)); err != nil {
			return nil, err
		}
		orders = append(orders, order)
	}
	return orders, nil
}

// takeImported makes an order that the person has imported before its id came the one of its
// purchase, and returns it; ErrNotFound: there is none. What it has delivered and was told
// stays. A poll that is in flight took it for another's, and is not stored. An order of goods
// that was closed because nobody knew how many were bought is open again if some are missing.
func (db *DB) takeImported(ctx context.Context, tx *sqlx.Tx, order Order) (Order, error) {
	imported, err := selectRow[Order](ctx, db, tx, `SELECT `+orderColumns+` FROM orders
		WHERE external_id = ? AND (kind = 'sms') = (? = 'sms') AND external = 1 AND user_id = ?`, order.ExternalID, order.Kind, order.UserID)
	if err != nil {
		return Order{}, err
	}
	order.ID = imported.ID // encryption is bound to it
	columns := []string{
		"purchase_id", "key_id", "key_fingerprint", "kind", "external", "service", "name", "category", "quantity", "link_sealed",
		"project", "country", "country_name", "phone_sealed", "origin", "refill",
	}
	if order.Kind == KindProduct && imported.State == OrderDelivered && imported.Present < order.Quantity {
		columns = append(columns, "state", "closed_at", "next_poll_at")
	}
	set, args := db.assignments(&order, columns...)
	taken, err := selectRow[Order](ctx, db, tx, `UPDATE orders SET `+set+`, polls = polls + 1, lease_until = 0 WHERE id = ? RETURNING `+orderColumns, append(args, order.ID)...)
	if err != nil {
		return Order{}, err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM purchases WHERE id = ?`, imported.PurchaseID)
	return taken, err
}
