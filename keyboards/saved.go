package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// SavedArgs is a page of what a person has saved; with Removing a tap on an
// entry takes it away instead of opening it.
type SavedArgs struct {
	Page     uint16
	Removing bool
}

// SavedRemoveArgs is one entry of that page.
type SavedRemoveArgs struct {
	Service int64
	Page    uint16
}

// Routes of what a person has saved, and of what they want to be told of. Those
// of a product change it and show it again.
var (
	Saved           = route.New[SavedArgs]("fa")
	SavedRemove     = route.New[SavedRemoveArgs]("fr")
	Save            = route.New[ProductArgs]("fs")
	Unsave          = route.New[ProductArgs]("fu")
	WatchRestock    = route.New[ProductArgs]("wb")
	WatchRestockOff = route.New[ProductArgs]("wx")
	WatchPrice      = route.New[ProductArgs]("wp")
	WatchPriceOff   = route.New[ProductArgs]("wo")
)

// SavedEntry is something saved as a button shows it. Gone: it is not sold any more.
type SavedEntry struct {
	GoodsEntry
	Gone bool
}

// SavedKeyboard lists one page of what a person has saved.
func SavedKeyboard(l *locales.Localizer, args SavedArgs, entries []SavedEntry, total int) Rows {
	removing := SavedArgs{Page: args.Page, Removing: true}
	var rows Rows
	for _, entry := range entries {
		button := Tap(entry.label(l), Product.Data(ProductArgs{Service: entry.Service, From: FromSaved, Page: args.Page}))
		switch {
		case args.Removing:
			button = Tap("🗑 "+fit(l, entry.Name, "", OneColumn-2), SavedRemove.Data(SavedRemoveArgs{Service: entry.Service, Page: args.Page}))
		case entry.Gone:
			button = Tap("🚫 "+fit(l, entry.Name, "", OneColumn-2), Saved.Data(removing))
		}
		rows = append(rows, []Button{button})
	}
	rows = append(rows, Pages(int(args.Page), total, func(page int) string {
		return Saved.Data(SavedArgs{Page: PageArg(page), Removing: args.Removing})
	})...)
	if args.Removing {
		return append(rows, Foot(l, Saved.Data(SavedArgs{Page: args.Page}))...)
	}
	rows = append(rows, []Button{Tap(l.Label("saved_button_remove"), Saved.Data(removing))})
	return append(rows, Foot(l, Catalog.Data(CatalogArgs{}))...)
}

// ProductMarks is what a person has said of a product. Price is the one to be
// told at, "" for none.
type ProductMarks struct {
	Saved   bool
	Restock bool
	Price   string
}

// rows is what can be said of a product, each of it taken back by the same button.
func (m ProductMarks) rows(l *locales.Localizer, args ProductArgs, soldOut bool) Rows {
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
	case soldOut:
		rows = append(rows, []Button{Tap(l.Label("product_button_back"), WatchRestock.Data(args))})
	}
	return rows
}

// WatchKeyboard goes with what a person wanted to be told.
func WatchKeyboard(l *locales.Localizer, service int64) Rows {
	return append(Rows{{Tap(l.Label("news_button_open"), Product.Data(ProductArgs{Service: service}))}}, Foot(l, "")...)
}
