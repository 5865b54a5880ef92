package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

func TestChooseLanguage(t *testing.T) {
	inEnglish(t, "language", func(w *world) {
		w.types("/start")
		w.tap("menu_button_language")
		w.tapLabel("中文")
		w.l = w.bundle.Localizer("zh")
		w.tap("menu_button_catalog")
		w.tap("nav_button_menu")
		w.types("/menu")
		w.says(w.l.Label("menu_button_catalog"))
	})
}

// TestChosenLanguageAppliesEverywhere: the choice applies at once, to old messages
// that are tapped and to messages that the bot sends by itself, whatever language
// Telegram reports later.
func TestChosenLanguageAppliesEverywhere(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.buy("3", "1")
		pass(time.Second)
		w.types("/menu")
		old := w.chat.Last()
		w.types("/language")
		w.tapLabel("日本語")

		w.l = w.bundle.Localizer("ja")
		must(w.T, w.chat.TapOn(old.ID, w.bundle.Localizer("en").Label("menu_button_balance"))) // drawn in English
		pass(time.Second)
		drawn, _ := w.chat.Message(old.ID)
		if !strings.Contains(drawn.Text, strings.Split(w.l.Label("balance_spent"), "\n")[0]) {
			w.T.Errorf("an old message is drawn as %q", drawn.Text)
		}
		must(w.T, w.Market.Deliver(w.Market.Orders()[0].Number, 1))
		pass(time.Minute)
		if last := w.chat.Last(); !strings.Contains(last.Text, w.l.Label("delivered_hint")) {
			w.T.Errorf("goods come with %q", last.Text)
		}
		w.Telegram.Join(telegram.Person{ID: anna.ID, FirstName: "Anna", LanguageCode: "de"})
		w.types("/menu")
		if last := w.chat.Last(); last.Text != w.l.Label("menu_text") {
			w.T.Errorf("after Telegram says German: %q", last.Text)
		}
	})
}

func TestBalanceNamesCurrency(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		inWorld(t, lang, func(w *world) {
			w.Market.AddKey("canary-key-euro-0123456789", "12.50", "EUR")
			w.Market.AddKey("canary-key-odd-01234567890", "12.50", "XTS")
			w.types("/key canary-key-euro-0123456789")
			w.types("/balance")
			w.says("12.50 EUR")
			w.says(w.l.Label("currency_eur"))
			w.types("/key canary-key-odd-01234567890")
			w.types("/balance")
			w.says("12.50 XTS")
		})
	}
}
