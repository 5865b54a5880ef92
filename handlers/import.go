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

// errNowhere says that a number is no order here, and none of the person's key.
var errNowhere = message("elsewhere_none")

// elsewhereFind asks the marketplace about an order that is not here, and the
// person whether it is to be taken in.
func (s *Screens) elsewhereFind(ctx context.Context, req *bot.Request, args keyboards.ExternalArgs) (bot.View, error) {
	l := req.L
	found, err := s.Orders.FindExternal(ctx, req.User.ID, args.ExternalID)
	if errors.Is(err, hstock.ErrOrderNotFound) {
		return bot.View{}, errNowhere
	}
	if err != nil {
		return bot.View{}, err
	}
	charge := l.Label("unknown_no_charge")
	if found.Charge.Valid {
		charge = l.Money(found.Charge.Decimal, found.Currency)
	}
	what := orderWhat(l, found)
	if found.Rental.Phone != "" {
		what += "\n" + l.T("order_phone", locales.Args{"Phone": code(l, found.Rental.Phone)})
	}
	text := l.T("elsewhere_found", locales.Args{
		"Number": externalID(l, found.ExternalID), "What": locales.HTML(what), "State": stateIcon(found.State) + " " + stateWord(l, found), "Charge": charge,
	})
	unknown, err := s.DB.UnresolvedPurchases(ctx, req.User.ID, true)
	if err != nil {
		return bot.View{}, err
	}
	if len(unknown) > 0 { // it may be one of these, and is to be adopted as such
		text += "\n\n" + l.T("elsewhere_unknown")
	}
	return bot.View{Text: text, Keyboard: keyboards.ExternalKeyboard(l, args)}, nil
}

// elsewhereTake takes the order in and shows it.
func (s *Screens) elsewhereTake(ctx context.Context, req *bot.Request, args keyboards.ExternalArgs) (bot.View, error) {
	order, err := s.Orders.Import(ctx, req.User.ID, args.ExternalID)
	if errors.Is(err, hstock.ErrOrderNotFound) {
		return bot.View{}, errNowhere
	}
	if err != nil {
		return bot.View{}, err
	}
	view := s.orderView(req.L, order, keyboards.OrderViewArgs{Order: order.ID, Filter: uint8(storage.FilterAll)})
	view.Toast = req.L.Label("elsewhere_taken")
	return view, nil
}
