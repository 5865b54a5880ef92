package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// OrdersArgs is a page of the list of the person's own orders. AsNewMessage opens it
// as a new message, so that the card with the button remains.
type OrdersArgs struct {
	Filter       uint8 // storage.OrderFilter
	Page         uint16
	AsNewMessage bool
}

// OrderViewArgs is one order and the list that it was opened from.
type OrderViewArgs struct {
	Order  int64
	Filter uint8
	Page   uint16
}

// OrderRef is an order of the person who taps.
type OrderRef struct{ Order int64 }

// Routes of the orders. OrderRefresh redraws the order's own screen, CardRefresh
// the confirm card of an order that was placed.
var (
	Orders        = route.New[OrdersArgs]("l")
	Order         = route.New[OrderViewArgs]("o")
	OrderRefresh  = route.New[OrderViewArgs]("or")
	CardRefresh   = route.New[OrderRef]("cr")
	OrderAccounts = route.New[OrderRef]("oc")
	OrderProblem  = route.New[OrderRef]("ow")
)

// FilterEntry is a filter of the list (storage.OrderFilter) and its label.
type FilterEntry struct {
	Filter uint8
	Label  string
}

// filterButtons returns a button for each filter; the current one is ticked.
func filterButtons(filters []FilterEntry, current uint8, data func(filter uint8) string) []Button {
	buttons := make([]Button, 0, len(filters))
	for _, filter := range filters {
		label := filter.Label
		if filter.Filter == current {
			label = "✓ " + label
		}
		buttons = append(buttons, Tap(label, data(filter.Filter)))
	}
	return buttons
}

// ListActions says what can be done with the orders as a whole.
type ListActions struct {
	CancelAll   bool // several are open
	Export      bool // there are any
	AdminOrders bool // the person is an admin
}

// OrdersKeyboard lists one page of orders (of total), and before them purchases of
// unknown outcome, below the filters.
func OrdersKeyboard(l *locales.Localizer, args OrdersArgs, filters []FilterEntry, unresolved, orders []Item, total int, actions ListActions) Rows {
	rows := inRows(2, filterButtons(filters, args.Filter, func(filter uint8) string { return Orders.Data(OrdersArgs{Filter: filter}) }))
	rows = append(append(rows, column(l, unresolved)...), column(l, orders)...)
	rows = append(rows, Pages(args.Page, total, func(page uint16) string {
		return Orders.Data(OrdersArgs{Filter: args.Filter, Page: page})
	})...)
	if actions.CancelAll {
		rows = append(rows, []Button{danger(Tap(l.Label("orders_button_cancel_all"), CancelAll.Data(struct{}{})))})
	}
	if actions.Export {
		rows = append(rows, []Button{Tap(l.Label("orders_button_export"), OrdersExport.Data(struct{}{}))})
	}
	if actions.AdminOrders {
		rows = append(rows, []Button{Tap(l.Label("adminorders_button_open"), AdminOrders.Data(AdminOrdersArgs{}))})
	}
	return append(rows, Foot(l, "")...)
}

// OrderActions says what can be done with an order.
type OrderActions struct {
	Accounts bool  // something was delivered
	Cancel   bool  // it is open
	Again    int64 // the purchase to repeat, 0 for none
	Feedback FeedbackState
}

// OrderKeyboard goes with the screen of one order.
func OrderKeyboard(l *locales.Localizer, args OrderViewArgs, actions OrderActions) Rows {
	ref := OrderRef{Order: args.Order}
	rows := Rows{{Tap(l.Label("nav_button_refresh"), OrderRefresh.Data(args))}}
	if actions.Accounts {
		rows[0] = append(rows[0], Primary(Tap(l.Label("order_button_accounts"), OrderAccounts.Data(ref))))
	}
	if actions.Cancel {
		rows = append(rows, []Button{danger(Tap(l.Label("cancel_button_refund"), OrderCancel.Data(listed(args))))})
	}
	feedback := feedbackRow(l, FeedbackArgs{Order: args.Order, Place: FeedbackOnOrder, Filter: args.Filter, Page: args.Page}, actions.Feedback)
	if again := orderAgain(l, actions.Again); len(feedback) == 1 {
		rows = append(rows, append(again, feedback...))
	} else {
		rows = append(append(rows, inRows(2, again)...), feedback)
	}
	return append(rows, Foot(l, Orders.Data(OrdersArgs{Filter: args.Filter, Page: args.Page}))...)
}

// orderAgain repeats a purchase, 0 for none.
func orderAgain(l *locales.Localizer, purchase int64) []Button {
	if purchase == 0 {
		return nil
	}
	return []Button{Tap(l.Label("order_button_again"), OrderAgain.Data(PurchaseArgs{Purchase: purchase}))}
}

func problemButton(l *locales.Localizer, ref OrderRef) Button {
	return Tap(l.Label("order_button_wrong"), OrderProblem.Data(ref))
}

// PlacedKeyboard goes with the card "Order #<n> placed".
func PlacedKeyboard(l *locales.Localizer, order int64) Rows {
	return Rows{{
		Tap(l.Label("nav_button_refresh"), CardRefresh.Data(OrderRef{Order: order})),
		Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true})),
	}}
}

// DeliveredKeyboard goes with delivered goods: a copy button for each account that
// is short enough, those of its parts, then those of EndedKeyboard.
func DeliveredKeyboard(l *locales.Localizer, order, purchase int64, accounts []Account, state FeedbackState) Rows {
	var copies []Button
	var parts Rows
	for _, account := range accounts {
		number := account.Number
		if len(accounts) == 1 {
			number = 0
		}
		if button, ok := Copy(numbered(l, "delivered_button_copy", "delivered_button_copy_n", number), account.Whole); ok {
			copies = append(copies, button)
		}
		parts = append(parts, inRows(2, partButtons(l, order, number, account))...)
	}
	return append(append(inRows(2, copies), parts...), EndedKeyboard(l, order, purchase, state)...)
}

// EndedKeyboard goes with an order that has ended. purchase is the one to repeat, 0
// for none.
func EndedKeyboard(l *locales.Localizer, order, purchase int64, state FeedbackState) Rows {
	return Rows{
		append(orderAgain(l, purchase), Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true}))),
		feedbackRow(l, FeedbackArgs{Order: order}, state),
	}
}
