package storage

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/redact"
)

// ImportOrder records an order that was not bought through the bot, with its accounts
// and the messages that compose makes of them (see UpdateOrder), in one transaction.
// Every order has a purchase: that of an imported one has no price and was never sent.
//
// ErrExternalIDTaken: the person has this order already.
func (db *DB) ImportOrder(ctx context.Context, o Order, delivered []redact.Secret, compose func(o Order, fresh []redact.Secret) ([]Message, error)) (Order, error) {
	o.External, o.Adopted = true, false
	var imported Order
	made := func(tx *sqlx.Tx) (bool, error) { return db.ordersExist(ctx, tx, imported) }
	err := db.writeOnce(ctx, made, func(tx *sqlx.Tx) error {
		o := o
		o.ID, o.PurchaseID = newID(), newID()
		var known int
		err := tx.GetContext(ctx, &known,
			`SELECT COUNT(*) FROM orders WHERE user_id = ? AND external_id = ? AND (kind = 'sms') = (? = 'sms')`, o.UserID, o.ExternalID, o.Kind)
		if err != nil {
			return err
		}
		if known > 0 {
			return ErrExternalIDTaken
		}
		err = db.insertPurchase(ctx, tx, Purchase{
			ID: o.PurchaseID, UserID: o.UserID, KeyID: o.KeyID, KeyFingerprint: o.KeyFingerprint, Kind: o.Kind, Quantity: o.Quantity, RatePer: 1,
			Currency: o.Currency, State: PurchasePlaced, CreatedAt: o.CreatedAt, ExpiresAt: o.CreatedAt, SettledAt: o.CreatedAt,
		})
		if err != nil {
			return err
		}
		if err := db.insertOrder(ctx, tx, o); err != nil {
			return err
		}
		fresh, err := db.recordDeliveries(ctx, tx, o.ID, delivered)
		if err != nil {
			return err
		}
		o.Delivered = int64(len(fresh))
		if len(fresh) > 0 {
			o.DeliveredAt = o.CreatedAt
		}
		if _, err := tx.ExecContext(ctx, `UPDATE orders SET delivered = ?, delivered_at = ? WHERE id = ?`, o.Delivered, toMillis(o.DeliveredAt), o.ID); err != nil {
			return err
		}
		messages, err := compose(o, fresh)
		if err != nil {
			return err
		}
		if err := db.insertMessages(ctx, tx, withIDs(messages...)); err != nil {
			return err
		}
		imported = o
		return nil
	})
	if isUnique(err) {
		err = ErrExternalIDTaken
	}
	if err != nil {
		return Order{}, fmt.Errorf("import an order: %w", err)
	}
	return imported, nil
}
