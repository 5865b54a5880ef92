package handlers

import (
	"context"
	"errors"
	"strconv"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// errExternalNotFound is returned for an id that is neither an order here nor one of
// the person's key.
var errExternalNotFound = userErr("external_none")

// storeTypedID stores an order id that the person typed, for a button to carry it.
func (s *Screens) storeTypedID(ctx context.Context, req *bot.Request, id string) (keyboards.TypedID, error) {
	search, err := s.DB.AddSearch(ctx, req.User.ID, id)
	return keyboards.TypedID(-search), err
}

// typedID returns the order id that a button carries.
func (s *Screens) typedID(ctx context.Context, req *bot.Request, typed keyboards.TypedID) (string, error) {
	if typed > 0 {
		return strconv.FormatInt(int64(typed), 10), nil
	}
	text, err := s.DB.Search(ctx, req.User.ID, -int64(typed))
	id, ok := parseExternalID(text)
	if errors.Is(err, storage.ErrNotFound) || err == nil && !ok {
		err = errExternalNotFound
	}
	return id, err
}

// externalFind looks up an order that was placed outside the bot, and asks whether to
// import it.
func (s *Screens) externalFind(ctx context.Context, req *bot.Request, args keyboards.ExternalArgs) (bot.View, error) {
	l := req.L
	id, err := s.typedID(ctx, req, args.ExternalID)
	if err != nil {
		return bot.View{}, err
	}
	found, err := s.Orders.FindExternal(ctx, req.User.ID, id)
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
	id, err := s.typedID(ctx, req, args.ExternalID)
	if err != nil {
		return bot.View{}, err
	}
	order, err := s.Orders.Import(ctx, req.User.ID, id)
	if errors.Is(err, hstock.ErrOrderNotFound) {
		return bot.View{}, errExternalNotFound
	}
	if err != nil {
		return bot.View{}, err
	}
	view := orderView(req.L, order, keyboards.OrderViewArgs{Order: order.ID, Filter: uint8(storage.FilterAll)}, 0)
	view.Toast = req.L.Label("external_taken")
	return view, nil
}
