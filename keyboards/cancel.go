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

// Routes of cancelling: OrderCancel asks the marketplace and the person,
// OrderCancelSure does it.
var (
	OrderCancel     = route.New[CancelArgs]("ox")
	OrderCancelSure = route.New[CancelArgs]("oy")
)

// CancelKeyboard asks once more.
func CancelKeyboard(l *locales.Localizer, args CancelArgs) Rows {
	keep := NumberShow.Data(OrderRef{Order: args.Order})
	if args.Listed {
		keep = Order.Data(args.View())
	}
	return Rows{{
		Tap(l.Label("cancel_button_sure"), OrderCancelSure.Data(args)),
		Tap(l.Label("cancel_button_keep"), keep),
	}}
}
