package handlers

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"hstockbot/bot"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	// unresolvedShown is the number of purchases of unknown outcome above the orders.
	unresolvedShown = 3
	// daysOffered is the number of days to filter by.
	daysOffered = 8
)

// adminOrders lists everyone's orders, newest first, below the newest purchases of
// unknown outcome.
func (s *Screens) adminOrders(ctx context.Context, req *bot.Request, args keyboards.AdminOrdersArgs) (bot.View, error) {
	l := req.L
	filter, err := s.adminOrderFilter(ctx, args)
	if err != nil {
		return bot.View{}, err
	}
	total, err := s.DB.CountAdminOrders(ctx, filter)
	if err != nil {
		return bot.View{}, err
	}
	page := keyboards.ClampPage(int(args.Page), total)
	args.Page = keyboards.PageArg(page)
	orders, err := s.DB.AdminOrders(ctx, filter, keyboards.PageSize, page*keyboards.PageSize)
	if err != nil {
		return bot.View{}, err
	}
	var (
		unresolved      []storage.AdminUnresolved
		unresolvedTotal int
	)
	if page == 0 {
		if unresolved, unresolvedTotal, err = s.DB.AdminUnresolvedPurchases(ctx, filter, unresolvedShown, 0); err != nil {
			return bot.View{}, err
		}
	}
	lines, err := s.filterLines(ctx, l, filter)
	if err != nil {
		return bot.View{}, err
	}
	count := l.N("adminorders_count", int64(total))
	switch {
	case total > 0 || unresolvedTotal > 0:
	case filter == storage.AdminOrderFilter{}:
		count = l.T("adminorders_empty")
	default:
		count = l.T("adminorders_empty_filter")
	}
	lines = append(append([]string{l.T("adminorders_title")}, lines...), count)
	return bot.View{
		Text: strings.Join(lines, "\n"),
		Keyboard: keyboards.AdminOrdersKeyboard(l, args, filterEntries(l),
			adminUnresolvedEntries(l, unresolved, keyboards.AdminUnresolvedArgs{AdminOrdersArgs: args}), unresolvedTotal,
			adminOrderEntries(l, orders, args), total, s.IsAdmin(req.User.ID)),
	}, nil
}

// adminOrdersCommand lists everyone's orders, or those of one person if the command
// is followed by "@" and an id.
func (s *Screens) adminOrdersCommand(_ context.Context, req *bot.Request) (bot.View, error) {
	args := keyboards.AdminOrdersArgs{}
	if typed := strings.TrimSpace(req.Args); typed != "" {
		person, ok := personID(typed)
		if !ok {
			return bot.View{}, userErr("person_bad")
		}
		args.Person = person
	}
	return bot.RedirectTo(keyboards.AdminOrders.Data(args)), nil
}

// adminOrderFilter returns the filter for the arguments of a button. It returns
// storage.ErrNotFound for a filter that does not exist, and for a category of which
// the hash is unknown or ambiguous.
func (s *Screens) adminOrderFilter(ctx context.Context, args keyboards.AdminOrdersArgs) (storage.AdminOrderFilter, error) {
	if filterID(args.Filter) == "" || args.Person < 0 {
		return storage.AdminOrderFilter{}, storage.ErrNotFound
	}
	filter := storage.AdminOrderFilter{State: storage.OrderFilter(args.Filter), Person: args.Person, Day: dayOf(args.Day)}
	if args.Category != "" {
		categories, err := s.DB.AdminOrderCategories(ctx)
		if err != nil {
			return storage.AdminOrderFilter{}, err
		}
		index, err := uniqueIndex(categories, func(name string) bool { return route.HashOf(name) == args.Category })
		if err != nil {
			return storage.AdminOrderFilter{}, err
		}
		filter.Category = categories[index]
	}
	return filter, nil
}

// filterLines returns a line that describes the filter, or none for no filter.
func (s *Screens) filterLines(ctx context.Context, l *locales.Localizer, filter storage.AdminOrderFilter) ([]string, error) {
	var parts []string
	if filter.State != storage.FilterAll {
		parts = append(parts, l.Label(filterID(uint8(filter.State))))
	}
	if filter.Person != 0 {
		user, err := s.DB.User(ctx, filter.Person)
		if err != nil && !errors.Is(err, storage.ErrNotFound) { // an admin may enter any id
			return nil, err
		}
		parts = append(parts, personLabel(l, filter.Person, user.Name))
	}
	if filter.Category != "" {
		parts = append(parts, l.Label("adminorders_category", locales.Args{"Category": l.Name(locales.Shorten(filter.Category, wordLength))}))
	}
	if !filter.Day.IsZero() {
		parts = append(parts, l.Label("adminorders_day", locales.Args{"Day": isoDay(l, filter.Day)}))
	}
	if len(parts) == 0 {
		return nil, nil
	}
	return []string{l.T("adminorders_filters", locales.Args{"Filters": strings.Join(parts, " · ")})}, nil
}

// dayOf converts a day from callback data, days since 1970 or 0 for none. dayArg is
// the inverse; ok is false for days that callback data can't contain.
func dayOf(arg uint16) time.Time {
	if arg == 0 {
		return time.Time{}
	}
	return time.Unix(0, 0).UTC().AddDate(0, 0, int(arg))
}

func dayArg(day time.Time) (arg uint16, ok bool) {
	days := day.Unix() / int64((24 * time.Hour).Seconds())
	return uint16(min(max(days, 0), math.MaxUint16)), days > 0 && days <= math.MaxUint16
}

// isoDay formats a day as admins type it, like 2026-11-25.
func isoDay(l *locales.Localizer, day time.Time) string { return l.Isolate(day.Format(time.DateOnly)) }

// adminOrdersPerson asks whose orders to show.
func (s *Screens) adminOrdersPerson(_ context.Context, req *bot.Request, args keyboards.AdminOrdersArgs) (bot.View, error) {
	data := keyboards.AdminOrders.Data(args)
	return bot.View{Text: req.L.T("adminorders_ask_person"), Keyboard: keyboards.Foot(req.L, data), Dialog: dialog(stepAdminOrdersPerson, data)}, nil
}

func (s *Screens) adminOrdersPersonTyped(_ context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.AdminOrders, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	person, ok := personID(req.Text)
	if !ok {
		return askAgain(req.L.T("person_bad"), keyboards.Foot(req.L, req.Data)), nil
	}
	args.Person, args.Page = person, 0
	return bot.RedirectTo(keyboards.AdminOrders.Data(args)), nil
}

// adminOrdersCategories lists the categories of all orders to filter by.
func (s *Screens) adminOrdersCategories(ctx context.Context, req *bot.Request, args keyboards.AdminOrdersSublistArgs) (bot.View, error) {
	categories, err := s.DB.AdminOrderCategories(ctx)
	if err != nil {
		return bot.View{}, err
	}
	args.Subpage = keyboards.PageArg(keyboards.ClampPage(int(args.Subpage), len(categories)))
	var items []keyboards.Item
	list := args.AdminOrdersArgs
	list.Page = 0
	for _, name := range keyboards.Page(categories, int(args.Subpage)) {
		list.Category = route.HashOf(name)
		items = append(items, keyboards.Item{Name: name, Data: keyboards.AdminOrders.Data(list)})
	}
	text := req.L.T("adminorders_ask_category")
	if len(categories) == 0 {
		text = req.L.T("adminorders_no_category")
	}
	return bot.View{Text: text, Keyboard: keyboards.AdminOrdersCategoriesKeyboard(req.L, args, items, len(categories))}, nil
}

// adminOrdersDays lists the latest days with orders to filter by; another one can
// be typed.
func (s *Screens) adminOrdersDays(ctx context.Context, req *bot.Request, args keyboards.AdminOrdersArgs) (bot.View, error) {
	filter, err := s.adminOrderFilter(ctx, args)
	if err != nil {
		return bot.View{}, err
	}
	days, err := s.DB.AdminOrderDays(ctx, filter, daysOffered)
	if err != nil {
		return bot.View{}, err
	}
	var buttons []keyboards.Button
	list := args
	list.Page = 0
	for _, day := range days {
		if arg, ok := dayArg(day); ok {
			list.Day = arg
			buttons = append(buttons, keyboards.Tap(isoDay(req.L, day), keyboards.AdminOrders.Data(list)))
		}
	}
	return bot.View{
		Text: req.L.T("adminorders_ask_day", locales.Args{"Zone": req.L.Isolate(s.DB.Zone())}), Keyboard: keyboards.AdminOrdersDaysKeyboard(req.L, args, buttons),
		Dialog: dialog(stepAdminOrdersDay, keyboards.AdminOrders.Data(args)),
	}, nil
}

func (s *Screens) adminOrdersDayTyped(_ context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.AdminOrders, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	day, ok := parseDay(req.Text)
	if !ok {
		return askAgain(req.L.T("adminorders_bad_day"), keyboards.Foot(req.L, req.Data)), nil
	}
	args.Day, args.Page = day, 0
	return bot.RedirectTo(keyboards.AdminOrders.Data(args)), nil
}

// parseDay parses a day like 2026-11-25, with digits of any script, for callback data.
func parseDay(text string) (arg uint16, ok bool) {
	ascii := strings.Map(func(r rune) rune {
		if d, ok := digit(r); ok {
			return rune(d)
		}
		return r
	}, norm.NFKC.String(strings.TrimSpace(text)))
	day, err := time.Parse(time.DateOnly, ascii)
	if err != nil {
		return 0, false
	}
	return dayArg(day)
}

// adminOrdersExport sends the filtered orders as a CSV file.
func (s *Screens) adminOrdersExport(ctx context.Context, req *bot.Request, args keyboards.AdminOrdersArgs) (bot.View, error) {
	l := req.L
	filter, err := s.adminOrderFilter(ctx, args)
	if err != nil {
		return bot.View{}, err
	}
	total, err := s.DB.CountAdminOrders(ctx, filter)
	if err != nil {
		return bot.View{}, err
	}
	if total == 0 {
		return bot.View{}, userErr("adminorders_empty_filter")
	}
	table := newOrderTable(l, maxExportSize, l.Label("export_person"), l.Label("export_category"))
	if err := s.DB.EachAdminOrder(ctx, filter, table.addAdminOrder); err != nil {
		return bot.View{}, err
	}
	lines, err := s.filterLines(ctx, l, filter)
	if err != nil {
		return bot.View{}, err
	}
	lines = append([]string{l.N("export_caption", int64(table.rows))}, lines...)
	if table.rows < total {
		lines = append(lines, l.T("adminorders_cut", locales.Args{"Rows": l.Number(int64(table.rows)), "Total": l.Number(int64(total))}))
	}
	// The audit entry comes first: an entry without an export does no harm.
	err = s.DB.RecordAudit(ctx, storage.AuditEntry{
		AdminID: req.User.ID, Action: actionOrdersExport, Subject: filter.Person, Detail: strconv.Itoa(table.rows), At: time.Now(),
	})
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     strings.Join(lines, "\n"),
		Document: &bot.Document{Name: "all-orders-" + time.Now().UTC().Format(time.DateOnly) + ".csv", Data: table.bytes()},
		Keyboard: keyboards.Foot(l, keyboards.AdminOrders.Data(args)),
	}, nil
}
