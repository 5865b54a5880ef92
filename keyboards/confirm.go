package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// PurchaseArgs is a purchase or a draft of the person who taps.
type PurchaseArgs struct{ Purchase int64 }

// Routes of the confirm card. NewCard and OrderAgain draw a new card with today's
// terms for an earlier purchase: NewCard in place of its card, OrderAgain as a new
// message.
var (
	Confirm    = route.New[PurchaseArgs]("ok")
	Discard    = route.New[PurchaseArgs]("no")
	NewCard    = route.New[PurchaseArgs]("ag")
	OrderAgain = route.New[PurchaseArgs]("oa")
)

// ConfirmKeyboard goes with the confirm card; with blocked, for want of money, it
// offers a refresh instead of Confirm.
func ConfirmKeyboard(l *locales.Localizer, purchase int64, blocked bool) Rows {
	args := PurchaseArgs{Purchase: purchase}
	first := Tap(l.Label("confirm_button_confirm"), Confirm.Data(args))
	if blocked {
		first = Tap(l.Label("nav_button_refresh"), NewCard.Data(args))
	}
	return Rows{{first, Tap(l.Label("confirm_button_cancel"), Discard.Data(args))}}
}

// RejectedKeyboard offers a new card after nothing was bought, and a new API key if
// the old one was refused. back is the screen where the purchase was started.
func RejectedKeyboard(l *locales.Localizer, purchase int64, keyRefused bool, back string) Rows {
	row := []Button{Tap(l.Label("rejected_button_again"), NewCard.Data(PurchaseArgs{Purchase: purchase}))}
	if keyRefused {
		row = append([]Button{Tap(l.Label("menu_button_key"), Key.Data(struct{}{}))}, row...)
	}
	return append(Rows{row}, Foot(l, back)...)
}
