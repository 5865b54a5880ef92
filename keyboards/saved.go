package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// SavedArgs is a page of the goods that a person has saved; with Removing a tap on
// an entry removes it instead of opening it.
type SavedArgs struct {
	Page     uint16
	Removing bool
}

// SavedRemoveArgs is an entry of that page.
type SavedRemoveArgs struct {
	Service int64
	Page    uint16
}

// Routes of saved goods, and of watches. Those that take a product change its marks
// and draw it again.
var (
	Saved           = route.New[SavedArgs]("fa")
	SavedRemove     = route.New[SavedRemoveArgs]("fr")
	Save            = route.New[ProductArgs]("fs")
	Unsave          = route.New[ProductArgs]("fu")
	WatchRestock    = route.New[ProductArgs]("wb")
	WatchRestockOff = route.New[ProductArgs]("wx")
	WatchPrice      = route.New[ProductArgs]("wp")
	WatchPriceOff   = route.New[ProductArgs]("wo")
	Watches         = route.New[PageArgs]("wl")
)

// SavedKeyboard lists one page of saved goods.
func SavedKeyboard(l *locales.Localizer, args SavedArgs, goods []Item, total int) Rows {
	rows := append(column(l, goods), Pages(args.Page, total, func(page uint16) string {
		return Saved.Data(SavedArgs{Page: page, Removing: args.Removing})
	})...)
	if args.Removing {
		return append(rows, Foot(l, Saved.Data(SavedArgs{Page: args.Page}))...)
	}
	if total > 0 {
		rows = append(rows, []Button{Tap(l.Label("saved_button_remove"), Saved.Data(SavedArgs{Page: args.Page, Removing: true}))})
	}
	rows = append(rows, []Button{Tap(l.Label("saved_button_watches"), Watches.Data(PageArgs{}))})
	return append(rows, Foot(l, Catalog.Data(PageArgs{}))...)
}

// WatchesKeyboard lists one page of watches.
func WatchesKeyboard(l *locales.Localizer, page uint16, watches []Item, total int) Rows {
	rows := append(column(l, watches), Pages(page, total, func(page uint16) string { return Watches.Data(PageArgs{Page: page}) })...)
	return append(rows, Foot(l, Saved.Data(SavedArgs{}))...)
}

// ProductMarks is whether a product is sold out, whether a person has saved it, and
// their watches of it. Price is the formatted price of the price watch, "" for none.
type ProductMarks struct {
	SoldOut bool
	Saved   bool
	Restock bool
	Price   string
	Share   bool // inline mode is on
	Addable bool // it can be put into the basket
	Basket  bool // there is something in the basket
}

// rows sets the marks that are not set, and removes those that are.
func (m ProductMarks) rows(l *locales.Localizer, args ProductArgs) Rows {
	save := Tap(l.Label("product_button_save"), Save.Data(args))
	if m.Saved {
		save = Tap(l.Label("product_button_saved"), Unsave.Data(args))
	}
	price := Tap(l.Label("product_button_price"), WatchPrice.Data(args))
	if m.Price != "" {
		price = Tap(l.Label("product_button_price_off", locales.Args{"Price": m.Price}), WatchPriceOff.Data(args))
	}
	rows := Rows{{save, price}}
	switch {
	case m.Restock:
		rows = append(rows, []Button{Tap(l.Label("product_button_back_off"), WatchRestockOff.Data(args))})
	case m.SoldOut:
		rows = append(rows, []Button{Tap(l.Label("product_button_back"), WatchRestock.Data(args))})
	}
	return rows
}

// WatchKeyboard goes with the message of a watch that has fired.
func WatchKeyboard(l *locales.Localizer, service int64) Rows {
	return append(Rows{{Primary(Tap(l.Label("watch_fired_button_open"), Product.Data(ProductArgs{Service: service})))}}, Foot(l, "")...)
}
