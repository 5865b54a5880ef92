package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Routes of a rented phone. PhoneShow draws its message, PhoneCheck asks the
// marketplace first; PhoneAgain rents the same phone again, PhoneAnother another
// one like it, through a confirm card. PhoneSwap asks whether to give the phone back for
// another one, SwapSure says yes, at once or for later, and SwapOff ends what is not begun.
var (
	PhoneShow    = route.New[OrderRef]("ns")
	PhoneCheck   = route.New[OrderRef]("nr")
	PhoneAgain   = route.New[OrderRef]("na")
	PhoneAnother = route.New[OrderRef]("nm")
	PhoneCode    = route.New[OrderRef]("nc")
	PhoneSwap    = route.New[OrderRef]("nw")
	SwapSure     = route.New[PurchaseArgs]("nx")
	SwapOff      = route.New[PurchaseArgs]("ny")
)

// PhoneState says what can be done with a rented phone.
type PhoneState struct {
	Open           bool // an SMS may still arrive
	Waiting        bool // no SMS has arrived yet
	Received       bool // an SMS has arrived
	CanCancel      bool
	CanRentAnother bool // country and project are known
	CanRentAgain   bool
	CanSwap        bool
	Armed          int64 // the purchase of a swap that is not begun, 0 for none
}

// PhoneKeyboard goes with the message that shows a phone.
func PhoneKeyboard(l *locales.Localizer, order int64, phone string, state PhoneState) Rows {
	ref := OrderRef{Order: order}
	var row []Button
	if state.Open && !state.Received {
		row = append(row, Primary(Tap(l.Label("phone_button_check"), PhoneCheck.Data(ref))))
	}
	if button, ok := Copy(l.Label("phone_button_copy"), phone); ok && (state.Waiting || state.Received) {
		row = append(row, button)
	}
	var rows Rows
	if len(row) > 0 {
		rows = append(rows, row)
	}
	if state.CanCancel {
		var last []Button
		switch {
		case state.Armed != 0:
			last = append(last, Tap(l.Label("swap_button_off"), SwapOff.Data(PurchaseArgs{Purchase: state.Armed})))
		case state.CanSwap:
			last = append(last, Tap(l.Label("swap_button"), PhoneSwap.Data(ref)))
		}
		return append(rows, append(last, danger(Tap(l.Label("cancel_button"), OrderCancel.Data(CancelArgs{Order: order})))))
	}
	if rows = append(rows, rentMore(l, ref, state)...); len(rows) == 0 {
		return ToOrdersKeyboard(l)
	}
	return rows
}

// SwapKeyboard asks whether to swap a phone, at once or, unless at is "", at that time. A
// purchase of 0 can't be afforded.
func SwapKeyboard(l *locales.Localizer, order, purchase int64, at string) Rows {
	ref := OrderRef{Order: order}
	label := l.Label("swap_button_sure")
	if at != "" {
		label = l.Label("swap_button_later", locales.Args{"Time": at})
	}
	first := success(Tap(label, SwapSure.Data(PurchaseArgs{Purchase: purchase})))
	if purchase == 0 {
		first = Tap(l.Label("nav_button_refresh"), PhoneSwap.Data(ref))
	}
	return Rows{{first, Tap(l.Label("cancel_button_keep"), PhoneShow.Data(ref))}}
}

// rentMore offers to rent another phone, and the same one again.
func rentMore(l *locales.Localizer, ref OrderRef, state PhoneState) Rows {
	another := Tap(l.Label("phone_button_another"), PhoneAnother.Data(ref))
	switch {
	case !state.CanRentAnother:
		return nil
	case !state.CanRentAgain:
		return Rows{{another}}
	default:
		return Rows{{Tap(l.Label("phone_button_again"), PhoneAgain.Data(ref)), another}}
	}
}

// CodeKeyboard goes with an SMS: copy buttons for the code and the text, if they
// are short enough, then those of rentMore.
func CodeKeyboard(l *locales.Localizer, order int64, code, text string, state PhoneState) Rows {
	var copies []Button
	if copyCode, ok := Copy(l.Label("code_button_copy"), code); ok {
		copies = append(copies, Primary(copyCode))
	}
	if button, ok := Copy(l.Label("code_button_copy_sms"), text); ok {
		copies = append(copies, button)
	}
	ref := OrderRef{Order: order}
	rows := append(inRows(2, copies), rentMore(l, ref, state)...)
	return append(rows, phoneFoot(l, ref))
}

// PhoneEndedKeyboard goes with the message that the rental of a phone has ended.
func PhoneEndedKeyboard(l *locales.Localizer, order int64, canRentAnother bool) Rows {
	ref := OrderRef{Order: order}
	return append(rentMore(l, ref, PhoneState{CanRentAnother: canRentAnother}), phoneFoot(l, ref))
}

func phoneFoot(l *locales.Localizer, ref OrderRef) []Button {
	return []Button{Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true})), problemButton(l, ref)}
}

// ToOrdersKeyboard leads to the orders. It goes with the card "Orders … placed", since each
// phone has a message of its own, and with a purchase that has cost more than its card showed.
func ToOrdersKeyboard(l *locales.Localizer) Rows {
	return Rows{{Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true}))}}
}

// PhoneOrderKeyboard goes with a phone that was opened from the list of orders.
func PhoneOrderKeyboard(l *locales.Localizer, args OrderViewArgs, phone string, state PhoneState) Rows {
	ref := OrderRef{Order: args.Order}
	row := []Button{Tap(l.Label("nav_button_refresh"), OrderRefresh.Data(args))}
	if state.Received {
		row = append(row, Primary(Tap(l.Label("phone_button_code"), PhoneCode.Data(ref))))
	}
	if button, ok := Copy(l.Label("phone_button_copy"), phone); ok {
		row = append(row, button)
	}
	rows := Rows{row}
	if state.CanCancel {
		rows = append(rows, []Button{danger(Tap(l.Label("cancel_button"), OrderCancel.Data(listed(args))))})
	}
	rows = append(rows, rentMore(l, ref, state)...)
	rows = append(rows, []Button{problemButton(l, ref)})
	return append(rows, Foot(l, Orders.Data(OrdersArgs{Filter: args.Filter, Page: args.Page}))...)
}
