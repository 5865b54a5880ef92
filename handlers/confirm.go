package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/funds"
	"hstockbot/internal/hstock"
	"hstockbot/internal/links"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// canBuy returns an error if a person can't buy now: a purchase needs their own key or an
// allowance, and is not possible during maintenance. It is checked before they are asked anything.
func (s *Screens) canBuy(ctx context.Context, userID int64) error {
	if err := s.Orders.CanBuy(ctx); err != nil {
		return err
	}
	key, err := s.buyKey(ctx, userID)
	if err == nil && key.House && s.OperatorKey == "" {
		return orders.ErrOperator
	}
	return err
}

// draft stores what the person is about to buy and draws its confirm card.
func (s *Screens) draft(ctx context.Context, req *bot.Request, intent orders.Intent) (bot.View, error) {
	quote, err := s.quote(ctx, req, intent)
	if err != nil {
		return bot.View{}, err
	}
	return confirmView(req.L, quote, nil), nil
}

// draftRental is draft for a number from a list, which is older than the card: the card says
// so if the number is dearer by now.
func (s *Screens) draftRental(ctx context.Context, req *bot.Request, listed catalog.Project, intent orders.Intent) (bot.View, error) {
	quote, err := s.quote(ctx, req, intent)
	if err != nil {
		return bot.View{}, err
	}
	var changes []orders.Change
	if p := quote.Purchase; p.Currency == listed.Currency && p.ShownRate().GreaterThan(listed.Price) {
		changes = append(changes, orders.ChangePrice)
	}
	return confirmView(req.L, quote, changes), nil
}

func (s *Screens) quote(ctx context.Context, req *bot.Request, intent orders.Intent) (orders.Quote, error) {
	intent.UserID, intent.Lang, intent.Thread = req.User.ID, req.L.Lang(), req.Thread()
	return s.Orders.Draft(ctx, intent)
}

// draftItem is draft for an item of the catalogue.
func (s *Screens) draftItem(ctx context.Context, req *bot.Request, item hstock.Item, intent orders.Intent) (bot.View, error) {
	intent, err := s.itemIntent(ctx, req, item, intent)
	if err != nil {
		return bot.View{}, err
	}
	return s.draft(ctx, req, intent)
}

// itemIntent adds an item of the catalogue to what the person wants.
func (s *Screens) itemIntent(ctx context.Context, req *bot.Request, item hstock.Item, intent orders.Intent) (orders.Intent, error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return intent, err
	}
	english := s.englishItem(ctx, req.L, access, item)
	intent.Item, intent.Category = item, english.Category
	if item.EntityType == hstock.EntitySMM {
		intent.Misfit = links.MisfitOf(intent.Link, english.Name, english.Category)
	}
	return intent, nil
}

// englishItem returns an item with its English names. They are "" if they can't be read
// now, because a purchase must not depend on them.
func (s *Screens) englishItem(ctx context.Context, l *locales.Localizer, access catalog.Access, item hstock.Item) hstock.Item {
	if l.Lang() == locales.English {
		return item
	}
	english, _, err := s.Catalog.Product(ctx, access, locales.English, item.Service)
	if err != nil {
		return hstock.Item{}
	}
	return english
}

// confirmView draws the confirm card of a draft: item, quantity, price, and what is
// left of the balance. changes say why the card is drawn again.
func confirmView(l *locales.Localizer, quote orders.Quote, changes []orders.Change) bot.View {
	p := quote.Purchase
	var lines []string
	if quote.Restored {
		lines = append(lines, l.T("confirm_restored"))
	}
	for _, change := range changes {
		lines = append(lines, l.T(changeID(change)))
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	lines = append(lines, l.T("confirm_title"), "", l.T("confirm_what", itemArgs(l, subject(l, p.Name, p.Rental), p.Quantity)))
	lines = append(lines, l.T(priceMessage(l, l.Money(p.ShownRate(), p.Currency), p.RatePer)))
	total := locales.Args{"Total": l.Money(p.Shown(), p.Currency)}
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
	lines = append(append(lines, ""), paymentLines(l, payment{
		allowance: p.House, choice: quote.Choice, estimate: quote.Estimate, blocked: quote.Blocked(),
		now: p.Balance, total: quote.Hold(), short: quote.Short, currency: p.Currency,
	})...)
	if !quote.AwaitedSince.IsZero() {
		lines = append(lines, "", l.T("confirm_waiting", locales.Args{"Until": clock(l, quote.AwaitedSince.Add(funds.TopUpLimit))}))
	}
	warnings := guardLines(l, quote)
	if len(warnings) > 0 {
		lines = append(append(lines, ""), warnings...)
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.ConfirmKeyboard(l, p.ID, keyboards.ConfirmState{
		Blocked: quote.Blocked(), Warned: len(warnings) > 0, Earlier: cmp.Or(quote.Running.Purchase, quote.Repeated.Purchase),
		House: p.House, TopUp: quote.TopUpURL, Awaited: !quote.AwaitedSince.IsZero(), Basket: p.Kind != storage.KindSMS,
	})}
}

func changeID(change orders.Change) string {
	switch change {
	case orders.ChangeExpired:
		return "confirm_changed_expired"
	case orders.ChangeKey:
		return "confirm_changed_key"
	case orders.ChangeCurrency:
		return "confirm_changed_currency"
	case orders.ChangeAllowance:
		return "confirm_changed_allowance"
	default:
		return "confirm_changed_price"
	}
}

// bestEffortTimeout limits what a handler does before its real work, like drawing
// "placing…" before a purchase, which must not wait for it.
const bestEffortTimeout = 3 * time.Second

// confirm buys. The card first becomes "placing…" without buttons, because the
// marketplace may be slow. The outcome is drawn here rather than returned: if it
// can't be drawn, it is stored as a message, and the card is redrawn later.
func (s *Screens) confirm(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	if view, err := s.discardIfNeedsMore(ctx, req, p); err != nil || view.Text != "" {
		return view, err
	}
	settled := false
	defer func() { // also after a panic
		if !settled {
			s.redrawCard(ctx, req, p.ID)
		}
	}()
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
		return bot.View{}, err // in a new message
	}
	s.balances.forget(req.User.ID)
	view := outcomeView(req.L, outcome)
	if err := req.Show(ctx, view); err != nil {
		s.Log.Warn("drawing the outcome of a purchase failed", "purchase", p.ID, "error", err)
		if outcome.Result == orders.InProgress {
			return bot.View{}, nil // told when it is settled
		}
		if outcome.Result == orders.Waiting {
			return bot.View{}, nil // told when its turn has come
		}
		return bot.View{}, s.Orders.NotifyOutcome(ctx, req.User.ID, p.ID)
	}
	settled = outcome.Result != orders.InProgress
	s.drawn(ctx, req, outcome)
	return bot.View{Toast: view.Toast, Alert: view.Alert}, nil
}

// redrawCard draws the card in the present state of the purchase, at the latest when the
// purchase is settled and Telegram accepts the edit. The handler's time may be over.
func (s *Screens) redrawCard(ctx context.Context, req *bot.Request, purchaseID int64) {
	if !errors.Is(ctx.Err(), context.Canceled) { // else Stop leaves no time
		drawing, cancel := context.WithTimeout(context.WithoutCancel(ctx), bestEffortTimeout)
		defer cancel()
		outcome, err := s.Orders.Outcome(drawing, req.User.ID, purchaseID)
		if err == nil && outcome.Result != orders.InProgress {
			if err = req.Show(drawing, outcomeView(req.L, outcome)); err == nil {
				s.drawn(drawing, req, outcome)
				return
			}
		}
		if err != nil {
			s.Log.Warn("redrawing a card failed", "purchase", purchaseID, "error", err)
		}
	}
	s.redrawLater(ctx, req, purchaseID)
}

// drawn records what the screen of a request shows: the orders of a purchase, or one that
// waits for its turn and is redrawn then.
func (s *Screens) drawn(ctx context.Context, req *bot.Request, outcome orders.Outcome) {
	switch outcome.Result {
	case orders.Waiting:
		if err := s.Orders.SetTurnCard(ctx, req.User.ID, outcome.Purchase.ID, req.ScreenMessageID); err != nil {
			s.Log.Warn("the card of a waiting purchase not recorded", "purchase", outcome.Purchase.ID, "error", err)
		}
	case orders.Placed:
		s.showsOrders(ctx, req, outcome.Purchase.ID)
	}
}

// showsOrders records that the screen of a request shows the orders of a purchase: goods
// reply to it. Without that they are sent all the same, so an error is only logged.
func (s *Screens) showsOrders(ctx context.Context, req *bot.Request, purchaseID int64) {
	if err := s.DB.ShowOrders(ctx, req.User.ID, purchaseID, int64(req.ScreenMessageID)); err != nil {
		s.Log.Warn("the card of an order not recorded", "purchase", purchaseID, "error", err)
	}
}

// redrawLater makes the outbox redraw the screen of a request.
func (s *Screens) redrawLater(ctx context.Context, req *bot.Request, purchaseID int64) {
	if req.ScreenMessageID == 0 {
		return // a new message
	}
	if err := s.Orders.RedrawCard(ctx, req.User.ID, purchaseID, req.ScreenMessageID); err != nil {
		s.Log.Error("redrawing a card not stored", "purchase", purchaseID, "error", err)
	}
}

// card is outcomeView for the screen of a request.
func (s *Screens) card(ctx context.Context, req *bot.Request, outcome orders.Outcome) bot.View {
	switch outcome.Result {
	case orders.InProgress:
		s.redrawLater(ctx, req, outcome.Purchase.ID)
	case orders.Waiting:
		s.drawn(ctx, req, outcome)
	}
	return outcomeView(req.L, outcome)
}

func outcomeView(l *locales.Localizer, outcome orders.Outcome) bot.View {
	p := outcome.Purchase
	args := itemArgs(l, subject(l, p.Name, p.Rental), p.Quantity)
	switch outcome.Result {
	case orders.Placed:
		return placedView(l, outcome.Orders, p, outcome.Usual)
	case orders.Rejected:
		return rejectedView(l, p)
	case orders.Redrawn:
		view := confirmView(l, outcome.Quote, outcome.Changes)
		view.Toast = l.Label("confirm_redrawn")
		return view
	case orders.Waiting:
		return waitingView(l, p)
	case orders.OutcomeUnknown:
		if p.House {
			return houseUnresolvedView(l, p, false)
		}
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
		text := l.T("confirm_gone")
		if outcome.Quote.Restored { // it may have been bought
			text = l.T("confirm_restored")
		}
		return bot.View{Text: text, Keyboard: keyboards.Foot(l, p.Origin)}
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
	case orders.ReasonPrice:
		if p.House {
			return l.T("rejected_price")
		}
		return l.T("swap_why_price")
	case orders.ReasonAllowance:
		return l.T("rejected_allowance")
	case orders.ReasonOperator:
		return l.T("rejected_operator")
	case orders.ReasonTurn:
		return l.T("rejected_turn")
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
		return s.card(ctx, req, outcome), nil
	}
	if outcome.Quote.Restored {
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
		return s.card(ctx, req, outcome), nil
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
	if _, err := s.buyKey(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	item, _, err := s.orderableItem(ctx, req, p.Service)
	if err != nil {
		return bot.View{}, err
	}
	return s.draftItem(ctx, req, item, orders.Intent{Quantity: p.Quantity, Link: p.Link, Origin: p.Origin, Replaces: p.ID})
}
