package handlers

import (
	"context"
	"errors"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// balance shows a person's allowance, the account of their own key, and what they spent
// through the bot. Admins see the operator's account first.
func (s *Screens) balance(ctx context.Context, req *bot.Request, args keyboards.BalanceArgs) (bot.View, error) {
	l := req.L
	text, operated := "", s.IsAdmin(req.User.ID) && s.OperatorKey != ""
	if operated {
		lines, err := s.operatorAccount(ctx, l)
		if err != nil {
			return bot.View{}, err
		}
		text = lines + "\n\n"
	}
	a, has, err := s.allowance(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	if has {
		text += s.allowanceText(l, a) + "\n"
	}
	own, err := s.ownBalance(ctx, req.User.ID, args.Refresh)
	if has && err != nil { // there is none, or it can't be read
		return s.withSpending(ctx, req, text, keyboards.BalanceKeyboard(l, false, operated), args)
	}
	if has {
		text += paysLine(l, a) + "\n\n"
	}
	if errors.Is(err, orders.ErrNoKey) && operated {
		return bot.View{Text: text + l.T("balance_no_key"), Keyboard: keyboards.BalanceKeyboard(l, false, operated)}, nil
	}
	if err != nil {
		return bot.View{}, err
	}
	low, err := s.lowBalanceWatch(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	text += balanceText(l, own)
	switch {
	case low == nil:
	case low.Currency == own.Currency && own.Amount.LessThan(low.Amount):
		text += "\n" + balanceLow(l, own.Amount, low.Amount, own.Currency)
	default:
		text += "\n" + l.T("balance_warn_own", locales.Args{"Sum": l.Money(low.Amount, low.Currency)})
	}
	return s.withSpending(ctx, req, text+"\n", keyboards.BalanceKeyboard(l, true, operated), args)
}

// withSpending shows a balance, and what the person has spent.
func (s *Screens) withSpending(ctx context.Context, req *bot.Request, text string, keyboard keyboards.Rows, args keyboards.BalanceArgs) (bot.View, error) {
	spent, err := s.spentText(ctx, req.L, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	view := bot.View{Text: text + "\n" + spent, Keyboard: keyboard}
	if args.Refresh {
		view.Toast = req.L.Label("balance_refreshed")
	}
	return view, nil
}

// balanceText states a balance, and the name of its currency if that is not USD.
func balanceText(l *locales.Localizer, balance hstock.Balance) string {
	text := l.T("balance_text", locales.Args{"Balance": l.Money(balance.Amount, balance.Currency)})
	if name := currencyName(l, balance.Currency); name != "" {
		text += "\n" + l.T("balance_currency", locales.Args{"Name": name})
	}
	return text
}

// ownBalance returns the balance of the person's own key. Unless refresh is set,
// the balance may be balanceMaxAge old.
func (s *Screens) ownBalance(ctx context.Context, userID int64, refresh bool) (hstock.Balance, error) {
	key, err := s.ownKey(ctx, userID)
	if err != nil {
		return hstock.Balance{}, err
	}
	if balance, ok := s.balances.get(userID); ok && !refresh {
		return balance, nil
	}
	balance, err := s.Market.Balance(ctx, key.Secret)
	if err != nil {
		return hstock.Balance{}, err
	}
	if key.Invalid { // the marketplace refused it before, and accepts it again
		if err := s.DB.AcceptKey(ctx, key.ID, time.Now()); err != nil {
			return hstock.Balance{}, err
		}
		s.Orders.WakePoller()
	}
	s.balances.put(userID, balance)
	return balance, nil
}
