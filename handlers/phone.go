package handlers

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// maxSMSLength limits an SMS that is shown in a message, in characters. A longer one
// is sent as a file.
const maxSMSLength = 3000

// rentedView is the confirm card after phones were rented.
func rentedView(l *locales.Localizer, rented []storage.Order, p storage.Purchase) bot.View {
	o, count := rented[0], int64(len(rented))
	ids := externalID(l, o.ExternalID)
	for _, next := range rented[1:] {
		ids = l.Label("placed_phones_list", locales.Args{"First": ids, "Next": externalID(l, next.ExternalID)})
	}
	heading := l.T("placed_title", locales.Args{"Number": ids})
	if count > 1 {
		heading = l.T("placed_phones_title", locales.Args{"Numbers": ids})
	}
	lines := []string{heading, l.T("confirm_what", itemArgs(l, subject(l, o.Name, o.Rental), count))}
	if count < p.Quantity && !o.Adopted {
		lines = append(lines, l.T("placed_fewer", locales.Args{"Given": l.Number(count), "Asked": l.Number(p.Quantity)}))
	}
	lines = append(lines, "", l.N("placed_phones_follow", count))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.ToOrdersKeyboard(l)}
}

// phoneView is the message that shows a phone while it is rented.
func phoneView(l *locales.Localizer, p orders.Phone) bot.View {
	state := phoneState(p.Order)
	state.CanSwap = p.CanSwap
	state.CanRentAnother = state.CanRentAnother && !p.Swap.Active()
	if p.Swap.State == storage.SwapArmed {
		state.Armed = p.Swap.PurchaseID
	}
	return bot.View{Text: phoneText(l, p), Keyboard: keyboards.PhoneKeyboard(l, p.ID, p.Rental.Phone, state)}
}

func phoneState(o storage.Order) keyboards.PhoneState {
	waits := o.State == storage.OrderOpen
	return keyboards.PhoneState{
		Open: o.Open(), Waiting: waits, CanCancel: waits && orders.MayAskCancel(o),
		Received: o.Delivered > 0, CanRentAnother: hasProject(o), CanRentAgain: o.Delivered > 0 && hasProject(o) && o.Rental.Phone != "",
	}
}

// hasProject reports whether the project of a rented phone is known. That of an
// external order is not.
func hasProject(o storage.Order) bool { return o.Rental.Project != "" }

// phoneArgs returns the arguments Phone, Project and Country of a message about a
// rented phone.
func phoneArgs(l *locales.Localizer, o storage.Order) locales.Args {
	return locales.Args{"Phone": code(l, o.Rental.Phone), "Project": title(l, orderName(l, o)), "Country": country(l, o.Rental)}
}

// phoneText states what a phone is waiting for and how long that usually takes, or how the
// rental ended and its charge, and what becomes of a swap.
func phoneText(l *locales.Localizer, p orders.Phone) string {
	text := phoneStateText(l, p)
	if line := swapLine(l, p); line != "" {
		text += "\n" + line
	}
	return text
}

func phoneStateText(l *locales.Localizer, p orders.Phone) string {
	o := p.Order
	args := phoneArgs(l, o)
	if !o.ExpiresAt.IsZero() {
		args["Until"] = clock(l, o.ExpiresAt)
	}
	if o.State == storage.OrderDelivered {
		return l.T("phone_received", args)
	}
	if id := endedID(o); id != "" {
		if p.NewPhone != "" {
			id, args["New"] = "phone_swapped", code(l, p.NewPhone)
		}
		args["Words"] = locales.Shorten(o.RawStatus, wordLength)
		charge := l.T("phone_no_charge")
		if o.Charge.Valid {
			charge = l.T("order_charge", locales.Args{"Charge": l.Money(o.Shown(o.Charge.Decimal), o.Currency)})
		}
		return l.T(id, args) + "\n" + charge
	}
	id := "phone_waiting"
	switch {
	case o.ExpiresAt.IsZero():
		id = "phone_waiting_open"
	case o.ExpiresAt.Before(o.CreatedAt):
		id = "phone_waiting_past"
	case isPast(o.ExpiresAt):
		id = "phone_waiting_over"
	}
	text := l.T(id, args)
	if p.Usual > 0 && id != "phone_waiting_over" {
		text += "\n" + usualLine(l, p.Usual)
	}
	if o.RawStatus != "" && hstock.ParseSMSState(o.RawStatus) == hstock.SMSUnknown {
		text += "\n" + l.T("order_state", locales.Args{"State": locales.Shorten(o.RawStatus, wordLength)})
	}
	return text
}

// endedID returns the message about a rental that ended without a code, "" for another.
func endedID(o storage.Order) string {
	switch o.State {
	case storage.OrderExpired:
		if endedInOtherWords(o) {
			return "phone_ended"
		}
		return "phone_expired"
	case storage.OrderCancelled:
		return "phone_cancelled"
	case storage.OrderRefunded:
		return "phone_refunded"
	case storage.OrderStale:
		return "phone_stale"
	default:
		return ""
	}
}

// endedInOtherWords reports whether a rental has ended for a reason that only the
// marketplace's word tells ("BANNED").
func endedInOtherWords(o storage.Order) bool {
	return o.Kind == storage.KindSMS && o.State == storage.OrderExpired && hstock.ParseSMSState(o.RawStatus) == hstock.SMSEnded
}

// phoneShow shows a phone in the state that was last read.
func (s *Screens) phoneShow(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	return s.phoneView(ctx, req.L, order)
}

func (s *Screens) phoneView(ctx context.Context, l *locales.Localizer, order storage.Order) (bot.View, error) {
	phone, err := s.Orders.Phone(ctx, order)
	if err != nil {
		return bot.View{}, err
	}
	return phoneView(l, phone), nil
}

// phoneCheck reads the state from the marketplace first. A code is sent as a message
// of its own.
func (s *Screens) phoneCheck(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.Orders.Refresh(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	view, err := s.phoneView(ctx, req.L, order)
	if err != nil {
		return bot.View{}, err
	}
	if order.State == storage.OrderOpen {
		view.Toast = req.L.Label("phone_no_code")
	} else {
		view.Toast = req.L.Label("order_refreshed")
	}
	return view, nil
}

// phoneAgain draws the confirm card for renting the same phone again.
func (s *Screens) phoneAgain(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	if order.Rental.Phone == "" { // any phone would be rented
		return bot.View{}, storage.ErrNotFound
	}
	return s.rentLike(ctx, req, order, order.Rental)
}

// phoneAnother draws the confirm card for another phone of the same project and country.
func (s *Screens) phoneAnother(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	rental := order.Rental
	rental.Phone = ""
	return s.rentLike(ctx, req, order, rental)
}

// rentLike draws the confirm card in a new message, because the tapped one shows a
// phone or a code.
func (s *Screens) rentLike(ctx context.Context, req *bot.Request, order storage.Order, rental storage.Rental) (bot.View, error) {
	if order.Kind != storage.KindSMS || rental.Project == "" {
		return bot.View{}, storage.ErrNotFound
	}
	return inNewMessage(s.draft(ctx, req, orders.Intent{Rental: rental, Quantity: 1, Origin: order.Origin}))
}

// phoneCode reads every received SMS again, because none is stored here, and shows each
// in a new message.
func (s *Screens) phoneCode(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, received, err := s.Orders.Codes(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	if len(received) == 0 {
		return bot.View{}, userErr("phone_code_gone")
	}
	last := len(received) - 1
	for _, sms := range received[:last] {
		view, _ := inNewMessage(codeView(req.L, order, sms, false), nil)
		if err := req.Show(ctx, view); err != nil {
			return bot.View{}, err
		}
	}
	return inNewMessage(codeView(req.L, order, received[last], false), nil)
}

// codeView shows an SMS unchanged: in the message if Telegram does not change it there,
// else in a file.
func codeView(l *locales.Localizer, o storage.Order, sms orders.SMS, asFile bool) bot.View {
	value, text := sms.Code.Reveal(), sms.Text.Reveal()
	shown := value != "" && fitsLine(value) && !asFile
	inMessage := smsFitsMessage(text) && !asFile && (shown || value == "")
	heading := l.T("code_none")
	if shown {
		heading = l.T("code_title", locales.Args{"Code": code(l, value)})
	}
	view := bot.View{Text: heading + "\n" + l.T("code_for", phoneArgs(l, o))}
	state := phoneState(o)
	if asFile { // Telegram has rejected a message with the value
		view.Keyboard = keyboards.CodeKeyboard(l, o.ID, "", "", state)
	} else {
		view.Keyboard = keyboards.CodeKeyboard(l, o.ID, value, text, state)
	}
	switch {
	case !inMessage:
		if text == "" {
			text = value
		}
		view.Text += "\n\n" + l.T("code_file")
		view.Document = &bot.Document{Name: fileName("sms", o.ExternalID, ".txt"), Data: []byte(text)}
	case text != "":
		view.Text += "\n\n" + quote(text)
	}
	return view
}

// smsFitsMessage reports whether Telegram shows a whole SMS unchanged. Unlike fitsLine
// it allows line breaks and marks of right-to-left text.
func smsFitsMessage(text string) bool {
	return utf8.ValidString(text) && text == strings.TrimSpace(text) && utf8.RuneCountInString(text) <= maxSMSLength &&
		!strings.ContainsFunc(text, func(r rune) bool {
			return r != '\n' && (unicode.IsControl(r) || r == unicode.ReplacementChar)
		})
}
