package handlers

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// filters are the filters of the list of orders, in the order of their buttons.
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

// orderList lists the person's orders, newest first; purchases of unknown
// outcome stand on top.
func (s *Screens) orderList(ctx context.Context, req *bot.Request, args keyboards.OrdersArgs) (bot.View, error) {
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
	var unknown []keyboards.Item
	if page == 0 && filter != storage.FilterDelivered {
		if unknown, err = s.unknownItems(ctx, req, filter == storage.FilterProblems); err != nil {
			return bot.View{}, err
		}
	}
	args.Page = keyboards.PageArg(page)
	items := make([]keyboards.Item, 0, len(found))
	for _, order := range found {
		item := orderItem(l, order)
		item.Data = keyboards.Order.Data(keyboards.OrderViewArgs{Order: order.ID, Filter: args.Filter, Page: args.Page})
		items = append(items, item)
	}
	view := bot.View{Text: l.T("orders_text"), AsNewMessage: args.AsNewMessage}
	switch {
	case total == 0 && len(unknown) == 0 && filter == storage.FilterAll:
		view.Text = l.T("orders_empty")
	case total == 0 && len(unknown) == 0:
		view.Text = l.T("orders_empty_filter")
	}
	view.Keyboard = keyboards.OrdersKeyboard(l, args, filterEntries(l), unknown, items, total, keyboards.ListActions{
		CancelAll:   filter == storage.FilterOpen && total > 1,
		Export:      filter == storage.FilterAll && total > 0,
		AdminOrders: s.IsAdmin(req.User.ID),
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

// filterID is the message that names a filter, "" where there is none such.
func filterID(filter uint8) string {
	for _, f := range filters {
		if f.filter == storage.OrderFilter(filter) {
			return f.id
		}
	}
	return ""
}

// ordersCommand lists them, or opens the one whose number stands behind it. For
// admins it begins with everyone's.
func (s *Screens) ordersCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	if n, ok := orderNumber(req.Args); ok {
		view, err := s.orderOfNumber(ctx, req, n)
		if errors.Is(err, orders.ErrNoKey) && s.IsAdmin(req.User.ID) { // who asked for anybody's
			return bot.View{}, message("allorders_no_number", locales.Args{"Number": externalID(req.L, n)})
		}
		return view, err
	}
	if s.IsAdmin(req.User.ID) {
		return s.adminOrdersCommand(ctx, req)
	}
	return s.orderList(ctx, req, keyboards.OrdersArgs{})
}

// orderOfNumber opens an order by its number. One that is not here may have been
// placed elsewhere; for admins it may be anybody's.
func (s *Screens) orderOfNumber(ctx context.Context, req *bot.Request, n int64) (bot.View, error) {
	order, err := s.DB.OrderByExternalID(ctx, req.User.ID, n)
	if errors.Is(err, storage.ErrNotFound) && s.IsAdmin(req.User.ID) {
		if view, found, err := s.adminOrderByExternalID(ctx, req, n); found || err != nil {
			return view, err
		}
	}
	if errors.Is(err, storage.ErrNotFound) {
		args := keyboards.ExternalArgs{ExternalID: n}
		view, err := s.elsewhereFind(ctx, req, args)
		return view, bot.ErrorAt(keyboards.ExternalFind.Data(args), err)
	}
	if err != nil {
		return bot.View{}, err
	}
	return s.order(ctx, req, keyboards.OrderViewArgs{Order: order.ID})
}

// unknownItems are the purchases that may or may not be orders.
func (s *Screens) unknownItems(ctx context.Context, req *bot.Request, dismissed bool) ([]keyboards.Item, error) {
	unknown, err := s.DB.UnresolvedPurchases(ctx, req.User.ID, dismissed)
	if err != nil {
		return nil, err
	}
	items := make([]keyboards.Item, 0, len(unknown))
	for _, p := range unknown {
		items = append(items, keyboards.Item{
			Name: "❔ " + subject(req.L, p.Name, p.Rental), Rest: " ×" + req.L.Number(p.Quantity),
			Data: keyboards.UnresolvedBalance.Data(keyboards.UnresolvedArgs{Purchase: p.ID, Listed: true}),
		})
	}
	return items, nil
}

// orderItem is an order as lists show it; the caller adds where it leads.
func orderItem(l *locales.Localizer, o storage.Order) keyboards.Item {
	rest := ""
	if o.Quantity > 0 {
		rest = " ×" + l.Number(o.Quantity)
	}
	if o.Charge.Valid {
		rest += " · " + l.Money(o.Charge.Decimal, o.Currency)
	}
	if flag := locales.Flag(o.Rental.Country); flag != "" {
		rest = " " + flag + rest
	}
	label := stateIcon(o.State)
	if o.ExternalID != 0 {
		label += " #" + strconv.FormatInt(o.ExternalID, 10)
	}
	return keyboards.Item{Name: label + " " + orderName(l, o), Rest: rest}
}

func stateIcon(state storage.OrderState) string {
	switch state {
	case storage.OrderOpen:
		return "⏳"
	case storage.OrderPartial:
		return "🌓"
	case storage.OrderDelivered:
		return "✅"
	case storage.OrderCancelled:
		return "✖"
	case storage.OrderRefunded:
		return "↩️"
	case storage.OrderFailed:
		return "⚠️"
	case storage.OrderExpired:
		return "⌛"
	default:
		return "💤"
	}
}

// order shows one order as it was last heard of.
func (s *Screens) order(ctx context.Context, req *bot.Request, args keyboards.OrderViewArgs) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	return s.orderView(req.L, order, args), nil
}

// orderRefresh asks the marketplace first.
func (s *Screens) orderRefresh(ctx context.Context, req *bot.Request, args keyboards.OrderViewArgs) (bot.View, error) {
	order, err := s.Orders.Refresh(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	view := s.orderView(req.L, order, args)
	view.Toast = req.L.Label("order_refreshed")
	return view, nil
}

func (s *Screens) orderView(l *locales.Localizer, o storage.Order, args keyboards.OrderViewArgs) bot.View {
	if o.Kind == storage.KindSMS {
		return bot.View{Text: orderText(l, o), Keyboard: keyboards.PhoneOrderKeyboard(l, args, o.Rental.Phone, numberState(o))}
	}
	return bot.View{Text: orderText(l, o), Keyboard: keyboards.OrderKeyboard(l, args, keyboards.OrderActions{
		Accounts: o.Kind == storage.KindProduct && o.Delivered > 0,
		Cancel:   o.Open() && o.CancelSentAt.IsZero(),
		Again:    repeatable(o),
	})}
}

// statusLines says how an order stands: its state, what was charged, and how much was
// delivered.
func statusLines(l *locales.Localizer, o storage.Order) []string {
	lines := []string{l.T("order_state", locales.Args{"State": stateIcon(o.State) + " " + stateWord(l, o)})}
	if o.Charge.Valid {
		lines = append(lines, l.T("order_charge", locales.Args{"Charge": l.Money(o.Charge.Decimal, o.Currency)}))
	}
	switch {
	case o.Kind != storage.KindProduct || o.Delivered == 0:
	case o.Quantity == 0:
		lines = append(lines, l.T("order_delivered_some", locales.Args{"SoFar": l.Number(o.Delivered)}))
	default:
		lines = append(lines, l.T("order_delivered", locales.Args{"SoFar": l.Number(o.Delivered), "Of": l.Number(o.Quantity)}))
	}
	return lines
}

func orderText(l *locales.Localizer, o storage.Order) string {
	lines := []string{
		l.T("order_title", locales.Args{"Number": externalID(l, o.ExternalID)}),
		orderWhat(l, o),
		"",
	}
	lines = append(lines, statusLines(l, o)...)
	if o.Kind == storage.KindSMM && o.StartCount != nil {
		lines = append(lines, l.T("order_start_count", locales.Args{"Count": l.Number(*o.StartCount)}))
	}
	if o.Remains != nil && o.Open() {
		lines = append(lines, l.T("order_remains", locales.Args{"Count": l.Number(*o.Remains)}))
	}
	if o.Kind == storage.KindSMS {
		lines = append(lines, l.T("order_phone", locales.Args{"Phone": code(l, o.Rental.Phone)}))
		if !o.ExpiresAt.IsZero() {
			lines = append(lines, l.T("order_expires", locales.Args{"Time": clock(l, o.ExpiresAt)}))
		}
	}
	if o.Link != "" {
		id := "confirm_email"
		if o.Kind == storage.KindSMM {
			id = "confirm_link"
		}
		lines = append(lines, l.T(id, locales.Args{"Link": l.Isolate(o.Link), "Email": l.Isolate(o.Link)}))
	}
	created := "order_created"
	if o.External {
		created = "order_taken_in"
	}
	lines = append(lines, "", l.T(created, locales.Args{"Time": clock(l, o.CreatedAt)}))
	if o.Polls > 0 {
		lines = append(lines, l.T("order_updated", locales.Args{"Time": clock(l, o.UpdatedAt)}))
	}
	if o.State == storage.OrderStale {
		lines = append(lines, l.T("order_stale"))
	}
	return strings.Join(lines, "\n")
}

// externalID is an order's number as people write it down: no separators, and one
// piece in right-to-left text.
func externalID(l *locales.Localizer, n int64) string {
	return l.Isolate("#" + strconv.FormatInt(n, 10))
}

// stateWord translates the marketplace's state where it is known and shows it
// as it came where it is not.
func stateWord(l *locales.Localizer, o storage.Order) string {
	switch o.State {
	case storage.OrderPartial:
		return l.Label("state_partial")
	case storage.OrderDelivered:
		if o.Kind == storage.KindSMS {
			return l.Label("state_code_came")
		}
		return l.Label("state_delivered")
	case storage.OrderCancelled:
		return l.Label("state_cancelled")
	case storage.OrderRefunded:
		return l.Label("state_refunded")
	case storage.OrderFailed:
		return l.Label("state_failed")
	case storage.OrderExpired:
		return l.Label("state_expired")
	}
	if o.Kind == storage.KindSMS && (o.RawStatus == "" || hstock.ParseSMSState(o.RawStatus) != hstock.SMSUnknown) {
		return l.Label("state_waiting_code")
	}
	switch hstock.ParseOrderState(o.RawStatus) {
	case hstock.StatePending:
		return l.Label("state_pending")
	case hstock.StateInProgress:
		return l.Label("state_in_progress")
	}
	if o.RawStatus == "" {
		return l.Label("state_placed")
	}
	return shorten(o.RawStatus, wordLength)
}

// placedView is what a confirm card becomes.
func placedView(l *locales.Localizer, placed []storage.Order, p storage.Purchase) bot.View {
	o := placed[0]
	if o.Kind == storage.KindSMS {
		return rentedView(l, placed, p)
	}
	lines := []string{
		l.T("placed_title", locales.Args{"Number": externalID(l, o.ExternalID)}),
		orderWhat(l, o),
		l.T("order_state", locales.Args{"State": stateIcon(o.State) + " " + stateWord(l, o)}),
	}
	if o.Charge.Valid {
		lines = append(lines, l.T("order_charge", locales.Args{"Charge": l.Money(o.Charge.Decimal, o.Currency)}))
	}
	if o.Open() && o.Kind == storage.KindProduct {
		lines = append(lines, "", l.T("placed_follows"))
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.PlacedKeyboard(l, o.ID)}
}

func (s *Screens) cardRefresh(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.Orders.Refresh(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	view := placedView(req.L, []storage.Order{order}, storage.Purchase{})
	view.Toast = req.L.Label("order_refreshed")
	return view, nil
}

// orderAccounts asks the marketplace for the goods again and sends them as a
// message of its own: they are not kept here.
func (s *Screens) orderAccounts(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, accounts, err := s.Orders.Accounts(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	if len(accounts) == 0 {
		return bot.View{}, message("order_no_accounts")
	}
	view := goodsView(req.L, order, accounts, req.L.T("delivered_again", locales.Args{"Number": externalID(req.L, order.ExternalID)}), false)
	view.AsNewMessage = true
	return view, nil
}

// orderWrong says whom to write to, with the order's number.
func (s *Screens) orderWrong(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text: req.L.T("order_wrong", locales.Args{
			"Number": externalID(req.L, order.ExternalID), "Support": s.SupportText, "Time": clock(req.L, order.CreatedAt),
		}),
		Keyboard:     keyboards.SupportKeyboard(req.L, s.SupportText),
		AsNewMessage: true,
	}, nil
}
