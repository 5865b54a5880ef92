package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// AdminOrdersArgs is a page of everyone's orders and its filters.
type AdminOrdersArgs struct {
	Filter   uint8      // storage.OrderFilter
	Person   int64      // Telegram id, 0 for all people
	Category route.Hash // of the English name, "" for all categories
	Day      uint16     // in UTC, days since 1970; 0 for all days
	Page     uint16
}

func (a AdminOrdersArgs) atPage(page uint16) string {
	a.Page = page
	return AdminOrders.Data(a)
}

// Sublist returns the arguments of a page of a screen below the list.
func (a AdminOrdersArgs) Sublist(page uint16) AdminOrdersSublistArgs {
	return AdminOrdersSublistArgs{AdminOrdersArgs: a, Subpage: page}
}

// AdminOrdersSublistArgs is the list of orders and a page of a screen below it.
type AdminOrdersSublistArgs struct {
	AdminOrdersArgs
	Subpage uint16
}

// AdminOrderArgs is an order of any person and the list that it was opened from.
type AdminOrderArgs struct {
	Order int64
	AdminOrdersArgs
}

// AdminUnresolvedArgs is a purchase of unknown outcome of any person. It was opened
// from the list of orders if ListPage is 0, else from page ListPage-1 of the list of
// such purchases.
type AdminUnresolvedArgs struct {
	Purchase int64
	AdminOrdersArgs
	ListPage uint16
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

// AdminOrdersKeyboard lists the newest purchases of unknown outcome (of
// unresolvedTotal) and one page of orders (of total), below the filters. With sums it
// leads to the totals and to the export.
func AdminOrdersKeyboard(l *locales.Localizer, args AdminOrdersArgs, filters []FilterEntry, unresolved []Item, unresolvedTotal int, orders []Item, total int, sums bool) Rows {
	first := args
	first.Page = 0
	buttons := filterButtons(filters, args.Filter, func(filter uint8) string {
		other := first
		other.Filter = filter
		return AdminOrders.Data(other)
	})
	rows := inRows(2, append(buttons, adminFilterButtons(l, args, first)...))
	rows = append(rows, column(l, unresolved)...)
	if unresolvedTotal > 0 {
		label := l.Label("adminorders_button_unknown", locales.Args{"Total": l.Number(int64(unresolvedTotal))})
		rows = append(rows, []Button{Tap(label, AdminUnresolvedList.Data(args.Sublist(0)))})
	}
	rows = append(rows, column(l, orders)...)
	rows = append(rows, Pages(args.Page, total, args.atPage)...)
	if total > 0 && sums {
		rows = append(rows, []Button{
			Tap(l.Label("adminorders_button_totals"), AdminOrdersTotals.Data(args.Sublist(0))),
			Tap(l.Label("orders_button_export"), AdminOrdersExport.Data(args)),
		})
	}
	rows = append(rows, []Button{Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{}))})
	return append(rows, Foot(l, Admin.Data(struct{}{}))...)
}

// adminFilterButtons set the filters that are not set, and remove those that are.
func adminFilterButtons(l *locales.Localizer, args, first AdminOrdersArgs) []Button {
	anyPerson, anyCategory, anyDay := first, first, first
	anyPerson.Person, anyCategory.Category, anyDay.Day = 0, "", 0
	buttons := []Button{
		Tap(l.Label("adminorders_button_person"), AdminOrdersPerson.Data(args)),
		Tap(l.Label("adminorders_button_category"), AdminOrdersCategories.Data(args.Sublist(0))),
		Tap(l.Label("adminorders_button_day"), AdminOrdersDays.Data(args)),
	}
	if args.Person != 0 {
		buttons[0] = Tap(l.Label("adminorders_button_person_off"), AdminOrders.Data(anyPerson))
	}
	if args.Category != "" {
		buttons[1] = Tap(l.Label("adminorders_button_category_off"), AdminOrders.Data(anyCategory))
	}
	if args.Day != 0 {
		buttons[2] = Tap(l.Label("adminorders_button_day_off"), AdminOrders.Data(anyDay))
	}
	return buttons
}

// AdminOrdersFoundKeyboard lists the orders that have the same external id.
func AdminOrdersFoundKeyboard(l *locales.Localizer, orders []Item) Rows {
	return append(column(l, orders), Foot(l, AdminOrders.Data(AdminOrdersArgs{}))...)
}

// AdminOrdersCategoriesKeyboard lists one page of the categories to filter by.
func AdminOrdersCategoriesKeyboard(l *locales.Localizer, args AdminOrdersSublistArgs, categories []Item, total int) Rows {
	return adminSublist(l, column(l, categories), AdminOrdersCategories, args, total)
}

// AdminOrdersDaysKeyboard lists days to filter by.
func AdminOrdersDaysKeyboard(l *locales.Localizer, args AdminOrdersArgs, days []Button) Rows {
	return append(inRows(2, days), Foot(l, AdminOrders.Data(args))...)
}

// AdminOrdersTotalsKeyboard turns the pages of the totals of so many days, and
// offers a chart of them.
func AdminOrdersTotalsKeyboard(l *locales.Localizer, args AdminOrdersSublistArgs, days int) Rows {
	rows := Pages(args.Subpage, days, func(page uint16) string { return AdminOrdersTotals.Data(args.Sublist(page)) })
	if days > 0 {
		rows = append(rows, []Button{Tap(l.Label("adminorders_button_picture"), AdminOrdersPicture.Data(args.AdminOrdersArgs))})
	}
	return append(rows, Foot(l, AdminOrders.Data(args.AdminOrdersArgs))...)
}

// AdminUnresolvedListKeyboard lists one page of purchases of unknown outcome.
func AdminUnresolvedListKeyboard(l *locales.Localizer, args AdminOrdersSublistArgs, purchases []Item, total int) Rows {
	return adminSublist(l, column(l, purchases), AdminUnresolvedList, args, total)
}

func adminSublist(l *locales.Localizer, rows Rows, list route.Route[AdminOrdersSublistArgs], args AdminOrdersSublistArgs, total int) Rows {
	rows = append(rows, Pages(args.Subpage, total, func(page uint16) string { return list.Data(args.Sublist(page)) })...)
	return append(rows, Foot(l, AdminOrders.Data(args.AdminOrdersArgs))...)
}

// AdminOrderKeyboard refreshes the order, and leads to writing to the person and to all their
// orders (0 if the person's data was deleted).
func AdminOrderKeyboard(l *locales.Localizer, args AdminOrderArgs, person int64) Rows {
	return append(personRow(l, AdminOrder.Data(args), person), Foot(l, AdminOrders.Data(args.AdminOrdersArgs))...)
}

// AdminUnresolvedKeyboard is AdminOrderKeyboard for a purchase of unknown outcome. With
// house it settles it; dismiss is the label of the button that says that nothing more was
// bought, "" for none.
func AdminUnresolvedKeyboard(l *locales.Localizer, args AdminUnresolvedArgs, person int64, house bool, dismiss string) Rows {
	back := AdminOrders.Data(args.AdminOrdersArgs)
	if args.ListPage > 0 {
		back = AdminUnresolvedList.Data(args.Sublist(args.ListPage - 1))
	}
	rows := personRow(l, AdminUnresolved.Data(args), person)
	if house {
		rows = append(rows, houseRow(l, args.Purchase, dismiss))
	}
	return append(rows, Foot(l, back)...)
}

func personRow(l *locales.Localizer, refresh string, person int64) Rows {
	row := []Button{Tap(l.Label("nav_button_refresh"), refresh)}
	if person == 0 {
		return Rows{row}
	}
	return Rows{
		append(row, Tap(l.Label("person_button_write"), PersonWrite.Data(PersonArgs{Person: person}))),
		{Tap(l.Label("adminorders_button_of_person"), AdminOrders.Data(AdminOrdersArgs{Person: person}))},
	}
}
