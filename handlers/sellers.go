package handlers

import (
	"cmp"
	"context"
	"slices"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// sellers lists the sellers in the marketplace's order.
func (s *Screens) sellers(ctx context.Context, req *bot.Request, args keyboards.SellersArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	sellers, fresh, err := s.Catalog.Sellers(ctx, key)
	if err != nil {
		return bot.View{}, err
	}
	if len(sellers) == 0 {
		return bot.View{Text: req.L.T("shops_empty"), Keyboard: keyboards.Foot(req.L, "")}, nil
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(sellers)))
	entries := make([]keyboards.SellerEntry, 0, keyboards.PageSize)
	for _, seller := range keyboards.Page(sellers, int(args.Page)) {
		entries = append(entries, keyboards.SellerEntry{
			Hash: route.HashOf(seller.ID), Name: sellerName(seller), Rating: rating(seller), Goods: seller.Products,
		})
	}
	return bot.View{
		Text:     req.L.T("shops_text") + staleNote(req.L, fresh),
		Keyboard: keyboards.SellersKeyboard(req.L, args, entries, len(sellers)),
	}, nil
}

// sellerName returns a seller's masked name, or the id of a seller without a name.
func sellerName(seller hstock.Seller) string { return cmp.Or(seller.Name, seller.ID) }

// rating returns a seller's rating with one decimal, "" if there is none.
func rating(seller hstock.Seller) string {
	if !seller.HasRating || !seller.Rating.IsPositive() {
		return ""
	}
	return seller.Rating.StringFixed(1)
}

// sellerGoods lists the items of a seller, sold-out ones last. A seller who is not
// listed has closed. A hash that two sellers share is out of date.
func (s *Screens) sellerGoods(ctx context.Context, req *bot.Request, args keyboards.SellerArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	sellers, _, err := s.Catalog.Sellers(ctx, key)
	if err != nil {
		return bot.View{}, err
	}
	isAsked := func(seller hstock.Seller) bool { return route.HashOf(seller.ID) == args.Shop }
	if args.Shop != "" && !slices.ContainsFunc(sellers, isAsked) {
		return bot.View{Text: req.L.T("shop_gone"), Keyboard: keyboards.Foot(req.L, keyboards.Sellers.Data(keyboards.SellersArgs{}))}, nil
	}
	index, err := uniqueIndex(sellers, isAsked)
	if err != nil {
		return bot.View{}, err
	}
	seller := sellers[index]
	items, fresh, err := s.Catalog.SellerGoods(ctx, key, req.L.Lang(), seller.ID)
	if err != nil {
		return bot.View{}, err
	}
	back := keyboards.Sellers.Data(keyboards.SellersArgs{Page: pageOf(index)})
	heading := locales.Args{"Shop": req.L.Name(locales.Shorten(sellerName(seller), wordLength))}
	if len(items) == 0 {
		return bot.View{Text: req.L.T("shop_empty", heading), Keyboard: keyboards.Foot(req.L, back)}, nil
	}
	text := req.L.T("shop_text", heading)
	if stars := rating(seller); stars != "" {
		text += "\n" + req.L.T("shop_rating", locales.Args{"Rating": stars})
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(items)))
	return bot.View{
		Text:     text + staleNote(req.L, fresh),
		Keyboard: keyboards.SellerKeyboard(req.L, args, s.itemEntries(ctx, req, inStockFirst(items), args.Page), len(items), back),
	}, nil
}
