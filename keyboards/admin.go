package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// PageArgs is a page of a list.
type PageArgs struct{ Page uint16 }

// Admin is the route of the admins' home, and AdminLog that of what they did.
// Routes that exist for admins only begin with "A".
var (
	Admin    = route.New[struct{}]("A")
	AdminLog = route.New[PageArgs]("Al")
)

// AdminKeyboard leads to what admins can see and do.
func AdminKeyboard(l *locales.Localizer) Rows {
	return append(Rows{
		{
			Tap(l.Label("allorders_button_open"), AdminOrders.Data(AdminOrdersArgs{})),
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

// AlertKeyboard goes with a message of alarms.
func AlertKeyboard(l *locales.Localizer) Rows {
	return Rows{{Tap(l.Label("admin_button_home"), Admin.Data(struct{}{}))}}
}

// AdminLogKeyboard turns the pages of what admins did.
func AdminLogKeyboard(l *locales.Localizer, page, total int) Rows {
	return append(Pages(page, total, func(page int) string { return AdminLog.Data(PageArgs{Page: PageArg(page)}) }),
		Foot(l, Admin.Data(struct{}{}))...)
}
