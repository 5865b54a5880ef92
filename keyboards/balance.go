package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// BalanceArgs opens the balance screen. Refresh asks the marketplace even if the
// cached balance is younger than half a minute.
type BalanceArgs struct{ Refresh bool }

// Routes of the balance screen, of the chart of what was spent, and, for admins, of
// the threshold below which they are alerted.
var (
	Balance                = route.New[BalanceArgs]("b")
	Spending               = route.New[struct{}]("bs")
	BalanceThreshold       = route.New[struct{}]("Awb")
	BalanceThresholdRemove = route.New[struct{}]("Awo")
)

// BalanceKeyboard refreshes the balance and opens the chart; with operator it also
// leads to the threshold of the operator's account.
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

// BalanceThresholdKeyboard goes with the question for the threshold; with set it
// offers to remove the present one.
func BalanceThresholdKeyboard(l *locales.Localizer, set bool) Rows {
	var rows Rows
	if set {
		rows = Rows{{Tap(l.Label("balance_button_warn_off"), BalanceThresholdRemove.Data(struct{}{}))}}
	}
	return append(rows, Foot(l, Balance.Data(BalanceArgs{}))...)
}
