package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// AccountArgs is one account of an order of the person who taps: its place in the
// marketplace's answer, from 0. What the account is stays out of callback data.
type AccountArgs struct {
	Order    int64
	Position uint16
}

// Routes of the code of an account's second factor. AccountCodeRefresh redraws it.
var (
	AccountCode        = route.New[AccountArgs]("of")
	AccountCodeRefresh = route.New[AccountArgs]("og")
)

// Account is a delivered account with what can be copied of it; "" for no button.
type Account struct {
	Whole, Login, Password, Recovery string

	Number int64 // of the account in its order, from 1

	Code     bool   // it has a second factor
	Position uint16 // as in AccountArgs
}

// partButtons returns the buttons for the parts of an account. number is that of the
// account in its order, 0 for the only one of its message.
func partButtons(l *locales.Localizer, order, number int64, account Account) (buttons []Button) {
	for _, part := range []struct{ label, labelN, text string }{
		{"account_button_login", "account_button_login_n", account.Login},
		{"account_button_password", "account_button_password_n", account.Password},
		{"account_button_recovery", "account_button_recovery_n", account.Recovery},
	} {
		if button, ok := Copy(numbered(l, part.label, part.labelN, number), part.text); ok {
			buttons = append(buttons, button)
		}
	}
	if account.Code {
		args := AccountArgs{Order: order, Position: account.Position}
		buttons = append(buttons, Tap(numbered(l, "account_button_code", "account_button_code_n", number), AccountCode.Data(args)))
	}
	return buttons
}

// numbered returns the label with a number, the one without if the number is 0.
func numbered(l *locales.Localizer, id, idN string, number int64) string {
	if number == 0 {
		return l.Label(id)
	}
	return l.Label(idN, locales.Args{"N": l.Number(number)})
}

// AccountCodeKeyboard goes with the code of an account's second factor.
func AccountCodeKeyboard(l *locales.Localizer, args AccountArgs, code string) Rows {
	var row []Button
	if button, ok := Copy(l.Label("code_button_copy"), code); ok {
		row = append(row, button)
	}
	return Rows{
		append(row, Tap(l.Label("nav_button_refresh"), AccountCodeRefresh.Data(args))),
		{Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true}))},
	}
}
