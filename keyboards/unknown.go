package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// AdoptArgs is an unknown purchase and the order number that a person gave.
type AdoptArgs struct {
	Purchase int64
	Number   int64
}

// Routes of a purchase of unknown outcome.
var (
	UnknownBalance = route.New[PurchaseArgs]("ub")
	UnknownNumber  = route.New[PurchaseArgs]("un")
	UnknownAdopt   = route.New[AdoptArgs]("uy")
	UnknownDismiss = route.New[PurchaseArgs]("ud")
)

// UnknownKeyboard is what can be done about it. retry offers a new card where
// the balance says that nothing was bought.
func UnknownKeyboard(l *locales.Localizer, purchase int64, retry bool) Rows {
	args := PurchaseArgs{Purchase: purchase}
	rows := Rows{
		{Tap(l.Label("unknown_button_balance"), UnknownBalance.Data(args))},
		{Tap(l.Label("unknown_button_number"), UnknownNumber.Data(args))},
		{Tap(l.Label("unknown_button_dismiss"), UnknownDismiss.Data(args))},
	}
	if retry {
		rows = append(rows, []Button{Tap(l.Label("rejected_button_again"), Again.Data(args))})
	}
	return rows
}

// AdoptKeyboard asks whether the order that was found is the purchase.
func AdoptKeyboard(l *locales.Localizer, args AdoptArgs) Rows {
	return Rows{{
		Tap(l.Label("unknown_button_yes"), UnknownAdopt.Data(args)),
		Tap(l.Label("unknown_button_no"), UnknownBalance.Data(PurchaseArgs{Purchase: args.Purchase})),
	}}
}
