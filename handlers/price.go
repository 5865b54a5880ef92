package handlers

import (
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

// priceMessage returns the message that states a price for so many pieces, and its
// arguments.
func priceMessage(l *locales.Localizer, price string, per int64) (id string, args locales.Args) {
	if per > 1 {
		return "product_price_per", locales.Args{"Price": price, "Per": l.Number(per)}
	}
	return "product_price", locales.Args{"Price": price}
}
