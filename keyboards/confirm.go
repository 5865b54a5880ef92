package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// PurchaseArgs is a purchase or a draft of the person who taps.
type PurchaseArgs struct{ Purchase int64 }

// Routes of the confirm card. NewCard and OrderAgain draw a new card with today's
// terms for an earlier purchase: NewCard in place of its card, OrderAgain as a new
// message. OpenPurchase shows an earlier purchase in a new message, so that the card
// stays. TopUpWait and TopUpStop are of a card that the balance does not suffice for.
var (
	Confirm      = route.New[PurchaseArgs]("ok")
	Discard      = route.New[PurchaseArgs]("no")
	NewCard      = route.New[PurchaseArgs]("ag")
	OrderAgain   = route.New[PurchaseArgs]("oa")
	OpenPurchase = route.New[PurchaseArgs]("op")
	TopUpWait    = route.New[PurchaseArgs]("fw")
	TopUpStop    = route.New[PurchaseArgs]("fx")
)

// ConfirmState is what the buttons of a confirm card depend on.
type ConfirmState struct {
	Blocked bool  // for want of money: a refresh stands in Confirm's place
	Warned  bool  // the card warns
	Earlier int64 // the purchase that it warns of, 0 for none
	// Of a blocked one: the page where people top up, "" for none, and whether the person
	// waits for the money.
	TopUp   string
	Awaited bool
	House   bool // an allowance pays: nobody tops it up
	Basket  bool // it can be put into the basket
}

// ConfirmKeyboard goes with the confirm card.
func ConfirmKeyboard(l *locales.Localizer, purchase int64, state ConfirmState) Rows {
	args := PurchaseArgs{Purchase: purchase}
	label := "confirm_button_confirm"
	if state.Warned {
		label = "confirm_button_anyway"
	}
	first := success(Tap(l.Label(label), Confirm.Data(args)))
	if state.Blocked {
		first = Tap(l.Label("nav_button_refresh"), NewCard.Data(args))
	}
	rows := Rows{{first, Tap(l.Label("confirm_button_cancel"), Discard.Data(args))}}
	if state.Blocked && !state.House {
		rows = append(rows, topUpRow(l, args, state))
	}
	if state.Basket {
		rows = append(rows, []Button{Tap(l.Label("basket_button_add"), BasketAdd.Data(args))})
	}
	if state.Earlier != 0 {
		rows = append(rows, []Button{Tap(l.Label("confirm_button_open"), OpenPurchase.Data(PurchaseArgs{Purchase: state.Earlier}))})
	}
	return rows
}

// topUpRow opens the page where people top up, and waits for the money or ends the wait.
func topUpRow(l *locales.Localizer, args PurchaseArgs, state ConfirmState) []Button {
	var row []Button
	if state.TopUp != "" {
		row = append(row, Button{Text: l.Label("confirm_button_topup"), URL: state.TopUp})
	}
	if state.Awaited {
		return append(row, Tap(l.Label("confirm_button_stop_waiting"), TopUpStop.Data(args)))
	}
	return append(row, Tap(l.Label("confirm_button_wait"), TopUpWait.Data(args)))
}

// RejectedKeyboard offers a new card after nothing was bought, and a new API key if
// the old one was refused. back is the screen where the purchase was started.
func RejectedKeyboard(l *locales.Localizer, purchase int64, keyRefused bool, back string) Rows {
	newCard := Tap(l.Label("rejected_button_again"), NewCard.Data(PurchaseArgs{Purchase: purchase}))
	row := []Button{Primary(newCard)}
	if keyRefused {
		row = []Button{Primary(Tap(l.Label("menu_button_key"), Key.Data(struct{}{}))), newCard}
	}
	return append(Rows{row}, Foot(l, back)...)
}
