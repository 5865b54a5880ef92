package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// PersonArgs is a person, by Telegram id.
type PersonArgs struct{ Person int64 }

// Routes of the screens where admins look at people.
var (
	PersonFind      = route.New[struct{}]("Apf")
	Person          = route.New[PersonArgs]("Ap")
	PersonBlock     = route.New[PersonArgs]("Apb")
	PersonBlockSure = route.New[PersonArgs]("Apy")
	PersonUnblock   = route.New[PersonArgs]("Apu")
)

// PersonKeyboard leads to a person's orders, and blocks or unblocks the person
// (canBlock is false for admins).
func PersonKeyboard(l *locales.Localizer, args PersonArgs, blocked, canBlock bool) Rows {
	rows := Rows{{Tap(l.Label("person_button_orders"), AdminOrders.Data(AdminOrdersArgs{Person: args.Person}))}}
	switch {
	case blocked:
		rows = append(rows, []Button{Tap(l.Label("person_button_unblock"), PersonUnblock.Data(args))})
	case canBlock:
		rows = append(rows, []Button{Tap(l.Label("person_button_block"), PersonBlock.Data(args))})
	}
	return append(rows, Foot(l, Admin.Data(struct{}{}))...)
}

// PersonBlockKeyboard asks for confirmation.
func PersonBlockKeyboard(l *locales.Localizer, args PersonArgs) Rows {
	return Rows{{
		Tap(l.Label("person_button_block"), PersonBlockSure.Data(args)),
		Tap(l.Label("person_button_keep"), Person.Data(args)),
	}}
}
