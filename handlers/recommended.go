package handlers

import (
	"context"

	"hstockbot/bot"
	"hstockbot/keyboards"
)

// recommended lists the items that the marketplace recommends, sold-out ones last.
func (s *Screens) recommended(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	items, fresh, err := s.Catalog.Recommended(ctx, access, req.L.Lang())
	if err != nil {
		return bot.View{}, err
	}
	if len(items) == 0 {
		return bot.View{Text: req.L.T("recommended_empty"), Keyboard: keyboards.Foot(req.L, "")}, nil
	}
	list := keyboards.ProductList{From: keyboards.FromRecommended, Page: args.Page}
	return bot.View{
		Text:     req.L.T("recommended_text") + staleNote(req.L, fresh),
		Keyboard: s.goodsKeyboard(req, list, inStockFirst(items), ""),
	}, nil
}
