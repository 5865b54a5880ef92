package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Where a product was opened from.
const (
	FromShelf       uint8 = 0 // Category and Subcategory; without a Category: a link or an order
	FromRecommended uint8 = 2
	FromShop        uint8 = 3 // Category is the Hash of the shop's id
	FromSaved       uint8 = 4
)

// ProductArgs is a product (or SMM service) and the page it was opened from, so
// that Back returns there. What Category, Subcategory and Parent mean is From's.
type ProductArgs struct {
	Service     int64
	From        uint8
	Category    route.Hash
	Subcategory route.Hash
	Parent      int64
	Page        uint16
}

// OrderArgs is a product and how many of it. There is no room for a Category and
// a Parent side by side, and no list has both: Parent is either.
type OrderArgs struct {
	Service     int64
	Quantity    int64
	From        uint8
	Parent      int64
	Subcategory route.Hash
	Page        uint16
}

// Product returns the part that names the product.
func (a OrderArgs) Product() ProductArgs {
	args := ProductArgs{Service: a.Service, From: a.From, Subcategory: a.Subcategory, Page: a.Page}
	switch a.From {
	case FromShelf, FromShop:
		args.Category = route.HashOfNumber(a.Parent)
	default:
		args.Parent = a.Parent
	}
	return args
}

// Order returns the arguments of buying so many.
func (a ProductArgs) Order(quantity int64) OrderArgs {
	args := OrderArgs{Service: a.Service, Quantity: quantity, From: a.From, Parent: a.Parent, Subcategory: a.Subcategory, Page: a.Page}
	if a.Category != "" {
		args.Parent = a.Category.Number()
	}
	return args
}

// Back returns the callback data of the page that the product was opened from.
func (a ProductArgs) Back() string {
	switch {
	case a.From == FromRecommended:
		return Recommended.Data(RecommendedArgs{Page: a.Page})
	case a.From == FromShop:
		return ShopGoods.Data(ShopArgs{Shop: a.Category, Page: a.Page})
	case a.From == FromSaved:
		return Saved.Data(SavedArgs{Page: a.Page})
	case a.From == FromShelf && a.Category != "":
		return Shelf.Data(ShelfArgs{Category: a.Category, Subcategory: a.Subcategory, Page: a.Page})
	default:
		return Catalog.Data(CatalogArgs{})
	}
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
// where there is one, what can be said of the product, and a fresh look.
func ProductKeyboard(l *locales.Localizer, args ProductArgs, quantities []int64, other bool, marks ProductMarks) Rows {
	var rows Rows
	if len(quantities) > 0 {
		var row []Button
		for _, n := range quantities {
			row = append(row, Tap(l.Number(n), Quantity.Data(args.Order(n))))
			if len(row) == 4 {
				rows, row = append(rows, row), nil
			}
		}
		if len(row) > 0 {
			rows = append(rows, row)
		}
	}
	if other {
		rows = append(rows, []Button{Tap(l.Label("product_button_amount"), OtherAmount.Data(args))})
	}
	rows = append(rows, marks.rows(l, args, len(quantities) == 0)...)
	rows = append(rows, []Button{Tap(l.Label("nav_button_refresh"), ProductRefresh.Data(args))})
	return append(rows, Foot(l, args.Back())...)
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
