package handlers

import (
	"context"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// unresolvedBalance reads the balance again and shows what it suggests.
func (s *Screens) unresolvedBalance(ctx context.Context, req *bot.Request, args keyboards.UnresolvedArgs) (bot.View, error) {
	if missing, err := s.Orders.CountMissing(ctx, req.User.ID, args.Purchase); err != nil || missing > 0 {
		return missingView(req.L, args.Purchase, missing), err
	}
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	if p.House && (p.State == storage.PurchaseOutcomeUnknown || p.State == storage.PurchaseDismissed) {
		return houseUnresolvedView(req.L, p, args.Listed), nil
	}
	evidence, err := s.Orders.Evidence(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnresolved, err)
	}
	view := unresolvedView(req.L, evidence.Purchase, evidence.Balance, evidence.Verdict, args.Listed)
	view.Toast = req.L.Label("balance_refreshed")
	return view, nil
}

// unresolvedView shows a purchase with an unknown outcome: the item, the balance
// before and now, and the verdict. now is not valid if the balance was not read.
func unresolvedView(l *locales.Localizer, p storage.Purchase, now decimal.NullDecimal, verdict storage.Verdict, listed bool) bot.View {
	balance := l.T("unresolved_balance_before", locales.Args{"Before": l.Money(p.Balance, p.Currency)})
	if now.Valid {
		balance = l.T("unresolved_balance", locales.Args{"Before": l.Money(p.Balance, p.Currency), "Now": l.Money(now.Decimal, p.Currency)})
	}
	lines := []string{
		l.T("unresolved_text", locales.Args{"Name": title(l, subject(l, p.Name, p.Rental)), "Quantity": l.Number(p.Quantity), "Total": l.Money(p.Shown(), p.Currency)}),
		"", balance, l.T(verdictID(p, verdict)),
	}
	if now.Valid {
		lines = append(lines, l.T("unresolved_balance_caveat"))
	}
	if p.Refusal != "" {
		lines = append(lines, l.T("unresolved_words", locales.Args{"Words": marketWords(l, p.Refusal)}))
	}
	dismissed := p.State == storage.PurchaseDismissed
	if dismissed && verdict == storage.VerdictBought { // the balance contradicts the person
		lines = append(lines, l.T("unresolved_dismissed"))
	}
	retry := verdict != storage.VerdictBought && (dismissed || verdict == storage.VerdictNotBought)
	if !retry {
		lines = append(lines, "", l.T("unresolved_warning"))
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.UnresolvedKeyboard(l, keyboards.UnresolvedArgs{Purchase: p.ID, Listed: listed}, dismissed, retry)}
}

func verdictID(p storage.Purchase, verdict storage.Verdict) string {
	switch {
	case verdict == storage.VerdictBought:
		return "unresolved_verdict_bought"
	case p.State == storage.PurchaseDismissed:
		return "unresolved_dismissed"
	case verdict == storage.VerdictNotBought:
		return "unresolved_verdict_not_bought"
	case verdict == storage.VerdictUnclear:
		return "unresolved_verdict_unclear"
	default:
		return "unresolved_verdict_none"
	}
}

// unresolvedAdopt asks for the id of the order that the purchase has become.
func (s *Screens) unresolvedAdopt(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err == nil && p.House {
		err = orders.ErrAdminsDecide
	}
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:         req.L.T("unresolved_ask_id", locales.Args{"Name": title(req.L, subject(req.L, p.Name, p.Rental))}),
		Keyboard:     keyboards.Foot(req.L, ""),
		AsNewMessage: true,
		Dialog:       dialog(stepExternalID, keyboards.UnresolvedAdopt.Data(args)),
	}, nil
}

// externalIDTyped looks an order up and asks whether it is this purchase: that the
// order belongs to the person's key does not prove it.
func (s *Screens) externalIDTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.UnresolvedAdopt, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	id, ok := parseExternalID(req.Text)
	if !ok {
		return bot.View{}, userErr("unresolved_not_id")
	}
	found, err := s.Orders.LookUp(ctx, req.User.ID, args.Purchase, id)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnresolved, err)
	}
	typed, err := s.storeTypedID(ctx, req, id)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnresolved, err)
	}
	l, order, p := req.L, found.Order, found.Purchase
	text := l.T("unresolved_found", locales.Args{
		"Number": externalID(l, id), "State": stateWord(l, order), "Charge": chargeText(l, order),
		"Name": title(l, subject(l, p.Name, p.Rental)), "Quantity": l.Number(p.Quantity),
	})
	if order.Rental.Phone != "" {
		text = phoneLine(l, order) + "\n" + text
	}
	return bot.View{Text: text, Keyboard: keyboards.AdoptKeyboard(l, keyboards.AdoptArgs{Purchase: args.Purchase, ExternalID: typed})}, nil
}

// unresolvedAdoptSure adopts an order as this purchase.
func (s *Screens) unresolvedAdoptSure(ctx context.Context, req *bot.Request, args keyboards.AdoptArgs) (bot.View, error) {
	id, err := s.typedID(ctx, req, args.ExternalID)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnresolved, err)
	}
	order, err := s.Orders.Adopt(ctx, req.User.ID, args.Purchase, id)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnresolved, err)
	}
	view := placedView(req.L, []storage.Order{order}, storage.Purchase{}, s.Orders.Usual(ctx, order))
	view.Toast = req.L.Label("unresolved_adopted")
	missing, err := s.Orders.CountMissing(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	if missing > 0 { // several phones were rented; each is an order
		question := missingView(req.L, args.Purchase, missing)
		view.Text, view.Dialog = view.Text+"\n\n"+question.Text, question.Dialog
	}
	return view, nil
}

// missingView asks for the order of the next of several rented phones.
func missingView(l *locales.Localizer, purchase, missing int64) bot.View {
	return bot.View{
		Text: l.N("unresolved_more", missing), Keyboard: keyboards.Foot(l, ""),
		Dialog: dialog(stepExternalID, keyboards.UnresolvedAdopt.Data(keyboards.PurchaseArgs{Purchase: purchase})),
	}
}

// unresolvedDismiss records that the person says nothing was bought.
func (s *Screens) unresolvedDismiss(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	if err := s.Orders.Dismiss(ctx, req.User.ID, args.Purchase); err != nil {
		return bot.View{}, err
	}
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	view := unresolvedView(req.L, p, p.BalanceSeen, p.Verdict, false)
	view.Toast = req.L.Label("unresolved_dismissed_toast")
	return view, nil
}
