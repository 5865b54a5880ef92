package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/market"
	"hstockbot/keyboards"
)

func TestBrowseCatalog(t *testing.T) {
	inEnglish(t, "browse", func(w *world) {
		w.types("/catalog")
		w.tapLabel("›")
		w.tapLabel("‹")
		w.openGmail()
		w.tap("nav_button_refresh")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
		w.tap("nav_button_menu")
	})
}

// openGmail opens the first fixed product from the catalogue, by the data of the
// buttons, which is the same in every language.
func (w *world) openGmail() {
	w.T.Helper()
	w.tapTo(keyboards.Category.Data(keyboards.CategoryArgs{Category: route.HashOf("Email Accounts")}))
	w.tapTo(keyboards.Shelf.Data(keyboards.ShelfArgs{Path: keyboards.CategoryPathHash("Email Accounts", "Gmail")}))
	w.tapLike("$1.25")
}

func TestCatalogWhileMarketplaceIsDown(t *testing.T) {
	inEnglish(t, "marketplace_down", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.types("/catalog")
		pass(10 * time.Minute) // the cache has expired
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		w.types("/catalog")
		pass(10 * time.Second) // the screen waits for a refresh
		w.open("2")
		pass(10 * time.Second)
		w.tapLabel("1")
		w.tap("order_button_skip")
		pass(20 * time.Second)
		w.Market.ClearFaults()
		pass(2 * time.Minute)
		w.tap("nav_button_retry")
	})
}

func TestMarkupInNamesIsShownAsText(t *testing.T) {
	inEnglish(t, "markup", func(w *world) {
		w.withKey(annaKey)
		w.open("7")
		w.open("6")
		w.open("10")
		w.open("4")
	})
}

func TestCachedCatalogMakesNoCalls(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		walk := func() {
			w.types("/catalog")
			w.openGmail()
			w.tap("nav_button_back")
			w.tap("nav_button_back")
			w.tap("nav_button_back")
		}
		walk()
		before := w.Market.Count("")
		walk()
		if calls := w.Market.Count("") - before; calls != 0 {
			w.T.Errorf("%d calls with a warm cache, want 0", calls)
		}
	})
}

// TestScreenIsShownWithoutItsPicture: if Telegram can't fetch the picture, or its
// address is invalid.
func TestScreenIsShownWithoutItsPicture(t *testing.T) {
	inEnglish(t, "picture", func(w *world) {
		const broken = "https://example.com/uploads/products/broken.webp"
		w.Telegram.Unloadable(broken)
		w.Telegram.Unloadable("https://example.com/uploads/subcategories/gmail.webp")
		must(w.T, w.Market.SetImage(market.GmailUSA, broken))
		w.types("/catalog")
		w.openGmail()
		for _, address := range []string{"nowhere", "/uploads/gmail.webp", "data:image/png;base64,AAAA", "http://", "https://intranet/a.webp", "https://exa mple.com/a.webp", "https://example.com/a picture.webp", "https://example.com/" + strings.Repeat("x", 3000)} {
			must(w.T, w.Market.SetImage(market.GmailUSA, address))
			pass(6 * time.Minute)
			w.tap("nav_button_refresh")
		}
	})
}

func TestRecommended(t *testing.T) {
	inEnglish(t, "recommended", func(w *world) {
		w.types("/start")
		w.tap("menu_button_recommended")
		w.tapLabel("›")
		w.tapLike("·")
		w.tap("nav_button_back") // to the second page
		w.tap("nav_button_menu")
		for _, row := range w.Market.Rows() {
			must(w.T, w.Market.SetRecommended(row.Service, false))
		}
		pass(6 * time.Minute)
		w.tap("menu_button_recommended")
	})
}

// TestSortedShelf: one button goes round the three orders, which pages and Back keep.
func TestSortedShelf(t *testing.T) {
	inEnglish(t, "shelf_sorted", func(w *world) {
		path := keyboards.CategoryPathHash("Email Accounts", "Gmail")
		must(w.T, w.Market.SetStock(market.GmailUSA, 0))
		w.types("/catalog")
		w.tapTo(keyboards.Category.Data(keyboards.CategoryArgs{Category: route.HashOf("Email Accounts")}))
		w.tapTo(keyboards.Shelf.Data(keyboards.ShelfArgs{Path: path}))
		w.tap("shelf_button_as_listed")
		w.tapLabel("›")
		w.tapLike("✖ Gmail Account - USA")
		w.tap("nav_button_back") // to the second page, cheapest first
		w.tap("shelf_button_cheapest")
		w.tapLabel("›")
		w.tapLike("·")
		w.tap("nav_button_back") // to the second page, without what is sold out
		for _, row := range w.Market.Rows() {
			if row.Subcategory == "Gmail" {
				must(w.T, w.Market.SetStock(row.Service, 0))
			}
		}
		pass(6 * time.Minute)
		w.types("/catalog")
		w.chat.TapData(w.chat.Last().ID, keyboards.SortedShelf.Data(keyboards.SortedShelfArgs{ShelfArgs: keyboards.ShelfArgs{Path: path}, Sort: keyboards.SoldOutHidden}))
		pass(time.Second)
		w.tap("shelf_button_in_stock")
		w.chat.TapData(w.chat.Last().ID, keyboards.SortedShelf.Data(keyboards.SortedShelfArgs{ShelfArgs: keyboards.ShelfArgs{Path: path}, Sort: 3}))
		pass(time.Second)
	})
}

// TestShelfDoesNotWaitForItsPicture: what only adorns a shelf may be late. It is there when
// the shelf is drawn again.
func TestShelfDoesNotWaitForItsPicture(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		const picture = "https://example.com/uploads/subcategories/gmail.webp"
		w.withKey(annaKey)
		w.Market.Fault(market.Fault{Action: "subcategory_info", Kind: market.Slow, Delay: 6 * time.Second})
		w.types("/catalog")
		w.tapTo(keyboards.Category.Data(keyboards.CategoryArgs{Category: route.HashOf("Email Accounts")}))
		w.tapTo(keyboards.Shelf.Data(keyboards.ShelfArgs{Path: keyboards.CategoryPathHash("Email Accounts", "Gmail")}))
		pass(4 * time.Second)
		w.says("Gmail Account - USA")
		if shelf := w.chat.Last(); shelf.LinkPreview.URL != "" {
			w.T.Errorf("the shelf already has a picture: %s", shelf.LinkPreview.URL)
		}
		pass(6 * time.Second)
		w.tap("nav_button_back")
		w.tapTo(keyboards.Shelf.Data(keyboards.ShelfArgs{Path: keyboards.CategoryPathHash("Email Accounts", "Gmail")}))
		if shelf := w.chat.Last(); shelf.LinkPreview.URL != picture {
			w.T.Errorf("the shelf’s picture is %q", shelf.LinkPreview.URL)
		}
	})
}
