package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// SwitchArgs switches something on or off.
type SwitchArgs struct{ On bool }

// Routes of maintenance. MaintenanceText asks for a text of the admins' own,
// MaintenanceDefaultText restores the bot's text.
var (
	Maintenance            = route.New[struct{}]("Am")
	MaintenanceSwitch      = route.New[SwitchArgs]("Ams")
	MaintenanceText        = route.New[struct{}]("Amt")
	MaintenanceDefaultText = route.New[struct{}]("Amo")
)

// MaintenanceKeyboard switches maintenance and sets the text; ownText says that
// admins have written one.
func MaintenanceKeyboard(l *locales.Localizer, on, ownText bool) Rows {
	label := "maintenance_button_on"
	if on {
		label = "maintenance_button_off"
	}
	rows := Rows{
		{Tap(l.Label(label), MaintenanceSwitch.Data(SwitchArgs{On: !on}))},
		{Tap(l.Label("maintenance_button_text"), MaintenanceText.Data(struct{}{}))},
	}
	if ownText {
		rows = append(rows, []Button{Tap(l.Label("maintenance_button_own"), MaintenanceDefaultText.Data(struct{}{}))})
	}
	return append(rows, Foot(l, Admin.Data(struct{}{}))...)
}
