package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Source is the kind of list that a product was opened from. Its values are part of
// the callback data.
type Source uint8

// Kinds of lists. A product that was opened by a link, or from an order, belongs to
// no list: FromShelf without a Hash.
const (
	FromShelf  Source = iota // Hash: ShelfArgs.Path
	FromSearch               // Search: FoundArgs.Search
	FromRecommended
	FromSeller // Hash: SellerArgs.Seller
	FromSaved
	FromWatches
	FromShelfCheapest // Hash as of FromShelf
	FromShelfInStock  // likewise
	FromNews          // Search: the NewsGroup
)

// ProductList is a page of a list of products. Products carry it in their
// arguments, so that Back leads to the page that they were opened from.
type ProductList struct {
	From   Source
	Hash   route.Hash
	Search int64
	Page   uint16
}

// Back returns the callback data of the list, or of the catalogue if there is none.
func (p ProductList) Back() string {
	switch {
	case p.From == FromShelf && p.Hash != "":
		return Shelf.Data(ShelfArgs{Path: p.Hash, Page: p.Page})
	case p.From == FromShelfCheapest:
		return SortedShelf.Data(SortedShelfArgs{ShelfArgs{Path: p.Hash, Page: p.Page}, CheapestFirst})
	case p.From == FromShelfInStock:
		return SortedShelf.Data(SortedShelfArgs{ShelfArgs{Path: p.Hash, Page: p.Page}, SoldOutHidden})
	case p.From == FromSearch:
		return Found.Data(FoundArgs{Search: p.Search, Page: p.Page})
	case p.From == FromRecommended:
		return Recommended.Data(PageArgs{Page: p.Page})
	case p.From == FromSeller:
		return SellerGoods.Data(SellerArgs{Seller: p.Hash, Page: p.Page})
	case p.From == FromSaved:
		return Saved.Data(SavedArgs{Page: p.Page})
	case p.From == FromNews:
		return News.Data(NewsArgs{Group: NewsGroup(min(max(p.Search, 0), int64(NewsNew))), Page: p.Page})
	case p.From == FromWatches:
		return Watches.Data(PageArgs{Page: p.Page})
	default:
		return Catalog.Data(PageArgs{})
	}
}

// ProductArgs is a product (or SMM service) and the list that it was opened from.
type ProductArgs struct {
	Service int64
	ProductList
}

// WithQuantity adds a quantity.
func (a ProductArgs) WithQuantity(quantity int64) QuantityArgs {
	return QuantityArgs{Service: a.Service, Quantity: quantity, ProductList: a.ProductList}
}

// QuantityArgs is a product and a quantity.
type QuantityArgs struct {
	Service  int64
	Quantity int64
	ProductList
}

// Product returns the arguments without the quantity.
func (a QuantityArgs) Product() ProductArgs {
	return ProductArgs{Service: a.Service, ProductList: a.ProductList}
}

// Routes from a product to its confirm card.
var (
	Product        = route.New[ProductArgs]("p")
	ProductRefresh = route.New[ProductArgs]("pr")
	OtherAmount    = route.New[ProductArgs]("pa")
	Quantity       = route.New[QuantityArgs]("q")
	SkipEmail      = route.New[QuantityArgs]("qs")
	LastEmail      = route.New[QuantityArgs]("ql")
)

// ProductKeyboard offers quantities (none if the product can't be ordered), with other to
// type another one, and what the marks can be changed to.
func ProductKeyboard(l *locales.Localizer, args ProductArgs, quantities []int64, other bool, marks ProductMarks) Rows {
	rows := quantityRows(l, 4, quantities, func(n int64) string { return Quantity.Data(args.WithQuantity(n)) })
	if other {
		rows = append(rows, []Button{Tap(l.Label("product_button_amount"), OtherAmount.Data(args))})
	}
	if marks.Addable {
		row := []Button{Tap(l.Label("basket_button_add"), BasketProduct.Data(args))}
		if marks.Basket {
			row = append(row, Tap(l.Label("menu_button_basket"), Basket.Data(struct{}{})))
		}
		rows = append(rows, row)
	}
	rows = append(rows, marks.rows(l, args)...)
	last := []Button{Tap(l.Label("nav_button_refresh"), ProductRefresh.Data(args))}
	if marks.Share {
		query := InlineProduct(args.Service)
		last = append(last, Button{Text: l.Label("product_button_share"), SwitchInlineQuery: &query})
	}
	rows = append(rows, last)
	return append(rows, Foot(l, args.Back())...)
}

func quantityRows(l *locales.Localizer, perRow int, quantities []int64, data func(n int64) string) Rows {
	var buttons []Button
	for _, n := range quantities {
		buttons = append(buttons, Tap(l.Number(n), data(n)))
	}
	return inRows(perRow, buttons)
}

// EmailKeyboard offers to skip the delivery e-mail, or to use the one before. last is how
// that is shown, "" for none.
func EmailKeyboard(l *locales.Localizer, args QuantityArgs, last string) Rows {
	choices := []Button{Tap(l.Label("order_button_skip"), SkipEmail.Data(args))}
	if last != "" {
		choices = append([]Button{Tap(l.Label("email_button_last", locales.Args{"Email": last}), LastEmail.Data(args))}, choices...)
	}
	return append(Rows{choices}, Foot(l, Product.Data(args.Product()))...)
}

// QuantityChoices returns the quantities that are offered as buttons: lowest, and
// round numbers up to highest, which is 0 if there is no limit.
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
