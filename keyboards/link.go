package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// LinkedArgs is a page of the services for a link that the person has pasted. Link
// is the id of the stored link.
type LinkedArgs struct {
	Link int64
	Page uint16
}

// LinkedServiceArgs is one of these services and the page it was opened from.
type LinkedServiceArgs struct {
	Link    int64
	Service int64
	Page    uint16
}

// WithQuantity adds a quantity.
func (a LinkedServiceArgs) WithQuantity(quantity int64) LinkedQuantityArgs {
	return LinkedQuantityArgs{LinkedServiceArgs: a, Quantity: quantity}
}

// LinkedQuantityArgs is a service for a link and a quantity.
type LinkedQuantityArgs struct {
	LinkedServiceArgs
	Quantity int64
}

// Routes from a pasted link to its confirm card.
var (
	Linked         = route.New[LinkedArgs]("lk")
	LinkedService  = route.New[LinkedServiceArgs]("lp")
	LinkedAmount   = route.New[LinkedServiceArgs]("la")
	LinkedQuantity = route.New[LinkedQuantityArgs]("lq")
)

// LinkedKeyboard lists the saved sets and one page of services for a link.
func LinkedKeyboard(l *locales.Localizer, args LinkedArgs, sets, services []Item, total int) Rows {
	services = append(sets, services...)
	rows := append(column(l, services), Pages(args.Page, total, func(page uint16) string {
		return Linked.Data(LinkedArgs{Link: args.Link, Page: page})
	})...)
	return append(rows, Foot(l, "")...)
}

// NoServicesKeyboard goes with the message that there is no service for a link.
func NoServicesKeyboard(l *locales.Localizer) Rows {
	return append(Rows{{
		Tap(l.Label("menu_button_catalog"), Catalog.Data(PageArgs{})),
		Tap(l.Label("menu_button_search"), Search.Data(struct{}{})),
	}}, Foot(l, "")...)
}

// LinkedServiceKeyboard offers quantities (none if the service is sold out), and
// with other to type another one.
func LinkedServiceKeyboard(l *locales.Localizer, args LinkedServiceArgs, quantities []int64, other bool) Rows {
	rows := quantityRows(l, 4, quantities, func(n int64) string { return LinkedQuantity.Data(args.WithQuantity(n)) })
	if other {
		rows = append(rows, []Button{Tap(l.Label("product_button_amount"), LinkedAmount.Data(args))})
	}
	return append(rows, Foot(l, Linked.Data(LinkedArgs{Link: args.Link, Page: args.Page}))...)
}
