package handlers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// confirmView draws the card of a draft: what, how many, for how much, and
// what is left of the balance. changes say why it is drawn again.
func confirmView(l *locales.Localizer, quote orders.Quote, changes []orders.Change) bot.View {
	p := quote.Purchase
	var lines []string
	for _, change := range changes {
		lines = append(lines, l.T(changeID(change)))
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	lines = append(lines, l.T("confirm_title"), "", l.T("confirm_what", itemArgs(l, subject(l, p.Name, p.Rental), p.Quantity)))
	price := l.Money(p.Rate, p.Currency)
	if p.RatePer > 1 {
		lines = append(lines, l.T("product_price_per", locales.Args{"Price": price, "Per": l.Number(p.RatePer)}))
	} else {
		lines = append(lines, l.T("product_price", locales.Args{"Price": price}))
	}
	total := locales.Args{"Total": l.Money(p.Total(), p.Currency)}
	if quote.Estimate {
		lines = append(lines, l.T("confirm_estimate", total))
	} else {
		lines = append(lines, l.T("confirm_total", total))
	}
	switch {
	case quote.OtherTotal.Valid:
		lines = append(lines, l.T("confirm_other_reading", locales.Args{"Total": l.Money(quote.OtherTotal.Decimal, p.Currency)}))
	case p.Kind == storage.KindSMM:
		lines = append(lines, l.T("confirm_estimate_smm"))
	case p.Variants:
		lines = append(lines, l.T("confirm_estimate_variants"))
	case p.Rental.Phone != "":
		lines = append(lines, l.T("confirm_estimate_again"))
	}
	switch {
	case p.Kind == storage.KindSMM:
		lines = append(lines, l.T("confirm_link", locales.Args{"Link": l.Isolate(p.Link)}))
	case p.Link != "":
		lines = append(lines, l.T("confirm_email", locales.Args{"Email": l.Isolate(p.Link)}))
	case p.Rental.Phone != "":
		lines = append(lines, l.T("confirm_phone", locales.Args{"Phone": code(l, p.Rental.Phone)}))
	}
	if !quote.Short.IsPositive() {
		id := "confirm_balance"
		if quote.Estimate {
			id = "confirm_balance_estimate"
		}
		lines = append(lines, "", l.T(id, locales.Args{
			"Now": l.Money(p.Balance, p.Currency), "After": l.Money(p.Balance.Sub(p.Total()), p.Currency),
		}))
	} else {
		lines = append(lines, "", l.T("confirm_balance_short", locales.Args{"Now": l.Money(p.Balance, p.Currency)}))
		id := "confirm_short"
		if !quote.Blocked() {
			id = "confirm_short_warning"
		}
		lines = append(lines, l.T(id, locales.Args{"Short": l.Money(quote.Short, p.Currency)}))
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.ConfirmKeyboard(l, p.ID, quote.Blocked())}
}

func changeID(change orders.Change) string {
	switch change {
	case orders.ChangeExpired:
		return "confirm_changed_expired"
	case orders.ChangeKey:
		return "confirm_changed_key"
	case orders.ChangeCurrency:
		return "confirm_changed_currency"
	default:
		return "confirm_changed_price"
	}
}

// courtesy is how long "placing…" may take to be drawn: what is bought does not
// depend on it, and the time is the purchase's.
const courtesy = 3 * time.Second

// confirm buys. The card says so at once, and loses its buttons, because the
// marketplace may take its time. What came of it is drawn here and not by
// returning it: where it can't be drawn, a message says it.
func (s *Screens) confirm(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	if p.State == storage.PurchaseDraft {
		placing, cancel := context.WithTimeout(ctx, courtesy)
		err := req.Show(placing, bot.View{Text: req.L.T("confirm_placing", itemArgs(req.L, subject(req.L, p.Name, p.Rental), p.Quantity))})
		cancel()
		if err != nil {
			s.Log.Warn("the card was not redrawn before a purchase", "purchase", p.ID, "error", err)
		}
	}
	outcome, err := s.Orders.Confirm(ctx, req.User.ID, args.Purchase, req.L.Lang())
	if err != nil {
		s.showState(ctx, req, args.Purchase)
		return bot.View{}, err
	}
	s.balances.forget(req.User.ID)
	view := outcomeView(req.L, outcome)
	if err := req.Show(ctx, view); err != nil {
		s.Log.Warn("the outcome of a purchase was not drawn", "purchase", p.ID, "error", err)
		return bot.View{}, s.Orders.NotifyOutcome(ctx, req.User.ID, p.ID)
	}
	return bot.View{Toast: view.Toast, Alert: view.Alert}, nil
}

// showState draws the card as the purchase stands, where confirming it failed:
// the sentence about that is a message of its own.
func (s *Screens) showState(ctx context.Context, req *bot.Request, purchaseID int64) {
	outcome, err := s.Orders.Outcome(ctx, req.User.ID, purchaseID)
	if err == nil {
		err = req.Show(ctx, outcomeView(req.L, outcome))
	}
	if err != nil {
		s.Log.Warn("the card was not redrawn after a failure", "purchase", purchaseID, "error", err)
	}
}

func outcomeView(l *locales.Localizer, outcome orders.Outcome) bot.View {
	p := outcome.Purchase
	args := itemArgs(l, subject(l, p.Name, p.Rental), p.Quantity)
	switch outcome.Result {
	case orders.Placed:
		return placedView(l, outcome.Orders, p)
	case orders.Rejected:
		return rejectedView(l, p)
	case orders.Redrawn:
		view := confirmView(l, outcome.Quote, outcome.Changes)
		view.Toast = l.Label("confirm_redrawn")
		return view
	case orders.OutcomeUnknown:
		return bot.View{Text: l.T("unknown_card", args), Keyboard: keyboards.UnresolvedKeyboard(l, keyboards.UnresolvedArgs{Purchase: p.ID}, p.State == storage.PurchaseDismissed, false)}
	case orders.InProgress:
		return bot.View{Text: l.T("confirm_placing", args), Toast: l.Label("confirm_in_progress")}
	case orders.Busy:
		view := confirmView(l, outcome.Quote, nil)
		view.Toast, view.Alert = l.Label("confirm_busy"), true
		return view
	case orders.Drafted:
		return confirmView(l, outcome.Quote, nil)
	default:
		return bot.View{Text: l.T("confirm_gone"), Keyboard: keyboards.Foot(l, p.Origin)}
	}
}

// rejectedView says that nothing was bought, and why.
func rejectedView(l *locales.Localizer, p storage.Purchase) bot.View {
	return bot.View{
		Text: l.T("rejected_title") + "\n" + rejectedReason(l, p) + "\n\n" +
			l.T("confirm_what", itemArgs(l, subject(l, p.Name, p.Rental), p.Quantity)),
		Keyboard: keyboards.RejectedKeyboard(l, p.ID, p.Reason == orders.ReasonInvalidKey, p.Origin),
	}
}

func rejectedReason(l *locales.Localizer, p storage.Purchase) string {
	switch p.Reason {
	case orders.ReasonRefused:
		if strings.EqualFold(p.Refusal, hstock.ErrInsufficientBalance.Error()) {
			return l.T("rejected_balance")
		}
		return l.T("rejected_refused", locales.Args{"Words": marketWords(l, p.Refusal)})
	case orders.ReasonInvalidKey:
		return l.T("key_invalid")
	case orders.ReasonStock:
		return l.T("rejected_stock")
	case orders.ReasonBalance:
		return l.T("rejected_balance")
	case orders.ReasonGone:
		return l.T("error_gone")
	case orders.ReasonInterrupted:
		return l.T("rejected_interrupted")
	default:
		return l.T("rejected_unreachable")
	}
}

// abandon ends a draft; the card leads back to what it was for.
func (s *Screens) abandon(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	if _, err := s.Orders.Discard(ctx, req.User.ID, p.ID); err != nil {
		return bot.View{}, err
	}
	outcome, err := s.Orders.Outcome(ctx, req.User.ID, p.ID)
	if err != nil {
		return bot.View{}, err
	}
	if outcome.Result != orders.Gone { // it was confirmed by a quicker tap
		return outcomeView(req.L, outcome), nil
	}
	return bot.View{Text: req.L.T("confirm_cancelled"), Keyboard: keyboards.Foot(req.L, p.Origin), Toast: req.L.Label("confirm_cancelled_toast")}, nil
}

// again draws a card with today's terms for what an earlier purchase said, in
// place of the message that offers it.
func (s *Screens) again(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	switch p.State {
	case storage.PurchaseDraft, storage.PurchaseSuperseded, storage.PurchaseRejected:
		return s.redraft(ctx, req, p)
	case storage.PurchaseDismissed:
		return s.redraftBeside(ctx, req, p)
	case storage.PurchaseOutcomeUnknown:
		evidence, err := s.Orders.Evidence(ctx, req.User.ID, p.ID)
		if err != nil {
			return bot.View{}, fmt.Errorf("%w: %w", errStillUnknown, err)
		}
		if evidence.Verdict == storage.VerdictNotBought { // still so, not only when the button was drawn
			return s.redraftBeside(ctx, req, p)
		}
		return unresolvedView(req.L, p, evidence.Balance, evidence.Verdict, false), nil
	default:
		outcome, err := s.Orders.Outcome(ctx, req.User.ID, p.ID)
		if err != nil {
			return bot.View{}, err
		}
		return outcomeView(req.L, outcome), nil
	}
}

// orderIt is again for an order that was delivered: its message stays.
func (s *Screens) orderIt(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	return s.redraftBeside(ctx, req, p)
}

// redraftBeside draws the new card as a message of its own: the one that was
// tapped is worth keeping.
func (s *Screens) redraftBeside(ctx context.Context, req *bot.Request, p storage.Purchase) (bot.View, error) {
	view, err := s.redraft(ctx, req, p)
	view.AsNewMessage = true
	return view, err
}

func (s *Screens) redraft(ctx context.Context, req *bot.Request, p storage.Purchase) (bot.View, error) {
	if p.Service == 0 && p.Rental.Project == "" { // of an order placed elsewhere
		return bot.View{}, storage.ErrNotFound
	}
	if p.Kind == storage.KindSMS {
		return s.draftNumbers(ctx, req, p.Rental, p.Quantity, p.Origin, p.ID)
	}
	key, err := s.ownKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	row, _, err := s.Catalog.Product(ctx, key.Secret, req.L.Lang(), p.Service)
	if err != nil {
		return bot.View{}, err
	}
	quote, err := s.Orders.Draft(ctx, orders.Intent{
		UserID: req.User.ID, Item: row, Category: s.englishCategory(ctx, req.L, key.Secret, row), Quantity: p.Quantity, Link: p.Link, Origin: p.Origin, Lang: req.L.Lang(), Replaces: p.ID,
	})
	if err != nil {
		return bot.View{}, err
	}
	return confirmView(req.L, quote, nil), nil
}
