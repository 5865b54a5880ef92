package handlers_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"hstockbot/storage"
)

// restored makes the database look like one that was replaced by a standby now.
func (w *world) restored() { w.restoredFrom("") }

// restoredFrom adds the end of the setting, such as " backup".
func (w *world) restoredFrom(suffix string) {
	w.T.Helper()
	now := time.Now().UnixMilli()
	setting := strconv.FormatInt(now-60_000, 10) + " " + strconv.FormatInt(now, 10) + suffix
	must(w.T, w.app.DB.SetSetting(w.T.Context(), "epoch", "1"))
	must(w.T, w.app.DB.SetSetting(w.T.Context(), "restored", setting))
}

// TestCardOfARestoredDatabase: a card that was drawn before is drawn anew, and neither it
// nor cancelling it says that nothing was bought.
func TestCardOfARestoredDatabase(t *testing.T) {
	for button, adds := range map[string]int{"confirm_button_confirm": 1, "confirm_button_cancel": 0} {
		t.Run(button, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.withKey(annaKey)
				w.open("2")
				w.tapLabel("1")
				w.tap("order_button_skip")
				w.restored()
				w.tap(button)
				w.says(w.l.T("confirm_restored"))
				if text := w.chat.Last().Text; strings.Contains(text, "Nothing was bought") {
					w.T.Errorf("it says %q", text)
				}
				if n := w.Market.Count("add"); n != 0 {
					w.T.Errorf("%d requests to buy", n)
				}
				if adds > 0 {
					w.tap(button)
				}
				if n := w.Market.Count("add"); n != adds {
					w.T.Errorf("%d requests to buy after the new card", n)
				}
			})
		})
	}
}

// TestPausedAfterARestoration: where nothing can be bought for now, a card that was drawn before
// does not say that nothing was bought either.
func TestPausedAfterARestoration(t *testing.T) {
	for name, pause := range map[string]func(w *world){
		"until an admin has looked": func(w *world) { w.restoredFrom(" backup") },
		"maintenance": func(w *world) {
			w.restored()
			must(w.T, w.app.DB.SetMaintenance(w.T.Context(), time.Now(), storage.AuditEntry{AdminID: adminID}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.withKey(annaKey)
				w.open("2")
				w.tapLabel("1")
				w.tap("order_button_skip")
				pause(w)
				w.tap("confirm_button_confirm")
				w.says(w.l.T("confirm_restored"))
				if text := w.chat.Last().Text; strings.Contains(text, "Nothing was bought") {
					w.T.Errorf("it says %q", text)
				}
			})
		})
	}
}

// TestAdminLooksAtARestoredDatabase: admins are alerted, and where lost purchases are
// accepted, or a backup was restored, nobody buys until one has looked.
func TestAdminLooksAtARestoredDatabase(t *testing.T) {
	t.Run("failover", func(t *testing.T) {
		looksAtARestoredDatabase(t, storage.FailoverAcceptedLoss, "", "The database was restored: ", "database_restored")
	})
	t.Run("backup", func(t *testing.T) {
		looksAtARestoredDatabase(t, "", " backup", "The database was restored from a backup: ", "backup_restored")
	})
}

func looksAtARestoredDatabase(t *testing.T, failover storage.Failover, suffix, alert, kind string) {
	t.Helper()
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.cfg.DatabaseFailover = string(failover)
		w.restart()
		w.restoredFrom(suffix)
		w.open("2")
		w.tapLabel("1")
		w.says(w.l.T("buying_unsafe"))
		w.says(w.l.T("confirm_restored"))
		anna := w.chat
		w.becomeAdmin()
		w.types("/start")
		pass(2 * time.Minute)
		w.says(alert)
		w.types("/admin")
		w.tap("admin_button_restored")
		if err := w.chat.Tap(w.l.Label("admin_button_restored")); err == nil {
			w.T.Error("the button stays")
		}
		pass(2 * time.Minute)
		w.says(w.l.T("alert_ended_" + kind))
		w.types("/admin")
		w.tap("admin_button_log")
		w.says(w.l.T("action_restored"))
		w.chat = anna
		w.open("2")
		w.tapLabel("1")
		w.tap("order_button_skip")
		w.says("Please confirm")
	})
}
