package handlers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// canBuy returns an error if a person can't buy now: a purchase needs their own key,
// and is not possible during maintenance. It is checked before they are asked anything.
func (s *Screens) canBuy(ctx context.Context, userID int64) error {
	if err := s.Orders.CanBuy(ctx); err != nil {
		return err
	}
	_, err := s.ownKey(ctx, userID)
	return err
}

// draft stores what the person is about to buy and draws its confirm card.
func (s *Screens) draft(ctx context.Context, req *bot.Request, intent orders.Intent) (bot.View, error) {
	intent.UserID, intent.Lang = req.User.ID, req.L.Lang()
	quote, err := s.Orders.Draft(ctx, intent)
	if err != nil {
		return bot.View{}, err
	}
	return confirmView(req.L, quote, nil), nil
}

// draftItem is draft for an item of the catalogue.
func (s *Screens) draftItem(ctx context.Context, req *bot.Request, item hstock.Item, intent orders.Intent) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	intent.Item, intent.Category = item, s.englishCategory(ctx, req.L, key, item)
	return s.draft(ctx, req, intent)
}

// englishCategory returns the English name of an item's category. It is "" if the
// name can't be read now, because a purchase must not depend on it.
func (s *Screens) englishCategory(ctx context.Context, l *locales.Localizer, key redact.Secret, item hstock.Item) string {
	if l.Lang() == locales.English {
		return item.Category
	}
	english, _, err := s.Catalog.Product(ctx, key, locales.English, item.Service)
	if err != nil {
		return ""
	}
	return english.Category
}

// confirmView draws the confirm card of a draft: item, quantity, price, and what is
// left of the balance. changes say why the card is drawn again.
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
	lines = append(lines, l.T(priceMessage(l, l.Money(p.Rate, p.Currency), p.RatePer)))
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

// bestEffortTimeout limits what a handler does before its real work, like drawing
// "placing…" before a purchase, which must not wait for it.
const bestEffortTimeout = 3 * time.Second

// confirm buys. The card first becomes "placing…" without buttons, because the
// marketplace may be slow. The outcome is drawn here rather than returned: if it
// can't be drawn, it is stored as a message.
func (s *Screens) confirm(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	if p.State == storage.PurchaseDraft {
		placing, cancel := context.WithTimeout(ctx, bestEffortTimeout)
		err := req.Show(placing, bot.View{Text: req.L.T("confirm_placing", itemArgs(req.L, subject(req.L, p.Name, p.Rental), p.Quantity))})
		cancel()
		if err != nil {
			s.Log.Warn("drawing a card before its purchase failed", "purchase", p.ID, "error", err)
		}
	}
	outcome, err := s.Orders.Confirm(ctx, req.User.ID, args.Purchase, req.L.Lang())
	if err != nil {
		s.redrawCard(ctx, req, args.Purchase) // the error is a new message
		return bot.View{}, err
	}
	s.balances.forget(req.User.ID)
	view := outcomeView(req.L, outcome)
	if err := req.Show(ctx, view); err != nil {
		s.Log.Warn("drawing the outcome of a purchase failed", "purchase", p.ID, "error", err)
		return bot.View{}, s.Orders.NotifyOutcome(ctx, req.User.ID, p.ID)
	}
	return bot.View{Toast: view.Toast, Alert: view.Alert}, nil
}

// redrawCard draws the card in the present state of the purchase.
func (s *Screens) redrawCard(ctx context.Context, req *bot.Request, purchaseID int64) {
	outcome, err := s.Orders.Outcome(ctx, req.User.ID, purchaseID)
	if err == nil {
		err = req.Show(ctx, outcomeView(req.L, outcome))
	}
	if err != nil {
		s.Log.Warn("redrawing a card failed", "purchase", purchaseID, "error", err)
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
		return bot.View{Text: l.T("unresolved_card", args), Keyboard: keyboards.UnresolvedKeyboard(l, keyboards.UnresolvedArgs{Purchase: p.ID}, p.State == storage.PurchaseDismissed, false)}
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

// rejectedView says why nothing was bought.
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

// discard ends a draft. Its card leads back to the item.
func (s *Screens) discard(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	if _, err := s.Orders.Discard(ctx, req.User.ID, args.Purchase); err != nil {
		return bot.View{}, err
	}
	outcome, err := s.Orders.Outcome(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	if outcome.Result != orders.Gone { // another tap has confirmed it
		return outcomeView(req.L, outcome), nil
	}
	return bot.View{Text: req.L.T("confirm_cancelled"), Keyboard: keyboards.Foot(req.L, outcome.Purchase.Origin), Toast: req.L.Label("confirm_cancelled_toast")}, nil
}

// newCard draws a new card for an earlier purchase in place of the tapped message. A
// message that the person may want to keep stays, and the card is a new message.
func (s *Screens) newCard(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	switch p.State {
	case storage.PurchaseDraft, storage.PurchaseSuperseded, storage.PurchaseRejected:
		return s.redraft(ctx, req, p)
	case storage.PurchaseDismissed:
		return inNewMessage(s.redraft(ctx, req, p))
	case storage.PurchaseOutcomeUnknown:
		evidence, err := s.Orders.Evidence(ctx, req.User.ID, p.ID)
		if err != nil {
			return bot.View{}, fmt.Errorf("%w: %w", errStillUnresolved, err)
		}
		if evidence.Verdict == storage.VerdictNotBought {
			return inNewMessage(s.redraft(ctx, req, p))
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

// orderAgain draws a new card for a delivered order, whose message stays.
func (s *Screens) orderAgain(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	return inNewMessage(s.redraft(ctx, req, p))
}

// redraft draws a card with the present terms for an earlier purchase.
func (s *Screens) redraft(ctx context.Context, req *bot.Request, p storage.Purchase) (bot.View, error) {
	if p.Service == 0 && p.Rental.Project == "" { // of an imported order
		return bot.View{}, storage.ErrNotFound
	}
	if p.Kind == storage.KindSMS {
		return s.draft(ctx, req, orders.Intent{Rental: p.Rental, Quantity: p.Quantity, Origin: p.Origin, Replaces: p.ID})
	}
	key, err := s.ownKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	item, _, err := s.Catalog.Product(ctx, key.Secret, req.L.Lang(), p.Service)
	if err != nil {
		return bot.View{}, err
	}
	return s.draftItem(ctx, req, item, orders.Intent{Quantity: p.Quantity, Link: p.Link, Origin: p.Origin, Replaces: p.ID})
}
