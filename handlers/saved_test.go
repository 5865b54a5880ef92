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

// The transcripts of saved goods and of what people are told by themselves.

func TestSaved(t *testing.T) {
	inBoth(t, "saved", func(w *world) {
		w.types("/catalog")
		w.tap("catalog_button_saved") // nothing yet
		w.tap("nav_button_back")
		w.openGmail()
		w.tap("product_button_save")
		w.tap("nav_button_back") // to the shelf
		w.open("18")             // an SMM service
		w.tap("product_button_save")
		w.open("14")
		w.tap("product_button_save")
		w.types("/catalog")
		w.tap("catalog_button_saved")
		w.tapLike("$1.25 · 50")
		w.tap("nav_button_back") // to what is saved
		must(w.T, w.Market.SetRate(market.GmailUSA, "1.40"))
		must(w.T, w.Market.Remove(market.OneLeft))
		pass(20 * time.Second)
		w.tap("nav_button_menu")
		w.tap("menu_button_catalog")
		w.tap("catalog_button_saved") // dearer, and gone
		w.tapLike("🚫")
		w.tapLike("🗑 ")
		w.tap("nav_button_back")
		w.tapLike("1.40")
		w.tap("product_button_saved") // taken back
		w.tap("nav_button_back")
	})
}

// TestSavedWhileTheMarketplaceIsDown shows what was there last, and lets people
// take things off the list all the same.
func TestSavedWhileTheMarketplaceIsDown(t *testing.T) {
	inBoth(t, "saved_down", func(w *world) {
		w.open("2")
		w.tap("product_button_save")
		w.types("/catalog")
		w.tap("catalog_button_saved")
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		pass(time.Minute)
		w.tap("nav_button_menu")
		w.tap("menu_button_catalog")
		w.tap("catalog_button_saved")
		pass(10 * time.Second)
		w.tap("saved_button_remove")
		w.tapLike("🗑 ")
	})
}

func TestTellMeWhenItIsBack(t *testing.T) {
	inBoth(t, "tell_back", func(w *world) {
		w.open("5")
		w.tap("product_button_back")
		pass(10 * time.Minute)
		must(w.T, w.Market.SetStock(market.SoldOut, 4))
		pass(watches.Every)
		w.tap("news_button_open")
		pass(10 * time.Minute) // it is told once
		must(w.T, w.Market.SetStock(market.SoldOut, 0))
		pass(watches.Every)
		must(w.T, w.Market.SetStock(market.SoldOut, 2))
		pass(watches.Every) // and again after it was sold out
		w.open("5")
		w.tap("product_button_back_off")
		must(w.T, w.Market.SetStock(market.SoldOut, 0))
		pass(watches.Every)
		w.tap("nav_button_refresh")
		must(w.T, w.Market.SetStock(market.SoldOut, 3))
		pass(time.Minute)
		w.tap("product_button_back") // too late: it is back
		pass(10 * time.Minute)
	})
}

func TestTellMeAtAPrice(t *testing.T) {
	inBoth(t, "tell_price", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tap("product_button_price")
		for _, wrong := range []string{"cheap", "0", "-1", "1.2.5", "1.25", "3"} {
			w.types(wrong)
		}
		w.anna.Sticker()
		pass(time.Second)
		w.types("$０，９９") // full-width, and a comma
		w.tap("nav_button_back")
		must(w.T, w.Market.SetRate(market.GmailUSA, "1.00"))
		pass(10 * time.Minute)
		must(w.T, w.Market.SetRate(market.GmailUSA, "0.99"))
		pass(watches.Every)
		must(w.T, w.Market.SetRate(market.GmailUSA, "0.50"))
		pass(10 * time.Minute) // no second time
		w.open("16")
		w.tap("product_button_price")
		w.types("1")
		w.tap("nav_button_back")
		w.tapLike("$1.00")
	})
}

// TestNewsOfAnSMMService says for how many its price is.
func TestNewsOfAnSMMService(t *testing.T) {
	inBoth(t, "tell_smm", func(w *world) {
		must(w.T, w.Market.SetStock(market.TikTokLikes, 0))
		w.open("18")
		w.tap("product_button_back")
		must(w.T, w.Market.SetStock(market.TikTokLikes, 5000))
		pass(watches.Every)
	})
}

// TestNewsInTheLanguageOfNow: of a product by its name in that language.
func TestNewsInTheLanguageOfNow(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.SetStock(market.TikTokLikes, 0))
		w.open("18")
		w.tap("product_button_back")
		must(w.T, w.app.DB.SetLang(w.T.Context(), anna.ID, "zh"))
		must(w.T, w.Market.SetStock(market.TikTokLikes, 5000))
		pass(watches.Every)
		if text := w.anna.Last().Text; !strings.Contains(text, "到货了") || strings.Contains(text, "TikTok Likes") {
			w.T.Errorf("told %q", text)
		}
	})
}

// TestNewsSurvivesARestart: what was seen is told by whoever runs then.
func TestNewsSurvivesARestart(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.open("5")
		w.tap("product_button_back")
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", RetryAfter: 60, Times: telegram.Always})
		must(w.T, w.Market.SetStock(market.SoldOut, 4))
		pass(watches.Every)
		w.restart()
		w.Telegram.ClearFaults()
		pass(10 * time.Minute)
		if n := strings.Count(w.anna.Transcript(), "is back in stock!"); n != 1 {
			w.T.Errorf("told %d times:\n%s", n, w.anna.Transcript())
		}
	})
}

// TestSavedIsFull says so, and changes nothing.
func TestSavedIsFull(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		for i := range int64(200) {
			must(w.T, w.app.DB.AddFavourite(w.T.Context(), anna.ID, storage.Favourite{Service: 9000 + i, Name: fmt.Sprint("Thing ", i)}, 1000))
		}
		for i := range int64(100) {
			must(w.T, w.app.DB.SetWatch(w.T.Context(), storage.Watch{UserID: anna.ID, Service: 9000 + i, Kind: storage.WatchRestock}, 1000))
		}
		w.open("5")
		w.tap("product_button_save")
		w.says("You’ve saved 200 items")
		w.tap("product_button_back")
		w.says("I’m already watching 100 items")
		w.types("/catalog")
		w.tap("catalog_button_saved")
		w.says("1/25")
	})
}

// TestSavedThingsOfSomebodyElse can neither be seen nor changed, whatever button
// is forged.
func TestSavedThingsOfSomebodyElse(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.open("5")
		w.tap("product_button_save")
		w.tap("product_button_back")
		w.tap("product_button_price")
		w.types("1.50")
		mallory := w.Telegram.Join(telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"})
		mallory.Type("/start")
		pass(time.Second)
		product := keyboards.ProductArgs{Service: market.SoldOut}
		for _, data := range []string{
			keyboards.Saved.Data(keyboards.SavedArgs{}), keyboards.Saved.Data(keyboards.SavedArgs{Removing: true, Page: 9}),
			keyboards.SavedRemove.Data(keyboards.SavedRemoveArgs{Service: market.SoldOut}), keyboards.Unsave.Data(product),
			keyboards.WatchRestockOff.Data(product), keyboards.WatchPriceOff.Data(product),
			"fr:-1.0", "fa:zzzz.1", "fs:7fffffff.0...0.0", "wb:0.4...0.0", "wp:-5.4...0.0",
		} {
			mallory.TapData(mallory.Last().ID, data)
			pass(time.Second)
			if text := mallory.Transcript(); strings.Contains(text, "★ Saved ] [ 🏷") || strings.Contains(text, "I’ll tell you") || strings.Contains(text, "1.50") {
				w.T.Errorf("after %s Mallory sees what Anna has said:\n%s", data, text)
			}
		}
		saved, err := w.app.DB.IsFavourite(w.T.Context(), anna.ID, market.SoldOut)
		must(w.T, err)
		told, err := w.app.DB.Watches(w.T.Context(), anna.ID, market.SoldOut)
		must(w.T, err)
		if !saved || len(told) != 2 {
			w.T.Errorf("Anna has saved it: %v; her alerts: %+v", saved, told)
		}
		must(w.T, w.Market.SetStock(market.SoldOut, 4))
		must(w.T, w.Market.SetRate(market.SoldOut, "1.40"))
		pass(watches.Every)
		if strings.Contains(mallory.Transcript(), "is back in stock!") {
			w.T.Error("Mallory is told what Anna wanted to know")
		}
		w.says("is back in stock!")
		w.says("costs $1.50 or less!")
	})
}

// TestTheQuestionForAPriceStands over a restart, and until it is answered.
func TestTheQuestionForAPriceStands(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.open("2")
		w.tap("product_button_price")
		w.types("too cheap to say")
		w.restart()
		w.types("0.5")
		told, err := w.app.DB.Watches(w.T.Context(), anna.ID, market.GmailUSA)
		must(w.T, err)
		if len(told) != 1 || !told[0].Price.Equal(decimal.New(5, -1)) {
			w.T.Errorf("alerts: %+v", told)
		}
	})
}
