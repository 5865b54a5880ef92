package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// LedgerPersonArgs is a page of the ledger of a person. A tap on the pages of the list
// before leads back to ListPage.
type LedgerPersonArgs struct {
	Person   int64
	Page     uint16
	ListPage uint16
}

// AdminPurchaseArgs is a purchase of unknown outcome that the operator's key has paid.
type AdminPurchaseArgs struct{ Purchase int64 }

// Routes of the ledger, and of the purchases of unknown outcome that admins settle.
var (
	Ledger       = route.New[PageArgs]("Ae")
	LedgerDays   = route.New[PageArgs]("Aed")
	LedgerPerson = route.New[LedgerPersonArgs]("Aep")
	LedgerExport = route.New[struct{}]("Aex")

	HouseAdopt       = route.New[AdminPurchaseArgs]("Aoh")
	HouseAdoptSure   = route.New[AdoptArgs]("Aoy")
	HouseDismiss     = route.New[AdminPurchaseArgs]("Aoq")
	HouseDismissSure = route.New[AdminPurchaseArgs]("Aoz")
)

// LedgerKeyboard lists one page of the people in the ledger, of total.
func LedgerKeyboard(l *locales.Localizer, page uint16, people []Item, total int) Rows {
	rows := append(column(l, people), Pages(page, total, func(page uint16) string { return Ledger.Data(PageArgs{Page: page}) })...)
	if total > 0 {
		rows = append(rows, []Button{
			Tap(l.Label("ledger_button_days"), LedgerDays.Data(PageArgs{})),
			Tap(l.Label("orders_button_export"), LedgerExport.Data(struct{}{})),
		})
	}
	return append(rows, Foot(l, Admin.Data(struct{}{}))...)
}

// LedgerDaysKeyboard turns the pages of so many days.
func LedgerDaysKeyboard(l *locales.Localizer, page uint16, days int) Rows {
	return append(Pages(page, days, func(page uint16) string { return LedgerDays.Data(PageArgs{Page: page}) }), Foot(l, Ledger.Data(PageArgs{}))...)
}

// LedgerPersonKeyboard turns the pages of a person's entries, of total.
func LedgerPersonKeyboard(l *locales.Localizer, args LedgerPersonArgs, total int) Rows {
	rows := Pages(args.Page, total, func(page uint16) string {
		other := args
		other.Page = page
		return LedgerPerson.Data(other)
	})
	rows = append(rows, []Button{Tap(l.Label("adminallowance_button"), Allowance.Data(PersonArgs{Person: args.Person}))})
	return append(rows, Foot(l, Ledger.Data(PageArgs{Page: args.ListPage}))...)
}

// OverHoldKeyboard goes with a message to admins about a purchase of a person, 0 if their
// data was deleted.
func OverHoldKeyboard(l *locales.Localizer, person int64) Rows {
	data := Ledger.Data(PageArgs{})
	if person != 0 {
		data = LedgerPerson.Data(LedgerPersonArgs{Person: person})
	}
	return Rows{{Tap(l.Label("ledger_button"), data)}}
}

// houseRow settles a purchase that the operator's key has paid.
func houseRow(l *locales.Localizer, purchase int64, dismiss string) []Button {
	args := AdminPurchaseArgs{Purchase: purchase}
	row := []Button{Tap(l.Label("unresolved_button_id"), HouseAdopt.Data(args))}
	if dismiss != "" {
		row = append(row, danger(Tap(dismiss, HouseDismiss.Data(args))))
	}
	return row
}

// HouseAdoptKeyboard is AdoptKeyboard for admins.
func HouseAdoptKeyboard(l *locales.Localizer, args AdoptArgs) Rows {
	return Rows{{
		success(Tap(l.Label("unresolved_button_yes"), HouseAdoptSure.Data(args))),
		Tap(l.Label("unresolved_button_no"), AdminUnresolved.Data(AdminUnresolvedArgs{Purchase: args.Purchase})),
	}}
}

// HouseDismissKeyboard asks for confirmation. dismiss is the label of the button.
func HouseDismissKeyboard(l *locales.Localizer, purchase int64, dismiss string) Rows {
	return append(Rows{{danger(Tap(dismiss, HouseDismissSure.Data(AdminPurchaseArgs{Purchase: purchase})))}},
		Foot(l, AdminUnresolved.Data(AdminUnresolvedArgs{Purchase: purchase}))...)
}
