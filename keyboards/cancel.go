package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// CancelArgs is an order to be cancelled. It was opened from the list of orders,
// with this filter and page, if Listed; else from the message that shows a phone.
type CancelArgs struct {
	Order  int64
	Listed bool
	Filter uint8
	Page   uint16
}

// View returns the arguments of the order's own screen.
func (a CancelArgs) View() OrderViewArgs {
	return OrderViewArgs{Order: a.Order, Filter: a.Filter, Page: a.Page}
}

func listed(args OrderViewArgs) CancelArgs {
	return CancelArgs{Order: args.Order, Listed: true, Filter: args.Filter, Page: args.Page}
}

// CancelAllArgs identifies, by a Hash of their ids, the orders that the person was
// asked about: no others are cancelled by that tap.
type CancelAllArgs struct{ Orders route.Hash }

// Routes of cancelling. OrderCancel asks the marketplace and the person,
// OrderCancelSure cancels; OrderRemind has the person notified when the order can
// be cancelled. CancelAll and CancelAllSure are the same for all open orders.
var (
	OrderCancel     = route.New[CancelArgs]("ox")
	OrderCancelSure = route.New[CancelArgs]("oy")
	OrderRemind     = route.New[CancelArgs]("oz")
	CancelAll       = route.New[struct{}]("xa")
	CancelAllSure   = route.New[CancelAllArgs]("xs")
)

// openOrders is the list that has the button CancelAll.
func openOrders(filter uint8) string { return Orders.Data(OrdersArgs{Filter: filter}) }

// RemindRow offers to notify the person when the order can be cancelled.
func RemindRow(l *locales.Localizer, args CancelArgs) Rows {
	return Rows{{Tap(l.Label("cancel_button_remind"), OrderRemind.Data(args))}}
}

// ReminderKeyboard goes with the message that an order, or a phone, can be
// cancelled now.
func ReminderKeyboard(l *locales.Localizer, order int64, phone bool) Rows {
	label := "cancel_button_refund"
	if phone {
		label = "cancel_button"
	}
	return Rows{
		{danger(Tap(l.Label(label), OrderCancel.Data(listed(OrderViewArgs{Order: order}))))},
		{Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true}))},
	}
}

// CancelAllKeyboard asks for confirmation; filter is that of the open orders.
func CancelAllKeyboard(l *locales.Localizer, args CancelAllArgs, filter uint8) Rows {
	return Rows{{
		danger(Tap(l.Label("cancel_all_button_sure"), CancelAllSure.Data(args))),
		Tap(l.Label("cancel_all_button_keep"), openOrders(filter)),
	}}
}

// CancelledKeyboard goes with the result of CancelAllSure.
func CancelledKeyboard(l *locales.Localizer, filter uint8) Rows { return Foot(l, openOrders(filter)) }

// CancelKeyboard asks for confirmation.
func CancelKeyboard(l *locales.Localizer, args CancelArgs) Rows {
	keep := PhoneShow.Data(OrderRef{Order: args.Order})
	if args.Listed {
		keep = Order.Data(args.View())
	}
	return Rows{{
		danger(Tap(l.Label("cancel_button_sure"), OrderCancelSure.Data(args))),
		Tap(l.Label("cancel_button_keep"), keep),
	}}
}
