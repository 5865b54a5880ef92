package handlers

import (
	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/locales"
)

// priceText states the price of an item.
func (s *Screens) priceText(l *locales.Localizer, item hstock.Item, inventory hstock.Inventory) string {
	per := ratePer(item.EntityType == hstock.EntitySMM, s.SMMRatePer)
	return l.T(priceMessage(l, l.Money(inventory.Rate, inventory.Currency), per))
}

// ratePer returns how many pieces a rate is for: 1 except for SMM services.
func ratePer(smm bool, smmRatePer int64) int64 {
	if smm {
		return smmRatePer
	}
	return 1
}

// priceOf states a price for so many pieces within a line: "$1.50", "$1.50/1k".
func priceOf(l *locales.Localizer, price decimal.Decimal, currency string, per int64) string {
	return l.Money(price, currency) + perPieces(l, per)
}

// perPieces says behind a price how many pieces it is for, "" for one.
func perPieces(l *locales.Localizer, per int64) string {
	switch per {
	case 1:
		return ""
	case 1000:
		return l.Label("list_per_thousand")
	default:
		return "/" + l.Number(per)
	}
}

// priceMessage returns the message that states a price for so many pieces, and its
// arguments.
func priceMessage(l *locales.Localizer, price string, per int64) (id string, args locales.Args) {
	if per > 1 {
		return "product_price_per", locales.Args{"Price": price, "Per": l.Number(per)}
	}
	return "product_price", locales.Args{"Price": price}
}
