package handlers

import (
	"context"
	"slices"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// recommended lists what the marketplace recommends, sold-out goods last.
func (s *Screens) recommended(ctx context.Context, req *bot.Request, args keyboards.RecommendedArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	rows, fresh, err := s.Catalog.Recommended(ctx, key, req.L.Lang())
	if err != nil {
		return bot.View{}, err
	}
	if len(rows) == 0 {
		return bot.View{Text: req.L.T("recommended_empty"), Keyboard: keyboards.Foot(req.L, "")}, nil
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(rows)))
	return bot.View{
		Text:     req.L.T("recommended_text") + staleNote(req.L, fresh),
		Keyboard: keyboards.RecommendedKeyboard(req.L, args, s.goodsEntries(ctx, req, inStockFirst(rows), args.Page), len(rows)),
	}, nil
}

// goodsEntries are one page of goods with their prices and stock.
func (s *Screens) goodsEntries(ctx context.Context, req *bot.Request, rows []hstock.Item, page uint16) []keyboards.GoodsEntry {
	currency := s.currency(ctx, req.User.ID)
	entries := make([]keyboards.GoodsEntry, 0, keyboards.PageSize)
	for _, row := range keyboards.Page(rows, int(page)) {
		entries = append(entries, goodsEntry(req.L, row, currency))
	}
	return entries
}

func goodsEntry(l *locales.Localizer, row hstock.Item, currency string) keyboards.GoodsEntry {
	return keyboards.GoodsEntry{
		Service: row.Service, Name: row.Name, Price: l.Money(row.Rate, currency), Stock: row.Stock, SoldOut: row.Stock <= 0,
	}
}

// shops lists the shops in the marketplace's order.
func (s *Screens) shops(ctx context.Context, req *bot.Request, args keyboards.SellersArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	shops, fresh, err := s.Catalog.Sellers(ctx, key)
	if err != nil {
		return bot.View{}, err
	}
	if len(shops) == 0 {
		return bot.View{Text: req.L.T("shops_empty"), Keyboard: keyboards.Foot(req.L, "")}, nil
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(shops)))
	entries := make([]keyboards.SellerEntry, 0, keyboards.PageSize)
	for _, shop := range keyboards.Page(shops, int(args.Page)) {
		entries = append(entries, keyboards.SellerEntry{
			Hash: route.HashOf(shop.ID), Name: shopName(shop), Rating: stars(shop), Goods: shop.Products,
		})
	}
	return bot.View{
		Text:     req.L.T("shops_text") + staleNote(req.L, fresh),
		Keyboard: keyboards.SellersKeyboard(req.L, args, entries, len(shops)),
	}, nil
}

// shopName is a shop's masked name. One without any is told by its id.
func shopName(shop hstock.Seller) string {
	if shop.Name == "" {
		return shop.ID
	}
	return shop.Name
}

// stars is a shop's rating to a tenth, "" where it has none.
func stars(shop hstock.Seller) string {
	if !shop.HasRating || !shop.Rating.IsPositive() {
		return ""
	}
	return shop.Rating.StringFixed(1)
}

// shopGoods lists the goods of a shop, sold-out ones last. A shop that is not
// listed any more has closed; an id that two share is out of date.
func (s *Screens) shopGoods(ctx context.Context, req *bot.Request, args keyboards.SellerArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	shops, _, err := s.Catalog.Sellers(ctx, key)
	if err != nil {
		return bot.View{}, err
	}
	place := slices.IndexFunc(shops, func(shop hstock.Seller) bool { return route.HashOf(shop.ID) == args.Seller })
	switch {
	case place < 0 && args.Seller != "":
		return bot.View{Text: req.L.T("shop_gone"), Keyboard: keyboards.Foot(req.L, keyboards.Sellers.Data(keyboards.SellersArgs{}))}, nil
	case place < 0, slices.ContainsFunc(shops[place+1:], func(shop hstock.Seller) bool { return route.HashOf(shop.ID) == args.Seller }):
		return bot.View{}, storage.ErrNotFound
	}
	rows, fresh, err := s.Catalog.SellerGoods(ctx, key, req.L.Lang(), shops[place].ID)
	if err != nil {
		return bot.View{}, err
	}
	back := keyboards.Sellers.Data(keyboards.SellersArgs{Page: pageOf(place)})
	named := locales.Args{"Shop": req.L.Name(shorten(shopName(shops[place]), wordLength))}
	if len(rows) == 0 {
		return bot.View{Text: req.L.T("shop_empty", named), Keyboard: keyboards.Foot(req.L, back)}, nil
	}
	text := req.L.T("shop_text", named)
	if rating := stars(shops[place]); rating != "" {
		text += "\n" + req.L.T("shop_rating", locales.Args{"Rating": rating})
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(rows)))
	return bot.View{
		Text:     text + staleNote(req.L, fresh),
		Keyboard: keyboards.SellerKeyboard(req.L, args, s.goodsEntries(ctx, req, inStockFirst(rows), args.Page), len(rows), back),
	}, nil
}
