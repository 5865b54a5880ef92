package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// BalanceArgs opens the balance screen. Refresh asks the marketplace even if the
// cached balance is younger than half a minute.
type BalanceArgs struct{ Refresh bool }

// Routes of the balance screen, of the chart of what was spent, of the amount below which
// a person is warned, and, for admins, of the threshold of the operator's account.
var (
	Balance                = route.New[BalanceArgs]("b")
	Spending               = route.New[struct{}]("bs")
	BalanceWarn            = route.New[struct{}]("bw")
	BalanceWarnOff         = route.New[struct{}]("bo")
	BalanceThreshold       = route.New[struct{}]("Awb")
	BalanceThresholdRemove = route.New[struct{}]("Awo")
)

// BalanceKeyboard refreshes the balance and opens the chart; with own it leads to the
// warning of a low balance, with operator to the threshold of the operator's account.
func BalanceKeyboard(l *locales.Localizer, own, operator bool) Rows {
	rows := Rows{{
		Tap(l.Label("nav_button_refresh"), Balance.Data(BalanceArgs{Refresh: true})),
		Tap(l.Label("balance_button_spending"), Spending.Data(struct{}{})),
	}}
	var warn []Button
	if operator {
		warn = append(warn, Tap(l.Label("balance_button_warn"), BalanceThreshold.Data(struct{}{})))
	}
	switch data := BalanceWarn.Data(struct{}{}); {
	case own && operator:
		warn = append(warn, Tap(l.Label("balance_button_warn_own"), data))
	case own:
		warn = append(warn, Tap(l.Label("balance_button_warn"), data))
	}
	if len(warn) > 0 {
		rows = append(rows, warn)
	}
	return append(rows, Foot(l, "")...)
}

// BalanceWarnKeyboard goes with the question for the amount; with set it offers to turn the
// present warning off.
func BalanceWarnKeyboard(l *locales.Localizer, set bool) Rows {
	return thresholdKeyboard(l, set, BalanceWarnOff.Data(struct{}{}))
}

// BalanceLowKeyboard goes with the warning. topUp is the page where people top up, "" for
// none.
func BalanceLowKeyboard(l *locales.Localizer, topUp string) Rows {
	row := []Button{Tap(l.Label("menu_button_balance"), Balance.Data(BalanceArgs{Refresh: true}))}
	if topUp != "" {
		row = append([]Button{{Text: l.Label("confirm_button_topup"), URL: topUp}}, row...)
	}
	return append(Rows{row}, Foot(l, "")...)
}

// BalanceThresholdKeyboard goes with the question for the threshold; with set it
// offers to remove the present one.
func BalanceThresholdKeyboard(l *locales.Localizer, set bool) Rows {
	return thresholdKeyboard(l, set, BalanceThresholdRemove.Data(struct{}{}))
}

func thresholdKeyboard(l *locales.Localizer, set bool, off string) Rows {
	var rows Rows
	if set {
		rows = Rows{{Tap(l.Label("balance_button_warn_off"), off)}}
	}
	return append(rows, Foot(l, Balance.Data(BalanceArgs{}))...)
}
