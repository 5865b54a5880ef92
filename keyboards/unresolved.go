package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// AdoptArgs is an unknown purchase and the order number that a person gave.
type AdoptArgs struct {
	Purchase   int64
	ExternalID int64
}

// UnresolvedArgs is an unknown purchase; Listed where its card was opened from the
// list of orders, and has a way back there. The message that told of it has
// none: it is worth keeping.
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

// UnresolvedKeyboard is what can be done about it. A person who has said that it
// was not placed may still find its number; retry offers a new card.
func UnresolvedKeyboard(l *locales.Localizer, args UnresolvedArgs, dismissed, retry bool) Rows {
	purchase := PurchaseArgs{Purchase: args.Purchase}
	rows := Rows{
		{Tap(l.Label("unknown_button_balance"), UnresolvedBalance.Data(args))},
		{Tap(l.Label("unknown_button_number"), UnresolvedAdopt.Data(purchase))},
	}
	if !dismissed {
		rows = append(rows, []Button{Tap(l.Label("unknown_button_dismiss"), UnresolvedDismiss.Data(purchase))})
	}
	if retry {
		rows = append(rows, []Button{Tap(l.Label("rejected_button_again"), NewCard.Data(purchase))})
	}
	if args.Listed {
		rows = append(rows, Foot(l, Orders.Data(OrdersArgs{}))...)
	}
	return rows
}

// AdoptKeyboard asks whether the order that was found is the purchase.
func AdoptKeyboard(l *locales.Localizer, args AdoptArgs) Rows {
	return Rows{{
		Tap(l.Label("unknown_button_yes"), UnresolvedAdoptSure.Data(args)),
		Tap(l.Label("unknown_button_no"), UnresolvedBalance.Data(UnresolvedArgs{Purchase: args.Purchase})),
	}}
}
