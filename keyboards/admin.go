package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Admin is the route of the admins' home. Routes that exist for admins only
// begin with "A".
var Admin = route.New[struct{}]("A")

// AdminKeyboard leads to what admins can see and do.
func AdminKeyboard(l *locales.Localizer) Rows {
	return append(Rows{
		{Tap(l.Label("broadcast_button"), Broadcasts.Data(struct{}{}))},
		{Tap(l.Label("nav_button_refresh"), Admin.Data(struct{}{}))},
	}, Foot(l, "")...)
}
