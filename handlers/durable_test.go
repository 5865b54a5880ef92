package handlers_test

import (
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/storage"
)

// TestNothingIsBoughtWhileAFailoverWouldLoseIt: people are told why, admins are alerted,
// and screens work.
func TestNothingIsBoughtWhileAFailoverWouldLoseIt(t *testing.T) {
	if !pgtest.Wanted() {
		t.Skip("this is about PostgreSQL")
	}
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tapLabel("1")
		w.tap("order_button_skip")
		w.cfg.DatabaseFailover = string(storage.FailoverSynchronous) // and the server has no standby
		w.restart()
		w.tap("confirm_button_confirm")
		w.says(w.l.T("buying_unsafe"))
		w.open("2")
		w.tapLabel("1")
		if n := w.Market.Count("add"); n != 0 {
			t.Errorf("%d requests to buy", n)
		}
		w.becomeAdmin()
		w.types("/start")
		pass(2 * time.Minute)
		w.says("Nobody can buy since")
	})
}
