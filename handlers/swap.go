package handlers

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// phoneSwap asks whether to give a phone back and take a new one, with the present refund
// and price. If no swap can be offered, it shows the phone.
func (s *Screens) phoneSwap(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	phone, err := s.Orders.Phone(ctx, order)
	if err != nil || !phone.CanSwap {
		return phoneView(req.L, phone), err
	}
	offer, err := s.Orders.OfferSwap(ctx, req.User.ID, args.Order, req.Thread(), req.L.Lang())
	if words, refused := refusal(err); refused && offer.Allowance.Order == "" {
		offer.Allowance, err = hstock.CancelAllowance{Error: words}, nil
	}
	if err != nil {
		return bot.View{}, err
	}
	if offer.Swap.PurchaseID == 0 {
		view := phoneView(req.L, phone)
		view.Text += "\n\n" + refusedCancel(req.L, offer.Order, offer.Allowance)
		return view, nil
	}
	return swapQuestion(req.L, offer), nil
}

// swapQuestion says what comes back and what the new number costs, or from when the
// marketplace takes the number back and what the new one costs at most.
func swapQuestion(l *locales.Localizer, offer orders.SwapOffer) bot.View {
	swap, p := offer.Swap, offer.Quote.Purchase
	back := offer.Order.ShownRefund(swap.Charge, swap.Refund)
	phone, refund, price := shortPhone(l, offer.Order.Rental.Phone), l.Money(back, p.Currency), l.Money(p.Shown(), p.Currency)
	lines := []string{l.T("swap_ask", locales.Args{"Phone": phone, "Refund": signed(l, "+", back, p.Currency), "Price": signed(l, "−", p.Shown(), p.Currency)})}
	at := ""
	if !swap.At.IsZero() {
		at = l.Isolate(swap.At.UTC().Format("15:04") + " UTC")
		lines = []string{l.T("swap_ask_later", locales.Args{"Phone": phone, "Time": clock(l, swap.At), "Price": price})}
	} else if !offer.Allowance.Refund.Valid {
		lines = append(lines, l.T("cancel_refund_unsaid"))
	}
	lines = append(lines, l.T("swap_terms", locales.Args{"Refund": refund, "Price": price}))
	purchase := swap.PurchaseID
	if offer.Short.IsPositive() {
		id := "confirm_short"
		if p.House {
			id = "confirm_allowance_short"
		}
		lines = append(lines, "", l.T(id, locales.Args{"Now": l.Money(p.Balance, p.Currency), "Short": l.Money(offer.Short, p.Currency)}))
		purchase = 0
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.SwapKeyboard(l, offer.Order.ID, purchase, at)}
}

// signed formats a sum with its sign, together in languages from right to left.
func signed(l *locales.Localizer, sign string, sum decimal.Decimal, currency string) string {
	return l.Isolate(sign + l.Money(sum, currency))
}

// shortPhone formats a number so that a question fits one line: +1…567.
func shortPhone(l *locales.Localizer, phone string) string {
	const head, tail = 2, 3
	if runes := []rune(phone); len(runes) > head+tail {
		phone = string(runes[:head]) + "…" + string(runes[len(runes)-tail:])
	}
	return l.Isolate(phone)
}

// swapSure starts a swap, or arms it. An offer that is too old is drawn again.
func (s *Screens) swapSure(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	swap, started, err := s.Orders.StartSwap(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	if !started {
		view, err := s.phoneSwap(ctx, req, keyboards.OrderRef{Order: swap.OrderID})
		view.Text = req.L.T("confirm_changed_expired") + "\n\n" + view.Text
		return view, err
	}
	s.balances.forget(req.User.ID)
	return s.phoneShow(ctx, req, keyboards.OrderRef{Order: swap.OrderID})
}

// swapOff ends an armed swap.
func (s *Screens) swapOff(ctx context.Context, req *bot.Request, args keyboards.PurchaseArgs) (bot.View, error) {
	swap, _, err := s.Orders.EndSwap(ctx, req.User.ID, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	return s.phoneShow(ctx, req, keyboards.OrderRef{Order: swap.OrderID})
}

// swapLine says below a phone what becomes of its swap, "" where there is nothing to say.
func swapLine(l *locales.Localizer, p orders.Phone) string {
	switch {
	case p.Swap.State == storage.SwapArmed && p.Swap.At.After(time.Now()):
		return l.T("swap_armed", locales.Args{"Time": clock(l, p.Swap.At), "Price": l.Money(p.New.Shown(), p.New.Currency)})
	case p.Swap.Waiting(), swapInProgress(p):
		return l.T("swap_doing")
	case p.Swap.State == storage.SwapRenting && p.New.State == storage.PurchaseRejected:
		return l.T("swap_none") + "\n" + rejectedReason(l, p.New)
	case p.Swap.State == storage.SwapRenting && p.New.State != storage.PurchasePlaced:
		return l.T("swap_unknown")
	case p.SwapLimit:
		return l.T("swap_limit")
	case p.Swap.State == storage.SwapStopped && isCancelled(p.Order):
		return l.T("swap_none") + swapWhy(l, p)
	case p.Swap.State == storage.SwapStopped:
		return l.T("swap_off") + swapWhy(l, p)
	default:
		return ""
	}
}

func swapInProgress(p orders.Phone) bool {
	return p.Swap.State == storage.SwapRenting && (p.New.State == storage.PurchaseClaimed || p.New.State == storage.PurchaseSending)
}

// swapWhy returns why a swap has stopped, as the next line; "" if the person has ended it.
func swapWhy(l *locales.Localizer, p orders.Phone) string {
	switch p.Swap.Reason {
	case orders.SwapCancelled:
		return ""
	case orders.SwapCode:
		return "\n" + l.T("swap_why_code")
	case orders.SwapEnded:
		return "\n" + l.T("swap_why_ended")
	case orders.SwapUncertain:
		return "\n" + l.T("swap_why_uncertain")
	case orders.SwapRefused:
		return "\n" + l.T("swap_why_refused")
	case orders.SwapLess:
		return "\n" + l.T("swap_why_less")
	case orders.SwapUnconfirmed:
		return "\n" + l.T("swap_why_unconfirmed")
	case orders.SwapPaused:
		return "\n" + l.T("swap_why_paused")
	case orders.SwapKey:
		if p.House() {
			return "\n" + l.T("rejected_operator")
		}
		return "\n" + l.T("swap_why_key")
	case orders.SwapRestored:
		return "\n" + l.T("swap_why_restored")
	case orders.SwapUnreachable:
		return "\n" + l.T("swap_why_unreachable")
	default:
		return "\n" + l.T("swap_why_interrupted")
	}
}

// sendSwap redraws the message of the old number. If no new number follows, a message says
// why and what came back, unless the person knows it: from the code, from their own tap, or
// from the message about an unknown outcome.
func (n *Notifier) sendSwap(ctx context.Context, l *locales.Localizer, message storage.Message) error {
	order, err := n.DB.Order(ctx, message.UserID, message.OrderID)
	if err != nil {
		return err
	}
	phone, err := n.Orders.Phone(ctx, order)
	if err != nil {
		return err
	}
	if swapInProgress(phone) {
		return errors.New("the purchase is in progress")
	}
	if err := n.drawPhone(ctx, l, phone); err != nil {
		return err
	}
	why := ""
	switch {
	case phone.Swap.PurchaseID != message.PurchaseID: // another swap has followed
	case phone.Swap.State == storage.SwapRenting && phone.New.State == storage.PurchaseRejected:
		why = "\n" + rejectedReason(l, phone.New)
	case phone.Swap.State == storage.SwapStopped && phone.Swap.Reason != orders.SwapCode:
		why = swapWhy(l, phone)
	}
	if why == "" {
		return nil
	}
	view := swapEndView(l, phone, why)
	if view.Thread, err = n.DB.ThreadOf(ctx, message.UserID, message.PurchaseID, message.OrderID); err != nil {
		return err
	}
	_, err = n.send(ctx, l, message, view)
	return err
}

// swapEndView says that no new number was taken, why, and what came back for the old one.
func swapEndView(l *locales.Localizer, p orders.Phone, why string) bot.View {
	args := locales.Args{"Phone": code(l, p.Rental.Phone)}
	text := l.T("swap_none") + why
	back := p.CameBack()
	switch {
	case back.Valid:
		args["Refund"] = l.Money(p.ShownRefund(p.Swap.Charge, back.Decimal), p.Currency)
		text += "\n" + l.T("swap_back", args)
	case isCancelled(p.Order):
		text += "\n" + l.T("swap_back_unsaid", args)
	case p.State == storage.OrderOpen && p.CancelSentAt.IsZero():
		return bot.View{Text: text + "\n" + l.T("swap_kept", args), Keyboard: keyboards.ToOrdersKeyboard(l)}
	}
	return bot.View{Text: text, Keyboard: keyboards.PhoneEndedKeyboard(l, p.ID, hasProject(p.Order))}
}
