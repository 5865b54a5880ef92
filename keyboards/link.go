package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// LinkedArgs is a page of the services for a link that a person has pasted.
// Link is where that is kept.
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

// List returns the page that the service was opened from.
func (a LinkedServiceArgs) List() LinkedArgs { return LinkedArgs{Link: a.Link, Page: a.Page} }

// WithQuantity returns the arguments of buying so many.
func (a LinkedServiceArgs) WithQuantity(quantity int64) LinkedQuantityArgs {
	return LinkedQuantityArgs{Link: a.Link, Service: a.Service, Page: a.Page, Quantity: quantity}
}

// LinkedQuantityArgs is a service for a link and how many of it.
type LinkedQuantityArgs struct {
	Link     int64
	Service  int64
	Page     uint16
	Quantity int64
}

// ServiceArgs returns the part that names the service.
func (a LinkedQuantityArgs) ServiceArgs() LinkedServiceArgs {
	return LinkedServiceArgs{Link: a.Link, Service: a.Service, Page: a.Page}
}

// Routes from a pasted link to its confirm card.
var (
	Linked         = route.New[LinkedArgs]("lk")
	LinkedService  = route.New[LinkedServiceArgs]("lp")
	LinkedAmount   = route.New[LinkedServiceArgs]("la")
	LinkedQuantity = route.New[LinkedQuantityArgs]("lq")
)

// LinkedKeyboard lists one page of services for a link.
func LinkedKeyboard(l *locales.Localizer, args LinkedArgs, entries []GoodsEntry, total int) Rows {
	var rows Rows
	for _, entry := range entries {
		rows = append(rows, []Button{Tap(entry.label(l), LinkedService.Data(LinkedServiceArgs{
			Link: args.Link, Service: entry.Service, Page: args.Page,
		}))})
	}
	rows = append(rows, Pages(int(args.Page), total, func(page int) string {
		args.Page = PageArg(page)
		return Linked.Data(args)
	})...)
	return append(rows, Foot(l, "")...)
}

// NoServicesKeyboard leads on where there is nothing for a link.
func NoServicesKeyboard(l *locales.Localizer) Rows {
	return append(Rows{{
		Tap(l.Label("menu_button_catalog"), Catalog.Data(CatalogArgs{})),
		Tap(l.Label("menu_button_search"), Search.Data(struct{}{})),
	}}, Foot(l, "")...)
}

// LinkedServiceKeyboard offers quantities (none where it is sold out) and
// another amount where there is one.
func LinkedServiceKeyboard(l *locales.Localizer, args LinkedServiceArgs, quantities []int64, other bool) Rows {
	rows := quantityRows(l, quantities, func(n int64) string { return LinkedQuantity.Data(args.WithQuantity(n)) })
	if other {
		rows = append(rows, []Button{Tap(l.Label("product_button_amount"), LinkedAmount.Data(args))})
	}
	return append(rows, Foot(l, Linked.Data(args.List()))...)
}
