package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Routes of the admins' home screen and of the audit log. Names of admin routes
// begin with "A".
var (
	Admin    = route.New[struct{}]("A")
	AdminLog = route.New[PageArgs]("Al")
)

// AdminKeyboard is the keyboard of the admins' home screen.
func AdminKeyboard(l *locales.Localizer) Rows {
	return append(Rows{
		{
			Tap(l.Label("adminorders_button_open"), AdminOrders.Data(AdminOrdersArgs{})),
			Tap(l.Label("admin_button_person"), PersonFind.Data(struct{}{})),
		},
		{
			Tap(l.Label("broadcast_button"), Broadcasts.Data(struct{}{})),
			Tap(l.Label("admin_button_maintenance"), Maintenance.Data(struct{}{})),
		},
		{
			Tap(l.Label("admin_button_log"), AdminLog.Data(PageArgs{})),
			Tap(l.Label("nav_button_refresh"), Admin.Data(struct{}{})),
		},
	}, Foot(l, "")...)
}

// AlertKeyboard goes with a message about alerts.
func AlertKeyboard(l *locales.Localizer) Rows {
	return Rows{{Tap(l.Label("admin_button_home"), Admin.Data(struct{}{}))}}
}

// AdminLogKeyboard turns the pages of the audit log.
func AdminLogKeyboard(l *locales.Localizer, page uint16, total int) Rows {
	return append(Pages(page, total, func(page uint16) string { return AdminLog.Data(PageArgs{Page: page}) }),
		Foot(l, Admin.Data(struct{}{}))...)
}
