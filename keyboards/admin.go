package keyboards

import (
	"time"

	"hstockbot/internal/route"
	"hstockbot/locales"
)

// RestoredArgs is when a restoration of the database was noticed, as unix milliseconds.
type RestoredArgs struct{ At int64 }

// Routes of the admins' home screen and of the audit log. Names of admin routes
// begin with "A". Restored says that an admin has looked at a restored database.
var (
	Admin    = route.New[struct{}]("A")
	AdminLog = route.New[PageArgs]("Al")
	Restored = route.New[RestoredArgs]("Ar")
)

// AdminKeyboard is the keyboard of the admins' home screen. restoredAt is when a
// restoration of the database was noticed that no admin has looked at; zero: there is none.
func AdminKeyboard(l *locales.Localizer, restoredAt time.Time) Rows {
	var rows Rows
	if !restoredAt.IsZero() {
		rows = Rows{{success(Tap(l.Label("admin_button_restored"), Restored.Data(RestoredArgs{At: restoredAt.UnixMilli()})))}}
	}
	return append(append(rows, Rows{
		{
			Tap(l.Label("adminorders_button_open"), AdminOrders.Data(AdminOrdersArgs{})),
			Tap(l.Label("admin_button_person"), PersonFind.Data(struct{}{})),
		},
		{
			Tap(l.Label("broadcast_button"), Broadcasts.Data(struct{}{})),
			Tap(l.Label("admin_button_maintenance"), Maintenance.Data(struct{}{})),
		},
		{
			Tap(l.Label("admin_button_room"), Room.Data(struct{}{})),
			Tap(l.Label("channel_button"), Channel.Data(struct{}{})),
		},
		{
			Tap(l.Label("ledger_button"), Ledger.Data(PageArgs{})),
			Tap(l.Label("greeting_button"), Greetings.Data(struct{}{})),
		},
		{
			Tap(l.Label("admin_button_log"), AdminLog.Data(PageArgs{})),
			Tap(l.Label("nav_button_refresh"), Admin.Data(struct{}{})),
		},
	}...), Foot(l, "")...)
}

// StaffKeyboard is the keyboard of the same screen for support.
func StaffKeyboard(l *locales.Localizer) Rows {
	return append(Rows{
		{
			Tap(l.Label("adminorders_button_open"), AdminOrders.Data(AdminOrdersArgs{})),
			Tap(l.Label("admin_button_person"), PersonFind.Data(struct{}{})),
		},
		{Tap(l.Label("nav_button_refresh"), Admin.Data(struct{}{}))},
	}, Foot(l, "")...)
}

// AlertKeyboard goes with a message about alerts. With unknown one of them is about a
// purchase of unknown outcome, which stands on top of everyone's orders.
func AlertKeyboard(l *locales.Localizer, unknown bool) Rows {
	home := Tap(l.Label("admin_button_home"), Admin.Data(struct{}{}))
	if unknown {
		return Rows{{Tap(l.Label("adminorders_button_open"), AdminOrders.Data(AdminOrdersArgs{})), home}}
	}
	return Rows{{home}}
}

// AdminLogKeyboard turns the pages of the audit log.
func AdminLogKeyboard(l *locales.Localizer, page uint16, total int) Rows {
	return append(Pages(page, total, func(page uint16) string { return AdminLog.Data(PageArgs{Page: page}) }),
		Foot(l, Admin.Data(struct{}{}))...)
}
