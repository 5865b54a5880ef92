package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// ElsewhereArgs is the number of an order that was placed elsewhere.
type ElsewhereArgs struct{ Number int64 }

// Routes of orders that were placed elsewhere: ElsewhereFind asks the
// marketplace and the person, ElsewhereTake takes the order in.
var (
	ElsewhereFind = route.New[ElsewhereArgs]("ef")
	ElsewhereTake = route.New[ElsewhereArgs]("et")
)

// ElsewhereKeyboard asks whether the order is to be taken in.
func ElsewhereKeyboard(l *locales.Localizer, args ElsewhereArgs) Rows {
	return Rows{{
		Tap(l.Label("elsewhere_button_yes"), ElsewhereTake.Data(args)),
		Tap(l.Label("elsewhere_button_no"), Orders.Data(OrdersArgs{})),
	}}
}
