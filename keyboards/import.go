package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// ExternalArgs is an order that was not placed through the bot.
type ExternalArgs struct{ ExternalID int64 }

// Routes of external orders. ExternalFind asks the marketplace and the person,
// ExternalImport imports the order.
var (
	ExternalFind   = route.New[ExternalArgs]("ef")
	ExternalImport = route.New[ExternalArgs]("et")
)

// ExternalKeyboard asks whether the order is to be imported.
func ExternalKeyboard(l *locales.Localizer, args ExternalArgs) Rows {
	return Rows{{
		Tap(l.Label("external_button_yes"), ExternalImport.Data(args)),
		Tap(l.Label("external_button_no"), Orders.Data(OrdersArgs{})),
	}}
}
