package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// BalanceArgs says with Refresh that the marketplace is asked again, instead of
// showing a figure of the last half minute.
type BalanceArgs struct{ Refresh bool }

// Balance is the route of the balance screen.
var Balance = route.New[BalanceArgs]("b")

// BalanceKeyboard offers to ask again.
func BalanceKeyboard(l *locales.Localizer) Rows {
	return append(Rows{{Tap(l.Label("nav_button_refresh"), Balance.Data(BalanceArgs{Refresh: true}))}}, Foot(l, "")...)
}
