package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// Kinds of the messages that tell a person about their allowance. The bodies of the first
// two are the terms.
const (
	messageAllowanceGiven   = "grant"
	messageAllowanceChanged = "grantchanged"
	messageAllowanceRemoved = "grantended"
)

// allowance returns a person's allowance, if they have one.
func (p People) allowance(ctx context.Context, userID int64) (a storage.Allowance, has bool, err error) {
	a, err = p.DB.Allowance(ctx, userID, time.Now())
	if errors.Is(err, storage.ErrNotFound) {
		return a, false, nil
	}
	return a, err == nil, err
}

// allowanceLine says what of an allowance is left.
func allowanceLine(l *locales.Localizer, a storage.Allowance) string {
	return l.T("allowance_text", locales.Args{"Sum": l.Money(a.Available(), a.Currency)})
}

// allowanceText says in addition how much of it is used, and when it is renewed.
func (s *Screens) allowanceText(l *locales.Localizer, a storage.Allowance) string {
	id, args := "allowance_used", locales.Args{"Used": l.Money(a.Spent, a.Currency), "Amount": l.Money(a.Amount, a.Currency)}
	if a.Monthly {
		today := s.DB.Day(time.Now())
		next := time.Date(today.Year(), today.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		id, args["Time"] = "allowance_used_month", clock(l, s.DB.DayBegins(next))
	}
	lines := []string{allowanceLine(l, a), l.T(id, args)}
	if a.Held.IsPositive() {
		lines = append(lines, l.T("allowance_held", locales.Args{"Sum": l.Money(a.Held, a.Currency)}))
	}
	return strings.Join(lines, "\n")
}

// paysLine says which of two pays.
func paysLine(l *locales.Localizer, a storage.Allowance) string {
	if a.Pays {
		return l.T("allowance_pays")
	}
	return l.T("allowance_own_pays")
}

// keyPays makes the allowance pay, or the person's own key.
func (s *Screens) keyPays(ctx context.Context, req *bot.Request, args keyboards.KeyPaysArgs) (bot.View, error) {
	if args.Allowance {
		if _, err := s.DB.Allowance(ctx, req.User.ID, time.Now()); err != nil {
			return bot.View{}, err
		}
	} else if _, err := s.DB.OwnKey(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	if _, err := s.DB.PayWith(ctx, req.User.ID, args.Allowance); err != nil {
		return bot.View{}, err
	}
	s.balances.forget(req.User.ID)
	return s.key(ctx, req, struct{}{})
}

// spendable returns how much a person may spend on what has a price in a currency: what is
// left of their allowance, or the balance of their own key.
func (s *Screens) spendable(ctx context.Context, userID int64, currency string) (decimal.Decimal, error) {
	key, err := s.buyKey(ctx, userID)
	if err != nil {
		return decimal.Zero, err
	}
	if key.House {
		a, err := s.DB.Allowance(ctx, userID, time.Now())
		if currency != "" && a.Currency != currency {
			a = storage.Allowance{}
		}
		return a.Available(), err
	}
	balance, err := s.ownBalance(ctx, userID, false)
	return balance.Amount, err
}

// payment is what a card says about the money.
type payment struct {
	allowance         bool // that pays
	choice            bool // there is an allowance, but the person's own key pays
	estimate, blocked bool
	now, total, short decimal.Decimal
	currency          string
}

func paymentLines(l *locales.Localizer, p payment) []string {
	args := locales.Args{
		"Now": l.Money(p.now, p.currency), "After": l.Money(p.now.Sub(p.total), p.currency), "Short": l.Money(p.short, p.currency),
	}
	id, estimate := "confirm_balance", "confirm_balance_estimate"
	if p.allowance {
		id, estimate = "confirm_allowance", "confirm_allowance_estimate"
	}
	if p.estimate {
		id = estimate
	}
	var lines []string
	if p.choice {
		lines = append(lines, l.T("confirm_own"))
	}
	switch {
	case !p.short.IsPositive():
		return append(lines, l.T(id, args))
	case p.allowance:
		return append(lines, l.T("confirm_allowance_short", args))
	case p.blocked:
		return append(lines, l.T("confirm_balance_short", args), l.T("confirm_short", args))
	default:
		return append(lines, l.T("confirm_balance_short", args), l.T("confirm_short_warning", args))
	}
}

// waitingView shows a purchase that waits for its turn.
func waitingView(l *locales.Localizer, p storage.Purchase) bot.View {
	return bot.View{
		Text: l.T("turn_text") + "\n\n" + l.T("confirm_what", itemArgs(l, subject(l, p.Name, p.Rental), p.Quantity)) + "\n" +
			l.T("confirm_total", locales.Args{"Total": l.Money(p.Shown(), p.Currency)}),
		Keyboard: keyboards.WaitingKeyboard(l, p.ID), Toast: l.Label("turn_toast"),
	}
}

// houseUnresolvedView shows the buyer a purchase of unknown outcome that the operator's key
// has paid: admins settle it.
func houseUnresolvedView(l *locales.Localizer, p storage.Purchase, listed bool) bot.View {
	id, back := "unresolved_house", ""
	if p.State == storage.PurchaseDismissed {
		id = "unresolved_house_no"
	}
	if listed {
		back = keyboards.Orders.Data(keyboards.OrdersArgs{})
	}
	args := itemArgs(l, subject(l, p.Name, p.Rental), p.Quantity)
	args["Total"] = l.Money(p.Shown(), p.Currency)
	return bot.View{Text: l.T(id, args), Keyboard: keyboards.Foot(l, back)}
}

// aboutAllowance is a message to a person about their allowance.
func aboutAllowance(userID int64, kind string, terms storage.AllowanceTerms, now time.Time) (storage.Message, error) {
	body, err := json.Marshal(terms)
	if err != nil {
		return storage.Message{}, fmt.Errorf("encode terms: %w", err)
	}
	return storage.Message{UserID: userID, Kind: kind, Priority: outbox.PriorityReply, Body: body, CreatedAt: now}, nil
}

// allowanceView renders a stored message about an allowance. It says what was changed then,
// and what is left now.
func (n *Notifier) allowanceView(ctx context.Context, l *locales.Localizer, message storage.Message) (bot.View, error) {
	if message.Kind == messageAllowanceRemoved {
		return bot.View{Text: l.T("allowance_removed"), Keyboard: keyboards.Foot(l, "")}, nil
	}
	var terms storage.AllowanceTerms
	if err := json.Unmarshal(message.Body, &terms); err != nil {
		return bot.View{}, fmt.Errorf("%w: decode terms", outbox.ErrRejected)
	}
	now, has, err := n.allowance(ctx, message.UserID)
	if err != nil {
		return bot.View{}, err
	}
	if !has { // it was removed meanwhile, which is told
		return bot.View{}, nil
	}
	return allowanceGivenView(l, message.Kind, terms, now), nil
}

func allowanceGivenView(l *locales.Localizer, kind string, terms storage.AllowanceTerms, now storage.Allowance) bot.View {
	id := "allowance_given"
	switch {
	case kind == messageAllowanceChanged && terms.Monthly:
		id = "allowance_changed_month"
	case kind == messageAllowanceChanged:
		id = "allowance_changed"
	case terms.Monthly:
		id = "allowance_given_month"
	}
	text := l.T(id, locales.Args{"Amount": l.Money(terms.Amount, terms.Currency)}) + "\n" + allowanceLine(l, now)
	if !now.Pays {
		text += "\n\n" + l.T("allowance_given_own")
	}
	return bot.View{Text: text, Keyboard: keyboards.MenuKeyboard(l, keyboards.MenuParts{})}
}

// allowanceByLink gives a person the allowance of a one-time link.
func (s *Screens) allowanceByLink(ctx context.Context, req *bot.Request, code string) (bot.View, error) {
	a, err := s.DB.UseAllowanceLink(ctx, req.User.ID, code, storage.AuditEntry{Action: actionAllowanceUsed, At: time.Now()})
	switch {
	case errors.Is(err, storage.ErrLinkGone):
		return bot.View{}, userErr("allowance_link_gone")
	case errors.Is(err, storage.ErrHasAllowance), errors.Is(err, storage.ErrHouseKey):
		return bot.View{}, userErr("allowance_link_has")
	case errors.Is(err, storage.ErrNoOperatorKey):
		return bot.View{}, orders.ErrOperator
	case err != nil:
		return bot.View{}, err
	}
	return allowanceGivenView(req.L, messageAllowanceGiven, a.AllowanceTerms, a), nil
}
