package handlers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/watches"
	"hstockbot/keyboards"
	"hstockbot/storage"
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

// TestListOfWatches: the person's own, with names of today, also while the marketplace is
// down.
func TestListOfWatches(t *testing.T) {
	inEnglish(t, "watches", func(w *world) {
		w.types("/catalog")
		w.tap("catalog_button_saved")
		w.tap("saved_button_watches") // none yet
		w.open("5")
		w.tap("product_button_back")
		w.open("2")
		w.tap("product_button_price")
		w.types("0.99")
		w.open("18")
		w.tap("product_button_price")
		w.types("0.03")
		w.as(bob, func() {
			w.open("3")
			w.tap("product_button_price")
			w.types("0.1")
		})
		w.types("/catalog")
		w.tap("catalog_button_saved")
		w.tap("saved_button_watches")
		w.tapLike("$0.99")
		w.tapLike("🏷 Stop")
		w.tap("nav_button_back") // one less
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		pass(10 * time.Minute)
		w.tap("nav_button_back")
		pass(10 * time.Second)
		w.tap("saved_button_watches")
		pass(10 * time.Second)
	})
}

// TestPagesOfWatches: eight a page, newest first; a page that is no longer there is the
// last one.
func TestPagesOfWatches(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		for service := range int64(17) {
			must(w.T, w.app.DB.SetWatch(w.T.Context(), storage.Watch{UserID: anna.ID, Service: service + 2, Name: "Item", Kind: storage.WatchRestock}, 100))
			pass(time.Millisecond)
		}
		w.types("/catalog")
		w.tap("catalog_button_saved")
		w.tap("saved_button_watches")
		w.tapLabel("›")
		w.tapLabel("›")
		if got := fmt.Sprint(w.chat.Last().Keyboard); got != "[[[ 🔔 Gmail Account - USA ]] [[ ‹ ] [ 3/3 ]] [[ ‹ Back ] [ 🏠 Menu ]]]" {
			w.T.Errorf("the last page is %s", got)
		}
		must(w.T, w.app.DB.RemoveWatch(w.T.Context(), anna.ID, 2, storage.WatchRestock))
		w.chat.TapData(w.chat.Last().ID, keyboards.Watches.Data(keyboards.PageArgs{Page: 2}))
		pass(time.Second)
		if got := fmt.Sprint(w.chat.Last().Keyboard); !strings.Contains(got, "[ ‹ ] [ 2/2 ]") {
			w.T.Errorf("after that the last page is %s", got)
		}
	})
}
