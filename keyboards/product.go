package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// ProductArgs is a product (or SMM service) and the shelf it was opened from,
// so that Back returns there. A zero Category means that it was opened by a
// link or from an order; then Back is the catalogue.
type ProductArgs struct {
	Service     int64
	Category    route.Hash
	Subcategory route.Hash
	Page        uint16
}

// OrderArgs is a product and how many of it.
type OrderArgs struct {
	Service     int64
	Quantity    int64
	Category    route.Hash
	Subcategory route.Hash
	Page        uint16
}

// Product returns the part that names the product.
func (a OrderArgs) Product() ProductArgs {
	return ProductArgs{Service: a.Service, Category: a.Category, Subcategory: a.Subcategory, Page: a.Page}
}

// Order returns the arguments of buying so many.
func (a ProductArgs) Order(quantity int64) OrderArgs {
	return OrderArgs{Service: a.Service, Quantity: quantity, Category: a.Category, Subcategory: a.Subcategory, Page: a.Page}
}

// Back returns the callback data of the shelf that the product was opened from.
func (a ProductArgs) Back() string {
	if a.Category == "" {
		return Catalog.Data(CatalogArgs{})
	}
	return Shelf.Data(ShelfArgs{Category: a.Category, Subcategory: a.Subcategory, Page: a.Page})
}

// Routes from a product to its confirm card.
var (
	Product        = route.New[ProductArgs]("p")
	ProductRefresh = route.New[ProductArgs]("pr")
	OtherAmount    = route.New[ProductArgs]("pa")
	Quantity       = route.New[OrderArgs]("q")
	SkipEmail      = route.New[OrderArgs]("qs")
)

// ProductKeyboard offers quantities (none where it is sold out), another amount
// where there is one, and a fresh look.
func ProductKeyboard(l *locales.Localizer, args ProductArgs, quantities []int64, other bool) Rows {
	rows := quantityRows(l, quantities, func(n int64) string { return Quantity.Data(args.Order(n)) })
	if other {
		rows = append(rows, []Button{Tap(l.Label("product_button_amount"), OtherAmount.Data(args))})
	}
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
func EmailKeyboard(l *locales.Localizer, args OrderArgs) Rows {
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
