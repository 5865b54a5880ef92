package handlers

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

// operatorThreshold returns the balance of the operator's account below which admins
// are alerted, if one is set.
func (s *Screens) operatorThreshold(ctx context.Context) (threshold decimal.Decimal, set bool, err error) {
	stored, err := s.DB.Setting(ctx, storage.OperatorThreshold)
	if err != nil || stored == "" {
		return decimal.Zero, false, err
	}
	threshold, err = decimal.NewFromString(stored)
	return threshold, err == nil, err
}

// balanceThreshold asks for the threshold.
func (s *Screens) balanceThreshold(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	_, set, err := s.operatorThreshold(ctx)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text: req.L.T("balance_warn_ask"), Keyboard: keyboards.BalanceThresholdKeyboard(req.L, set), Dialog: dialog(stepBalanceThreshold, ""),
	}, nil
}

func (s *Screens) balanceThresholdTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	threshold, ok := parsePrice(req.Text)
	if !ok {
		return askAgain(req.L.T("balance_warn_bad"), keyboards.Foot(req.L, keyboards.Balance.Data(keyboards.BalanceArgs{}))), nil
	}
	return s.setOperatorThreshold(ctx, req, threshold.String())
}

func (s *Screens) balanceThresholdRemove(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	view, err := s.setOperatorThreshold(ctx, req, "")
	view.Toast = req.L.Label("balance_warn_off_toast")
	return view, err
}

// setOperatorThreshold stores the threshold, "" for none, and shows the balance.
func (s *Screens) setOperatorThreshold(ctx context.Context, req *bot.Request, threshold string) (bot.View, error) {
	entry := storage.AuditEntry{AdminID: req.User.ID, Action: actionBalanceThreshold, Detail: threshold, At: time.Now()}
	if err := s.DB.SetSettingAudited(ctx, storage.OperatorThreshold, threshold, entry); err != nil {
		return bot.View{}, err
	}
	return bot.RedirectTo(keyboards.Balance.Data(keyboards.BalanceArgs{})), nil
}
