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
	"hstockbot/storage"
)

// orderCancel asks the marketplace whether an order can be cancelled, and the person
// for confirmation.
func (s *Screens) orderCancel(ctx context.Context, req *bot.Request, args keyboards.CancelArgs) (bot.View, error) {
	l := req.L
	order, allowance, err := s.Orders.CancelAllowance(ctx, req.User.ID, args.Order)
	if words, refused := refusal(err); refused {
		return s.afterCancel(l, order, args, refusedCancel(l, hstock.CancelAllowance{Error: words})), nil
	}
	if err != nil {
		return bot.View{}, err
	}
	if !allowance.Allowed {
		return s.refusedView(ctx, l, order, args, allowance)
	}
	return cancelQuestion(l, order, allowance, args), nil
}

func cancelQuestion(l *locales.Localizer, order storage.Order, allowance hstock.CancelAllowance, args keyboards.CancelArgs) bot.View {
	text := l.T("cancel_ask", locales.Args{"Number": externalID(l, order.ExternalID)}) + "\n" + itemLines(l, order)
	if allowance.Refund.Valid {
		text += "\n\n" + l.T("cancel_refund", locales.Args{"Refund": l.Money(allowance.Refund.Decimal, order.Currency)})
	} else {
		text += "\n\n" + l.T("cancel_refund_unsaid")
	}
	if order.State == storage.OrderPartial || order.Delivered > 0 && order.Kind == storage.KindProduct {
		text += "\n" + l.T("cancel_partly")
	}
	return bot.View{Text: text, Keyboard: keyboards.CancelKeyboard(l, args)}
}

// refusedView shows why an order can't be cancelled, below the order. If it can be
// cancelled later, it offers a reminder, or says that one is set.
func (s *Screens) refusedView(ctx context.Context, l *locales.Localizer, order storage.Order, args keyboards.CancelArgs, allowance hstock.CancelAllowance) (bot.View, error) {
	note := refusedCancel(l, allowance)
	at, later := orders.EligibleAfter(allowance, time.Now())
	if !later {
		return s.afterCancel(l, order, args, note), nil
	}
	reminder, err := s.DB.ReminderOf(ctx, order.UserID, order.ID)
	if err != nil {
		return bot.View{}, err
	}
	if reminder.Equal(at.Truncate(time.Millisecond)) {
		return s.afterCancel(l, order, args, note+"\n"+l.T("cancel_reminder", locales.Args{"Time": clock(l, at)})), nil
	}
	view := s.afterCancel(l, order, args, note)
	view.Keyboard = append(keyboards.RemindRow(l, args), view.Keyboard...)
	return view, nil
}

// orderRemind sets a reminder for when the order can be cancelled. If it can be
// cancelled now, the person is asked for confirmation.
func (s *Screens) orderRemind(ctx context.Context, req *bot.Request, args keyboards.CancelArgs) (bot.View, error) {
	l := req.L
	r, err := s.Orders.Remind(ctx, req.User.ID, args.Order)
	if words, refused := refusal(err); refused {
		return s.afterCancel(l, r.Order, args, refusedCancel(l, hstock.CancelAllowance{Error: words})), nil
	}
	if err != nil {
		return bot.View{}, err
	}
	if r.Allowance.Allowed {
		return cancelQuestion(l, r.Order, r.Allowance, args), nil
	}
	view, err := s.refusedView(ctx, l, r.Order, args, r.Allowance)
	view.Toast = l.Label("cancel_reminder_set")
	if r.At.IsZero() {
		view.Toast = l.Label("cancel_reminder_none")
	}
	return view, err
}

// reminderView says that an order can be cancelled now, or shows the order if it
// can't be cancelled any longer.
func reminderView(l *locales.Localizer, o storage.Order) bot.View {
	undelivered := o.State == storage.OrderOpen || o.State == storage.OrderPartial // a phone stays open after its code
	if !o.Open() || !undelivered || !o.CancelSentAt.IsZero() {
		return endedView(l, o)
	}
	return bot.View{
		Text:     l.T("cancel_now", locales.Args{"Number": externalID(l, o.ExternalID)}) + "\n\n" + orderText(l, o),
		Keyboard: keyboards.ReminderKeyboard(l, o.ID, o.Kind == storage.KindSMS),
	}
}

// refusedCancel states why an order can't be cancelled, and from when it can.
func refusedCancel(l *locales.Localizer, allowance hstock.CancelAllowance) string {
	text := l.T("cancel_refused")
	if allowance.Error != "" {
		text = l.T("cancel_refused_words", locales.Args{"Words": marketWords(l, allowance.Error)})
	}
	if allowance.Reason != "" {
		text += "\n" + l.T("cancel_reason", locales.Args{"Reason": reasonWords(l, allowance.Reason)})
	}
	if allowance.EligibleAfter != "" {
		from := allowance.EligibleAfter // unchanged if it can't be parsed or is in the past
		if at, later := orders.EligibleAfter(allowance, time.Now()); later {
			from = clock(l, at)
		}
		text += "\n" + l.T("cancel_from", locales.Args{"Time": from})
	}
	return text
}

// orderCancelSure cancels an order and shows the marketplace's answer.
func (s *Screens) orderCancelSure(ctx context.Context, req *bot.Request, args keyboards.CancelArgs) (bot.View, error) {
	l := req.L
	outcome, err := s.Orders.Cancel(ctx, req.User.ID, args.Order)
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
	case outcome.Uncertain:
		return s.afterCancel(l, outcome.Order, args, l.T("cancel_uncertain")), nil
	case outcome.Refused:
		return s.afterCancel(l, outcome.Order, args, refusedCancel(l, hstock.CancelAllowance{Error: outcome.Refusal})), nil
	default:
		return s.afterCancel(l, outcome.Order, args, ""), nil
	}
}

func isCancelled(o storage.Order) bool {
	return o.State == storage.OrderCancelled || o.State == storage.OrderRefunded
}

// refusal returns the marketplace's words if err is its refusal of the request.
func refusal(err error) (words string, refused bool) {
	var failure *hstock.Error
	if errors.As(err, &failure) && (failure.Kind == hstock.Refused || failure.Kind == hstock.RefusedOther) {
		return failure.Refusal, true
	}
	return "", false
}

// afterCancel shows the order on the screen that it was opened from, with a note.
func (s *Screens) afterCancel(l *locales.Localizer, order storage.Order, args keyboards.CancelArgs, note string) bot.View {
	view := phoneView(l, order)
	if args.Listed || order.Kind != storage.KindSMS {
		view = s.orderView(l, order, args.View())
	}
	if note != "" {
		view.Text += "\n\n" + note
	}
	return view
}
