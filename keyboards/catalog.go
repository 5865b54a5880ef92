package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// CatalogArgs is a page of the categories.
type CatalogArgs struct{ Page uint16 }

// CategoryArgs is a page of a category's subcategories. Category is the Hash
// of its English name.
type CategoryArgs struct {
	Category route.Hash
	Page     uint16
}

// ShelfArgs is a page of the goods of a category or subcategory. Place is the
// CategoryPathHash of its English names.
type ShelfArgs struct {
	Path route.Hash
	Page uint16
}

// CategoryPathHash stands for a shelf: a category without subcategories, or one of them.
func CategoryPathHash(category, subcategory string) route.Hash {
	return route.HashOf(category + "\x00" + subcategory)
}

// Routes from the catalogue's top to its shelves.
var (
	Catalog  = route.New[CatalogArgs]("c")
	Category = route.New[CategoryArgs]("cc")
	Shelf    = route.New[ShelfArgs]("s")
)

// CategoryEntry is a category or subcategory as a button shows it. Hash is what
// its route takes; Count is negative where it is not known.
type CategoryEntry struct {
	Hash  route.Hash
	Name  string
	Count int
}

func (e CategoryEntry) label(l *locales.Localizer) string {
	if e.Count < 0 {
		return fit(l, e.Name, "", TwoColumns)
	}
	return fit(l, e.Name, " · "+l.Number(int64(e.Count)), TwoColumns)
}

// CatalogKeyboard lists one page of the categories; on the first one stands what
// the person has saved. total is the length of the whole list.
func CatalogKeyboard(l *locales.Localizer, entries []CategoryEntry, page, total int) Rows {
	buttons := make([]Button, 0, len(entries))
	for _, entry := range entries {
		buttons = append(buttons, Tap(entry.label(l), Category.Data(CategoryArgs{Category: entry.Hash})))
	}
	rows := append(pairs(buttons), Pages(page, total, func(page int) string {
		return Catalog.Data(CatalogArgs{Page: PageArg(page)})
	})...)
	if page == 0 {
		rows = append(rows, []Button{Tap(l.Label("catalog_button_saved"), Saved.Data(SavedArgs{}))})
	}
	return append(rows, Foot(l, "")...)
}

// CategoryKeyboard lists one page of a category's subcategories. back is the
// page of the catalogue that the category stands on.
func CategoryKeyboard(l *locales.Localizer, category route.Hash, entries []CategoryEntry, page, total, back int) Rows {
	buttons := make([]Button, 0, len(entries))
	for _, entry := range entries {
		buttons = append(buttons, Tap(entry.label(l), Shelf.Data(ShelfArgs{Path: entry.Hash})))
	}
	rows := append(pairs(buttons), Pages(page, total, func(page int) string {
		return Category.Data(CategoryArgs{Category: category, Page: PageArg(page)})
	})...)
	return append(rows, Foot(l, Catalog.Data(CatalogArgs{Page: PageArg(back)}))...)
}

// GoodsEntry is a row of a shelf as a button shows it.
type GoodsEntry struct {
	Service int64
	Name    string
	Price   string
	Stock   int64
	SoldOut bool
}

func (e GoodsEntry) label(l *locales.Localizer) string {
	if e.SoldOut {
		return "✖ " + fit(l, e.Name, "", OneColumn-2)
	}
	return fit(l, e.Name, " · "+e.Price+" · "+l.Number(e.Stock), OneColumn)
}

// ShelfKeyboard lists one page of goods. back is the callback data of the
// screen above, the very page that the shelf was opened from.
func ShelfKeyboard(l *locales.Localizer, shelf ShelfArgs, entries []GoodsEntry, total int, back string) Rows {
	from := ProductArgs{From: FromShelf, ListHash: shelf.Path, Page: shelf.Page}
	return append(goodsRows(l, from, entries, total), Foot(l, back)...)
}

// goodsRows is one page of goods and the row that turns it: each entry opens
// with from, whose Back is this very page.
func goodsRows(l *locales.Localizer, from ProductArgs, entries []GoodsEntry, total int) Rows {
	var rows Rows
	for _, entry := range entries {
		from.Service = entry.Service
		rows = append(rows, []Button{Tap(entry.label(l), Product.Data(from))})
	}
	return append(rows, Pages(int(from.Page), total, func(page int) string {
		from.Page = PageArg(page)
		return from.Back()
	})...)
}
