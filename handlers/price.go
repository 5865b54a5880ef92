package handlers

import (
	"context"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/locales"
)

// currency returns the currency in which prices are shown to a person: that of the
// account with which they browse. Catalogue items have no currency.
func (s *Screens) currency(ctx context.Context, userID int64) string {
	if balance, ok := s.balances.last(userID); ok {
		return balance.Currency
	}
	if balance, err := s.ownBalance(ctx, userID, false); err == nil {
		return balance.Currency
	}
	if s.OperatorKey != "" {
		if balance, ok := s.balances.last(operatorUserID); ok {
			return balance.Currency
		}
		if balance, err := s.Market.Balance(ctx, s.OperatorKey); err == nil {
			s.balances.put(operatorUserID, balance)
			return balance.Currency
		}
	}
	return "USD"
}

// price formats a rate in the currency of the person's account.
func (s *Screens) price(ctx context.Context, l *locales.Localizer, userID int64, rate decimal.Decimal) string {
	return l.Money(rate, s.currency(ctx, userID))
}

// priceText states the price of an item.
func (s *Screens) priceText(ctx context.Context, req *bot.Request, item hstock.Item, rate decimal.Decimal) string {
	per := ratePer(item.EntityType == hstock.EntitySMM, s.SMMRatePer)
	return req.L.T(priceMessage(req.L, s.price(ctx, req.L, req.User.ID, rate), per))
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
