package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Source is the kind of list that a product was opened from.
type Source uint8

// The lists that show products. By a link or from an order, a product is opened
// from no shelf: FromShelf without a Place.
const (
	FromShelf  Source = iota // Place: the shelf
	FromSearch               // Parent: the search
	FromRecommended
	FromSeller // Place: the shop
	FromSaved
)

// ProductArgs is a product (or SMM service) and where it was opened from, so that
// Back returns to that very page: the kind of list, what tells it from others of
// its kind, and the page.
type ProductArgs struct {
	Service  int64
	From     Source
	ListHash route.Hash
	Search   int64
	Page     uint16
}

// QuantityArgs is a product and how many of it.
type QuantityArgs struct {
	Service  int64
	Quantity int64
	From     Source
	ListHash route.Hash
	Search   int64
	Page     uint16
}

// Product returns the part that names the product.
func (a QuantityArgs) Product() ProductArgs {
	return ProductArgs{Service: a.Service, From: a.From, ListHash: a.ListHash, Search: a.Search, Page: a.Page}
}

// WithQuantity returns the arguments of buying so many.
func (a ProductArgs) WithQuantity(quantity int64) QuantityArgs {
	return QuantityArgs{Service: a.Service, Quantity: quantity, From: a.From, ListHash: a.ListHash, Search: a.Search, Page: a.Page}
}

// Back returns the callback data of the list that the product was opened from, or
// of the catalogue where there is none.
func (a ProductArgs) Back() string {
	switch {
	case a.From == FromShelf && a.ListHash != "":
		return Shelf.Data(ShelfArgs{Path: a.ListHash, Page: a.Page})
	case a.From == FromSearch:
		return Found.Data(FoundArgs{Search: a.Search, Page: a.Page})
	case a.From == FromRecommended:
		return Recommended.Data(RecommendedArgs{Page: a.Page})
	case a.From == FromSeller:
		return SellerGoods.Data(SellerArgs{Seller: a.ListHash, Page: a.Page})
	case a.From == FromSaved:
		return Saved.Data(SavedArgs{Page: a.Page})
	default:
		return Catalog.Data(CatalogArgs{})
	}
}

// Routes from a product to its confirm card.
var (
	Product        = route.New[ProductArgs]("p")
	ProductRefresh = route.New[ProductArgs]("pr")
	OtherAmount    = route.New[ProductArgs]("pa")
	Quantity       = route.New[QuantityArgs]("q")
	SkipEmail      = route.New[QuantityArgs]("qs")
)

// ProductKeyboard offers quantities (none where it is sold out), another amount
// where there is one, what can be said of the product, and a fresh look.
func ProductKeyboard(l *locales.Localizer, args ProductArgs, quantities []int64, other bool, marks ProductMarks) Rows {
	rows := quantityRows(l, quantities, func(n int64) string { return Quantity.Data(args.WithQuantity(n)) })
	if other {
		rows = append(rows, []Button{Tap(l.Label("product_button_amount"), OtherAmount.Data(args))})
	}
	rows = append(rows, marks.rows(l, args, len(quantities) == 0)...)
	rows = append(rows, []Button{Tap(l.Label("nav_button_refresh"), ProductRefresh.Data(args))})
	return append(rows, Foot(l, args.Back())...)
}

// quantityRows lays quantities out, four in a row.
func quantityRows(l *locales.Localizer, quantities []int64, data func(n int64) string) Rows {
	var rows Rows
	for i, n := range quantities {
		if i%4 == 0 {
			rows = append(rows, nil)
		}
		last := len(rows) - 1
		rows[last] = append(rows[last], Tap(l.Number(n), data(n)))
	}
	return rows
}

// EmailKeyboard offers to leave the delivery e-mail out.
func EmailKeyboard(l *locales.Localizer, args QuantityArgs) Rows {
	return append(Rows{{Tap(l.Label("order_button_skip"), SkipEmail.Data(args))}}, Foot(l, Product.Data(args.Product()))...)
}

// QuantityChoices returns the quantities that are offered as buttons: round
// numbers within the limits and the money. highest is 0 where nothing bounds it.
func QuantityChoices(lowest, highest int64) []int64 {
	const most = 8
	var choices []int64
	fits := func(n int64) bool { return n >= lowest && (highest <= 0 || n <= highest) }
	if fits(lowest) {
		choices = append(choices, lowest)
	}
	for scale := int64(1); scale <= 1_000_000_000 && len(choices) < most; scale *= 10 {
		for _, digit := range []int64{1, 2, 5} {
			if n := digit * scale; n > lowest && fits(n) && len(choices) < most {
				choices = append(choices, n)
			}
		}
	}
	return choices
}
