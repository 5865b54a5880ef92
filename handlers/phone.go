package handlers

import (
	"context"
	"strconv"
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

// smsLength is how long an SMS may be to stand in a message, in characters.
const smsLength = 3000

// rentedView is what the confirm card of numbers becomes.
func rentedView(l *locales.Localizer, rented []storage.Order, p storage.Purchase) bot.View {
	o := rented[0]
	numbers := externalID(l, o.ExternalID)
	for _, next := range rented[1:] {
		numbers = l.Label("placed_numbers_list", locales.Args{"First": numbers, "Next": externalID(l, next.ExternalID)})
	}
	heading := l.T("placed_title", locales.Args{"Number": numbers})
	if len(rented) > 1 {
		heading = l.T("placed_numbers_title", locales.Args{"Numbers": numbers})
	}
	lines := []string{heading, l.T("confirm_what", itemArgs(l, subject(l, o.Name, o.Rental), int64(len(rented))))}
	if fewer := int64(len(rented)); fewer < p.Quantity && !o.Adopted {
		lines = append(lines, l.T("placed_fewer", locales.Args{"Given": l.Number(fewer), "Asked": l.Number(p.Quantity)}))
	}
	lines = append(lines, "", l.N("placed_numbers_follow", int64(len(rented))))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.RentedKeyboard(l)}
}

// phoneView is the message that shows a number for as long as it is rented.
func phoneView(l *locales.Localizer, o storage.Order) bot.View {
	return bot.View{Text: phoneText(l, o), Keyboard: keyboards.PhoneKeyboard(l, o.ID, o.Rental.Phone, numberState(o))}
}

func numberState(o storage.Order) keyboards.PhoneState {
	waits := o.State == storage.OrderOpen
	return keyboards.PhoneState{
		Watched: o.Open(), Waits: waits, Cancel: waits && o.CancelSentAt.IsZero(),
		Came: o.Delivered > 0, Known: known(o), Again: o.Delivered > 0 && known(o) && o.Rental.Phone != "",
	}
}

// known reports whether it is known what a number is for: not where it was rented
// elsewhere.
func known(o storage.Order) bool { return o.Rental.Project != "" }

// numberArgs are what every message about a number says of it.
func numberArgs(l *locales.Localizer, o storage.Order) locales.Args {
	return locales.Args{"Phone": code(l, o.Rental.Phone), "Project": title(l, orderName(l, o)), "Country": country(l, o.Rental)}
}

// phoneText says what a number is waiting for, or how it ended and what that
// has cost, as the marketplace says it.
func phoneText(l *locales.Localizer, o storage.Order) string {
	args := numberArgs(l, o)
	if !o.ExpiresAt.IsZero() {
		args["Until"] = clock(l, o.ExpiresAt)
	}
	ended := func(id string) string {
		charge := l.T("number_no_charge")
		if o.Charge.Valid {
			charge = l.T("order_charge", locales.Args{"Charge": l.Money(o.Charge.Decimal, o.Currency)})
		}
		return l.T(id, args) + "\n" + charge
	}
	switch o.State {
	case storage.OrderDelivered:
		return l.T("number_received", args)
	case storage.OrderExpired:
		return ended("number_expired")
	case storage.OrderCancelled:
		return ended("number_cancelled")
	case storage.OrderRefunded:
		return ended("number_refunded")
	case storage.OrderStale:
		return ended("number_stale")
	}
	text := ""
	switch {
	case o.ExpiresAt.IsZero():
		text = l.T("number_waiting_open", args)
	case o.ExpiresAt.Before(o.CreatedAt):
		text = l.T("number_waiting_past", args)
	case isPast(o.ExpiresAt):
		text = l.T("number_waiting_over", args)
	default:
		text = l.T("number_waiting", args)
	}
	if state := hstock.ParseSMSState(o.RawStatus); o.RawStatus != "" && (state == hstock.SMSUnknown || state == hstock.SMSEnded) {
		text += "\n" + l.T("order_state", locales.Args{"State": shorten(o.RawStatus, wordLength)})
	}
	return text
}

// numberShow draws the message of a number as it was last heard of.
func (s *Screens) numberShow(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	return phoneView(req.L, order), nil
}

// numberCheck asks the marketplace first. The code itself comes as a message.
func (s *Screens) numberCheck(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.Orders.Refresh(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	view := phoneView(req.L, order)
	if order.State == storage.OrderOpen {
		view.Toast = req.L.Label("number_no_code")
	} else {
		view.Toast = req.L.Label("order_refreshed")
	}
	return view, nil
}

// numberAgain draws the card for renting the same number once more.
func (s *Screens) numberAgain(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	if order.Rental.Phone == "" { // it would be any number
		return bot.View{}, storage.ErrNotFound
	}
	return s.rentBeside(ctx, req, order, order.Rental)
}

// numberAnother draws the card for another number of that kind.
func (s *Screens) numberAnother(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	rental := order.Rental
	rental.Phone = ""
	return s.rentBeside(ctx, req, order, rental)
}

// rentBeside draws a card as a message of its own: the one that was tapped is
// worth keeping.
func (s *Screens) rentBeside(ctx context.Context, req *bot.Request, order storage.Order, rental storage.Rental) (bot.View, error) {
	if order.Kind != storage.KindSMS || rental.Project == "" {
		return bot.View{}, storage.ErrNotFound
	}
	view, err := s.draftNumbers(ctx, req, rental, 1, order.Origin, 0)
	view.AsNewMessage = true
	return view, err
}

// numberCode asks the marketplace for what a number has received, and shows it
// as a message of its own: it is not kept here.
func (s *Screens) numberCode(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, sms, err := s.Orders.Code(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	if sms.Code == "" && sms.Text == "" {
		return bot.View{}, message("number_code_gone")
	}
	view := codeView(req.L, order, sms, false)
	view.AsNewMessage = true
	return view, nil
}

// codeView shows an SMS exactly as it came: in the message where Telegram leaves
// it as it is, else as a file.
func codeView(l *locales.Localizer, o storage.Order, sms orders.SMS, asFile bool) bot.View {
	value, text := sms.Code.Reveal(), sms.Text.Reveal()
	shown := value != "" && fitsLine(value) && !asFile
	inMessage := fitsText(text) && !asFile && (shown || value == "")
	heading := l.T("code_none")
	if shown {
		heading = l.T("code_title", locales.Args{"Code": code(l, value)})
	}
	view := bot.View{Text: heading + "\n" + l.T("code_for", numberArgs(l, o))}
	state := numberState(o)
	if asFile { // whatever Telegram disliked, it is not in it
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
		view.Document = &bot.Document{Name: "sms-" + strconv.FormatInt(o.ExternalID, 10) + ".txt", Data: []byte(text)}
	case text != "":
		view.Text += "\n\n<blockquote>" + locales.Escape(text) + "</blockquote>"
	}
	return view
}

// fitsLine reports whether a code stands in a message as it came.
func fitsLine(value string) bool {
	return value == strings.TrimSpace(value) && len([]rune(value)) <= accountLength && plainText(value)
}

// fitsText is fitsLine for a whole text, which may have lines and be written from
// right to left.
func fitsText(text string) bool {
	return utf8.ValidString(text) && text == strings.TrimSpace(text) && utf8.RuneCountInString(text) <= smsLength &&
		!strings.ContainsFunc(text, func(r rune) bool {
			return r != '\n' && (unicode.IsControl(r) || r == unicode.ReplacementChar)
		})
}
