package keyboards

import (
	"slices"

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

// Sort is the order of a shelf. Its values are part of the callback data.
type Sort uint8

// Orders of a shelf. Sold-out goods are last, or hidden.
const (
	AsListed Sort = iota // by the marketplace
	CheapestFirst
	SoldOutHidden // as listed
	sorts
)

// Known reports whether the order exists.
func (s Sort) Known() bool { return s < sorts }

// shelfSources are the lists from which products of a sorted shelf are opened.
var shelfSources = [sorts]Source{FromShelf, FromShelfCheapest, FromShelfInStock}

// SortedShelfArgs is a page of a shelf in one of its orders.
type SortedShelfArgs struct {
	ShelfArgs
	Sort Sort
}

// List returns the list that products of the page belong to.
func (a SortedShelfArgs) List() ProductList {
	return ProductList{From: shelfSources[a.Sort], Hash: a.Path, Page: a.Page}
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
	// SortedShelf is Shelf in another order than AsListed.
	SortedShelf = route.New[SortedShelfArgs]("ss")
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

// ShelfKeyboard is GoodsKeyboard with a button that goes on to the next order.
func ShelfKeyboard(l *locales.Localizer, args SortedShelfArgs, goods []Item, total int, back string) Rows {
	label := [sorts]string{l.Label("shelf_button_as_listed"), l.Label("shelf_button_cheapest"), l.Label("shelf_button_in_stock")}[args.Sort]
	next := SortedShelfArgs{ShelfArgs: ShelfArgs{Path: args.Path}, Sort: (args.Sort + 1) % sorts}
	rows := GoodsKeyboard(l, args.List(), goods, total, back)
	return slices.Insert(rows, len(rows)-1, []Button{Tap(label, next.List().Back())})
}

// GoodsKeyboard lists one page of goods, and leads back to the screen above.
func GoodsKeyboard(l *locales.Localizer, list ProductList, goods []Item, total int, back string) Rows {
	rows := append(column(l, goods), Pages(list.Page, total, func(page uint16) string {
		list.Page = page
		return list.Back()
	})...)
	return append(rows, Foot(l, back)...)
}
