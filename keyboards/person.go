package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// PersonArgs names a person by Telegram's id.
type PersonArgs struct{ Person int64 }

// Routes of a person as admins see them.
var (
	PersonFind      = route.New[struct{}]("Apf")
	Person          = route.New[PersonArgs]("Ap")
	PersonBlock     = route.New[PersonArgs]("Apb")
	PersonBlockSure = route.New[PersonArgs]("Apy")
	PersonUnblock   = route.New[PersonArgs]("Apu")
)

// PersonKeyboard is what can be done with a person. Admins can't be blocked.
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

// PersonBlockKeyboard asks whether a person is to be blocked.
func PersonBlockKeyboard(l *locales.Localizer, args PersonArgs) Rows {
	return Rows{{
		Tap(l.Label("person_button_block"), PersonBlockSure.Data(args)),
		Tap(l.Label("person_button_keep"), Person.Data(args)),
	}}
}
