package handlers

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/orders"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	// listedRefusals limits the orders whose refusal is shown.
	listedRefusals = 8
	// listedResults and resultsLength limit the results in a message, in lines and in
	// characters. Longer results are sent as a file.
	listedResults = 20
	resultsLength = 3000
)

// cancelAll asks the marketplace which open orders can be cancelled, and the person
// for confirmation.
func (s *Screens) cancelAll(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	checks, err := s.Orders.CancelAllowances(ctx, req.User.ID, true)
	if err != nil {
		return bot.View{}, err
	}
	return cancelAllView(req.L, checks), nil
}

// cancelAllView states how many orders can be cancelled, the refunds, and the refusals
// of the others.
func cancelAllView(l *locales.Localizer, checks []orders.CancelCheck) bot.View {
	refunds := map[string]decimal.Decimal{}
	var allowed, refundUnknown int64
	var refusals []string
	for _, check := range checks {
		if !check.Allowance.Allowed {
			refusals = append(refusals, refusalLine(l, check))
			continue
		}
		allowed++
		if refund := check.Allowance.Refund; refund.Valid {
			refunds[check.Order.Currency] = refunds[check.Order.Currency].Add(shownRefund(check.Order, refund.Decimal))
		} else {
			refundUnknown++
		}
	}
	var lines []string
	switch {
	case len(checks) == 0:
		lines = append(lines, l.T("cancel_all_sent"))
	case allowed == 0:
		lines = append(lines, l.T("cancel_all_none"))
	default:
		lines = append(lines, l.N("cancel_all_ask", allowed))
		if len(refunds) > 0 {
			lines = append(lines, l.T("cancel_refund", locales.Args{"Refund": sums(l, refunds)}))
		}
		if refundUnknown > 0 {
			lines = append(lines, l.N("cancel_all_unsaid", refundUnknown))
		}
		lines = append(lines, l.T("cancel_all_parts"))
	}
	if len(refusals) > 0 {
		lines = append(lines, "", l.N("cancel_all_rest", int64(len(refusals))))
		lines = append(lines, refusals[:min(len(refusals), listedRefusals)]...)
		if len(refusals) > listedRefusals {
			lines = append(lines, "…")
		}
	}
	view := bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.CancelledKeyboard(l, uint8(storage.FilterOpen))}
	if allowed > 0 {
		view.Keyboard = keyboards.CancelAllKeyboard(l, keyboards.CancelAllArgs{Orders: hashOf(cancellableIDs(checks))}, uint8(storage.FilterOpen))
	}
	return view
}

// refusalLine names an order that can't be cancelled, with the marketplace's words.
func refusalLine(l *locales.Localizer, check orders.CancelCheck) string {
	id, words := externalID(l, check.Order.ExternalID), check.Allowance.Error
	if answer, refused := refusal(check.Err); refused {
		words = answer
	}
	if words == "" {
		return locales.Escape("• " + id)
	}
	return l.T("cancel_all_why", locales.Args{"Number": id, "Words": marketWords(l, words)})
}

// cancellableIDs returns the ids of the orders that can be cancelled.
func cancellableIDs(checks []orders.CancelCheck) []int64 {
	var ids []int64
	for _, check := range checks {
		if check.Allowance.Allowed {
			ids = append(ids, check.Order.ID)
		}
	}
	return ids
}

// hashOf returns the hash of a list of orders that a button carries.
func hashOf(ids []int64) route.Hash { return route.HashOf(fmt.Sprint(ids)) }

// cancelAllSure cancels the orders that the person was asked about. If others can be
// cancelled by now, it asks again. The marketplace's answer about each order is shown.
// The message first becomes "cancelling…" without buttons, so however the handling ends,
// it is redrawn.
func (s *Screens) cancelAllSure(ctx context.Context, req *bot.Request, args keyboards.CancelAllArgs) (bot.View, error) {
	drawn := false
	defer func() { // also after a panic
		if !drawn {
			s.redrawLater(ctx, req, 0)
		}
	}()
	view, file, err := s.cancelAllNow(ctx, req, args)
	if view.Text != "" {
		showErr := req.Show(ctx, view)
		if drawn = showErr == nil; !drawn {
			s.Log.Warn("drawing the results of cancelling failed", "error", showErr)
		}
	}
	return file, err
}

// cancelAllNow returns the view for the message of cancelAllSure, also after an error if
// it is known, and a file.
func (s *Screens) cancelAllNow(ctx context.Context, req *bot.Request, args keyboards.CancelAllArgs) (view, file bot.View, err error) {
	l := req.L
	checks, err := s.Orders.CancelAllowances(ctx, req.User.ID, false) // after a crash the tap is handled again
	if err != nil {
		return bot.View{}, bot.View{}, err
	}
	ids := cancellableIDs(checks)
	question := cancelAllView(l, checks)
	if len(ids) == 0 || hashOf(ids) != args.Orders {
		question.Text = l.T("cancel_all_changed") + "\n\n" + question.Text
		question.Toast = l.Label("confirm_redrawn")
		return question, bot.View{}, nil
	}
	showing, cancel := context.WithTimeout(ctx, bestEffortTimeout)
	err = req.Show(showing, bot.View{Text: l.N("cancel_all_doing", int64(len(ids)))})
	cancel()
	if err != nil {
		s.Log.Warn("drawing the progress of cancelling failed", "error", err)
	}
	outcomes, err := s.Orders.CancelAll(ctx, req.User.ID, ids)
	if err != nil {
		return question, bot.View{}, err
	}
	s.balances.forget(req.User.ID)
	view, file = cancelledView(l, outcomes)
	return view, file, nil
}

// openOrdersView leads to the open orders, where it is not known what a message showed.
func openOrdersView(l *locales.Localizer) bot.View {
	return bot.View{Text: l.T("orders_text"), Keyboard: keyboards.CancelledKeyboard(l, uint8(storage.FilterOpen))}
}

// cancelledView shows the result for each order, in a file if there are many.
func cancelledView(l *locales.Localizer, outcomes []orders.CancelOutcome) (view, file bot.View) {
	var cancelled, unclear int64
	lines := make([]string, 0, len(outcomes))
	for _, outcome := range outcomes {
		switch {
		case isCancelled(outcome.Order):
			cancelled++
		case outcome.Uncertain:
			unclear++
		}
		lines = append(lines, outcomeLine(l, outcome))
	}
	id := "cancel_all_done"
	if unclear > 0 {
		id = "cancel_all_unclear"
	}
	view = bot.View{
		Text:     l.T(id, locales.Args{"Done": l.Number(cancelled), "Of": l.Number(int64(len(outcomes))), "Unclear": l.Number(unclear)}),
		Keyboard: keyboards.CancelledKeyboard(l, uint8(storage.FilterOpen)),
	}
	text := strings.Join(lines, "\n")
	if len(lines) <= listedResults && utf8.RuneCountInString(text) <= resultsLength {
		view.Text += "\n\n" + locales.Escape(text)
		return view, bot.View{}
	}
	return view, bot.View{
		Text:     l.T("cancel_all_file"),
		Document: &bot.Document{Name: "cancelled.txt", Data: []byte(text + "\n")},
		Keyboard: keyboards.CancelledKeyboard(l, uint8(storage.FilterOpen)),
	}
}

// outcomeLine states the result of cancelling one order, as plain text.
func outcomeLine(l *locales.Localizer, outcome orders.CancelOutcome) string {
	o := outcome.Order
	args := locales.Args{"Number": externalID(l, o.ExternalID), "Name": l.Name(locales.Shorten(orderName(l, o), wordLength))}
	words := outcome.Refusal
	if answer, refused := refusal(outcome.Err); refused {
		words = answer
	}
	switch {
	case outcome.Uncertain:
		return l.Label("cancel_line_uncertain", args)
	case words != "":
		args["Words"] = marketWords(l, words)
		return l.Label("cancel_line_refused", args)
	case outcome.Err != nil:
		return l.Label("cancel_line_unsent", args)
	case outcome.Refused:
		return l.Label("cancel_line_kept", args)
	}
	args["State"] = stateText(l, o)
	if !o.Charge.Valid {
		return l.Label("cancel_line_done", args)
	}
	args["Charge"] = l.Money(o.Shown(o.Charge.Decimal), o.Currency)
	return l.Label("cancel_line_charged", args)
}
