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
	// refusedListed is how many orders that can't be cancelled are named one by one.
	refusedListed = 8
	// resultsListed and resultsLength bound the results of a message, in lines and
	// in characters; more go as a file.
	resultsListed = 20
	resultsLength = 3000
)

// cancelAll asks the marketplace which open orders can be cancelled, and the
// person whether all of them should be.
func (s *Screens) cancelAll(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	asked, err := s.Orders.CancelAllowances(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	return cancelAllView(req.L, asked), nil
}

// cancelAllView says how many orders, how much would be paid back, and which
// orders stay.
func cancelAllView(l *locales.Localizer, asked []orders.CancelCheck) bot.View {
	refunds := map[string]decimal.Decimal{}
	var allowed, unsaid int64
	var rest []string
	for _, a := range asked {
		if !a.Allowance.Allowed {
			rest = append(rest, whyNot(l, a))
			continue
		}
		allowed++
		if a.Allowance.Refund.Valid {
			refunds[a.Order.Currency] = refunds[a.Order.Currency].Add(a.Allowance.Refund.Decimal)
		} else {
			unsaid++
		}
	}
	var lines []string
	switch {
	case len(asked) == 0:
		lines = append(lines, l.T("cancel_all_sent"))
	case allowed == 0:
		lines = append(lines, l.T("cancel_all_none"))
	default:
		lines = append(lines, l.N("cancel_all_ask", allowed))
		if len(refunds) > 0 {
			lines = append(lines, l.T("cancel_refund", locales.Args{"Refund": sums(l, refunds)}))
		}
		if unsaid > 0 {
			lines = append(lines, l.N("cancel_all_unsaid", unsaid))
		}
		lines = append(lines, l.T("cancel_all_parts"))
	}
	if len(rest) > 0 {
		lines = append(lines, "", l.N("cancel_all_rest", int64(len(rest))))
		lines = append(lines, rest[:min(len(rest), refusedListed)]...)
		if len(rest) > refusedListed {
			lines = append(lines, "…")
		}
	}
	view := bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.CancelledKeyboard(l, uint8(storage.FilterOpen))}
	if allowed > 0 {
		view.Keyboard = keyboards.CancelAllKeyboard(l, keyboards.CancelAllArgs{Orders: hashOf(allowedOf(asked))}, uint8(storage.FilterOpen))
	}
	return view
}

// whyNot says of one order why it can't be cancelled, in the marketplace's words.
func whyNot(l *locales.Localizer, a orders.CancelCheck) string {
	words := a.Allowance.Error
	if said, refused := refusal(a.Err); refused {
		words = said
	}
	if words == "" {
		return locales.Escape("• " + externalID(l, a.Order.ExternalID))
	}
	return l.T("cancel_all_why", locales.Args{"Number": externalID(l, a.Order.ExternalID), "Words": marketWords(l, words)})
}

// allowedOf returns the ids of the orders that can be cancelled.
func allowedOf(asked []orders.CancelCheck) []int64 {
	var ids []int64
	for _, a := range asked {
		if a.Allowance.Allowed {
			ids = append(ids, a.Order.ID)
		}
	}
	return ids
}

// hashOf stands for a list of orders in a button.
func hashOf(ids []int64) route.Hash { return route.HashOf(fmt.Sprint(ids)) }

// cancelAllSure cancels the orders that the person was asked about, if these are
// still those that can be; else it asks again. What the marketplace says of each
// is shown.
func (s *Screens) cancelAllSure(ctx context.Context, req *bot.Request, args keyboards.CancelAllArgs) (bot.View, error) {
	l := req.L
	asked, err := s.Orders.CancelAllowances(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	ids := allowedOf(asked)
	question := cancelAllView(l, asked)
	if len(ids) == 0 || hashOf(ids) != args.Orders {
		question.Text = l.T("cancel_all_changed") + "\n\n" + question.Text
		question.Toast = l.Label("confirm_redrawn")
		return question, nil
	}
	doing, cancel := context.WithTimeout(ctx, courtesy)
	err = req.Show(doing, bot.View{Text: l.N("cancel_all_doing", int64(len(ids)))})
	cancel()
	if err != nil {
		s.Log.Warn("the question was not redrawn before cancelling", "error", err)
	}
	outcomes, err := s.Orders.CancelAll(ctx, req.User.ID, ids)
	if err != nil {
		if drawErr := req.Show(ctx, question); drawErr != nil {
			s.Log.Warn("the question was not redrawn after a failure", "error", drawErr)
		}
		return bot.View{}, err
	}
	s.balances.forget(req.User.ID)
	return s.cancelledView(ctx, req, outcomes)
}

// cancelledView tells what came of each order, as a file where there are many.
func (s *Screens) cancelledView(ctx context.Context, req *bot.Request, outcomes []orders.CancelOutcome) (bot.View, error) {
	l := req.L
	var cancelled int64
	lines := make([]string, 0, len(outcomes))
	for _, outcome := range outcomes {
		if isCancelled(outcome.Order) {
			cancelled++
		}
		lines = append(lines, outcomeLine(l, outcome))
	}
	view := bot.View{
		Text:     l.T("cancel_all_done", locales.Args{"Done": l.Number(cancelled), "Of": l.Number(int64(len(outcomes)))}),
		Keyboard: keyboards.CancelledKeyboard(l, uint8(storage.FilterOpen)),
	}
	text := strings.Join(lines, "\n")
	if len(lines) <= resultsListed && utf8.RuneCountInString(text) <= resultsLength {
		view.Text += "\n\n" + locales.Escape(text)
		return view, nil
	}
	if err := req.Show(ctx, view); err != nil {
		s.Log.Warn("the results of cancelling were not drawn", "error", err)
	}
	return bot.View{
		Text:     l.T("cancel_all_file"),
		Document: &bot.Document{Name: "cancelled.txt", Data: []byte(text + "\n")},
		Keyboard: keyboards.CancelledKeyboard(l, uint8(storage.FilterOpen)),
	}, nil
}

// outcomeLine tells what came of cancelling one order, as plain text.
func outcomeLine(l *locales.Localizer, outcome orders.CancelOutcome) string {
	o := outcome.Order
	args := locales.Args{"Number": externalID(l, o.ExternalID), "Name": l.Name(shorten(orderName(l, o), wordLength))}
	words := outcome.Refusal
	if said, refused := refusal(outcome.Err); refused {
		words = said
	}
	switch {
	case outcome.Unsure:
		return l.Label("cancel_line_unsure", args)
	case words != "":
		args["Words"] = marketWords(l, words)
		return l.Label("cancel_line_refused", args)
	case outcome.Err != nil:
		return l.Label("cancel_line_unsent", args)
	case outcome.Refused:
		return l.Label("cancel_line_kept", args)
	}
	args["State"] = stateIcon(o.State) + " " + stateWord(l, o)
	if !o.Charge.Valid {
		return l.Label("cancel_line_done", args)
	}
	args["Charge"] = l.Money(o.Charge.Decimal, o.Currency)
	return l.Label("cancel_line_charged", args)
}
