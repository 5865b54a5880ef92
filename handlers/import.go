package handlers

import (
	"context"
	"errors"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// errExternalNotFound is returned for an id that is neither an order here nor one of
// the person's key.
var errExternalNotFound = userErr("external_none")

// externalFind looks up an order that was placed outside the bot, and asks whether to
// import it.
func (s *Screens) externalFind(ctx context.Context, req *bot.Request, args keyboards.ExternalArgs) (bot.View, error) {
	l := req.L
	found, err := s.Orders.FindExternal(ctx, req.User.ID, args.ExternalID)
	if errors.Is(err, hstock.ErrOrderNotFound) {
		return bot.View{}, errExternalNotFound
	}
	if err != nil {
		return bot.View{}, err
	}
	text := l.T("external_found", locales.Args{
		"Number": externalID(l, found.ExternalID), "What": locales.HTML(itemLines(l, found)), "State": stateText(l, found), "Charge": chargeText(l, found),
	})
	unresolved, err := s.DB.UnresolvedPurchases(ctx, req.User.ID, true)
	if err != nil {
		return bot.View{}, err
	}
	if len(unresolved) > 0 { // it may be one of these, and should be adopted instead
		text += "\n\n" + l.T("external_unknown")
	}
	return bot.View{Text: text, Keyboard: keyboards.ExternalKeyboard(l, args)}, nil
}

// externalImport stores an external order and shows it.
func (s *Screens) externalImport(ctx context.Context, req *bot.Request, args keyboards.ExternalArgs) (bot.View, error) {
	order, err := s.Orders.Import(ctx, req.User.ID, args.ExternalID)
	if errors.Is(err, hstock.ErrOrderNotFound) {
		return bot.View{}, errExternalNotFound
	}
	if err != nil {
		return bot.View{}, err
	}
	view := s.orderView(req.L, order, keyboards.OrderViewArgs{Order: order.ID, Filter: uint8(storage.FilterAll)})
	view.Toast = req.L.Label("external_taken")
	return view, nil
}
