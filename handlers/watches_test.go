package handlers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/watches"
)

func TestRestockWatch(t *testing.T) {
	inEnglish(t, "watch_restock", func(w *world) {
		w.open("5")
		w.tap("product_button_back")
		pass(10 * time.Minute)
		must(w.T, w.Market.SetStock(market.SoldOut, 4))
		pass(watches.Every)
		w.tap("watch_fired_button_open")
		pass(10 * time.Minute) // there is one message
		must(w.T, w.Market.SetStock(market.SoldOut, 0))
		pass(watches.Every)
		must(w.T, w.Market.SetStock(market.SoldOut, 2))
		pass(watches.Every) // another message after it was sold out
		w.open("5")
		w.tap("product_button_back_off")
		must(w.T, w.Market.SetStock(market.SoldOut, 0))
		pass(watches.Every)
		w.tap("nav_button_refresh")
		must(w.T, w.Market.SetStock(market.SoldOut, 3))
		pass(time.Minute)
		w.tap("product_button_back") // it is back already
		pass(10 * time.Minute)
	})
}

func TestPriceWatch(t *testing.T) {
	inEnglish(t, "watch_price", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tap("product_button_price")
		for _, invalid := range []string{"cheap", "0", "-1", "1.2.5", "1.25", "3"} {
			w.types(invalid)
		}
		w.chat.Sticker()
		pass(time.Second)
		w.types("$０，９９") // full-width, and a comma
		w.tap("nav_button_back")
		must(w.T, w.Market.SetRate(market.GmailUSA, "1.00"))
		pass(10 * time.Minute)
		must(w.T, w.Market.SetRate(market.GmailUSA, "0.99"))
		pass(watches.Every)
		must(w.T, w.Market.SetRate(market.GmailUSA, "0.50"))
		pass(10 * time.Minute) // no second message
		w.open("16")
		w.tap("product_button_price")
		w.types("1")
		w.tap("nav_button_back")
		w.tapLike("$1.00")
	})
}

func TestWatchOfSMMServiceShowsPriceUnit(t *testing.T) {
	inEnglish(t, "watch_smm", func(w *world) {
		must(w.T, w.Market.SetStock(market.TikTokLikes, 0))
		w.open("18")
		w.tap("product_button_back")
		must(w.T, w.Market.SetStock(market.TikTokLikes, 5000))
		pass(watches.Every)
	})
}

// TestWatchMessageUsesPresentLanguage: also for the name of the product.
func TestWatchMessageUsesPresentLanguage(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.SetStock(market.TikTokLikes, 0))
		w.open("18")
		w.tap("product_button_back")
		must(w.T, w.app.DB.SetLang(w.T.Context(), anna.ID, "zh"))
		must(w.T, w.Market.SetStock(market.TikTokLikes, 5000))
		pass(watches.Every)
		if text := w.chat.Last().Text; !strings.Contains(text, "到货了") || strings.Contains(text, "TikTok Likes") {
			w.T.Errorf("the message is %q", text)
		}
	})
}

func TestWatchMessageIsSentAfterRestart(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.open("5")
		w.tap("product_button_back")
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", RetryAfter: 60, Times: telegram.Always})
		must(w.T, w.Market.SetStock(market.SoldOut, 4))
		pass(watches.Every)
		w.restart()
		w.Telegram.ClearFaults()
		pass(10 * time.Minute)
		if n := strings.Count(w.chat.Transcript(), "is back in stock!"); n != 1 {
			w.T.Errorf("%d messages, want 1:\n%s", n, w.chat.Transcript())
		}
	})
}

// TestPriceQuestionIsKeptOverRestart: also after an invalid answer.
func TestPriceQuestionIsKeptOverRestart(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.open("2")
		w.tap("product_button_price")
		w.types("too cheap to say")
		w.restart()
		w.types("0.5")
		watched, err := w.app.DB.Watches(w.T.Context(), anna.ID, market.GmailUSA)
		must(w.T, err)
		if len(watched) != 1 || !watched[0].Price.Equal(decimal.New(5, -1)) {
			w.T.Errorf("watches: %+v", watched)
		}
	})
}
