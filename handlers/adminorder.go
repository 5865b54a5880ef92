package handlers

import (
	"context"
	"strings"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// maxFound is how many orders of one number are listed.
const maxFound = keyboards.PageSize

// ownOrder is somebody's order as the words for one's own orders take it. What it
// lacks, admins don't see.
func ownOrder(o storage.AdminOrder) storage.Order {
	return storage.Order{
		ID: o.ID, Kind: o.Kind, ExternalID: o.ExternalID, Adopted: o.Adopted, External: o.External, Name: o.Name, Quantity: o.Quantity,
		Rental: adminRental(o.Kind, o.Name, o.Country, o.CountryName), State: o.State, RawStatus: o.RawStatus, Charge: o.Charge, Currency: o.Currency,
		Delivered: o.Delivered, CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, ClosedAt: o.ClosedAt, Polls: o.Polls, Failures: o.Failures,
	}
}

// rentalOf is where a number was rented, and that it is one: subject names the
// country of what has a project.
func adminRental(kind storage.Kind, project, country, countryName string) storage.Rental {
	if kind != storage.KindSMS {
		return storage.Rental{}
	}
	return storage.Rental{Project: project, Country: country, CountryName: countryName}
}

func adminOrderItems(l *locales.Localizer, orders []storage.AdminOrder) []keyboards.OrderEntry {
	entries := make([]keyboards.OrderEntry, 0, len(orders))
	for _, o := range orders {
		entry := orderEntry(l, ownOrder(o))
		if o.ExternalID == 0 {
			entry.Label = stateIcon(o.State)
		}
		entry.Rest += " · " + shortPersonLabel(l, o.UserID, o.Person)
		entries = append(entries, entry)
	}
	return entries
}

// adminOrderByExternalID opens an order by its number, whoever's. Where several have
// it, they are listed.
func (s *Screens) adminOrderByExternalID(ctx context.Context, req *bot.Request, n int64) (bot.View, bool, error) {
	orders, err := s.DB.AdminOrdersByExternalID(ctx, n, maxFound)
	switch {
	case err != nil || len(orders) == 0:
		return bot.View{}, false, err
	case len(orders) == 1:
		return bot.RedirectTo(keyboards.AdminOrder.Data(keyboards.AdminOrderArgs{Order: orders[0].ID})), true, nil
	}
	return bot.View{
		Text:     req.L.T("order_title", locales.Args{"Number": externalID(req.L, n)}),
		Keyboard: keyboards.AdminOrdersFoundKeyboard(req.L, adminOrderItems(req.L, orders)),
	}, true, nil
}

// adminOrder shows one order, whoever's, with its history.
func (s *Screens) adminOrder(ctx context.Context, req *bot.Request, args keyboards.AdminOrderArgs) (bot.View, error) {
	o, err := s.DB.AdminOrder(ctx, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{Text: adminOrderText(req.L, o), Keyboard: keyboards.AdminOrderKeyboard(req.L, args, o.UserID)}, nil
}

func adminOrderText(l *locales.Localizer, o storage.AdminOrder) string {
	own := ownOrder(o)
	title := l.T("allorders_order")
	if o.ExternalID != 0 {
		title = l.T("order_title", locales.Args{"Number": externalID(l, o.ExternalID)})
	}
	lines := []string{title, orderWhat(l, own), locales.Escape(personLabel(l, o.UserID, o.Person))}
	if o.Category != "" {
		lines = append(lines, l.T("allorders_category", locales.Args{"Category": l.Name(shorten(o.Category, wordLength))}))
	}
	lines = append(append(lines, ""), statusLines(l, own)...)
	return strings.Join(append(append(lines, ""), orderHistory(l, o)...), "\n")
}

// orderHistory says when what happened to an order, as far as it did.
func orderHistory(l *locales.Localizer, o storage.AdminOrder) []string {
	var lines []string
	if !o.ConfirmedAt.IsZero() {
		lines = append(lines, l.T("anyorder_confirmed", locales.Args{"Time": clock(l, o.ConfirmedAt)}))
	}
	placed := "order_created"
	if o.External {
		placed = "order_taken_in"
	}
	lines = append(lines, l.T(placed, locales.Args{"Time": clock(l, o.CreatedAt)}))
	if o.LastPollAt.IsZero() {
		lines = append(lines, l.T("anyorder_not_polled"))
	} else {
		lines = append(lines, l.N("anyorder_polls", o.Polls, locales.Args{"Time": clock(l, o.LastPollAt)}))
	}
	if o.Failures > 0 {
		lines = append(lines, l.N("anyorder_failures", o.Failures))
	}
	if !o.DeliveredAt.IsZero() {
		lines = append(lines, l.T("anyorder_delivered", locales.Args{"Time": clock(l, o.DeliveredAt)}))
	}
	if !o.NotifiedAt.IsZero() {
		lines = append(lines, l.T("anyorder_told", locales.Args{"Time": clock(l, o.NotifiedAt)}))
	}
	if !o.ClosedAt.IsZero() {
		lines = append(lines, l.T("anyorder_ended", locales.Args{"Time": clock(l, o.ClosedAt)}))
	}
	return lines
}
