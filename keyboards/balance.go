package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// BalanceArgs says with Refresh that the marketplace is asked again, instead of
// showing a figure of the last half minute.
type BalanceArgs struct{ Refresh bool }

// Routes of the balance screen and of the picture of what was spent.
var (
	Balance  = route.New[BalanceArgs]("b")
	Spending = route.New[struct{}]("bs")
)

// BalanceKeyboard offers to ask again, and the picture.
func BalanceKeyboard(l *locales.Localizer) Rows {
	return append(Rows{{
		Tap(l.Label("nav_button_refresh"), Balance.Data(BalanceArgs{Refresh: true})),
		Tap(l.Label("balance_button_spending"), Spending.Data(struct{}{})),
	}}, Foot(l, "")...)
}
