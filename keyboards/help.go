package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Help is the route of the help screen.
var Help = route.New[struct{}]("h")

// HelpKeyboard goes with the help screen: support, and the person's own data.
func HelpKeyboard(l *locales.Localizer, support string) Rows {
	mine := []Button{
		Tap(l.Label("mydata_button"), MyData.Data(struct{}{})),
		Tap(l.Label("forget_button_open"), Forget.Data(struct{}{})),
	}
	rows := SupportKeyboard(l, support)
	last := len(rows) - 1
	return append(rows[:last:last], mine, rows[last])
}

// SupportKeyboard copies the address of support.
func SupportKeyboard(l *locales.Localizer, address string) Rows {
	if button, ok := Copy(l.Label("delivered_button_copy"), address); ok {
		return append(Rows{{button}}, Foot(l, "")...)
	}
	return Foot(l, "")
}
