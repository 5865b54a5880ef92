package handlers

import (
	"context"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// unknownBalance reads the balance again and says what it suggests.
func (s *Screens) unknownBalance(ctx context.Context, req *bot.Request, args keyboards.UnresolvedArgs) (bot.View, error) {
	if missing, err := s.Orders.CountMissing(ctx, req.User.ID, args.Purchase); err != nil || missing > 0 {
		return stillMissing(req.L, args.Purchase, missing), err
	}
	evidence, err := s.Orders.Evidence(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnknown, err)
	}
	view := unresolvedView(req.L, evidence.Purchase, evidence.Now, evidence.Verdict, args.Listed)
	view.Toast = req.L.Label("balance_refreshed")
	return view, nil
}

// unresolvedView tells of a purchase whose outcome nobody knows: what it was, the
// balance before and now, and what that suggests.
func unresolvedView(l *locales.Localizer, p storage.Purchase, now decimal.NullDecimal, verdict storage.Verdict, listed bool) bot.View {
	balance := l.T("unknown_balance_before", locales.Args{"Before": l.Money(p.Balance, p.Currency)})
	if now.Valid {
		balance = l.T("unknown_balance", locales.Args{"Before": l.Money(p.Balance, p.Currency), "Now": l.Money(now.Decimal, p.Currency)})
	}
	lines := []string{
		l.T("unknown_text", locales.Args{"Name": title(l, subject(l, p.Name, p.Rental)), "Quantity": l.Number(p.Quantity), "Total": l.Money(p.Total(), p.Currency)}),
		"", balance, l.T(verdictID(p, verdict)),
	}
	if p.Refusal != "" {
		lines = append(lines, l.T("unknown_words", locales.Args{"Words": marketWords(l, p.Refusal)}))
	}
	dismissed := p.State == storage.PurchaseDismissed
	if dismissed && verdict == storage.VerdictBought { // a person's word against the balance's
		lines = append(lines, l.T("unknown_dismissed"))
	}
	retry := verdict != storage.VerdictBought && (dismissed || verdict == storage.VerdictNotBought)
	if !retry {
		lines = append(lines, "", l.T("unknown_warning"))
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.UnresolvedKeyboard(l, keyboards.UnresolvedArgs{Purchase: p.ID, Listed: listed}, dismissed, retry)}
}

func verdictID(p storage.Purchase, verdict storage.Verdict) string {
	switch {
	case verdict == storage.VerdictBought:
		return "unknown_verdict_bought"
	case p.State == storage.PurchaseDismissed:
		return "unknown_dismissed"
	case verdict == storage.VerdictNotBought:
		return "unknown_verdict_not_bought"
	case verdict == storage.VerdictUnclear:
		return "unknown_verdict_unclear"
	default:
		return "unknown_verdict_none"
	}
}

// unknownNumber asks for the order number that the person has found.
func (s *Screens) unknownNumber(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:         req.L.T("unknown_ask_number", locales.Args{"Name": title(req.L, subject(req.L, p.Name, p.Rental))}),
		Keyboard:     keyboards.Foot(req.L, ""),
		AsNewMessage: true,
		Dialog:       dialog(stepNumber, keyboards.UnresolvedAdopt.Data(args)),
	}, nil
}

// numberTyped looks the number up. It belongs to the person's key, but only
// they can say whether it is this purchase.
func (s *Screens) numberTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.UnresolvedAdopt, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	n, ok := orderNumber(req.Text)
	if !ok {
		return bot.View{}, message("unknown_not_number")
	}
	found, err := s.Orders.LookUp(ctx, req.User.ID, args.Purchase, n)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnknown, err)
	}
	l, order, p := req.L, found.Order, found.Purchase
	charge := l.Label("unknown_no_charge")
	if order.Charge.Valid {
		charge = l.Money(order.Charge.Decimal, order.Currency)
	}
	text := l.T("unknown_found", locales.Args{
		"Number": externalID(l, n), "State": stateWord(l, order), "Charge": charge,
		"Name": title(l, subject(l, p.Name, p.Rental)), "Quantity": l.Number(p.Quantity),
	})
	if order.Rental.Phone != "" {
		text = l.T("order_phone", locales.Args{"Phone": code(l, order.Rental.Phone)}) + "\n" + text
	}
	return bot.View{Text: text, Keyboard: keyboards.AdoptKeyboard(l, keyboards.AdoptArgs{Purchase: args.Purchase, ExternalID: n})}, nil
}

// unknownAdopt takes the order in as this purchase.
func (s *Screens) unknownAdopt(ctx context.Context, req *bot.Request, args keyboards.AdoptArgs) (bot.View, error) {
	order, err := s.Orders.Adopt(ctx, req.User.ID, args.Purchase, args.ExternalID)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnknown, err)
	}
	view := placedView(req.L, []storage.Order{order}, storage.Purchase{})
	view.Toast = req.L.Label("unknown_adopted")
	missing, err := s.Orders.CountMissing(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	if missing > 0 { // of several numbers; each has an order number of its own
		more := stillMissing(req.L, args.Purchase, missing)
		view.Text, view.Dialog = view.Text+"\n\n"+more.Text, more.Dialog
	}
	return view, nil
}

// stillMissing asks for the next of several rented numbers.
func stillMissing(l *locales.Localizer, purchase, missing int64) bot.View {
	return bot.View{
		Text: l.N("unknown_more", missing), Keyboard: keyboards.Foot(l, ""),
		Dialog: dialog(stepNumber, keyboards.UnresolvedAdopt.Data(keyboards.PurchaseArgs{Purchase: purchase})),
	}
}

// unknownDismiss takes the person's word that nothing was bought.
func (s *Screens) unknownDismiss(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	if err := s.Orders.Dismiss(ctx, req.User.ID, args.Purchase); err != nil {
		return bot.View{}, err
	}
	p, err := s.DB.Purchase(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	view := unresolvedView(req.L, p, p.BalanceSeen, p.Verdict, false)
	view.Toast = req.L.Label("unknown_dismissed_toast")
	return view, nil
}
