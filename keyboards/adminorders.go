package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// AdminOrdersArgs is a page of everyone's orders and its filters.
type AdminOrdersArgs struct {
	Filter   uint8
	Person   int64      // Telegram's id, 0 for everybody
	Category route.Hash // of the English name, "" for any
	Day      uint16     // in UTC, counted from 1970; 0 for any
	Page     uint16
}

// Subpage is a page of something that was opened from this list.
func (a AdminOrdersArgs) Part(page uint16) AdminOrdersSublistArgs {
	return AdminOrdersSublistArgs{Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page, Subpage: page}
}

// WithQuantity is an order of this list.
func (a AdminOrdersArgs) Order(id int64) AdminOrderArgs {
	return AdminOrderArgs{Order: id, Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page}
}

// AdminOrdersSublistArgs is a page, Part, of something else about the orders of a
// list, and the list.
type AdminOrdersSublistArgs struct {
	Filter   uint8
	Person   int64
	Category route.Hash
	Day      uint16
	Page     uint16
	Subpage  uint16
}

// List is the list that it was opened from.
func (a AdminOrdersSublistArgs) List() AdminOrdersArgs {
	return AdminOrdersArgs{Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page}
}

// Unresolved is a purchase of unknown outcome that stands on this page.
func (a AdminOrdersSublistArgs) Unresolved(purchase int64) AdminUnresolvedArgs {
	return AdminUnresolvedArgs{Purchase: purchase, Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page, ListPage: a.Subpage + 1}
}

// AdminOrderArgs is somebody's order and the list that it was opened from.
type AdminOrderArgs struct {
	Order    int64
	Filter   uint8
	Person   int64
	Category route.Hash
	Day      uint16
	Page     uint16
}

// List is the list that it was opened from.
func (a AdminOrderArgs) List() AdminOrdersArgs {
	return AdminOrdersArgs{Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page}
}

// AdminUnresolvedArgs is somebody's purchase of unknown outcome and where it was opened
// from: the page before Listed of all of those, or the list of orders where that
// is 0.
type AdminUnresolvedArgs struct {
	Purchase int64
	Filter   uint8
	Person   int64
	Category route.Hash
	Day      uint16
	Page     uint16
	ListPage uint16
}

// List is the list of orders behind it.
func (a AdminUnresolvedArgs) List() AdminOrdersArgs {
	return AdminOrdersArgs{Filter: a.Filter, Person: a.Person, Category: a.Category, Day: a.Day, Page: a.Page}
}

func (a AdminUnresolvedArgs) back() string {
	if a.ListPage == 0 {
		return AdminOrders.Data(a.List())
	}
	return AdminUnresolvedList.Data(a.List().Part(a.ListPage - 1))
}

// Routes of everyone's orders.
var (
	AdminOrders           = route.New[AdminOrdersArgs]("Aol")
	AdminOrdersPerson     = route.New[AdminOrdersArgs]("Aop")
	AdminOrdersCategories = route.New[AdminOrdersSublistArgs]("Aoc")
	AdminOrdersDays       = route.New[AdminOrdersArgs]("Aod")
	AdminOrdersTotals     = route.New[AdminOrdersSublistArgs]("Aot")
	AdminOrdersPicture    = route.New[AdminOrdersArgs]("Aog")
	AdminOrdersExport     = route.New[AdminOrdersArgs]("Aox")
	AdminUnresolvedList   = route.New[AdminOrdersSublistArgs]("Aou")
	AdminUnresolved       = route.New[AdminUnresolvedArgs]("Aow")
	AdminOrder            = route.New[AdminOrderArgs]("Aoo")
)

// AdminOrdersKeyboard lists one page of orders below the filters. unknown are the
// newest purchases of unknown outcome, of so many in all.
func AdminOrdersKeyboard(l *locales.Localizer, args AdminOrdersArgs, filters []FilterEntry, unknown []UnresolvedEntry, unknownTotal int, entries []OrderEntry, total int) Rows {
	first := args
	first.Page = 0
	var buttons []Button
	for _, filter := range filters {
		label, other := filter.Label, first
		if other.Filter = filter.Filter; filter.Filter == args.Filter {
			label = "✓ " + label
		}
		buttons = append(buttons, Tap(label, AdminOrders.Data(other)))
	}
	rows := pairs(append(buttons, filterButtons(l, args, first)...))
	for _, purchase := range unknown {
		rows = append(rows, []Button{Tap(fit(l, "❔ "+purchase.Name, purchase.Rest, OneColumn), AdminUnresolved.Data(AdminUnresolvedArgs{
			Purchase: purchase.Purchase, Filter: args.Filter, Person: args.Person, Category: args.Category, Day: args.Day, Page: args.Page,
		}))})
	}
	if unknownTotal > 0 {
		label := l.Label("allorders_button_unknown", locales.Args{"Total": l.Number(int64(unknownTotal))})
		rows = append(rows, []Button{Tap(label, AdminUnresolvedList.Data(args.Part(0)))})
	}
	rows = append(rows, orderRows(l, args, entries)...)
	rows = append(rows, Pages(int(args.Page), total, func(page int) string {
		other := args
		other.Page = PageArg(page)
		return AdminOrders.Data(other)
	})...)
	if total > 0 {
		rows = append(rows, []Button{
			Tap(l.Label("allorders_button_totals"), AdminOrdersTotals.Data(args.Part(0))),
			Tap(l.Label("orders_button_export"), AdminOrdersExport.Data(args)),
		})
	}
	rows = append(rows, []Button{Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{}))})
	return append(rows, Foot(l, Admin.Data(struct{}{}))...)
}

// filterButtons set the filters that are not set, and take off those that are.
func filterButtons(l *locales.Localizer, args, first AdminOrdersArgs) []Button {
	person, category, of := first, first, first
	person.Person, category.Category, of.Day = 0, "", 0
	buttons := []Button{
		Tap(l.Label("allorders_button_person"), AdminOrdersPerson.Data(args)),
		Tap(l.Label("allorders_button_category"), AdminOrdersCategories.Data(args.Part(0))),
		Tap(l.Label("allorders_button_day"), AdminOrdersDays.Data(args)),
	}
	if args.Person != 0 {
		buttons[0] = Tap(l.Label("allorders_button_person_off"), AdminOrders.Data(person))
	}
	if args.Category != "" {
		buttons[1] = Tap(l.Label("allorders_button_category_off"), AdminOrders.Data(category))
	}
	if args.Day != 0 {
		buttons[2] = Tap(l.Label("allorders_button_day_off"), AdminOrders.Data(of))
	}
	return buttons
}

func orderRows(l *locales.Localizer, args AdminOrdersArgs, entries []OrderEntry) Rows {
	var rows Rows
	for _, entry := range entries {
		rows = append(rows, []Button{Tap(fit(l, entry.Label+" "+entry.Name, entry.Rest, OneColumn), AdminOrder.Data(args.Order(entry.Order)))})
	}
	return rows
}

// AdminOrdersFoundKeyboard lists several orders of one number.
func AdminOrdersFoundKeyboard(l *locales.Localizer, entries []OrderEntry) Rows {
	return append(orderRows(l, AdminOrdersArgs{}, entries), Foot(l, AdminOrders.Data(AdminOrdersArgs{}))...)
}

// CategoryChoice is a category that orders can be filtered by.
type CategoryChoice struct {
	Hash route.Hash
	Name string
}

// AdminOrdersCategoriesKeyboard offers one page of the categories.
func AdminOrdersCategoriesKeyboard(l *locales.Localizer, args AdminOrdersSublistArgs, categories []CategoryChoice, total int) Rows {
	var rows Rows
	for _, category := range categories {
		list := args.List()
		list.Category, list.Page = category.Hash, 0
		rows = append(rows, []Button{Tap(fit(l, category.Name, "", OneColumn), AdminOrders.Data(list))})
	}
	rows = append(rows, Pages(int(args.Subpage), total, func(page int) string { return AdminOrdersCategories.Data(args.List().Part(PageArg(page))) })...)
	return append(rows, Foot(l, AdminOrders.Data(args.List()))...)
}

// DayChoice is a day that orders can be filtered by.
type DayChoice struct {
	Day   uint16
	Label string
}

// AdminOrdersDaysKeyboard offers days.
func AdminOrdersDaysKeyboard(l *locales.Localizer, args AdminOrdersArgs, days []DayChoice) Rows {
	var buttons []Button
	for _, choice := range days {
		list := args
		list.Day, list.Page = choice.Day, 0
		buttons = append(buttons, Tap(choice.Label, AdminOrders.Data(list)))
	}
	return append(pairs(buttons), Foot(l, AdminOrders.Data(args))...)
}

// AdminOrdersTotalsKeyboard turns the pages of the totals, of so many days, and
// offers their picture.
func AdminOrdersTotalsKeyboard(l *locales.Localizer, args AdminOrdersSublistArgs, total int) Rows {
	rows := Pages(int(args.Subpage), total, func(page int) string { return AdminOrdersTotals.Data(args.List().Part(PageArg(page))) })
	if total > 0 {
		rows = append(rows, []Button{Tap(l.Label("allorders_button_picture"), AdminOrdersPicture.Data(args.List()))})
	}
	return append(rows, Foot(l, AdminOrders.Data(args.List()))...)
}

// AdminUnresolvedListKeyboard opens the purchases of one page.
func AdminUnresolvedListKeyboard(l *locales.Localizer, args AdminOrdersSublistArgs, unknown []UnresolvedEntry, total int) Rows {
	var rows Rows
	for _, purchase := range unknown {
		rows = append(rows, []Button{Tap(fit(l, "❔ "+purchase.Name, purchase.Rest, OneColumn), AdminUnresolved.Data(args.Unresolved(purchase.Purchase)))})
	}
	rows = append(rows, Pages(int(args.Subpage), total, func(page int) string { return AdminUnresolvedList.Data(args.List().Part(PageArg(page))) })...)
	return append(rows, Foot(l, AdminOrders.Data(args.List()))...)
}

// AdminOrderKeyboard asks again, and leads to all orders of the person, 0 where they
// were forgotten.
func AdminOrderKeyboard(l *locales.Localizer, args AdminOrderArgs, person int64) Rows {
	return append(personRow(l, AdminOrder.Data(args), person), Foot(l, AdminOrders.Data(args.List()))...)
}

// AdminUnresolvedKeyboard is AdminOrderKeyboard for a purchase of unknown outcome.
func AdminUnresolvedKeyboard(l *locales.Localizer, args AdminUnresolvedArgs, person int64) Rows {
	return append(personRow(l, AdminUnresolved.Data(args), person), Foot(l, args.back())...)
}

func personRow(l *locales.Localizer, again string, person int64) Rows {
	row := []Button{Tap(l.Label("nav_button_refresh"), again)}
	if person != 0 {
		row = append(row, Tap(l.Label("allorders_button_of_person"), AdminOrders.Data(AdminOrdersArgs{Person: person})))
	}
	return Rows{row}
}
