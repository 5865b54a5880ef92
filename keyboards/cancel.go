package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// CancelArgs is an order that is to be cancelled. Listed says that it was opened
// from the list of orders, at this filter and page; else from the message that
// shows a number.
type CancelArgs struct {
	Order  int64
	Listed bool
	Filter uint8
	Page   uint16
}

// View returns the order's own screen, below the list.
func (a CancelArgs) View() OrderViewArgs {
	return OrderViewArgs{Order: a.Order, Filter: a.Filter, Page: a.Page}
}

func listed(args OrderViewArgs) CancelArgs {
	return CancelArgs{Order: args.Order, Listed: true, Filter: args.Filter, Page: args.Page}
}

// CancelAllArgs names, by a Hash of their numbers, the orders that the person was
// asked about: others are not cancelled by that tap.
type CancelAllArgs struct{ Orders route.Hash }

// Routes of cancelling: OrderCancel asks the marketplace and the person,
// OrderCancelSure does it; OrderRemind has the person told when it can be done.
// CancelAll and CancelAllSure are the same for all open orders.
var (
	OrderCancel     = route.New[CancelArgs]("ox")
	OrderCancelSure = route.New[CancelArgs]("oy")
	OrderRemind     = route.New[CancelArgs]("oz")
	CancelAll       = route.New[struct{}]("xa")
	CancelAllSure   = route.New[CancelAllArgs]("xs")
)

// openOrders is the list that CancelAll is tapped on.
func openOrders(filter uint8) string { return Orders.Data(OrdersArgs{Filter: filter}) }

// cancelRow offers to cancel an order of goods.
func cancelRow(l *locales.Localizer, args CancelArgs) []Button {
	return []Button{Tap(l.Label("cancel_button_refund"), OrderCancel.Data(args))}
}

// RemindRow offers to tell the person when the order can be cancelled.
func RemindRow(l *locales.Localizer, args CancelArgs) Rows {
	return Rows{{Tap(l.Label("cancel_button_remind"), OrderRemind.Data(args))}}
}

// ReminderKeyboard goes with the message that an order can be cancelled now.
func ReminderKeyboard(l *locales.Localizer, order int64, number bool) Rows {
	args := listed(OrderViewArgs{Order: order})
	row := cancelRow(l, args)
	if number {
		row = []Button{Tap(l.Label("cancel_button"), OrderCancel.Data(args))}
	}
	return Rows{row, {Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true}))}}
}

// CancelAllKeyboard asks once more; filter is that of the open orders.
func CancelAllKeyboard(l *locales.Localizer, args CancelAllArgs, filter uint8) Rows {
	return Rows{{
		Tap(l.Label("cancel_all_button_sure"), CancelAllSure.Data(args)),
		Tap(l.Label("cancel_all_button_keep"), openOrders(filter)),
	}}
}

// CancelledKeyboard goes with what came of it.
func CancelledKeyboard(l *locales.Localizer, filter uint8) Rows { return Foot(l, openOrders(filter)) }

// CancelKeyboard asks once more.
func CancelKeyboard(l *locales.Localizer, args CancelArgs) Rows {
	keep := PhoneShow.Data(OrderRef{Order: args.Order})
	if args.Listed {
		keep = Order.Data(args.View())
	}
	return Rows{{
		Tap(l.Label("cancel_button_sure"), OrderCancelSure.Data(args)),
		Tap(l.Label("cancel_button_keep"), keep),
	}}
}
