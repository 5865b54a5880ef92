package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// PersonArgs is a person, by Telegram id.
type PersonArgs struct{ Person int64 }

// LetterArgs is a letter that was previewed.
type LetterArgs struct{ Letter int64 }

// Routes of the screens where admins and support look at people.
var (
	PersonFind      = route.New[struct{}]("Apf")
	Person          = route.New[PersonArgs]("Ap")
	PersonWrite     = route.New[PersonArgs]("Apw")
	LetterSend      = route.New[LetterArgs]("Aps")
	PersonBlock     = route.New[PersonArgs]("Apb")
	PersonBlockSure = route.New[PersonArgs]("Apy")
	PersonUnblock   = route.New[PersonArgs]("Apu")
)

// PersonKeyboard leads to a person's orders and to writing to them, for admins to their
// allowance, and unblocks a person or, with canBlock, blocks them.
func PersonKeyboard(l *locales.Localizer, args PersonArgs, admin, blocked, canBlock bool) Rows {
	rows := Rows{{
		Tap(l.Label("person_button_orders"), AdminOrders.Data(AdminOrdersArgs{Person: args.Person})),
		Tap(l.Label("person_button_write"), PersonWrite.Data(args)),
	}}
	if admin {
		rows = append(rows, []Button{Tap(l.Label("adminallowance_button"), Allowance.Data(args))})
	}
	switch {
	case blocked:
		rows = append(rows, []Button{success(Tap(l.Label("person_button_unblock"), PersonUnblock.Data(args)))})
	case canBlock:
		rows = append(rows, []Button{danger(Tap(l.Label("person_button_block"), PersonBlock.Data(args)))})
	}
	return append(rows, Foot(l, Admin.Data(struct{}{}))...)
}

// PersonBlockKeyboard asks for confirmation.
func PersonBlockKeyboard(l *locales.Localizer, args PersonArgs) Rows {
	return Rows{{
		danger(Tap(l.Label("person_button_block"), PersonBlockSure.Data(args))),
		Tap(l.Label("person_button_keep"), Person.Data(args)),
	}}
}

// LetterKeyboard goes with the preview of a letter to a person.
func LetterKeyboard(l *locales.Localizer, args LetterArgs, person PersonArgs) Rows {
	return Rows{{
		success(Tap(l.Label("letter_button_send"), LetterSend.Data(args))),
		Tap(l.Label("confirm_button_cancel"), Person.Data(person)),
	}}
}
