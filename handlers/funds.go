package handlers

import (
	"context"
	"errors"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/funds"
	"hstockbot/internal/outbox"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const stepBalanceWarn = "warnbelow"

// topUpWait waits until the balance suffices for a draft, and says so on its card.
func (s *Screens) topUpWait(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	if err := s.canBuy(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	if p.State != storage.PurchaseDraft {
		return s.newCard(ctx, req, args)
	}
	if err := s.Funds.AwaitTopUp(ctx, p); err != nil {
		return bot.View{}, err
	}
	return s.storedCard(ctx, req, p.ID)
}

// topUpStop ends the wait.
func (s *Screens) topUpStop(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	if err := s.DB.RemoveBalanceWatch(ctx, req.User.ID, storage.BalanceTopUp); err != nil {
		return bot.View{}, err
	}
	return s.newCard(ctx, req, args)
}

// storedCard draws the card of a draft as it is stored.
func (s *Screens) storedCard(ctx context.Context, req *bot.Request, purchaseID int64) (bot.View, error) {
	quote, err := s.Orders.QuoteOf(ctx, req.User.ID, purchaseID)
	if err != nil {
		return bot.View{}, err
	}
	return confirmView(req.L, quote, nil), nil
}

// balanceWarn asks below which balance the person is warned.
func (s *Screens) balanceWarn(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	if _, err := s.ownKey(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	low, err := s.lowBalanceWatch(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text: req.L.T("balance_warn_own_ask"), Keyboard: keyboards.BalanceWarnKeyboard(req.L, low != nil), Dialog: dialog(stepBalanceWarn, ""),
	}, nil
}

func (s *Screens) balanceWarnTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	amount, ok := parsePrice(req.Text)
	if !ok {
		return askAgain(req.L.T("balance_warn_bad"), keyboards.Foot(req.L, keyboards.Balance.Data(keyboards.BalanceArgs{}))), nil
	}
	own, err := s.ownBalance(ctx, req.User.ID, false)
	if err != nil {
		return bot.View{}, err
	}
	if err := s.Funds.WarnBelow(ctx, req.User.ID, amount, own.Currency); err != nil {
		return bot.View{}, err
	}
	return bot.RedirectTo(keyboards.Balance.Data(keyboards.BalanceArgs{})), nil
}

func (s *Screens) balanceWarnOff(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	if err := s.DB.RemoveBalanceWatch(ctx, req.User.ID, storage.BalanceLow); err != nil {
		return bot.View{}, err
	}
	view := bot.RedirectTo(keyboards.Balance.Data(keyboards.BalanceArgs{}))
	view.Toast = req.L.Label("balance_warn_off_toast")
	return view, nil
}

// lowBalanceWatch returns the warning that a person has set, nil for none.
func (s *Screens) lowBalanceWatch(ctx context.Context, userID int64) (*storage.BalanceWatch, error) {
	watches, err := s.DB.BalanceWatches(ctx, userID)
	for i := range watches {
		if watches[i].Kind == storage.BalanceLow {
			return &watches[i], err
		}
	}
	return nil, err
}

// fundsView renders a stored message about a balance.
func (n *Notifier) fundsView(ctx context.Context, l *locales.Localizer, message storage.Message) (bot.View, error) {
	if message.Kind == funds.MessagePaused {
		return bot.View{Text: l.T("topup_paused"), Keyboard: keyboards.Foot(l, "")}, nil
	}
	notice, err := funds.DecodeNotice(message)
	if err != nil {
		return bot.View{}, errors.Join(outbox.ErrRejected, err)
	}
	if message.Kind == funds.MessageLow {
		return bot.View{
			Text:     balanceLow(l, notice.Balance, notice.Limit, notice.Currency),
			Keyboard: keyboards.BalanceLowKeyboard(l, n.Orders.TopUpURL()),
		}, nil
	}
	added := l.Money(notice.Added, notice.Currency)
	quote, err := n.Orders.QuoteOf(ctx, message.UserID, message.PurchaseID)
	if err != nil {
		return bot.View{}, err
	}
	if message.Kind == funds.MessageGone {
		args := itemArgs(l, subject(l, quote.Purchase.Name, quote.Purchase.Rental), quote.Purchase.Quantity)
		args["Added"] = added
		return bot.View{Text: l.T("topup_gone", args), Keyboard: keyboards.Foot(l, quote.Purchase.Origin)}, nil
	}
	view := confirmView(l, quote, nil)
	view.Text = l.T("topup_arrived", locales.Args{"Added": added}) + "\n\n" + view.Text
	return view, nil
}

// balanceLow says that a balance is below the amount that a person has set.
func balanceLow(l *locales.Localizer, balance, limit decimal.Decimal, currency string) string {
	return l.T("balance_low", locales.Args{"Balance": l.Money(balance, currency), "Limit": l.Money(limit, currency)})
}
