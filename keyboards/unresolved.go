package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// AdoptArgs is a purchase of unknown outcome and the external id of the order that
// the person says it became.
type AdoptArgs struct {
	Purchase   int64
	ExternalID TypedID
}

// UnresolvedArgs is a purchase of unknown outcome. Its card has a button back to the
// list of orders if it was opened from there (Listed). The message that notified the
// person has none, since it is worth keeping.
type UnresolvedArgs struct {
	Purchase int64
	Listed   bool
}

// Routes of a purchase of unknown outcome.
var (
	UnresolvedBalance   = route.New[UnresolvedArgs]("ub")
	UnresolvedAdopt     = route.New[PurchaseArgs]("un")
	UnresolvedAdoptSure = route.New[AdoptArgs]("uy")
	UnresolvedDismiss   = route.New[PurchaseArgs]("ud")
)

// UnresolvedKeyboard goes with a purchase of unknown outcome. An order id can be
// entered even after the purchase was dismissed; retry offers a new card.
func UnresolvedKeyboard(l *locales.Localizer, args UnresolvedArgs, dismissed, retry bool) Rows {
	purchase := PurchaseArgs{Purchase: args.Purchase}
	rows := Rows{
		{Primary(Tap(l.Label("unresolved_button_balance"), UnresolvedBalance.Data(args)))},
		{Tap(l.Label("unresolved_button_id"), UnresolvedAdopt.Data(purchase))},
	}
	if !dismissed {
		rows = append(rows, []Button{Tap(l.Label("unresolved_button_dismiss"), UnresolvedDismiss.Data(purchase))})
	}
	if retry {
		rows = append(rows, []Button{Tap(l.Label("rejected_button_again"), NewCard.Data(purchase))})
	}
	if args.Listed {
		rows = append(rows, Foot(l, Orders.Data(OrdersArgs{}))...)
	}
	return rows
}

// AdoptKeyboard asks for confirmation that the found order is the purchase.
func AdoptKeyboard(l *locales.Localizer, args AdoptArgs) Rows {
	return Rows{{
		success(Tap(l.Label("unresolved_button_yes"), UnresolvedAdoptSure.Data(args))),
		Tap(l.Label("unresolved_button_no"), UnresolvedBalance.Data(UnresolvedArgs{Purchase: args.Purchase})),
	}}
}
