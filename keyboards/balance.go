package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// BalanceArgs says with Refresh that the marketplace is asked again, instead of
// showing a figure of the last half minute.
type BalanceArgs struct{ Refresh bool }

// Routes of the balance screen, of the picture of what was spent, and, for
// admins, of the sum that they are warned below.
var (
	Balance                = route.New[BalanceArgs]("b")
	Spending               = route.New[struct{}]("bs")
	BalanceThreshold       = route.New[struct{}]("Awb")
	BalanceThresholdRemove = route.New[struct{}]("Awo")
)

// BalanceKeyboard offers to ask again, and the picture; with operator also to be
// warned about the operator's account.
func BalanceKeyboard(l *locales.Localizer, operator bool) Rows {
	rows := Rows{{
		Tap(l.Label("nav_button_refresh"), Balance.Data(BalanceArgs{Refresh: true})),
		Tap(l.Label("balance_button_spending"), Spending.Data(struct{}{})),
	}}
	if operator {
		rows = append(rows, []Button{Tap(l.Label("balance_button_warn"), BalanceThreshold.Data(struct{}{}))})
	}
	return append(rows, Foot(l, "")...)
}

// BalanceThresholdKeyboard goes with the question for the sum; set where there is one
// to take off.
func BalanceThresholdKeyboard(l *locales.Localizer, set bool) Rows {
	var rows Rows
	if set {
		rows = Rows{{Tap(l.Label("balance_button_warn_off"), BalanceThresholdRemove.Data(struct{}{}))}}
	}
	return append(rows, Foot(l, Balance.Data(BalanceArgs{}))...)
}
