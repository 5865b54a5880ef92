package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// SellerArgs is a page of a seller's goods. Seller is the Hash of the marketplace's id.
type SellerArgs struct {
	Seller route.Hash
	Page   uint16
}

// Routes of the recommended goods, and from the sellers to their goods. All of them
// but Sellers have a GoodsKeyboard.
var (
	Recommended = route.New[PageArgs]("re")
	Sellers     = route.New[PageArgs]("sh")
	SellerGoods = route.New[SellerArgs]("sw")
)

// SellersKeyboard lists one page of sellers.
func SellersKeyboard(l *locales.Localizer, page uint16, sellers []Item, total int) Rows {
	rows := append(column(l, sellers), Pages(page, total, func(page uint16) string { return Sellers.Data(PageArgs{Page: page}) })...)
	return append(rows, Foot(l, "")...)
}
