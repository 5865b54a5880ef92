package handlers

import (
	"context"

	"hstockbot/bot"
	"hstockbot/keyboards"
)

// recommended lists the items that the marketplace recommends, sold-out ones last.
func (s *Screens) recommended(ctx context.Context, req *bot.Request, args keyboards.RecommendedArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	items, fresh, err := s.Catalog.Recommended(ctx, key, req.L.Lang())
	if err != nil {
		return bot.View{}, err
	}
	if len(items) == 0 {
		return bot.View{Text: req.L.T("recommended_empty"), Keyboard: keyboards.Foot(req.L, "")}, nil
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(items)))
	return bot.View{
		Text:     req.L.T("recommended_text") + staleNote(req.L, fresh),
		Keyboard: keyboards.RecommendedKeyboard(req.L, args, s.itemEntries(ctx, req, inStockFirst(items), args.Page), len(items)),
	}, nil
}
