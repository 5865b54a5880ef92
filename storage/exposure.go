package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// OperatorThreshold is the setting below which admins are warned of the balance
// of the operator's account: a plain decimal number, "" for no warning.
const OperatorThreshold = "operator_threshold"

// Exposure is what the balance of a key may still lose and get back, per
// currency.
type Exposure struct {
	MayCost     map[string]decimal.Decimal // by open orders without a charge, and purchases of unknown outcome
	MayGiveBack map[string]decimal.Decimal // of what open orders were charged
}

// ExposureOf sums what the open orders and the purchases of unknown outcome of a
// key may still do to its balance, whoever placed them. Where an order was placed
// elsewhere nobody knows what it may cost before it is charged.
func (db *DB) ExposureOf(ctx context.Context, secret redact.Secret) (exposure Exposure, err error) {
	exposure = Exposure{MayCost: map[string]decimal.Decimal{}, MayGiveBack: map[string]decimal.Decimal{}}
	digest := db.Digest(keyDomain, []byte(secret.Reveal()))
	rows, err := db.reader.QueryxContext(ctx, db.bind(`
		SELECT orders.charge, orders.currency, orders.quantity, purchases.rate, purchases.rate_per
		  FROM orders JOIN purchases ON purchases.id = orders.purchase_id
		 WHERE orders.key_fingerprint = ? AND orders.closed_at = 0 AND orders.state IN ('open', 'partial')
		UNION ALL
		SELECT NULL, currency, quantity, rate, rate_per FROM purchases WHERE key_fingerprint = ? AND state = 'outcome_unknown'`), digest, digest)
	if err != nil {
		return Exposure{}, fmt.Errorf("read what a key is open for: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			charge        decimal.NullDecimal
			currency      string
			quantity, per int64
			rate          decimal.Decimal
		)
		if err := rows.Scan(&charge, &currency, &quantity, &rate, &per); err != nil {
			return Exposure{}, fmt.Errorf("read what a key is open for: %w", err)
		}
		sums, amount := exposure.MayGiveBack, charge.Decimal
		if !charge.Valid {
			sums, amount = exposure.MayCost, PriceOf(rate, quantity, per)
		}
		if amount.IsPositive() {
			sums[currency] = sums[currency].Add(amount)
		}
	}
	if err := rows.Err(); err != nil {
		return Exposure{}, fmt.Errorf("read what a key is open for: %w", err)
	}
	return exposure, nil
}
