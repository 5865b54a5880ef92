package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// CategoryArgs is a page of a category's subcategories. Category is the Hash
// of its English name.
type CategoryArgs struct {
	Category route.Hash
	Page     uint16
}

// ShelfArgs is a page of the goods of a category or subcategory. Path is the
// CategoryPathHash of its English names.
type ShelfArgs struct {
	Path route.Hash
	Page uint16
}

// CategoryPathHash identifies a shelf: a subcategory, or a category that has none.
func CategoryPathHash(category, subcategory string) route.Hash {
	return route.HashOf(category + "\x00" + subcategory)
}

// Routes from the categories to the shelves.
var (
	Catalog  = route.New[PageArgs]("c")
	Category = route.New[CategoryArgs]("cc")
	Shelf    = route.New[ShelfArgs]("s")
)

// CatalogKeyboard lists one page of all categories; the first page also leads to
// saved goods.
func CatalogKeyboard(l *locales.Localizer, categories []Item, page uint16, total int) Rows {
	rows := append(grid(l, categories), Pages(page, total, func(page uint16) string {
		return Catalog.Data(PageArgs{Page: page})
	})...)
	if page == 0 {
		rows = append(rows, []Button{Tap(l.Label("catalog_button_saved"), Saved.Data(SavedArgs{}))})
	}
	return append(rows, Foot(l, "")...)
}

// CategoryKeyboard lists one page of a category's subcategories. back is the page of
// the catalogue that contains the category.
func CategoryKeyboard(l *locales.Localizer, args CategoryArgs, subcategories []Item, total int, back uint16) Rows {
	rows := append(grid(l, subcategories), Pages(args.Page, total, func(page uint16) string {
		return Category.Data(CategoryArgs{Category: args.Category, Page: page})
	})...)
	return append(rows, Foot(l, Catalog.Data(PageArgs{Page: back}))...)
}

// GoodsKeyboard lists one page of goods, and leads back to the screen above.
func GoodsKeyboard(l *locales.Localizer, list ProductList, goods []Item, total int, back string) Rows {
	rows := append(column(l, goods), Pages(list.Page, total, func(page uint16) string {
		list.Page = page
		return list.Back()
	})...)
	return append(rows, Foot(l, back)...)
}
