package handlers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const stepHouseID = "housenumber"

// houseAdopt asks an admin for the id of the order that a purchase has become. It is one
// that the operator's key has paid, as those of all screens here.
func (s *Screens) houseAdopt(ctx context.Context, req *bot.Request, args keyboards.AdminPurchaseArgs) (bot.View, error) {
	p, err := s.DB.HousePurchase(ctx, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     req.L.T("unresolved_ask_id", locales.Args{"Name": title(req.L, subject(req.L, p.Name, adminRental(p.Kind, p.Name, p.Rental.Country, p.Rental.CountryName)))}),
		Keyboard: keyboards.Foot(req.L, keyboards.AdminUnresolved.Data(keyboards.AdminUnresolvedArgs{Purchase: p.ID})),
		Dialog:   dialog(stepHouseID, keyboards.HouseAdopt.Data(args)),
	}, nil
}

// houseIDTyped looks the order up. Nothing of what it has delivered is shown.
func (s *Screens) houseIDTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.HouseAdopt, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	id, ok := parseExternalID(req.Text)
	if !ok {
		return bot.View{}, userErr("unresolved_not_id")
	}
	found, err := s.Orders.HouseLookUp(ctx, args.Purchase, id)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnresolved, err)
	}
	typed, err := s.storeTypedID(ctx, req, id)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnresolved, err)
	}
	l, order, p := req.L, found.Order, found.Purchase
	return bot.View{
		Text: l.T("unresolved_found", locales.Args{
			"Number": externalID(l, id), "State": stateWord(l, order), "Charge": chargeText(l, order),
			"Name": title(l, subject(l, p.Name, adminRental(p.Kind, p.Name, p.Rental.Country, p.Rental.CountryName))), "Quantity": l.Number(p.Quantity),
		}),
		Keyboard: keyboards.HouseAdoptKeyboard(l, keyboards.AdoptArgs{Purchase: args.Purchase, ExternalID: typed}),
	}, nil
}

// houseAdoptSure gives the order to the buyer, who is told.
func (s *Screens) houseAdoptSure(ctx context.Context, req *bot.Request, args keyboards.AdoptArgs) (bot.View, error) {
	id, err := s.typedID(ctx, req, args.ExternalID)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnresolved, err)
	}
	entry := storage.AuditEntry{AdminID: req.User.ID, Action: actionHouseAdopt, Detail: id, At: time.Now()}
	order, err := s.Orders.HouseAdopt(ctx, args.Purchase, id, entry)
	if err != nil {
		return bot.View{}, fmt.Errorf("%w: %w", errStillUnresolved, err)
	}
	view, err := s.adminOrder(ctx, req, keyboards.AdminOrderArgs{Order: order.ID})
	view.Toast = req.L.Label("adminunresolved_adopted_toast")
	return view, err
}

// houseDismiss asks for confirmation.
func (s *Screens) houseDismiss(ctx context.Context, req *bot.Request, args keyboards.AdminPurchaseArgs) (bot.View, error) {
	p, err := s.DB.AdminUnresolvedPurchase(ctx, args.Purchase)
	if err != nil {
		return bot.View{}, err
	}
	if !p.House || p.Dismissed {
		return bot.View{}, storage.ErrNotFound
	}
	question := "adminunresolved_dismiss_ask"
	if p.Adopted > 0 {
		question = "adminunresolved_rest_ask"
	}
	return bot.View{
		Text:     strings.Join(adminUnresolvedSummary(req.L, p), "\n") + "\n\n" + req.L.T(question),
		Keyboard: keyboards.HouseDismissKeyboard(req.L, p.ID, dismissLabel(req.L, p)),
	}, nil
}

// houseDismissSure says that nothing more was bought. The hold is released, and the buyer told
// if nothing was bought at all.
func (s *Screens) houseDismissSure(ctx context.Context, req *bot.Request, args keyboards.AdminPurchaseArgs) (bot.View, error) {
	entry := storage.AuditEntry{AdminID: req.User.ID, Action: actionHouseDismiss, At: time.Now()}
	if err := s.Orders.HouseDismiss(ctx, args.Purchase, entry); err != nil {
		return bot.View{}, err
	}
	view, err := s.adminUnresolvedList(ctx, req, keyboards.AdminOrdersSublistArgs{})
	view.Toast = req.L.Label("unresolved_dismissed_toast")
	return view, err
}
