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
	ExternalID int64
	Phone      string
	Country    string // "" where it is the requested one
	RawStatus  string // the marketplace's state
}

// PlacePurchase records all orders of a purchase, with the messages that notify makes of
// each, in one transaction. The marketplace's answer overrides sending, an unknown
// outcome and a dismissal. It reports false where the purchase is placed already.
func (db *DB) PlacePurchase(ctx context.Context, p Purchase, given []Placement, now, firstPoll time.Time, notify func(Order) []Message) ([]Order, bool, error) {
	var orders []Order
	placed := false
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		var err error
		placed, err = db.markPlaced(ctx, tx, p.ID, now, PurchaseSending, PurchaseOutcomeUnknown, PurchaseDismissed)
		if err != nil || !placed {
			return err
		}
		orders, err = db.insertPlacements(ctx, tx, p, given, false, now, firstPoll, notify)
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

// AdoptOrder records that, as the person says, a purchase of unknown outcome became this
// order, with the messages that notify makes of it. A purchase of several numbers can
// adopt until it has them all. ErrExternalIDTaken: it is an order here already.
func (db *DB) AdoptOrder(ctx context.Context, p Purchase, given Placement, now, firstPoll time.Time, notify func(Order) []Message) (Order, bool, error) {
	var order Order
	adopted := false
	err := db.write(ctx, func(tx *sqlx.Tx) error {
		taken, err := db.externalIDTaken(ctx, tx, p.UserID, p.Kind, given.ExternalID)
		if err != nil {
			return err
		}
		if taken {
			return ErrExternalIDTaken
		}
		adopted, err = db.markPlaced(ctx, tx, p.ID, now, PurchaseOutcomeUnknown, PurchaseDismissed)
		if err != nil {
			return err
		}
		if !adopted {
			var incomplete int
			err := tx.GetContext(ctx, &incomplete, db.bind(`SELECT COUNT(*) FROM purchases WHERE id = ? AND state = ? AND kind = ?
				AND quantity > (SELECT COUNT(*) FROM orders WHERE purchase_id = purchases.id)
				AND NOT EXISTS (SELECT 1 FROM orders WHERE purchase_id = purchases.id AND adopted = 0)`), p.ID, PurchasePlaced, KindSMS)
			if adopted = incomplete > 0; err != nil || !adopted {
				return err
			}
		}
		orders, err := db.insertPlacements(ctx, tx, p, []Placement{given}, true, now, firstPoll, notify)
		if err == nil {
			order = orders[0]
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
func (db *DB) ExternalIDTaken(ctx context.Context, userID int64, kind Kind, externalID int64) (bool, error) {
	return db.externalIDTaken(ctx, db.reader, userID, kind, externalID)
}

func (db *DB) externalIDTaken(ctx context.Context, q sqlx.QueryerContext, userID int64, kind Kind, externalID int64) (bool, error) {
	var n int
	err := sqlx.GetContext(ctx, q, &n, db.bind(`SELECT COUNT(*) FROM orders
		WHERE external_id = ? AND (kind = 'sms') = (? = 'sms') AND (external = 0 OR user_id = ?)`), externalID, kind, userID)
	if err != nil {
		return false, fmt.Errorf("look for an order of the marketplace: %w", err)
	}
	return n > 0, nil
}

// markPlaced moves a purchase from one of the states to placed.
func (db *DB) markPlaced(ctx context.Context, tx *sqlx.Tx, id int64, now time.Time, from ...PurchaseState) (bool, error) {
	query, args, err := sqlx.In(`UPDATE purchases SET state = ?, settled_at = ?, next_check_at = 0 WHERE id = ? AND state IN (?)`,
		PurchasePlaced, toMillis(now), id, from)
	if err != nil {
		return false, err
	}
	return db.transitionTx(ctx, tx, query, args...)
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
			Origin: p.Origin, State: OrderOpen, RawStatus: g.RawStatus, Currency: p.Currency, AutoDelivery: true,
			CreatedAt: at, UpdatedAt: at, NextPollAt: firstPoll,
		}
		if p.Kind == KindSMS {
			order.Quantity, order.Rental.Phone = 1, g.Phone
			if p.Rental.Country == "" { // else the requested one: answers may spell it otherwise
				order.Rental.Country = g.Country
			}
		}
		if err := db.insertOrder(ctx, tx, order); err != nil {
			return nil, err
		}
		if err := db.insertMessages(ctx, tx, notify(order)); err != nil {
			return nil, err
		}
		orders = append(orders, order)
	}
	return orders, nil
}
