package handlers

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"

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
	if errors.Is(err, orders.ErrCancelSent) && allowance.Order != "" { // that one is over
		return s.afterCancel(ctx, l, order, args, refusedCancel(l, order, allowance))
	}
	if words, refused := refusal(err); refused {
		return s.afterCancel(ctx, l, order, args, refusedCancel(l, order, hstock.CancelAllowance{Error: words}))
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
		text += "\n\n" + l.T("cancel_refund", locales.Args{"Refund": l.Money(shownRefund(order, allowance.Refund.Decimal), order.Currency)})
	} else {
		text += "\n\n" + l.T("cancel_refund_unsaid")
	}
	if !allowance.Refund.Valid || allowance.Refund.Decimal.IsPositive() {
		text += "\n" + refundGoesTo(l, order)
	}
	if order.State == storage.OrderPartial || order.Delivered > 0 && order.Kind == storage.KindProduct {
		text += "\n" + l.T("cancel_partly")
	}
	return bot.View{Text: text, Keyboard: keyboards.CancelKeyboard(l, args)}
}

// refundGoesTo says where refunds of an order go. The marketplace says only what is charged
// after them, so what came back is not said.
func refundGoesTo(l *locales.Localizer, o storage.Order) string {
	if o.House() {
		return l.T("cancel_to_allowance")
	}
	return l.T("cancel_to_balance")
}

// shownRefund is a refund of an order as its person gets it back. Where the charge is not
// known, it is taken for the whole of it.
func shownRefund(o storage.Order, refund decimal.Decimal) decimal.Decimal {
	return o.ShownRefund(decimal.Max(o.Charge.Decimal, refund), refund)
}

// refusedView shows why an order can't be cancelled, below the order. If it can be
// cancelled later, it offers a reminder, or says that one is set.
func (s *Screens) refusedView(ctx context.Context, l *locales.Localizer, order storage.Order, args keyboards.CancelArgs, allowance hstock.CancelAllowance) (bot.View, error) {
	note := refusedCancel(l, order, allowance)
	at, later := orders.EligibleAfter(allowance, time.Now())
	if !later || orders.EndsBefore(order, at) {
		return s.afterCancel(ctx, l, order, args, note)
	}
	reminder, err := s.DB.ReminderOf(ctx, order.UserID, order.ID)
	if err != nil {
		return bot.View{}, err
	}
	if !reminder.IsZero() {
		return s.afterCancel(ctx, l, order, args, note+"\n"+l.T("cancel_reminder", locales.Args{"Time": clock(l, at)}))
	}
	view, err := s.afterCancel(ctx, l, order, args, note)
	view.Keyboard = append(keyboards.RemindRow(l, args), view.Keyboard...)
	return view, err
}

// orderRemind sets a reminder for when the order can be cancelled. If it can be
// cancelled now, the person is asked for confirmation.
func (s *Screens) orderRemind(ctx context.Context, req *bot.Request, args keyboards.CancelArgs) (bot.View, error) {
	l := req.L
	r, err := s.Orders.Remind(ctx, req.User.ID, args.Order)
	if words, refused := refusal(err); refused {
		return s.afterCancel(ctx, l, r.Order, args, refusedCancel(l, r.Order, hstock.CancelAllowance{Error: words}))
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
		Text:     l.T("cancel_now", locales.Args{"Number": externalID(l, o.ExternalID)}) + "\n\n" + orderText(l, o, 0),
		Keyboard: keyboards.ReminderKeyboard(l, o.ID, o.Kind == storage.KindSMS),
	}
}

// refusedCancel states why an order can't be cancelled, and from when it can if it lasts
// that long.
func refusedCancel(l *locales.Localizer, order storage.Order, allowance hstock.CancelAllowance) string {
	text := l.T("cancel_refused")
	if allowance.Error != "" {
		text = l.T("cancel_refused_words", locales.Args{"Words": marketWords(l, allowance.Error)})
	}
	if allowance.Reason != "" {
		text += "\n" + l.T("cancel_reason", locales.Args{"Reason": reasonWords(l, allowance.Reason)})
	}
	at, later := orders.EligibleAfter(allowance, time.Now())
	switch {
	case later && orders.EndsBefore(order, at):
		text += "\n" + l.T("cancel_never")
	case later:
		text += "\n" + l.T("cancel_from", locales.Args{"Time": clock(l, at)})
	case allowance.EligibleAfter != "": // it can't be parsed, or is in the past
		text += "\n" + l.T("cancel_from", locales.Args{"Time": allowance.EligibleAfter})
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
	if errors.Is(err, orders.ErrOrderClosed) && isCancelled(outcome.Order) {
		outcome.Done, err = true, nil // the tap was handled before, and its answer was lost
	}
	if err != nil {
		return bot.View{}, err
	}
	s.balances.forget(req.User.ID)
	switch {
	case outcome.Done:
		order, note := outcome.Order, ""
		if isCancelled(order) && order.Kind != storage.KindSMS { // the message of a phone is drawn again, without a note
			note = refundGoesTo(l, order)
		}
		view, err := s.afterCancel(ctx, l, order, args, note)
		view.Toast = l.Label("cancel_done")
		return view, err
	case outcome.Uncertain:
		return s.afterCancel(ctx, l, outcome.Order, args, l.T("cancel_uncertain"))
	case outcome.Refused:
		return s.afterCancel(ctx, l, outcome.Order, args, refusedCancel(l, outcome.Order, hstock.CancelAllowance{Error: outcome.Refusal}))
	default:
		return s.afterCancel(ctx, l, outcome.Order, args, "")
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
func (s *Screens) afterCancel(ctx context.Context, l *locales.Localizer, order storage.Order, args keyboards.CancelArgs, note string) (view bot.View, err error) {
	if args.Listed || order.Kind != storage.KindSMS {
		view = orderView(l, order, args.View(), 0)
	} else if view, err = s.phoneView(ctx, l, order); err != nil {
		return view, err
	}
	if note != "" {
		view.Text += "\n\n" + note
	}
	return view, nil
}
