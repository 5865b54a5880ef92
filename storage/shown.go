package storage

import "github.com/shopspring/decimal"

// orderMarkup is how the charge of an order is shown to its person where the operator's
// key has paid; the zero value: as it is.
type orderMarkup struct {
	Markup decimal.Decimal `db:"markup" from:"COALESCE((SELECT ledger.markup FROM ledger WHERE ledger.purchase_id = orders.purchase_id), '0')"` // in percent
	Hold   decimal.Decimal `db:"hold" from:"COALESCE((SELECT ledger.hold FROM ledger WHERE ledger.purchase_id = orders.purchase_id), '0')"`     // its decimals are those of all sums
}

// Shown is a sum of the marketplace's about an order with the markup, as the ledger rounds.
func (m orderMarkup) Shown(sum decimal.Decimal) decimal.Decimal {
	return withMarkup(sum, m.Markup, -m.Hold.Exponent())
}

// ShownRefund is a refund of an order that was charged so much, as the ledger gives it back.
func (m orderMarkup) ShownRefund(charge, refund decimal.Decimal) decimal.Decimal {
	return m.Shown(charge).Sub(m.Shown(charge.Sub(refund)))
}

// HasMarkup reports whether Shown is another sum.
func (m orderMarkup) HasMarkup() bool { return !m.Markup.IsZero() }

// House reports whether an allowance has paid, with the operator's key.
func (m orderMarkup) House() bool { return m.Hold.IsPositive() }

var markupColumns = columnsOf[orderMarkup]()
