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
func (s *Screens) sellers(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	sellers, fresh, err := s.Catalog.Sellers(ctx, access)
	if err != nil {
		return bot.View{}, err
	}
	if len(sellers) == 0 {
		return bot.View{Text: req.L.T("sellers_empty"), Keyboard: keyboards.Foot(req.L, "")}, nil
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(sellers)))
	entries := make([]keyboards.Item, 0, keyboards.PageSize)
	for _, seller := range keyboards.Page(sellers, int(args.Page)) {
		rest := ""
		if stars := rating(seller); stars != "" {
			rest += " · ⭐ " + stars
		}
		if seller.Products > 0 {
			rest += " · " + req.L.Number(seller.Products)
		}
		data := keyboards.SellerGoods.Data(keyboards.SellerArgs{Seller: route.HashOf(seller.ID)})
		entries = append(entries, keyboards.Item{Name: sellerName(seller), Rest: rest, Data: data})
	}
	return bot.View{
		Text:     req.L.T("sellers_text") + staleNote(req.L, fresh),
		Keyboard: keyboards.SellersKeyboard(req.L, args.Page, entries, len(sellers)),
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
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	sellers, _, err := s.Catalog.Sellers(ctx, access)
	if err != nil {
		return bot.View{}, err
	}
	isAsked := func(seller hstock.Seller) bool { return route.HashOf(seller.ID) == args.Seller }
	if args.Seller != "" && !slices.ContainsFunc(sellers, isAsked) {
		return bot.View{Text: req.L.T("seller_gone"), Keyboard: keyboards.Foot(req.L, keyboards.Sellers.Data(keyboards.PageArgs{}))}, nil
	}
	index, err := uniqueIndex(sellers, isAsked)
	if err != nil {
		return bot.View{}, err
	}
	seller := sellers[index]
	items, fresh, err := s.Catalog.SellerGoods(ctx, access, req.L.Lang(), seller.ID)
	if err != nil {
		return bot.View{}, err
	}
	back := keyboards.Sellers.Data(keyboards.PageArgs{Page: pageOf(index)})
	heading := locales.Args{"Shop": req.L.Name(locales.Shorten(sellerName(seller), wordLength))}
	if len(items) == 0 {
		return bot.View{Text: req.L.T("seller_empty", heading), Keyboard: keyboards.Foot(req.L, back)}, nil
	}
	text := req.L.T("seller_text", heading)
	if stars := rating(seller); stars != "" {
		text += "\n" + req.L.T("seller_rating", locales.Args{"Rating": stars})
	}
	list := keyboards.ProductList{From: keyboards.FromSeller, Hash: args.Seller, Page: args.Page}
	return bot.View{
		Text:     text + staleNote(req.L, fresh),
		Keyboard: s.goodsKeyboard(req, list, inStockFirst(items), back),
	}, nil
}
