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

// How much of everyone's orders is shown.
const (
	unresolvedShown = 3 // purchases of unknown outcome above everyone's orders
	daysOffered     = 8 // days to choose from
)

// adminOrders lists everyone's orders, newest first; purchases of unknown outcome
// stand on top.
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
	found, err := s.DB.AdminOrders(ctx, filter, keyboards.PageSize, page*keyboards.PageSize)
	if err != nil {
		return bot.View{}, err
	}
	var (
		unknown      []storage.AdminUnresolved
		unknownTotal int
	)
	if page == 0 {
		if unknown, unknownTotal, err = s.DB.AdminUnresolvedPurchases(ctx, filter, unresolvedShown, 0); err != nil {
			return bot.View{}, err
		}
	}
	lines, err := s.filterLines(ctx, l, filter)
	if err != nil {
		return bot.View{}, err
	}
	count := l.N("allorders_count", int64(total))
	switch {
	case total > 0 || unknownTotal > 0:
	case filter == storage.AdminOrderFilter{}:
		count = l.T("allorders_empty")
	default:
		count = l.T("allorders_empty_filter")
	}
	lines = append(append([]string{l.T("allorders_title")}, lines...), count)
	return bot.View{
		Text:     strings.Join(lines, "\n"),
		Keyboard: keyboards.AdminOrdersKeyboard(l, args, filterEntries(l), adminUnresolvedItems(l, unknown), unknownTotal, adminOrderItems(l, found), total),
	}, nil
}

// adminOrdersCommand opens it, of one person where "@" and an id stand behind the
// command.
func (s *Screens) adminOrdersCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	args := keyboards.AdminOrdersArgs{}
	if typed := strings.TrimSpace(req.Args); typed != "" {
		person, ok := personID(typed)
		if !ok {
			return bot.View{}, message("person_bad")
		}
		args.Person = person
	}
	return bot.RedirectTo(keyboards.AdminOrders.Data(args)), nil
}

// adminOrderFilter is what the arguments of a button select. What names no filter, no
// category, or two is out of date.
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
		place, err := uniqueIndex(categories, func(name string) bool { return route.HashOf(name) == args.Category })
		if err != nil {
			return storage.AdminOrderFilter{}, err
		}
		filter.Category = categories[place]
	}
	return filter, nil
}

// filterLines is a line that says what is selected, or none.
func (s *Screens) filterLines(ctx context.Context, l *locales.Localizer, filter storage.AdminOrderFilter) ([]string, error) {
	var parts []string
	if filter.State != storage.FilterAll {
		parts = append(parts, l.Label(filterID(uint8(filter.State))))
	}
	if filter.Person != 0 {
		user, err := s.DB.User(ctx, filter.Person)
		if err != nil && !errors.Is(err, storage.ErrNotFound) { // anybody may be asked for
			return nil, err
		}
		parts = append(parts, personLabel(l, filter.Person, user.Name))
	}
	if filter.Category != "" {
		parts = append(parts, l.Label("allorders_category", locales.Args{"Category": l.Name(shorten(filter.Category, wordLength))}))
	}
	if !filter.Day.IsZero() {
		parts = append(parts, l.Label("allorders_day", locales.Args{"Day": isoDay(l, filter.Day)}))
	}
	if len(parts) == 0 {
		return nil, nil
	}
	return []string{l.T("allorders_filters", locales.Args{"Filters": strings.Join(parts, " · ")})}, nil
}

// dayOf is the day of a button, and dayArg the inverse.
func dayOf(arg uint16) time.Time {
	if arg == 0 {
		return time.Time{}
	}
	return time.Unix(0, 0).UTC().AddDate(0, 0, int(arg))
}

func dayArg(of time.Time) (uint16, bool) {
	days := of.Unix() / int64((24 * time.Hour).Seconds())
	return uint16(min(max(days, 0), math.MaxUint16)), days > 0 && days <= math.MaxUint16
}

// isoDay is a day as admins type it.
func isoDay(l *locales.Localizer, of time.Time) string { return l.Isolate(of.Format(time.DateOnly)) }

// adminOrdersPerson asks whose orders to show.
func (s *Screens) adminOrdersPerson(_ context.Context, req *bot.Request, args keyboards.AdminOrdersArgs) (bot.View, error) {
	data := keyboards.AdminOrders.Data(args)
	return bot.View{Text: req.L.T("allorders_ask_person"), Keyboard: keyboards.Foot(req.L, data), Dialog: dialog(stepAdminOrdersPerson, data)}, nil
}

func (s *Screens) adminOrdersPersonTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
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

// adminOrdersCategories offers the categories that orders are of.
func (s *Screens) adminOrdersCategories(ctx context.Context, req *bot.Request, args keyboards.AdminOrdersSublistArgs) (bot.View, error) {
	categories, err := s.DB.AdminOrderCategories(ctx)
	if err != nil {
		return bot.View{}, err
	}
	args.Subpage = keyboards.PageArg(keyboards.ClampPage(int(args.Subpage), len(categories)))
	var choices []keyboards.CategoryChoice
	for _, name := range keyboards.Page(categories, int(args.Subpage)) {
		choices = append(choices, keyboards.CategoryChoice{Hash: route.HashOf(name), Name: name})
	}
	text := req.L.T("allorders_ask_category")
	if len(categories) == 0 {
		text = req.L.T("allorders_no_category")
	}
	return bot.View{Text: text, Keyboard: keyboards.AdminOrdersCategoriesKeyboard(req.L, args, choices, len(categories))}, nil
}

// adminOrdersDays offers the latest days with orders, and takes a typed one.
func (s *Screens) adminOrdersDays(ctx context.Context, req *bot.Request, args keyboards.AdminOrdersArgs) (bot.View, error) {
	filter, err := s.adminOrderFilter(ctx, args)
	if err != nil {
		return bot.View{}, err
	}
	days, err := s.DB.AdminOrderDays(ctx, filter, daysOffered)
	if err != nil {
		return bot.View{}, err
	}
	var choices []keyboards.DayChoice
	for _, of := range days {
		if day, ok := dayArg(of); ok {
			choices = append(choices, keyboards.DayChoice{Day: day, Label: isoDay(req.L, of)})
		}
	}
	return bot.View{
		Text: req.L.T("allorders_ask_day"), Keyboard: keyboards.AdminOrdersDaysKeyboard(req.L, args, choices),
		Dialog: dialog(stepAdminOrdersDay, keyboards.AdminOrders.Data(args)),
	}, nil
}

func (s *Screens) adminOrdersDayTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.AdminOrders, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	day, ok := parseDay(req.Text)
	if !ok {
		return askAgain(req.L.T("allorders_bad_day"), keyboards.Foot(req.L, req.Data)), nil
	}
	args.Day, args.Page = day, 0
	return bot.RedirectTo(keyboards.AdminOrders.Data(args)), nil
}

// parseDay reads a day like 2026-11-25, in any script's digits.
func parseDay(text string) (uint16, bool) {
	plain := strings.Map(func(r rune) rune {
		if d, ok := digit(r); ok {
			return rune(d)
		}
		return r
	}, norm.NFKC.String(strings.TrimSpace(text)))
	of, err := time.Parse(time.DateOnly, plain)
	if err != nil {
		return 0, false
	}
	return dayArg(of)
}

// adminOrdersExport sends the orders of the filters as a file.
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
		return bot.View{}, message("allorders_empty_filter")
	}
	table := newOrderTable(l, exportMost, l.Label("export_person"), l.Label("export_category"))
	if err := s.DB.EachAdminOrder(ctx, filter, table.addAnybodys); err != nil {
		return bot.View{}, err
	}
	lines, err := s.filterLines(ctx, l, filter)
	if err != nil {
		return bot.View{}, err
	}
	lines = append([]string{l.N("export_caption", int64(table.rows))}, lines...)
	if table.rows < total {
		lines = append(lines, l.T("allorders_cut", locales.Args{"Rows": l.Number(int64(table.rows)), "Total": l.Number(int64(total))}))
	}
	// It is written down before it is sent: what was not is no harm.
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
