package handlers

import (
	"context"
	"strings"

	"hstockbot/internal/hstock"
	"hstockbot/locales"
)

// operatorAccount describes the operator's account to admins: its balance, or why it
// can't be read, what open orders may still cost or give back, and the threshold of
// the alert.
func (s *Screens) operatorAccount(ctx context.Context, l *locales.Localizer) (string, error) {
	var (
		lines    []string
		currency string
	)
	balance, err := s.Market.Balance(ctx, s.OperatorKey)
	switch kind, failed := hstock.KindOf(err); {
	case err == nil:
		currency = balance.Currency
		lines = append(lines, l.T("balance_operator", locales.Args{"Balance": l.Money(balance.Amount, currency)}))
	case failed && kind == hstock.InvalidKey:
		lines = append(lines, l.T("balance_operator_invalid"))
	case failed:
		lines = append(lines, l.T("balance_operator_unread"))
	default:
		return "", err
	}
	exposure, err := s.DB.ExposureOf(ctx, s.OperatorKey)
	if err != nil {
		return "", err
	}
	if len(exposure.MayCost)+len(exposure.MayGiveBack) == 0 {
		lines = append(lines, l.T("balance_operator_none"))
	}
	if len(exposure.MayCost) > 0 {
		lines = append(lines, l.T("balance_operator_cost", locales.Args{"Sum": sums(l, exposure.MayCost)}))
	}
	if len(exposure.MayGiveBack) > 0 {
		lines = append(lines, l.T("balance_operator_back", locales.Args{"Sum": sums(l, exposure.MayGiveBack)}))
	}
	threshold, set, err := s.operatorThreshold(ctx)
	if err != nil {
		return "", err
	}
	if set {
		lines = append(lines, l.T("balance_operator_warn", locales.Args{"Sum": l.Money(threshold, currency)}))
	}
	return strings.Join(lines, "\n"), nil
}
