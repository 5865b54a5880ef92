package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// TestLanguageOfNow: a choice counts at once, on old messages too when they are
// tapped, and for what comes by itself; and it outlives whatever Telegram says.
func TestLanguageOfNow(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.open("3")
		w.tapLabel("1")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		pass(time.Second)
		w.types("/menu")
		old := w.anna.Last()
		w.types("/language")
		w.tapLabel("日本語")

		w.l = w.bundle.Localizer("ja")
		must(w.T, w.anna.TapOn(old.ID, w.bundle.Localizer("en").Label("menu_button_balance"))) // drawn in English
		pass(time.Second)
		drawn, _ := w.anna.Message(old.ID)
		if !strings.Contains(drawn.Text, strings.Split(w.l.Label("balance_spent"), "\n")[0]) {
			w.T.Errorf("an old message is drawn as %q", drawn.Text)
		}
		must(w.T, w.Market.Deliver(w.Market.Orders()[0].Number, 1))
		pass(time.Minute)
		if last := w.anna.Last(); !strings.Contains(last.Text, w.l.Label("delivered_hint")) {
			w.T.Errorf("goods come with %q", last.Text)
		}
		w.Telegram.Join(telegram.Person{ID: anna.ID, FirstName: "Anna", LanguageCode: "de"})
		w.types("/menu")
		if last := w.anna.Last(); last.Text != w.l.Label("menu_text") {
			w.T.Errorf("after Telegram says German: %q", last.Text)
		}
	})
}
