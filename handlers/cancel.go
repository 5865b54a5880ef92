package handlers

import (
	"context"
	"errors"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// orderCancel asks the marketplace whether an order can be cancelled, and the
// person whether it should be.
func (s *Shop) orderCancel(ctx context.Context, req *bot.Request, args keyboards.CancelArgs) (bot.View, error) {
	l := req.L
	order, allowance, err := s.orders.Allowance(ctx, req.User.ID, args.Order)
	if words, refused := refusal(err); refused {
		return s.afterCancel(l, order, args, refusedCancel(l, hstock.Allowance{Error: words})), nil
	}
	if err != nil {
		return bot.View{}, err
	}
	if !allowance.Allowed {
		return s.afterCancel(l, order, args, refusedCancel(l, allowance)), nil
	}
	text := l.T("cancel_ask", locales.Args{"Number": number(l, order.Number)}) + "\n" +
		l.T("confirm_what", what(l, subject(l, order.Name, order.Rental), order.Quantity))
	if order.Rental.Phone != "" {
		text += "\n" + l.T("order_phone", locales.Args{"Phone": code(l, order.Rental.Phone)})
	}
	if allowance.Refund.Valid {
		text += "\n\n" + l.T("cancel_refund", locales.Args{"Refund": l.Money(allowance.Refund.Decimal, order.Currency)})
	} else {
		text += "\n\n" + l.T("cancel_refund_unsaid")
	}
	return bot.View{Text: text, Keyboard: keyboards.CancelKeyboard(l, args)}, nil
}

// refusedCancel says why an order can't be cancelled, and from when it can.
func refusedCancel(l *locales.Localizer, allowance hstock.Allowance) string {
	text := l.T("cancel_refused")
	if allowance.Error != "" {
		text = l.T("cancel_refused_words", locales.Args{"Words": allowance.Error})
	}
	if allowance.Reason != "" {
		text += "\n" + l.T("cancel_reason", locales.Args{"Reason": allowance.Reason})
	}
	if allowance.EligibleAfter != "" {
		from := allowance.EligibleAfter // as it came, where it can't be read
		if t, err := time.Parse(time.RFC3339, from); err == nil {
			from = clock(l, t)
		}
		text += "\n" + l.T("cancel_from", locales.Args{"Time": from})
	}
	return text
}

// orderCancelSure cancels. What the marketplace says is shown, and no more is promised.
func (s *Shop) orderCancelSure(ctx context.Context, req *bot.Request, args keyboards.CancelArgs) (bot.View, error) {
	l := req.L
	outcome, err := s.orders.Cancel(ctx, req.User.ID, args.Order)
	if words, refused := refusal(err); refused {
		outcome.Refused, outcome.Refusal, err = true, words, nil
	}
	if err != nil {
		return bot.View{}, err
	}
	s.balances.forget(req.User.ID)
	switch {
	case outcome.Done:
		view := s.afterCancel(l, outcome.Order, args, "")
		view.Toast = l.Label("cancel_done")
		return view, nil
	case outcome.Unsure:
		return s.afterCancel(l, outcome.Order, args, l.T("cancel_unsure")), nil
	case outcome.Refused:
		return s.afterCancel(l, outcome.Order, args, refusedCancel(l, hstock.Allowance{Error: outcome.Refusal})), nil
	default:
		return s.afterCancel(l, outcome.Order, args, ""), nil
	}
}

// refusal returns the words in which the marketplace said no to the very
// question, if it did.
func refusal(err error) (words string, refused bool) {
	var failure *hstock.Error
	if errors.As(err, &failure) && (failure.Kind == hstock.Refused || failure.Kind == hstock.RefusedOther) {
		return failure.Refusal, true
	}
	return "", false
}

// afterCancel draws the order where it was opened from, with a note below.
func (s *Shop) afterCancel(l *locales.Localizer, order storage.Order, args keyboards.CancelArgs, note string) bot.View {
	view := numberView(l, order)
	if args.Listed || order.Kind != storage.KindSMS {
		view = s.orderView(l, order, args.View())
	}
	if note != "" {
		view.Text += "\n\n" + note
	}
	return view
}
