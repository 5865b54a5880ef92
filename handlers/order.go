package handlers

import (
	"context"
	"regexp"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// order shows an order in the state that was last read.
func (s *Screens) order(ctx context.Context, req *bot.Request, args keyboards.OrderViewArgs) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	return orderView(req.L, order, args, s.Orders.Usual(ctx, order)), nil
}

// orderRefresh reads the order's state from the marketplace and shows the order.
func (s *Screens) orderRefresh(ctx context.Context, req *bot.Request, args keyboards.OrderViewArgs) (bot.View, error) {
	order, err := s.Orders.Refresh(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	view := orderView(req.L, order, args, s.Orders.Usual(ctx, order))
	view.Toast = req.L.Label("order_refreshed")
	return view, nil
}

// orderView shows an order. usual is how long the first account or code usually takes, 0 if
// that is not known or the order no longer waits.
func orderView(l *locales.Localizer, o storage.Order, args keyboards.OrderViewArgs, usual time.Duration) bot.View {
	if o.Kind == storage.KindSMS {
		return bot.View{Text: orderText(l, o, usual), Keyboard: keyboards.PhoneOrderKeyboard(l, args, o.Rental.Phone, phoneState(o))}
	}
	return bot.View{Text: orderText(l, o, usual), Keyboard: keyboards.OrderKeyboard(l, args, keyboards.OrderActions{
		Accounts: o.Kind == storage.KindProduct && o.Delivered > 0,
		Cancel:   o.Open() && orders.MayAskCancel(o),
		Again:    repeatable(o),
		Feedback: feedbackState(o),
	})}
}

// statusLines states an order's state, how long it usually takes, its charge, and how much was delivered.
func statusLines(l *locales.Localizer, o storage.Order, usual time.Duration) []string {
	lines := []string{l.T("order_state", locales.Args{"State": stateText(l, o)})}
	if usual > 0 {
		lines = append(lines, usualLine(l, usual))
	}
	if o.Charge.Valid {
		lines = append(lines, l.T("order_charge", locales.Args{"Charge": l.Money(o.Shown(o.Charge.Decimal), o.Currency)}))
	}
	switch {
	case o.Kind != storage.KindProduct || o.Delivered == 0:
	case o.Quantity == 0:
		lines = append(lines, l.T("order_delivered_some", locales.Args{"SoFar": l.Number(o.Present)}))
	default:
		lines = append(lines, l.T("order_delivered", locales.Args{"SoFar": l.Number(o.Present), "Of": l.Number(o.Quantity)}))
	}
	return lines
}

// orderLink shows the link of an SMM order, or the address for the delivery of goods.
func orderLink(l *locales.Localizer, o storage.Order) string {
	id := "confirm_email"
	if o.Kind == storage.KindSMM {
		id = "confirm_link"
	}
	return l.T(id, locales.Args{"Link": l.Isolate(o.Link), "Email": l.Isolate(o.Link)})
}

func orderText(l *locales.Localizer, o storage.Order, usual time.Duration) string {
	lines := []string{
		l.T("order_title", locales.Args{"Number": externalID(l, o.ExternalID)}),
		orderItemLine(l, o),
		"",
	}
	lines = append(lines, statusLines(l, o, usual)...)
	if said := feedbackLine(l, o); said != "" {
		lines = append(lines, said)
	}
	if o.Kind == storage.KindSMM && o.StartCount != nil {
		lines = append(lines, l.T("order_start_count", locales.Args{"Count": l.Number(*o.StartCount)}))
	}
	if o.Remains != nil && o.Open() {
		lines = append(lines, l.T("order_remains", locales.Args{"Count": l.Number(*o.Remains)}))
	}
	if o.Kind == storage.KindSMS {
		lines = append(lines, phoneLine(l, o))
		if !o.ExpiresAt.IsZero() {
			lines = append(lines, l.T("order_expires", locales.Args{"Time": clock(l, o.ExpiresAt)}))
		}
	}
	if o.Link != "" {
		lines = append(lines, orderLink(l, o))
	}
	created := "order_created"
	if o.External {
		created = "order_imported"
	}
	lines = append(lines, "", l.T(created, locales.Args{"Time": clock(l, o.CreatedAt)}))
	if o.Polls > 0 {
		lines = append(lines, l.T("order_updated", locales.Args{"Time": clock(l, o.UpdatedAt)}))
	}
	if o.State == storage.OrderStale {
		lines = append(lines, l.T("order_stale"))
	}
	if orders.Incomplete(o) {
		lines = append(lines, "", incompleteLine(l, o))
	}
	return strings.Join(lines, "\n")
}

// usualLine says how long the first account or code usually takes: to the second below
// 10 s, to 5 seconds below 90 s, then to the minute, and to the hour from 2 hours on.
func usualLine(l *locales.Localizer, usual time.Duration) string {
	count, line, _ := roundUsual(usual)
	return l.N(line, count)
}

// roundUsual returns how many seconds, minutes or hours these are, the message of a line
// about them, and that of a short label.
func roundUsual(usual time.Duration) (count int64, line, short string) {
	rounded := func(step, unit time.Duration) int64 { return int64(usual.Round(step) / unit) }
	switch {
	case usual < 10*time.Second:
		return max(rounded(time.Second, time.Second), 1), "usual_seconds", "sms_seconds"
	case usual < 90*time.Second:
		return rounded(5*time.Second, time.Second), "usual_seconds", "sms_seconds"
	case usual < 2*time.Hour:
		return rounded(time.Minute, time.Minute), "usual_minutes", "sms_minutes"
	default:
		return rounded(time.Hour, time.Hour), "usual_hours", "sms_hours"
	}
}

// incompleteLine says that the marketplace calls an order completed, how many of its
// accounts have come, and what to do.
func incompleteLine(l *locales.Localizer, o storage.Order) string {
	id := "order_incomplete"
	if o.House() {
		id = "order_incomplete_allowance"
	}
	return l.T(id, locales.Args{"SoFar": l.Number(o.Present), "Of": l.Number(o.Quantity)})
}

// externalID formats an order's id, as one piece in right-to-left text.
func externalID(l *locales.Localizer, id string) string { return l.Isolate("#" + id) }

// fileName names the file of an order: an id may contain characters that mean something
// in a path.
func fileName(kind, externalID, extension string) string {
	return kind + "-" + unsafeInName.ReplaceAllString(externalID, "-") + extension
}

var unsafeInName = regexp.MustCompile(`[^A-Za-z0-9_-]`)

// orderName names what was bought. Of an external order only the kind is known.
func orderName(l *locales.Localizer, o storage.Order) string {
	switch {
	case o.Name != "":
		return o.Name
	case o.Kind == storage.KindSMS:
		return l.Label("external_sms")
	case o.Kind == storage.KindSMM:
		return l.Label("external_smm")
	default:
		return l.Label("external_product")
	}
}

// orderItemLine states what was bought, and the quantity if it is known.
func orderItemLine(l *locales.Localizer, o storage.Order) string {
	name := subject(l, orderName(l, o), o.Rental)
	if o.Quantity == 0 {
		return locales.Escape(title(l, name))
	}
	return l.T("confirm_what", itemArgs(l, name, o.Quantity))
}

// itemLines states what was bought, and the phone number of a rental.
func itemLines(l *locales.Localizer, o storage.Order) string {
	if o.Rental.Phone == "" {
		return orderItemLine(l, o)
	}
	return orderItemLine(l, o) + "\n" + phoneLine(l, o)
}

// phoneLine states the phone number of a rental.
func phoneLine(l *locales.Localizer, o storage.Order) string {
	return l.T("order_phone", locales.Args{"Phone": code(l, o.Rental.Phone)})
}

// chargeText formats the charge of an order, which may not be known yet.
func chargeText(l *locales.Localizer, o storage.Order) string {
	if !o.Charge.Valid {
		return l.Label("unresolved_no_charge")
	}
	return l.Money(o.Shown(o.Charge.Decimal), o.Currency)
}

// repeatable returns the purchase that "Order again" repeats, 0 for an external order
// because what was bought is not known.
func repeatable(o storage.Order) int64 {
	if o.External {
		return 0
	}
	return o.PurchaseID
}

func stateIcon(state storage.OrderState) string {
	switch state {
	case storage.OrderOpen:
		return "⏳"
	case storage.OrderPartial:
		return "🌓"
	case storage.OrderDelivered:
		return "✅"
	case storage.OrderCancelled:
		return "✖"
	case storage.OrderRefunded:
		return "↩️"
	case storage.OrderFailed:
		return "⚠️"
	case storage.OrderExpired:
		return "⌛"
	default:
		return "💤"
	}
}

// stateText is stateWord with the icon of the state.
func stateText(l *locales.Localizer, o storage.Order) string {
	return stateIcon(o.State) + " " + stateWord(l, o)
}

// stateWord translates an order's state.
func stateWord(l *locales.Localizer, o storage.Order) string {
	switch o.State {
	case storage.OrderPartial:
		return l.Label("state_partial")
	case storage.OrderDelivered:
		if o.Kind == storage.KindSMS {
			return l.Label("state_code_came")
		}
		return l.Label("state_delivered")
	case storage.OrderCancelled:
		return l.Label("state_cancelled")
	case storage.OrderRefunded:
		return l.Label("state_refunded")
	case storage.OrderFailed:
		return l.Label("state_failed")
	case storage.OrderExpired:
		if !endedInOtherWords(o) {
			return l.Label("state_expired")
		}
		return l.Label("state_ended")
	}
	return openStateWord(l, o)
}

// openStateWord translates the status that the marketplace gave last, for an order that is
// still followed. A status that is not known is shown in the marketplace's own words.
func openStateWord(l *locales.Localizer, o storage.Order) string {
	if o.Kind == storage.KindSMS {
		switch hstock.ParseSMSState(o.RawStatus) {
		case hstock.SMSExpired:
			return l.Label("state_expired")
		case hstock.SMSCanceled:
			return l.Label("state_cancelled")
		case hstock.SMSRefunded:
			return l.Label("state_refunded")
		case hstock.SMSWaiting, hstock.SMSReceived, hstock.SMSEnded: // the code is still asked for
			return l.Label("state_waiting_code")
		case hstock.SMSUnknown:
			if o.RawStatus == "" {
				return l.Label("state_waiting_code")
			}
		}
	}
	switch hstock.ParseOrderState(o.RawStatus) {
	case hstock.StatePending:
		return l.Label("state_pending")
	case hstock.StateInProgress:
		return l.Label("state_in_progress")
	case hstock.StateCompleted:
		return l.Label("state_completed")
	case hstock.StatePartial:
		return l.Label("state_partial")
	case hstock.StateCanceled:
		return l.Label("state_cancelled")
	case hstock.StateRefunded:
		return l.Label("state_refunded")
	case hstock.StateFailed:
		return l.Label("state_failed")
	case hstock.StateUnknown:
		if o.RawStatus == "" {
			return l.Label("state_placed")
		}
	}
	return locales.Shorten(o.RawStatus, wordLength)
}

// placedView is the confirm card after the purchase. usual is as in orderView.
func placedView(l *locales.Localizer, placed []storage.Order, p storage.Purchase, usual time.Duration) bot.View {
	o := placed[0]
	if o.Kind == storage.KindSMS {
		return rentedView(l, placed, p)
	}
	lines := []string{
		l.T("placed_title", locales.Args{"Number": externalID(l, o.ExternalID)}),
		orderItemLine(l, o),
	}
	if o.Link != "" {
		lines = append(lines, orderLink(l, o))
	}
	if o.State != storage.OrderOpen || o.RawStatus != "" { // else the title says the state
		lines = append(lines, l.T("order_state", locales.Args{"State": stateText(l, o)}))
	}
	if usual > 0 {
		lines = append(lines, usualLine(l, usual))
	}
	if o.Charge.Valid {
		lines = append(lines, l.T("order_charge", locales.Args{"Charge": l.Money(o.Shown(o.Charge.Decimal), o.Currency)}))
	}
	switch {
	case orders.Incomplete(o):
		lines = append(lines, "", incompleteLine(l, o))
	case o.Open() && o.Kind == storage.KindProduct:
		lines = append(lines, "", l.T("placed_follows"))
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.PlacedKeyboard(l, o.ID)}
}

func (s *Screens) cardRefresh(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.Orders.Refresh(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	view := placedView(req.L, []storage.Order{order}, storage.Purchase{}, s.Orders.Usual(ctx, order))
	view.Toast = req.L.Label("order_refreshed")
	return view, nil
}

// orderAccounts reads the delivered goods again, because they are not stored here,
// and shows them in a new message, and those of a file in a second one as columns.
func (s *Screens) orderAccounts(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, accounts, err := s.Orders.Accounts(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	if len(accounts) == 0 {
		return bot.View{}, userErr("order_no_accounts")
	}
	title := req.L.T("delivered_again", locales.Args{"Number": externalID(req.L, order.ExternalID)})
	view, _ := inNewMessage(goodsView(req.L, order, accounts, positionsOf(accounts), title, false), nil)
	if view.Document == nil {
		return view, nil
	}
	columns, err := columnsView(req.L, order, accounts)
	if err != nil || columns.Document == nil {
		return view, err
	}
	if err := req.Show(ctx, view); err != nil {
		return bot.View{}, err
	}
	return inNewMessage(columns, nil)
}
