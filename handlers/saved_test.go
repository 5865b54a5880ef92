package handlers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/watches"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

func TestSave(t *testing.T) {
	inEnglish(t, "saved", func(w *world) {
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
		w.tap("nav_button_back") // to the saved items
		must(w.T, w.Market.SetRate(market.GmailUSA, "1.40"))
		must(w.T, w.Market.Remove(market.OneLeft))
		pass(20 * time.Second)
		w.tap("nav_button_menu")
		w.tap("menu_button_catalog")
		w.tap("catalog_button_saved") // one has a higher price, and one is gone
		w.tapLike("🚫")
		w.tapLike("🗑 ")
		w.tap("nav_button_back")
		w.tapLike("1.40")
		w.tap("product_button_saved") // removed
		w.tap("nav_button_back")
	})
}

// TestSavedWhileMarketplaceIsDown: the list shows the last known items, and they can be
// removed.
func TestSavedWhileMarketplaceIsDown(t *testing.T) {
	inEnglish(t, "saved_down", func(w *world) {
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

func TestLimitOfSavedAndWatched(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/start")
		for i := range int64(200) {
			must(w.T, w.app.DB.SaveItem(w.T.Context(), anna.ID, storage.SavedItem{Service: 9000 + i, Name: fmt.Sprint("Thing ", i)}, 1000))
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

// TestSavedOfAnotherPerson: forged buttons neither show nor change what Anna saved and
// watches.
func TestSavedOfAnotherPerson(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.open("5")
		w.tap("product_button_save")
		w.tap("product_button_back")
		w.tap("product_button_price")
		w.types("1.50")
		mallory := w.mallory("/start")
		product := keyboards.ProductArgs{Service: market.SoldOut}
		for _, data := range []string{
			keyboards.Saved.Data(keyboards.SavedArgs{}), keyboards.Saved.Data(keyboards.SavedArgs{Removing: true, Page: 9}),
			keyboards.SavedRemove.Data(keyboards.SavedRemoveArgs{Service: market.SoldOut}), keyboards.Unsave.Data(product),
			keyboards.WatchRestockOff.Data(product), keyboards.WatchPriceOff.Data(product),
			"fr:-1.0", "fa:zzzz.1", "fs:7fffffff.0...0.0", "wb:0.4...0.0", "wp:-5.4...0.0",
		} {
			w.forge(mallory, mallory.Last().ID, data)
			if text := mallory.Transcript(); strings.Contains(text, "★ Saved ] [ 🏷") || strings.Contains(text, "I’ll tell you") || strings.Contains(text, "1.50") {
				w.T.Errorf("after %s Mallory sees Anna's data:\n%s", data, text)
			}
		}
		saved, err := w.app.DB.IsSaved(w.T.Context(), anna.ID, market.SoldOut)
		must(w.T, err)
		watched, err := w.app.DB.Watches(w.T.Context(), anna.ID, market.SoldOut)
		must(w.T, err)
		if !saved || len(watched) != 2 {
			w.T.Errorf("saved: %v; watches: %+v", saved, watched)
		}
		must(w.T, w.Market.SetStock(market.SoldOut, 4))
		must(w.T, w.Market.SetRate(market.SoldOut, "1.40"))
		pass(watches.Every)
		if strings.Contains(mallory.Transcript(), "is back in stock!") {
			w.T.Error("Mallory got Anna's message")
		}
		w.says("is back in stock!")
		w.says("costs $1.50 or less!")
	})
}

// TestPricesPerNumber: buttons of SMM services say for how many the price is.
func TestPricesPerNumber(t *testing.T) {
	for per, want := range map[int64]string{1: "$1.85 ·", 100: "$1.85/100 ·", 1000: "$1.85/1k ·", 10_000: "$1.85/10,000 ·"} {
		inWorld(t, "en", func(w *world) {
			w.cfg.SMMRatePer = per
			w.restart()
			w.types("instagram followers usa")
			buttons := fmt.Sprint(w.chat.Last().Keyboard)
			if !strings.Contains(buttons, want) {
				w.T.Errorf("no button with %q: %s", want, buttons)
			}
			w.types("gmail account usa")
			if buttons := fmt.Sprint(w.chat.Last().Keyboard); !strings.Contains(buttons, "$1.25 ·") {
				w.T.Errorf("a product has %s", buttons)
			}
		})
	}
}
