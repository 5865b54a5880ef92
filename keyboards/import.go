package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// ExternalArgs is the number of an order that was placed elsewhere.
type ExternalArgs struct{ ExternalID int64 }

// Routes of orders that were placed elsewhere: ExternalFind asks the
// marketplace and the person, ExternalImport takes the order in.
var (
	ExternalFind   = route.New[ExternalArgs]("ef")
	ExternalImport = route.New[ExternalArgs]("et")
)

// ExternalKeyboard asks whether the order is to be taken in.
func ExternalKeyboard(l *locales.Localizer, args ExternalArgs) Rows {
	return Rows{{
		Tap(l.Label("elsewhere_button_yes"), ExternalImport.Data(args)),
		Tap(l.Label("elsewhere_button_no"), Orders.Data(OrdersArgs{})),
	}}
}
