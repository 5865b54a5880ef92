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
func (s *Screens) recommended(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
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
	list := keyboards.ProductList{From: keyboards.FromRecommended, Page: args.Page}
	return bot.View{
		Text:     req.L.T("recommended_text") + staleNote(req.L, fresh),
		Keyboard: s.goodsKeyboard(ctx, req, list, inStockFirst(rows), ""),
	}, nil
}

// goodsKeyboard lists one page of goods with their prices and stock.
func (s *Screens) goodsKeyboard(ctx context.Context, req *bot.Request, list keyboards.ProductList, rows []hstock.Item, back string) keyboards.Rows {
	list.Page = keyboards.PageArg(keyboards.ClampPage(int(list.Page), len(rows)))
	currency := s.currency(ctx, req.User.ID)
	items := make([]keyboards.Item, 0, keyboards.PageSize)
	for _, row := range keyboards.Page(rows, int(list.Page)) {
		data := keyboards.Product.Data(keyboards.ProductArgs{Service: row.Service, ProductList: list})
		items = append(items, goodsItem(req.L, row, currency, data))
	}
	return keyboards.GoodsKeyboard(req.L, list, items, len(rows), back)
}

func goodsItem(l *locales.Localizer, row hstock.Item, currency, data string) keyboards.Item {
	if row.Stock <= 0 {
		return keyboards.Item{Icon: "✖", Name: row.Name, Data: data}
	}
	return keyboards.Item{Name: row.Name, Rest: " · " + l.Money(row.Rate, currency) + " · " + l.Number(row.Stock), Data: data}
}

// shops lists the shops in the marketplace's order.
func (s *Screens) shops(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
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
	items := make([]keyboards.Item, 0, keyboards.PageSize)
	for _, shop := range keyboards.Page(shops, int(args.Page)) {
		rest := ""
		if rating := stars(shop); rating != "" {
			rest += " · ⭐ " + rating
		}
		if shop.Products > 0 {
			rest += " · " + req.L.Number(shop.Products)
		}
		items = append(items, keyboards.Item{
			Name: shopName(shop), Rest: rest, Data: keyboards.SellerGoods.Data(keyboards.SellerArgs{Seller: route.HashOf(shop.ID)}),
		})
	}
	return bot.View{
		Text:     req.L.T("shops_text") + staleNote(req.L, fresh),
		Keyboard: keyboards.SellersKeyboard(req.L, args.Page, items, len(shops)),
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
		return bot.View{Text: req.L.T("shop_gone"), Keyboard: keyboards.Foot(req.L, keyboards.Sellers.Data(keyboards.PageArgs{}))}, nil
	case place < 0, slices.ContainsFunc(shops[place+1:], func(shop hstock.Seller) bool { return route.HashOf(shop.ID) == args.Seller }):
		return bot.View{}, storage.ErrNotFound
	}
	rows, fresh, err := s.Catalog.SellerGoods(ctx, key, req.L.Lang(), shops[place].ID)
	if err != nil {
		return bot.View{}, err
	}
	back := keyboards.Sellers.Data(keyboards.PageArgs{Page: pageOf(place)})
	named := locales.Args{"Shop": req.L.Name(shorten(shopName(shops[place]), wordLength))}
	if len(rows) == 0 {
		return bot.View{Text: req.L.T("shop_empty", named), Keyboard: keyboards.Foot(req.L, back)}, nil
	}
	text := req.L.T("shop_text", named)
	if rating := stars(shops[place]); rating != "" {
		text += "\n" + req.L.T("shop_rating", locales.Args{"Rating": rating})
	}
	list := keyboards.ProductList{From: keyboards.FromSeller, Hash: args.Seller, Page: args.Page}
	return bot.View{
		Text:     text + staleNote(req.L, fresh),
		Keyboard: s.goodsKeyboard(ctx, req, list, inStockFirst(rows), back),
	}, nil
}
