package handlers

import (
	"context"
	"errors"
	"strings"

	"hstockbot/bot"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// filters are the filters of a list of orders, in the order of their buttons.
var filters = []struct {
	id     string
	filter storage.OrderFilter
}{
	{"orders_button_all", storage.FilterAll},
	{"orders_button_open", storage.FilterOpen},
	{"orders_button_delivered", storage.FilterDelivered},
	{"orders_button_sms", storage.FilterSMS},
	{"orders_button_problems", storage.FilterProblems},
}

// orders lists the person's orders, newest first, below their purchases with an
// unknown outcome.
func (s *Screens) orders(ctx context.Context, req *bot.Request, args keyboards.OrdersArgs) (bot.View, error) {
	l := req.L
	filter := storage.OrderFilter(args.Filter)
	if filterID(args.Filter) == "" {
		return bot.View{}, storage.ErrNotFound
	}
	total, err := s.DB.CountOrders(ctx, req.User.ID, filter)
	if err != nil {
		return bot.View{}, err
	}
	page := keyboards.ClampPage(int(args.Page), total)
	found, err := s.DB.Orders(ctx, req.User.ID, filter, keyboards.PageSize, page*keyboards.PageSize)
	if err != nil {
		return bot.View{}, err
	}
	var unresolved []keyboards.Item
	if page == 0 && filter != storage.FilterDelivered {
		if unresolved, err = s.unresolvedEntries(ctx, req, filter == storage.FilterProblems); err != nil {
			return bot.View{}, err
		}
	}
	args.Page = keyboards.PageArg(page)
	entries := make([]keyboards.Item, 0, len(found))
	for _, order := range found {
		entry := orderEntry(l, order)
		entry.Data = keyboards.Order.Data(keyboards.OrderViewArgs{Order: order.ID, Filter: args.Filter, Page: args.Page})
		entries = append(entries, entry)
	}
	view := bot.View{Text: l.T("orders_text"), AsNewMessage: args.AsNewMessage}
	switch {
	case total == 0 && len(unresolved) == 0 && filter == storage.FilterAll:
		view.Text = l.T("orders_empty")
	case total == 0 && len(unresolved) == 0:
		view.Text = l.T("orders_empty_filter")
	}
	view.Keyboard = keyboards.OrdersKeyboard(l, args, filterEntries(l), unresolved, entries, total, keyboards.ListActions{
		CancelAll:   filter == storage.FilterOpen && total > 1,
		Export:      filter == storage.FilterAll && total > 0,
		AdminOrders: s.IsStaff(req.User.ID),
	})
	return view, nil
}

func filterEntries(l *locales.Localizer) []keyboards.FilterEntry {
	entries := make([]keyboards.FilterEntry, 0, len(filters))
	for _, f := range filters {
		entries = append(entries, keyboards.FilterEntry{Filter: uint8(f.filter), Label: l.Label(f.id)})
	}
	return entries
}

// filterID returns the message that names a filter, "" if there is no such filter.
func filterID(filter uint8) string {
	for _, f := range filters {
		if f.filter == storage.OrderFilter(filter) {
			return f.id
		}
	}
	return ""
}

// ordersCommand lists the person's orders, or opens the order whose id follows the
// command. Staff see everyone's orders.
func (s *Screens) ordersCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	isPerson := s.IsStaff(req.User.ID) && strings.HasPrefix(strings.TrimSpace(req.Args), "@")
	if id, ok := parseExternalID(req.Args); ok && !isPerson {
		view, err := s.orderByExternalID(ctx, req, id)
		if errors.Is(err, orders.ErrNoKey) && s.IsStaff(req.User.ID) { // who may ask for anyone's
			return bot.View{}, userErr("adminorders_no_order", locales.Args{"Number": externalID(req.L, id)})
		}
		return view, err
	}
	if s.IsStaff(req.User.ID) {
		return s.adminOrdersCommand(ctx, req)
	}
	return s.orders(ctx, req, keyboards.OrdersArgs{})
}

// orderByExternalID opens the person's order with this id, for staff anyone's. If
// there is none, it looks for an external order.
func (s *Screens) orderByExternalID(ctx context.Context, req *bot.Request, id string) (bot.View, error) {
	view, err := s.storedOrder(ctx, req, id)
	if !errors.Is(err, errExternalNotFound) {
		return view, err
	}
	typed, err := s.storeTypedID(ctx, req, id)
	if err != nil {
		return bot.View{}, err
	}
	args := keyboards.ExternalArgs{ExternalID: typed}
	view, err = s.externalFind(ctx, req, args)
	return view, bot.ErrorAt(keyboards.ExternalFind.Data(args), err)
}

// storedOrder opens the person's order with this id, for staff anyone's. The error is
// errExternalNotFound if there is none.
func (s *Screens) storedOrder(ctx context.Context, req *bot.Request, id string) (bot.View, error) {
	order, err := s.DB.OrderByExternalID(ctx, req.User.ID, id)
	if errors.Is(err, storage.ErrNotFound) && s.IsStaff(req.User.ID) {
		if view, found, err := s.adminOrderByExternalID(ctx, req, id); found || err != nil {
			return view, err
		}
	}
	if errors.Is(err, storage.ErrNotFound) {
		return bot.View{}, errExternalNotFound
	}
	if err != nil {
		return bot.View{}, err
	}
	return s.order(ctx, req, keyboards.OrderViewArgs{Order: order.ID})
}

// unresolvedEntries returns the purchases with an unknown outcome.
func (s *Screens) unresolvedEntries(ctx context.Context, req *bot.Request, dismissed bool) ([]keyboards.Item, error) {
	unresolved, err := s.DB.UnresolvedPurchases(ctx, req.User.ID, dismissed)
	if err != nil {
		return nil, err
	}
	entries := make([]keyboards.Item, 0, len(unresolved))
	for _, p := range unresolved {
		entries = append(entries, keyboards.Item{
			Name: "❔ " + subject(req.L, p.Name, p.Rental), Rest: " ×" + req.L.Number(p.Quantity),
			Data: keyboards.UnresolvedBalance.Data(keyboards.UnresolvedArgs{Purchase: p.ID, Listed: true}),
		})
	}
	return entries, nil
}

// listedIDLength limits an order's id in a list, in characters: the name must stay
// visible.
const listedIDLength = 12

// orderEntry returns an order as lists show it, without its callback data.
func orderEntry(l *locales.Localizer, o storage.Order) keyboards.Item {
	rest := ""
	if o.Quantity > 0 {
		rest = " ×" + l.Number(o.Quantity)
	}
	if o.Charge.Valid {
		rest += " · " + l.Money(o.Shown(o.Charge.Decimal), o.Currency)
	}
	if flag := locales.Flag(o.Rental.Country); flag != "" {
		rest = " " + flag + rest
	}
	label := stateIcon(o.State)
	if o.ExternalID != "" { // "" where admins see orders of deleted people
		label += " #" + locales.Shorten(o.ExternalID, listedIDLength)
	}
	return keyboards.Item{Name: label + " " + orderName(l, o), Rest: rest}
}
