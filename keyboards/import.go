package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// TypedID is the id of an order as a person typed it. An id is a text of the
// marketplace, so a button carries the id of the search that stores the text, as a
// negative number. A positive number is the order id itself: of a button from before ids
// were texts.
type TypedID int64

// ExternalArgs is an order that was not placed through the bot.
type ExternalArgs struct{ ExternalID TypedID }

// Routes of external orders. ExternalFind asks the marketplace and the person,
// ExternalImport imports the order.
var (
	ExternalFind   = route.New[ExternalArgs]("ef")
	ExternalImport = route.New[ExternalArgs]("et")
)

// ExternalKeyboard asks whether the order is to be imported.
func ExternalKeyboard(l *locales.Localizer, args ExternalArgs) Rows {
	return Rows{{
		success(Tap(l.Label("external_button_yes"), ExternalImport.Data(args))),
		Tap(l.Label("external_button_no"), Orders.Data(OrdersArgs{})),
	}}
}
