package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Routes of a rented number. PhoneShow draws its message, PhoneCheck asks the
// marketplace first; PhoneAgain rents the same one, PhoneAnother another one
// like it, through a confirm card.
var (
	PhoneShow    = route.New[OrderRef]("ns")
	PhoneCheck   = route.New[OrderRef]("nr")
	PhoneAgain   = route.New[OrderRef]("na")
	PhoneAnother = route.New[OrderRef]("nm")
	PhoneCode    = route.New[OrderRef]("nc")
)

// PhoneState is what can be done with a number.
type PhoneState struct {
	Watched        bool // a code may still come
	Waiting        bool // for its first one
	CanCancel      bool // it may be cancelled
	Received       bool // an SMS has come
	CanRentAnother bool // what it is for, so that another one like it can be rented
	CanRentAgain   bool // it can be rented again
}

// PhoneKeyboard goes with the message that shows a number.
func PhoneKeyboard(l *locales.Localizer, order int64, phone string, state PhoneState) Rows {
	ref := OrderRef{Order: order}
	var row []Button
	if state.Watched && !state.Received {
		row = append(row, Tap(l.Label("number_button_check"), PhoneCheck.Data(ref)))
	}
	if button, ok := Copy(l.Label("number_button_copy"), phone); ok && (state.Waiting || state.Received) {
		row = append(row, button)
	}
	var rows Rows
	if len(row) > 0 {
		rows = append(rows, row)
	}
	if state.CanCancel {
		return append(rows, []Button{Tap(l.Label("cancel_button"), OrderCancel.Data(CancelArgs{Order: order}))})
	}
	return append(rows, rentMore(l, ref, state)...)
}

// rentMore offers another number, and after an SMS the same one again.
func rentMore(l *locales.Localizer, ref OrderRef, state PhoneState) Rows {
	another := Tap(l.Label("number_button_another"), PhoneAnother.Data(ref))
	switch {
	case !state.CanRentAnother:
		return nil
	case !state.CanRentAgain:
		return Rows{{another}}
	default:
		return Rows{{Tap(l.Label("number_button_again"), PhoneAgain.Data(ref)), another}}
	}
}

// CodeKeyboard goes with an SMS: copy buttons for what of it fits one, then what
// comes next.
func CodeKeyboard(l *locales.Localizer, order int64, code, text string, state PhoneState) Rows {
	var copies []Button
	if button, ok := Copy(l.Label("code_button_copy"), code); ok {
		copies = append(copies, button)
	}
	if button, ok := Copy(l.Label("code_button_copy_sms"), text); ok {
		copies = append(copies, button)
	}
	ref := OrderRef{Order: order}
	rows := append(pairs(copies), rentMore(l, ref, state)...)
	return append(rows, numberFoot(l, ref))
}

// PhoneEndedKeyboard goes with the message that a number has ended.
func PhoneEndedKeyboard(l *locales.Localizer, order int64, known bool) Rows {
	ref := OrderRef{Order: order}
	return append(rentMore(l, ref, PhoneState{CanRentAnother: known}), numberFoot(l, ref))
}

func numberFoot(l *locales.Localizer, ref OrderRef) []Button {
	return []Button{
		Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true})),
		Tap(l.Label("order_button_wrong"), OrderProblem.Data(ref)),
	}
}

// RentedKeyboard is that of the card "Orders … placed": each number has a
// message of its own.
func RentedKeyboard(l *locales.Localizer) Rows {
	return Rows{{Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true}))}}
}

// PhoneOrderKeyboard is what can be done with a number in the list of orders.
func PhoneOrderKeyboard(l *locales.Localizer, args OrderViewArgs, phone string, state PhoneState) Rows {
	ref := OrderRef{Order: args.Order}
	row := []Button{Tap(l.Label("nav_button_refresh"), OrderRefresh.Data(args))}
	if state.Received {
		row = append(row, Tap(l.Label("number_button_code"), PhoneCode.Data(ref)))
	}
	rows := Rows{row}
	if button, ok := Copy(l.Label("number_button_copy"), phone); ok {
		rows[0] = append(rows[0], button)
	}
	if state.CanCancel {
		rows = append(rows, []Button{Tap(l.Label("cancel_button"), OrderCancel.Data(listed(args)))})
	}
	rows = append(rows, rentMore(l, ref, state)...)
	rows = append(rows, []Button{Tap(l.Label("order_button_wrong"), OrderProblem.Data(ref))})
	return append(rows, Foot(l, Orders.Data(OrdersArgs{Filter: args.Filter, Page: args.Page}))...)
}
