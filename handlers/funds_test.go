package handlers_test

import (
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/storage"
)

// inShopWithTopUp runs a flow of Anna with a key that has one dollar.
func inShopWithTopUp(t *testing.T, flow string, scenario func(w *world)) {
	t.Helper()
	inEnglish(t, flow, func(w *world) {
		w.stop()
		w.cfg.TopUpURL = "https://pay.example/top-up?from=bot"
		w.start()
		w.withKey(poorKey)
		scenario(w)
	})
}

func TestTopUp(t *testing.T) {
	inShopWithTopUp(t, "topup", func(w *world) {
		w.card("2", "1")
		w.tap("confirm_button_wait")
		w.tap("nav_button_refresh") // the wait goes on
		w.tap("confirm_button_stop_waiting")
		w.tap("confirm_button_wait")
		must(w.T, w.Market.SetBalance(poorKey, "21.00"))
		pass(20 * time.Second)
		w.wantAdds(0)
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		w.wantAdds(1)
	})
}

// The card that was sent is old when the person sees it: it asks again, as every card.
func TestTopUpSeenLate(t *testing.T) {
	inShopWithTopUp(t, "topup_late", func(w *world) {
		w.card("2", "1")
		w.tap("confirm_button_wait")
		must(w.T, w.Market.SetBalance(poorKey, "21.00"))
		pass(time.Hour)
		must(w.T, w.Market.SetRate(market.GmailUSA, "1.30"))
		w.tap("confirm_button_confirm")
		w.wantAdds(0)
	})
}

func TestTopUpTooLate(t *testing.T) {
	inShopWithTopUp(t, "topup_gone", func(w *world) {
		w.card("2", "1")
		w.tap("confirm_button_wait")
		must(w.T, w.Market.SetStock(market.GmailUSA, 0))
		must(w.T, w.Market.SetBalance(poorKey, "21.00"))
		pass(20 * time.Second)
	})
}

func TestTopUpDuringMaintenance(t *testing.T) {
	inShopWithTopUp(t, "topup_paused", func(w *world) {
		w.card("2", "1")
		w.tap("confirm_button_wait")
		must(w.T, w.app.DB.SetMaintenance(w.T.Context(), time.Now(), storage.AuditEntry{AdminID: adminID, Action: "maintenance_on", At: time.Now()}))
		pass(20 * time.Second)
	})
}

func TestLowBalanceWarning(t *testing.T) {
	inShopWithTopUp(t, "balance_low", func(w *world) {
		w.types("/balance")
		w.tap("balance_button_warn")
		w.types("few")
		w.types("0.80")
		must(w.T, w.Market.SetBalance(poorKey, "0.79"))
		pass(11 * time.Minute)
		w.tap("menu_button_balance")
		w.tap("balance_button_warn")
		w.tap("balance_button_warn_off")
	})
}
