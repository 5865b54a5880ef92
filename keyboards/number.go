package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Routes of a rented number. NumberShow draws its message, NumberCheck asks the
// marketplace first; NumberAgain rents the same one, NumberAnother another one
// like it, through a confirm card.
var (
	NumberShow    = route.New[OrderRef]("ns")
	NumberCheck   = route.New[OrderRef]("nr")
	NumberAgain   = route.New[OrderRef]("na")
	NumberAnother = route.New[OrderRef]("nm")
	NumberCode    = route.New[OrderRef]("nc")
)

// NumberState is what can be done with a number.
type NumberState struct {
	Watched bool // a code may still come
	Waits   bool // for its first one
	Cancel  bool // it may be cancelled
	Came    bool // an SMS has come
	Known   bool // what it is for, so that another one like it can be rented
	Again   bool // it can be rented again
}

// NumberKeyboard goes with the message that shows a number.
func NumberKeyboard(l *locales.Localizer, order int64, phone string, state NumberState) Rows {
	ref := OrderRef{Order: order}
	var row []Button
	if state.Watched && !state.Came {
		row = append(row, Tap(l.Label("number_button_check"), NumberCheck.Data(ref)))
	}
	if button, ok := Copy(l.Label("number_button_copy"), phone); ok && (state.Waits || state.Came) {
		row = append(row, button)
	}
	var rows Rows
	if len(row) > 0 {
		rows = append(rows, row)
	}
	if state.Cancel {
		return append(rows, []Button{Tap(l.Label("cancel_button"), OrderCancel.Data(CancelArgs{Order: order}))})
	}
	return append(rows, rentMore(l, ref, state)...)
}

// rentMore offers another number, and after an SMS the same one again.
func rentMore(l *locales.Localizer, ref OrderRef, state NumberState) Rows {
	another := Tap(l.Label("number_button_another"), NumberAnother.Data(ref))
	switch {
	case !state.Known:
		return nil
	case !state.Again:
		return Rows{{another}}
	default:
		return Rows{{Tap(l.Label("number_button_again"), NumberAgain.Data(ref)), another}}
	}
}

// CodeKeyboard goes with an SMS: copy buttons for what of it fits one, then what
// comes next.
func CodeKeyboard(l *locales.Localizer, order int64, code, text string, state NumberState) Rows {
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

// NumberEndedKeyboard goes with the message that a number has ended.
func NumberEndedKeyboard(l *locales.Localizer, order int64, known bool) Rows {
	ref := OrderRef{Order: order}
	return append(rentMore(l, ref, NumberState{Known: known}), numberFoot(l, ref))
}

func numberFoot(l *locales.Localizer, ref OrderRef) []Button {
	return []Button{
		Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{New: true})),
		Tap(l.Label("order_button_wrong"), OrderWrong.Data(ref)),
	}
}

// RentedKeyboard is that of the card "Orders … placed": each number has a
// message of its own.
func RentedKeyboard(l *locales.Localizer) Rows {
	return Rows{{Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{New: true}))}}
}

// NumberOrderKeyboard is what can be done with a number in the list of orders.
func NumberOrderKeyboard(l *locales.Localizer, args OrderViewArgs, phone string, state NumberState) Rows {
	ref := OrderRef{Order: args.Order}
	row := []Button{Tap(l.Label("nav_button_refresh"), OrderRefresh.Data(args))}
	if state.Came {
		row = append(row, Tap(l.Label("number_button_code"), NumberCode.Data(ref)))
	}
	rows := Rows{row}
	if button, ok := Copy(l.Label("number_button_copy"), phone); ok {
		rows[0] = append(rows[0], button)
	}
	if state.Cancel {
		rows = append(rows, []Button{Tap(l.Label("cancel_button"), OrderCancel.Data(listed(args)))})
	}
	rows = append(rows, rentMore(l, ref, state)...)
	rows = append(rows, []Button{Tap(l.Label("order_button_wrong"), OrderWrong.Data(ref))})
	return append(rows, Foot(l, Orders.Data(OrdersArgs{Filter: args.Filter, Page: args.Page}))...)
}
