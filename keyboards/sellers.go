package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// RecommendedArgs is a page of what the marketplace recommends.
type RecommendedArgs struct{ Page uint16 }

// SellersArgs is a page of the shops.
type SellersArgs struct{ Page uint16 }

// SellerArgs is a page of a shop's goods. Shop is the Hash of the marketplace's id.
type SellerArgs struct {
	Seller route.Hash
	Page   uint16
}

// Routes of the recommended goods, and from the shops to their goods.
var (
	Recommended = route.New[RecommendedArgs]("re")
	Sellers     = route.New[SellersArgs]("sh")
	SellerGoods = route.New[SellerArgs]("sw")
)

// RecommendedKeyboard lists one page of recommended goods.
func RecommendedKeyboard(l *locales.Localizer, args RecommendedArgs, entries []GoodsEntry, total int) Rows {
	return append(goodsRows(l, ProductArgs{From: FromRecommended, Page: args.Page}, entries, total), Foot(l, "")...)
}

// SellerEntry is a shop as a button shows it. Rating is "" where it has none, and
// Goods 0 where their number is not known.
type SellerEntry struct {
	Hash   route.Hash
	Name   string
	Rating string
	Goods  int64
}

func (e SellerEntry) label(l *locales.Localizer) string {
	rest := ""
	if e.Rating != "" {
		rest += " · ⭐ " + e.Rating
	}
	if e.Goods > 0 {
		rest += " · " + l.Number(e.Goods)
	}
	return fit(l, e.Name, rest, OneColumn)
}

// SellersKeyboard lists one page of shops.
func SellersKeyboard(l *locales.Localizer, args SellersArgs, entries []SellerEntry, total int) Rows {
	var rows Rows
	for _, entry := range entries {
		rows = append(rows, []Button{Tap(entry.label(l), SellerGoods.Data(SellerArgs{Seller: entry.Hash}))})
	}
	rows = append(rows, Pages(int(args.Page), total, func(page int) string {
		return Sellers.Data(SellersArgs{Page: PageArg(page)})
	})...)
	return append(rows, Foot(l, "")...)
}

// SellerKeyboard lists one page of a shop's goods. back is the page of shops that
// it stands on.
func SellerKeyboard(l *locales.Localizer, args SellerArgs, entries []GoodsEntry, total int, back string) Rows {
	from := ProductArgs{From: FromSeller, ListHash: args.Seller, Page: args.Page}
	return append(goodsRows(l, from, entries, total), Foot(l, back)...)
}
