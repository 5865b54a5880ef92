package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// OrdersArgs is a page of the list of orders. New opens it as a message of its
// own, so that the card it was tapped on stays.
type OrdersArgs struct {
	Filter       uint8
	Page         uint16
	AsNewMessage bool
}

// OrderViewArgs is one order and the list it was opened from.
type OrderViewArgs struct {
	Order  int64
	Filter uint8
	Page   uint16
}

// OrderRef names an order of the person who taps.
type OrderRef struct{ Order int64 }

// Routes of the orders. OrderRefresh redraws the order's own screen,
// CardRefresh the card that a confirm card has become.
var (
	Orders        = route.New[OrdersArgs]("l")
	Order         = route.New[OrderViewArgs]("o")
	OrderRefresh  = route.New[OrderViewArgs]("or")
	CardRefresh   = route.New[OrderRef]("cr")
	OrderAccounts = route.New[OrderRef]("oc")
	OrderProblem  = route.New[OrderRef]("ow")
)

// OrderEntry is an order as the list shows it.
type OrderEntry struct {
	Order int64
	Label string // icon, number and quantity stay, Name is cut
	Name  string
	Rest  string
}

// FilterEntry is a filter of the list and its label.
type FilterEntry struct {
	Filter uint8
	Label  string
}

// OrdersKeyboard lists one page of orders below the filters; the present
// filter is ticked. unknown are purchases whose outcome is not known; deeds is
// what else can be done.
func OrdersKeyboard(l *locales.Localizer, args OrdersArgs, filters []FilterEntry, unknown []UnresolvedEntry, entries []OrderEntry, total int, deeds ListActions) Rows {
	var rows Rows
	var row []Button
	for _, filter := range filters {
		label := filter.Label
		if filter.Filter == args.Filter {
			label = "✓ " + label
		}
		row = append(row, Tap(label, Orders.Data(OrdersArgs{Filter: filter.Filter})))
	}
	rows = append(rows, pairs(row)...)
	for _, purchase := range unknown {
		rows = append(rows, []Button{Tap(fit(l, "❔ "+purchase.Name, purchase.Rest, OneColumn), UnresolvedBalance.Data(UnresolvedArgs{Purchase: purchase.Purchase, Listed: true}))})
	}
	for _, entry := range entries {
		rows = append(rows, []Button{Tap(fit(l, entry.Label+" "+entry.Name, entry.Rest, OneColumn),
			Order.Data(OrderViewArgs{Order: entry.Order, Filter: args.Filter, Page: args.Page}))})
	}
	rows = append(rows, Pages(int(args.Page), total, func(page int) string {
		return Orders.Data(OrdersArgs{Filter: args.Filter, Page: PageArg(page)})
	})...)
	if deeds.CancelAll {
		rows = append(rows, []Button{Tap(l.Label("orders_button_cancel_all"), CancelAll.Data(struct{}{}))})
	}
	if deeds.Export {
		rows = append(rows, []Button{Tap(l.Label("orders_button_export"), OrdersExport.Data(struct{}{}))})
	}
	if deeds.AdminOrders {
		rows = append(rows, []Button{Tap(l.Label("allorders_button_open"), AdminOrders.Data(AdminOrdersArgs{}))})
	}
	return append(rows, Foot(l, "")...)
}

// ListActions is what can be done with the orders as a whole.
type ListActions struct {
	CancelAll   bool // several are open
	Export      bool // there are any
	AdminOrders bool // the person is an admin
}

// UnresolvedEntry is a purchase of unknown outcome as the list shows it.
type UnresolvedEntry struct {
	Purchase int64
	Name     string
	Rest     string
}

// OrderActions is what can be done with an order.
type OrderActions struct {
	Accounts bool  // something was delivered
	Cancel   bool  // it is open
	Again    int64 // the purchase to repeat, 0 for none
}

// OrderKeyboard is what can be done with one order.
func OrderKeyboard(l *locales.Localizer, args OrderViewArgs, deeds OrderActions) Rows {
	rows := Rows{{Tap(l.Label("nav_button_refresh"), OrderRefresh.Data(args))}}
	if deeds.Accounts {
		rows[0] = append(rows[0], Tap(l.Label("order_button_accounts"), OrderAccounts.Data(OrderRef{Order: args.Order})))
	}
	if deeds.Cancel {
		rows = append(rows, cancelRow(l, listed(args)))
	}
	rows = append(rows, append(again(l, deeds.Again), Tap(l.Label("order_button_wrong"), OrderProblem.Data(OrderRef{Order: args.Order}))))
	return append(rows, Foot(l, Orders.Data(OrdersArgs{Filter: args.Filter, Page: args.Page}))...)
}

// again offers to order a purchase once more, where it can be.
func again(l *locales.Localizer, purchase int64) []Button {
	if purchase == 0 {
		return nil
	}
	return []Button{Tap(l.Label("order_button_again"), OrderAgain.Data(PurchaseArgs{Purchase: purchase}))}
}

// PlacedKeyboard is that of the card "Order #<n> placed".
func PlacedKeyboard(l *locales.Localizer, order int64) Rows {
	return Rows{{
		Tap(l.Label("nav_button_refresh"), CardRefresh.Data(OrderRef{Order: order})),
		Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true})),
	}}
}

// DeliveredKeyboard goes with delivered goods: a copy button for each account
// that has one, then what comes next. purchase is the one to repeat, 0 for none.
func DeliveredKeyboard(l *locales.Localizer, order, purchase int64, accounts []string) Rows {
	var copies []Button
	for i, account := range accounts {
		label := l.Label("delivered_button_copy")
		if len(accounts) > 1 {
			label = l.Label("delivered_button_copy_n", locales.Args{"N": l.Number(int64(i + 1))})
		}
		if button, ok := Copy(label, account); ok {
			copies = append(copies, button)
		}
	}
	return append(pairs(copies), EndedKeyboard(l, order, purchase)...)
}

// EndedKeyboard goes with an order that has ended: what comes next. purchase is
// as in DeliveredKeyboard.
func EndedKeyboard(l *locales.Localizer, order, purchase int64) Rows {
	return Rows{
		append(again(l, purchase), Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true}))),
		{Tap(l.Label("order_button_wrong"), OrderProblem.Data(OrderRef{Order: order}))},
	}
}
