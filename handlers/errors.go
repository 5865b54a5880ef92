package handlers

import (
	"context"
	"errors"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// userError is a sentence for the person who did something that can't be done.
// The dialog they are in goes on.
type userError struct {
	id   string
	args locales.Args
}

func (e *userError) Error() string { return e.id }

// message returns an error that shows the message with this id.
func message(id string, args ...locales.Args) error {
	e := &userError{id: id}
	if len(args) > 0 {
		e.args = args[0]
	}
	return e
}

// errStillUnknown marks what went wrong while a purchase of unknown outcome was
// looked into: it must not be said that no money has moved.
var errStillUnknown = errors.New("the outcome is still unknown")

// errorView is the one place where an error becomes a sentence: what happened,
// whether money moved, what to do.
func (s *Screens) errorView(ctx context.Context, req *bot.Request, err error) bot.View {
	l := req.L
	var (
		user    *userError
		amount  *orders.LimitError
		failure *hstock.Error
	)
	switch {
	case errors.As(err, &user):
		return sentence(req, l.T(user.id, user.args))
	case errors.As(err, &amount):
		return sentence(req, amountSentence(l, amount))
	case errors.Is(err, orders.ErrMaintenance):
		return sentence(req, s.closedSentence(ctx, l))
	case errors.Is(err, orders.ErrNoKey):
		return askKeyFirst(req, l.T("key_needed"))
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, route.ErrMalformed):
		return outdated(ctx, req)
	case errors.Is(err, catalog.ErrDelisted), errors.Is(err, orders.ErrDelisted), errors.Is(err, hstock.ErrServiceNotFound):
		return sentence(req, l.T("error_gone"))
	case errors.Is(err, orders.ErrKeyRemoved):
		return sentence(req, l.T("unknown_key_gone"))
	case errors.Is(err, orders.ErrCancelSent):
		return sentence(req, l.T("cancel_sent"))
	case errors.Is(err, orders.ErrExternalIDShared):
		return sentence(req, l.T("cancel_shared"))
	case errors.Is(err, orders.ErrOrderClosed):
		return sentence(req, l.T("cancel_closed"))
	case errors.Is(err, orders.ErrOutcomeKnown):
		return sentence(req, l.T("unknown_known"))
	case errors.Is(err, storage.ErrPurchaseInFlight):
		return sentence(req, l.T("forget_on_its_way"))
	case errors.Is(err, storage.ErrExternalIDTaken):
		return sentence(req, l.T("unknown_taken"))
	case errors.Is(err, hstock.ErrOrderNotFound):
		return sentence(req, l.T("error_order_not_found"))
	case errors.As(err, &failure) && failure.Kind == hstock.InvalidKey:
		return askKeyFirst(req, l.T("key_invalid"))
	case failure != nil && errors.Is(err, errStillUnknown):
		return tryAgain(req, l.T("unknown_market"))
	case failure != nil && (failure.Kind == hstock.Refused || failure.Kind == hstock.RefusedOther):
		return sentence(req, l.T("error_refused", locales.Args{"Words": marketWords(l, failure.Refusal)}))
	case failure != nil:
		return tryAgain(req, l.T("error_market"))
	default:
		s.Log.Error("handler failed", "update", req.UpdateID, "user", req.User.ID, "error", err)
		return tryAgain(req, l.T("error_internal"))
	}
}

// sentence answers without changing anything: a dialog goes on, and what was
// tapped stays (it may be goods), so the sentence is a message of its own.
func sentence(req *bot.Request, text string) bot.View {
	return bot.View{Text: text, Keyboard: keyboards.Foot(req.L, ""), AsNewMessage: true, KeepDialog: true}
}

// tryAgain is sentence with a button that does again what failed.
func tryAgain(req *bot.Request, text string) bot.View {
	view := sentence(req, text)
	if data := req.RetryData(); data != "" {
		view.Keyboard = append(keyboards.Rows{{keyboards.Tap(req.L.Label("nav_button_retry"), data)}}, view.Keyboard...)
	}
	return view
}

func amountSentence(l *locales.Localizer, e *orders.LimitError) string {
	switch {
	case e.SoldOut:
		return l.T("error_sold_out")
	case e.Max == 0:
		return l.T("error_amount_low", locales.Args{"Min": l.Number(e.Min)})
	default:
		return l.T("error_amount", locales.Args{"Min": l.Number(e.Min), "Max": l.Number(e.Max)})
	}
}

// outdated answers a button that leads nowhere any more: an old one's, or a
// forged one's.
func outdated(_ context.Context, req *bot.Request) bot.View {
	view := menuView(req.L)
	view.AsNewMessage = true
	if req.Tapped {
		view.Toast = req.L.Label("error_outdated")
	} else {
		view.Text = req.L.T("error_not_found")
	}
	return view
}

// panicked names the log entry that says more.
func panicked(req *bot.Request, reference string) bot.View {
	return bot.View{Text: req.L.T("error_panic", locales.Args{"Reference": reference}), Keyboard: keyboards.Foot(req.L, ""), AsNewMessage: true}
}
