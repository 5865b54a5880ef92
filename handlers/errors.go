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
		return s.sentence(req, l.T(user.id, user.args))
	case errors.As(err, &amount):
		return s.sentence(req, amountSentence(l, amount))
	case errors.Is(err, orders.ErrMaintenance):
		return s.sentence(req, s.closedSentence(ctx, l))
	case errors.Is(err, orders.ErrNoKey):
		return s.askKeyBeside(req, l.T("key_needed"))
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, route.ErrMalformed):
		return outdated(ctx, req)
	case errors.Is(err, catalog.ErrDelisted), errors.Is(err, orders.ErrDelisted), errors.Is(err, hstock.ErrServiceNotFound):
		return s.sentence(req, l.T("error_gone"))
	case errors.Is(err, orders.ErrKeyRemoved):
		return s.sentence(req, l.T("unknown_key_gone"))
	case errors.Is(err, orders.ErrCancelSent):
		return s.sentence(req, l.T("cancel_sent"))
	case errors.Is(err, orders.ErrExternalIDShared):
		return s.sentence(req, l.T("cancel_shared"))
	case errors.Is(err, orders.ErrOrderClosed):
		return s.sentence(req, l.T("cancel_closed"))
	case errors.Is(err, orders.ErrOutcomeKnown):
		return s.sentence(req, l.T("unknown_known"))
	case errors.Is(err, storage.ErrPurchaseInFlight):
		return s.sentence(req, l.T("forget_on_its_way"))
	case errors.Is(err, storage.ErrExternalIDTaken):
		return s.sentence(req, l.T("unknown_taken"))
	case errors.Is(err, hstock.ErrOrderNotFound):
		return s.sentence(req, l.T("error_order_not_found"))
	case errors.As(err, &failure) && failure.Kind == hstock.InvalidKey:
		return s.askKeyBeside(req, l.T("key_invalid"))
	case failure != nil && errors.Is(err, errStillUnknown):
		return s.retry(req, l.T("unknown_market"))
	case failure != nil && (failure.Kind == hstock.Refused || failure.Kind == hstock.RefusedOther):
		return s.sentence(req, l.T("error_refused", locales.Args{"Words": marketWords(l, failure.Refusal)}))
	case failure != nil:
		return s.retry(req, l.T("error_market"))
	default:
		s.Log.Error("a screen failed", "update", req.UpdateID, "user", req.User.ID, "error", err)
		return s.retry(req, l.T("error_internal"))
	}
}

// sentence answers without changing anything: a dialog goes on, and what was
// tapped stays (it may be goods), so the sentence is a message of its own.
func (s *Screens) sentence(req *bot.Request, text string) bot.View {
	return bot.View{Text: text, Keyboard: keyboards.Foot(req.L, ""), AsNewMessage: true, KeepDialog: true}
}

// withCallback notes the screen that a typed request leads to, as if a button had: what
// fails there can be tried again, and comes back after a key was asked for.
func withCallback(req *bot.Request, data string) *bot.Request {
	req.CallbackData = data
	return req
}

// retry is sentence with a button that does again what failed.
func (s *Screens) retry(req *bot.Request, text string) bot.View {
	view := s.sentence(req, text)
	if screen := screenOf(req.CallbackData); screen != "" {
		view.Keyboard = append(keyboards.Rows{{keyboards.Tap(req.L.Label("nav_button_retry"), screen)}}, view.Keyboard...)
	}
	return view
}

// screenOf returns the callback data that shows again what a button with this
// data leads to, and does nothing else: only Confirm may buy, and only where the
// card stands above it. Deeds have no screen, and those of the key are asked
// for by the key's own.
func screenOf(data string) string {
	switch name, rest := route.Split(data); name {
	case keyboards.Confirm.Name():
		args, err := keyboards.Confirm.Parse(rest)
		if err != nil {
			return ""
		}
		return keyboards.Again.Data(args)
	case keyboards.OrderCancelSure.Name():
		args, err := keyboards.OrderCancelSure.Parse(rest)
		if err != nil {
			return ""
		}
		return keyboards.OrderCancel.Data(args)
	case keyboards.CancelAllSure.Name():
		return keyboards.CancelAll.Data(struct{}{})
	case keyboards.ExternalImport.Name():
		args, err := keyboards.ExternalImport.Parse(rest)
		if err != nil {
			return ""
		}
		return keyboards.ExternalFind.Data(args)
	case keyboards.BroadcastSend.Name(), keyboards.BroadcastStop.Name():
		return keyboards.Broadcasts.Data(struct{}{})
	case keyboards.BroadcastRemove.Name(), keyboards.BroadcastDiscard.Name():
		return keyboards.BroadcastWrite.Data(struct{}{})
	case keyboards.Discard.Name(), keyboards.UnresolvedAdoptSure.Name(), keyboards.UnresolvedDismiss.Name(), keyboards.SetLanguage.Name(), keyboards.ForgetSure.Name(),
		keyboards.Key.Name(), keyboards.KeyReplace.Name(), keyboards.KeyRemove.Name(), keyboards.KeyRemoveSure.Name():
		return ""
	default:
		return data
	}
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
