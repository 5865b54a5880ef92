package handlers

import (
	"context"
	"strings"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// ownOrder converts an order of any person, so that it can be shown like an own one.
// Fields that it leaves out are not shown to admins.
func ownOrder(o storage.AdminOrder) storage.Order {
	return storage.Order{
		ID: o.ID, Kind: o.Kind, ExternalID: o.ExternalID, Adopted: o.Adopted, External: o.External, Name: o.Name, Quantity: o.Quantity,
		Rental: adminRental(o.Kind, o.Name, o.Country, o.CountryName), State: o.State, RawStatus: o.RawStatus, Charge: o.Charge, Currency: o.Currency,
		Delivered: o.Delivered, Present: o.Present, CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, ClosedAt: o.ClosedAt, Polls: o.Polls, Failures: o.Failures,
	}
}

// adminRental is the rental of an SMS order as far as admins see it: without the
// phone.
func adminRental(kind storage.Kind, project, country, countryName string) storage.Rental {
	if kind != storage.KindSMS {
		return storage.Rental{}
	}
	return storage.Rental{Project: project, Country: country, CountryName: countryName}
}

func adminOrderEntries(l *locales.Localizer, orders []storage.AdminOrder, list keyboards.AdminOrdersArgs) []keyboards.Item {
	items := make([]keyboards.Item, 0, len(orders))
	for _, o := range orders {
		item := orderEntry(l, ownOrder(o))
		item.Rest += " · " + shortPersonLabel(l, o.UserID, o.Person)
		item.Data = keyboards.AdminOrder.Data(keyboards.AdminOrderArgs{Order: o.ID, AdminOrdersArgs: list})
		items = append(items, item)
	}
	return items
}

// adminOrderByExternalID opens an order of any person. If several people have
// imported it, their orders are listed. found is false if there is none.
func (s *Screens) adminOrderByExternalID(ctx context.Context, req *bot.Request, id string) (view bot.View, found bool, err error) {
	orders, err := s.DB.AdminOrdersByExternalID(ctx, id, keyboards.PageSize)
	switch {
	case err != nil || len(orders) == 0:
		return bot.View{}, false, err
	case len(orders) == 1:
		return bot.RedirectTo(keyboards.AdminOrder.Data(keyboards.AdminOrderArgs{Order: orders[0].ID})), true, nil
	}
	return bot.View{
		Text:     req.L.T("order_title", locales.Args{"Number": externalID(req.L, id)}),
		Keyboard: keyboards.AdminOrdersFoundKeyboard(req.L, adminOrderEntries(req.L, orders, keyboards.AdminOrdersArgs{})),
	}, true, nil
}

// adminOrder shows an order of any person with its history.
func (s *Screens) adminOrder(ctx context.Context, req *bot.Request, args keyboards.AdminOrderArgs) (bot.View, error) {
	o, err := s.DB.AdminOrder(ctx, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{Text: adminOrderText(req.L, o), Keyboard: keyboards.AdminOrderKeyboard(req.L, args, o.UserID)}, nil
}

func adminOrderText(l *locales.Localizer, o storage.AdminOrder) string {
	own := ownOrder(o)
	title := l.T("adminorders_order")
	if o.ExternalID != "" {
		title = l.T("order_title", locales.Args{"Number": externalID(l, o.ExternalID)})
	}
	lines := []string{title, orderItemLine(l, own), locales.Escape(personLabel(l, o.UserID, o.Person))}
	if o.Category != "" {
		lines = append(lines, l.T("adminorders_category", locales.Args{"Category": l.Name(locales.Shorten(o.Category, wordLength))}))
	}
	markedUp := o.HasMarkup() && o.Charge.Valid
	if markedUp { // "charged" is what the buyer was charged, as in the ledger
		own.Charge.Valid = false
	}
	lines = append(append(lines, ""), statusLines(l, own, 0)...)
	if markedUp {
		lines = append(lines, l.T("ledger_charged", locales.Args{"Sum": l.Money(o.Shown(o.Charge.Decimal), o.Currency), "Cost": l.Money(o.Charge.Decimal, o.Currency)}))
	}
	return strings.Join(append(append(lines, ""), orderHistory(l, o)...), "\n")
}

// orderHistory returns a line for each step of an order, with its time.
func orderHistory(l *locales.Localizer, o storage.AdminOrder) []string {
	created := "order_created"
	if o.External {
		created = "order_imported"
	}
	lines := appendTime(nil, l, "adminorder_confirmed", o.ConfirmedAt)
	lines = appendTime(lines, l, created, o.CreatedAt)
	if o.LastPollAt.IsZero() {
		lines = append(lines, l.T("adminorder_not_polled"))
	} else {
		lines = append(lines, l.N("adminorder_polls", o.Polls, locales.Args{"Time": clock(l, o.LastPollAt)}))
	}
	if o.Failures > 0 {
		lines = append(lines, l.N("adminorder_failures", o.Failures))
	}
	lines = appendTime(lines, l, "adminorder_delivered", o.DeliveredAt)
	lines = appendTime(lines, l, "adminorder_notified", o.NotifiedAt)
	return appendTime(lines, l, "adminorder_ended", o.ClosedAt)
}
