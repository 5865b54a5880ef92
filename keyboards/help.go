package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Help is the route of the help screen.
var Help = route.New[struct{}]("h")

// SupportKeyboard goes with the address to write to.
func SupportKeyboard(l *locales.Localizer, address string) Rows {
	if button, ok := Copy(l.Label("delivered_button_copy"), address); ok {
		return append(Rows{{button}}, Foot(l, "")...)
	}
	return Foot(l, "")
}
