package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// AllOrdersArgs is a page of everyone's orders and its filters.
type AllOrdersArgs struct {
	Filter   uint8
	Person   int64      // Telegram's id, 0 for everybody
	Category route.Hash // of the English name, "" for any
	Day      uint16     // in UTC, counted from 1970; 0 for any
	Page     uint16
}

// Part is a page of something that was opened from this list.
func (a AllOrdersArgs) Part(page uint16) AllOrdersPartArgs {
	return AllOrdersPartArgs{Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page, Part: page}
}

// Order is an order of this list.
func (a AllOrdersArgs) Order(id int64) AnyOrderArgs {
	return AnyOrderArgs{Order: id, Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page}
}

// AllOrdersPartArgs is a page, Part, of something else about the orders of a
// list, and the list.
type AllOrdersPartArgs struct {
	Filter   uint8
	Person   int64
	Category route.Hash
	Day      uint16
	Page     uint16
	Part     uint16
}

// List is the list that it was opened from.
func (a AllOrdersPartArgs) List() AllOrdersArgs {
	return AllOrdersArgs{Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page}
}

// Unknown is a purchase of unknown outcome that stands on this page.
func (a AllOrdersPartArgs) Unknown(purchase int64) AnyUnknownArgs {
	return AnyUnknownArgs{Purchase: purchase, Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page, Listed: a.Part + 1}
}

// AnyOrderArgs is somebody's order and the list that it was opened from.
type AnyOrderArgs struct {
	Order    int64
	Filter   uint8
	Person   int64
	Category route.Hash
	Day      uint16
	Page     uint16
}

// List is the list that it was opened from.
func (a AnyOrderArgs) List() AllOrdersArgs {
	return AllOrdersArgs{Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page}
}

// AnyUnknownArgs is somebody's purchase of unknown outcome and where it was opened
// from: the page before Listed of all of those, or the list of orders where that
// is 0.
type AnyUnknownArgs struct {
	Purchase int64
	Filter   uint8
	Person   int64
	Category route.Hash
	Day      uint16
	Page     uint16
	Listed   uint16
}

// List is the list of orders behind it.
func (a AnyUnknownArgs) List() AllOrdersArgs {
	return AllOrdersArgs{Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page}
}

func (a AnyUnknownArgs) back() string {
	if a.Listed == 0 {
		return AllOrders.Data(a.List())
	}
	return AllUnknown.Data(a.List().Part(a.Listed - 1))
}

// Routes of everyone's orders.
var (
	AllOrders           = route.New[AllOrdersArgs]("Aol")
	AllOrdersPerson     = route.New[AllOrdersArgs]("Aop")
	AllOrdersCategories = route.New[AllOrdersPartArgs]("Aoc")
	AllOrdersDays       = route.New[AllOrdersArgs]("Aod")
	AllOrdersTotals     = route.New[AllOrdersPartArgs]("Aot")
	AllOrdersPicture    = route.New[AllOrdersArgs]("Aog")
	AllOrdersExport     = route.New[AllOrdersArgs]("Aox")
	AllUnknown          = route.New[AllOrdersPartArgs]("Aou")
	AnyUnknown          = route.New[AnyUnknownArgs]("Aow")
	AnyOrder            = route.New[AnyOrderArgs]("Aoo")
)

// AllOrdersKeyboard lists one page of orders below the filters. unknown are the
// newest purchases of unknown outcome, of so many in all.
func AllOrdersKeyboard(l *locales.Localizer, args AllOrdersArgs, filters []FilterEntry, unknown []UnknownEntry, unknownTotal int, entries []OrderEntry, total int) Rows {
	first := args
	first.Page = 0
	var buttons []Button
	for _, filter := range filters {
		label, other := filter.Label, first
		if other.Filter = filter.Filter; filter.Filter == args.Filter {
			label = "✓ " + label
		}
		buttons = append(buttons, Tap(label, AllOrders.Data(other)))
	}
	rows := pairs(append(buttons, filterButtons(l, args, first)...))
	for _, purchase := range unknown {
		rows = append(rows, []Button{Tap(fit(l, "❔ "+purchase.Name, purchase.Rest, OneColumn), AnyUnknown.Data(AnyUnknownArgs{
			Purchase: purchase.Purchase, Filter: args.Filter, Person: args.Person, Category: args.Category, Day: args.Day, Page: args.Page,
		}))})
	}
	if unknownTotal > 0 {
		label := l.Label("allorders_button_unknown", locales.Args{"Total": l.Number(int64(unknownTotal))})
		rows = append(rows, []Button{Tap(label, AllUnknown.Data(args.Part(0)))})
	}
	rows = append(rows, orderRows(l, args, entries)...)
	rows = append(rows, Pages(int(args.Page), total, func(page int) string {
		other := args
		other.Page = PageArg(page)
		return AllOrders.Data(other)
	})...)
	if total > 0 {
		rows = append(rows, []Button{
			Tap(l.Label("allorders_button_totals"), AllOrdersTotals.Data(args.Part(0))),
			Tap(l.Label("orders_button_export"), AllOrdersExport.Data(args)),
		})
	}
	rows = append(rows, []Button{Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{}))})
	return append(rows, Foot(l, Admin.Data(struct{}{}))...)
}

// filterButtons set the filters that are not set, and take off those that are.
func filterButtons(l *locales.Localizer, args, first AllOrdersArgs) []Button {
	person, category, of := first, first, first
	person.Person, category.Category, of.Day = 0, "", 0
	buttons := []Button{
		Tap(l.Label("allorders_button_person"), AllOrdersPerson.Data(args)),
		Tap(l.Label("allorders_button_category"), AllOrdersCategories.Data(args.Part(0))),
		Tap(l.Label("allorders_button_day"), AllOrdersDays.Data(args)),
	}
	if args.Person != 0 {
		buttons[0] = Tap(l.Label("allorders_button_person_off"), AllOrders.Data(person))
	}
	if args.Category != "" {
		buttons[1] = Tap(l.Label("allorders_button_category_off"), AllOrders.Data(category))
	}
	if args.Day != 0 {
		buttons[2] = Tap(l.Label("allorders_button_day_off"), AllOrders.Data(of))
	}
	return buttons
}

func orderRows(l *locales.Localizer, args AllOrdersArgs, entries []OrderEntry) Rows {
	var rows Rows
	for _, entry := range entries {
		rows = append(rows, []Button{Tap(fit(l, entry.Label+" "+entry.Name, entry.Rest, OneColumn), AnyOrder.Data(args.Order(entry.Order)))})
	}
	return rows
}

// FoundOrdersKeyboard lists several orders of one number.
func FoundOrdersKeyboard(l *locales.Localizer, entries []OrderEntry) Rows {
	return append(orderRows(l, AllOrdersArgs{}, entries), Foot(l, AllOrders.Data(AllOrdersArgs{}))...)
}

// CategoryChoice is a category that orders can be filtered by.
type CategoryChoice struct {
	Hash route.Hash
	Name string
}

// AllOrdersCategoriesKeyboard offers one page of the categories.
func AllOrdersCategoriesKeyboard(l *locales.Localizer, args AllOrdersPartArgs, categories []CategoryChoice, total int) Rows {
	var rows Rows
	for _, category := range categories {
		list := args.List()
		list.Category, list.Page = category.Hash, 0
		rows = append(rows, []Button{Tap(fit(l, category.Name, "", OneColumn), AllOrders.Data(list))})
	}
	rows = append(rows, Pages(int(args.Part), total, func(page int) string { return AllOrdersCategories.Data(args.List().Part(PageArg(page))) })...)
	return append(rows, Foot(l, AllOrders.Data(args.List()))...)
}

// DayChoice is a day that orders can be filtered by.
type DayChoice struct {
	Day   uint16
	Label string
}

// AllOrdersDaysKeyboard offers days.
func AllOrdersDaysKeyboard(l *locales.Localizer, args AllOrdersArgs, days []DayChoice) Rows {
	var buttons []Button
	for _, choice := range days {
		list := args
		list.Day, list.Page = choice.Day, 0
		buttons = append(buttons, Tap(choice.Label, AllOrders.Data(list)))
	}
	return append(pairs(buttons), Foot(l, AllOrders.Data(args))...)
}

// AllOrdersTotalsKeyboard turns the pages of the totals, of so many days, and
// offers their picture.
func AllOrdersTotalsKeyboard(l *locales.Localizer, args AllOrdersPartArgs, total int) Rows {
	rows := Pages(int(args.Part), total, func(page int) string { return AllOrdersTotals.Data(args.List().Part(PageArg(page))) })
	if total > 0 {
		rows = append(rows, []Button{Tap(l.Label("allorders_button_picture"), AllOrdersPicture.Data(args.List()))})
	}
	return append(rows, Foot(l, AllOrders.Data(args.List()))...)
}

// AllUnknownKeyboard opens the purchases of one page.
func AllUnknownKeyboard(l *locales.Localizer, args AllOrdersPartArgs, unknown []UnknownEntry, total int) Rows {
	var rows Rows
	for _, purchase := range unknown {
		rows = append(rows, []Button{Tap(fit(l, "❔ "+purchase.Name, purchase.Rest, OneColumn), AnyUnknown.Data(args.Unknown(purchase.Purchase)))})
	}
	rows = append(rows, Pages(int(args.Part), total, func(page int) string { return AllUnknown.Data(args.List().Part(PageArg(page))) })...)
	return append(rows, Foot(l, AllOrders.Data(args.List()))...)
}

// AnyOrderKeyboard asks again, and leads to all orders of the person, 0 where they
// were forgotten.
func AnyOrderKeyboard(l *locales.Localizer, args AnyOrderArgs, person int64) Rows {
	return append(personRow(l, AnyOrder.Data(args), person), Foot(l, AllOrders.Data(args.List()))...)
}

// AnyUnknownKeyboard is AnyOrderKeyboard for a purchase of unknown outcome.
func AnyUnknownKeyboard(l *locales.Localizer, args AnyUnknownArgs, person int64) Rows {
	return append(personRow(l, AnyUnknown.Data(args), person), Foot(l, args.back())...)
}

func personRow(l *locales.Localizer, again string, person int64) Rows {
	row := []Button{Tap(l.Label("nav_button_refresh"), again)}
	if person != 0 {
		row = append(row, Tap(l.Label("allorders_button_of_person"), AllOrders.Data(AllOrdersArgs{Person: person})))
	}
	return Rows{row}
}
