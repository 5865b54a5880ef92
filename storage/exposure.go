package storage

import (
	"context"
	"fmt"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// OperatorThreshold is the setting that holds the balance of the operator's account
// below which admins are alerted: a plain decimal number, "" for no alert.
const OperatorThreshold = "operator_threshold"

// Exposure is what the balance of a key may still lose and get back, per currency.
type Exposure struct {
	MayCost     map[string]decimal.Decimal // open orders without a charge, and purchases of unknown outcome
	MayGiveBack map[string]decimal.Decimal // the charges of open orders
}

// ExposureOf sums what the open orders and the purchases of unknown outcome of a key
// may still change in its balance, for all people who use the key. An imported order
// costs nothing until it is charged: its price is not known.
func (db *DB) ExposureOf(ctx context.Context, secret redact.Secret) (Exposure, error) {
	exposure := Exposure{MayCost: map[string]decimal.Decimal{}, MayGiveBack: map[string]decimal.Decimal{}}
	fingerprint := db.Digest(keyDomain, []byte(secret.Reveal()))
	rows, err := selectRows[struct {
		Charge   decimal.NullDecimal `db:"charge"`
		Currency string              `db:"currency"`
		Quantity int64               `db:"quantity"`
		Rate     decimal.Decimal     `db:"rate"`
		RatePer  int64               `db:"rate_per"`
	}](ctx, db, db.reader, `
		SELECT orders.charge, orders.currency, orders.quantity, purchases.rate, purchases.rate_per
		  FROM orders JOIN purchases ON purchases.id = orders.purchase_id
		 WHERE orders.key_fingerprint = ? AND orders.closed_at = 0 AND orders.state IN ('open', 'partial')
		UNION ALL
		SELECT NULL, currency, quantity, rate, rate_per FROM purchases WHERE key_fingerprint = ? AND state = 'outcome_unknown'`, fingerprint, fingerprint)
	if err != nil {
		return Exposure{}, fmt.Errorf("read the exposure of a key: %w", err)
	}
	for _, row := range rows {
		sums, amount := exposure.MayGiveBack, row.Charge.Decimal
		if !row.Charge.Valid {
			sums, amount = exposure.MayCost, PriceOf(row.Rate, row.Quantity, row.RatePer)
		}
		if amount.IsPositive() {
			sums[row.Currency] = sums[row.Currency].Add(amount)
		}
	}
	return exposure, nil
}
