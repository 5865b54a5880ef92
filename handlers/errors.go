package handlers

import (
	"context"
	"errors"
	"math"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/funds"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// userError is a sentence for a person who asked for something impossible. The
// dialog they are in stays open.
type userError struct {
	id   string
	args []locales.Args
}

func (e *userError) Error() string { return e.id }

// userErr returns an error that is shown as the message with this id.
func userErr(id string, args ...locales.Args) error {
	return &userError{id: id, args: args}
}

// errStillUnresolved marks an error that occurred while the outcome of a purchase
// was looked up. Its sentence must not say that no money was spent.
var errStillUnresolved = errors.New("the outcome is still unknown")

// sentenceID returns the message of an error that needs no arguments, "" for other
// errors.
func sentenceID(err error) string {
	for _, known := range []struct {
		err error
		id  string
	}{
		{catalog.ErrDelisted, "error_gone"},
		{orders.ErrDelisted, "error_gone"},
		{hstock.ErrServiceNotFound, "error_gone"},
		{orders.ErrKeyRemoved, "unresolved_key_gone"},
		{orders.ErrCancelSent, "cancel_sent"},
		{orders.ErrExternalIDShared, "cancel_shared"},
		{orders.ErrHouseIDShared, "cancel_shared_allowance"},
		{orders.ErrOrderClosed, "cancel_closed"},
		{orders.ErrOtherKey, "swap_other_key"},
		{orders.ErrTooManySwaps, "swap_limit"},
		{orders.ErrOutcomeKnown, "unresolved_known"},
		{orders.ErrOperator, "allowance_paused"},
		{orders.ErrAdminsDecide, "unresolved_house_decide"},
		{storage.ErrPurchaseInFlight, "forget_on_its_way"},
		{storage.ErrHouseKey, "allowance_key_house"},
		{storage.ErrExternalIDTaken, "unresolved_taken"},
		{hstock.ErrOrderNotFound, "error_order_not_found"},
	} {
		if errors.Is(err, known.err) {
			return known.id
		}
	}
	return ""
}

// errorView implements bot.Hooks.Error. It turns every error into a sentence: what
// happened, whether money was spent, what to do.
func (s *Screens) errorView(ctx context.Context, req *bot.Request, err error) bot.View {
	l := req.L
	var (
		user   *userError
		limit  *orders.LimitError
		needs  *orders.NeedsMoreError
		market *hstock.Error
		// telegram is set after a screen could not be drawn
		telegram *bot.Error
	)
	switch {
	case errors.As(err, &telegram) && telegram.RetryAfter > 0 && req.Tapped:
		return bot.View{Toast: l.N("error_flood", int64(math.Ceil(telegram.RetryAfter.Minutes())))}
	case errors.Is(err, bot.ErrNotDrawn):
		return bot.View{Toast: l.T("error_telegram")}
	case errors.Is(err, errExternalNotFound) && s.usesAllowance(ctx, req.User.ID): // who need no key
		return sentence(req, l.T("error_not_found"))
	case errors.As(err, &user):
		return sentence(req, l.T(user.id, user.args...))
	case errors.As(err, &limit):
		return sentence(req, limitSentence(l, limit))
	case errors.As(err, &needs):
		return sentence(req, needsMoreSentence(l, needs.Type))
	case errors.Is(err, orders.ErrMaintenance):
		return sentence(req, s.maintenanceSentence(ctx, l)+"\n\n"+s.tapBoughtNothing(ctx, l))
	case errors.Is(err, storage.ErrNotDurable), errors.Is(err, storage.ErrRestored):
		return sentence(req, l.T("buying_unsafe")+"\n\n"+s.tapBoughtNothing(ctx, l))
	case errors.Is(err, orders.ErrNoKey):
		return askKeyFirst(req, l.T("key_needed"))
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, route.ErrMalformed), errors.Is(err, funds.ErrHouse):
		return outdated(ctx, req)
	case sentenceID(err) != "":
		return sentence(req, l.T(sentenceID(err)))
	case errors.As(err, &market) && market.Kind == hstock.InvalidKey && s.usesAllowance(ctx, req.User.ID):
		return sentence(req, l.T("allowance_paused"))
	case market != nil && market.Kind == hstock.InvalidKey:
		return askKeyFirst(req, l.T("key_invalid"))
	case market != nil && errors.Is(err, errStillUnresolved):
		return tryAgain(req, l.T("unresolved_market"))
	case market != nil && (market.Kind == hstock.Refused || market.Kind == hstock.RefusedOther):
		return sentence(req, l.T("error_refused", locales.Args{"Words": marketWords(l, market.Refusal)}))
	case market != nil && market.Kind == hstock.Unreadable:
		return tryAgain(req, l.T("error_unreadable"))
	case market != nil:
		return tryAgain(req, l.T("error_market"))
	default:
		s.Log.Error("handler failed", "update", req.UpdateID, "user", req.User.ID, "error", err)
		return tryAgain(req, l.T("error_internal"))
	}
}

// usesAllowance reports whether the operator's key pays for a person.
func (s *Screens) usesAllowance(ctx context.Context, userID int64) bool {
	key, err := s.buyKey(ctx, userID)
	return err == nil && key.House
}

// sentence shows an error in a new message, because the tapped one may contain
// goods. An open dialog stays open.
func sentence(req *bot.Request, text string) bot.View {
	return bot.View{Text: text, Keyboard: keyboards.Foot(req.L, ""), AsNewMessage: true, KeepDialog: true}
}

// tryAgain is sentence with a button that repeats what failed, if it may be repeated.
func tryAgain(req *bot.Request, text string) bot.View {
	view := sentence(req, text)
	if data := req.RetryData(); data != "" {
		view.Keyboard = append(keyboards.Rows{{keyboards.Primary(keyboards.Tap(req.L.Label("nav_button_retry"), data))}}, view.Keyboard...)
	}
	return view
}

func limitSentence(l *locales.Localizer, e *orders.LimitError) string {
	switch {
	case e.SoldOut:
		return l.T("error_sold_out")
	case e.Max == 0:
		return l.T("error_amount_low", locales.Args{"Min": l.Number(e.Min)})
	default:
		return l.T("error_amount", locales.Args{"Min": l.Number(e.Min), "Max": l.Number(e.Max)})
	}
}

// outdated implements bot.Hooks.Outdated. It answers an old or forged button whose
// target does not exist.
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

// panicked implements bot.Hooks.Panicked. reference is also in the log.
func panicked(req *bot.Request, reference string) bot.View {
	return bot.View{Text: req.L.T("error_panic", locales.Args{"Reference": reference}), Keyboard: keyboards.Foot(req.L, ""), AsNewMessage: true}
}
