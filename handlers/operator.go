package handlers

import (
	"context"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// What admins do about the operator's account: a word of the log, and a step.
// operatorAccount says to admins how the operator's account stands: its balance,
// or why that can't be read, what is open with its key, and below what sum they
// are warned.
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
	below, set, err := s.operatorThreshold(ctx)
	if err != nil {
		return "", err
	}
	if set {
		lines = append(lines, l.T("balance_operator_warn", locales.Args{"Sum": l.Money(below, currency)}))
	}
	return strings.Join(lines, "\n"), nil
}

// operatorThreshold is the sum below which admins are warned, if there is one.
func (s *Screens) operatorThreshold(ctx context.Context) (decimal.Decimal, bool, error) {
	kept, err := s.DB.Setting(ctx, storage.OperatorThreshold)
	if err != nil || kept == "" {
		return decimal.Zero, false, err
	}
	below, err := decimal.NewFromString(kept)
	return below, err == nil, err
}

// balanceThreshold asks below what sum admins are to be warned.
func (s *Screens) balanceThreshold(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	_, set, err := s.operatorThreshold(ctx)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text: req.L.T("balance_warn_ask"), Keyboard: keyboards.BalanceThresholdKeyboard(req.L, set), Dialog: dialog(stepBalanceThreshold, ""),
	}, nil
}

// balanceThresholdTyped takes the sum.
func (s *Screens) balanceThresholdTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	below, ok := parsePrice(req.Text)
	if !ok {
		return askAgain(req.L.T("balance_warn_bad"), keyboards.Foot(req.L, keyboards.Balance.Data(keyboards.BalanceArgs{}))), nil
	}
	return s.setOperatorThreshold(ctx, req, below.String())
}

// balanceThresholdRemove takes it away.
func (s *Screens) balanceThresholdRemove(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	view, err := s.setOperatorThreshold(ctx, req, "")
	view.Toast = req.L.Label("balance_warn_off_toast")
	return view, err
}

// setOperatorThreshold keeps the sum, and shows the balance, where it stands.
func (s *Screens) setOperatorThreshold(ctx context.Context, req *bot.Request, below string) (bot.View, error) {
	deed := storage.AuditEntry{AdminID: req.User.ID, Action: actionBalanceThreshold, Detail: below, At: time.Now()}
	if err := s.DB.SetSettingAudited(ctx, storage.OperatorThreshold, below, deed); err != nil {
		return bot.View{}, err
	}
	args := keyboards.BalanceArgs{}
	return bot.RedirectTo(keyboards.Balance.Data(args)), nil
}
