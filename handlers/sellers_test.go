package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
)

func TestRecommended(t *testing.T) {
	inBoth(t, "recommended", func(w *world) {
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

// TestShops: to a shop's goods and back to the very page, a shop without
// ratings, one that has sold all it had, and one that has closed.
func TestShops(t *testing.T) {
	inBoth(t, "shops", func(w *world) {
		shops := w.Market.Shops()
		w.types("/start")
		w.tap("menu_button_shops")
		w.tapLike(shops[3].Name) // nobody has rated it
		w.tapLabel("›")
		w.tapLike("·")
		w.tap("nav_button_refresh")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
		w.tapLabel("›")
		w.tapLike(shops[9].Name)
		w.tap("nav_button_back") // to the second page
		for _, row := range w.Market.Rows() {
			if row.Shop == shops[8].Name {
				must(w.T, w.Market.Remove(row.Service))
			}
		}
		w.tapLike(shops[8].Name)
		w.tap("nav_button_back")
		must(w.T, w.Market.CloseShop(shops[10].ID))
		list := w.anna.Last()
		pass(6 * time.Minute)
		w.types("/menu")
		w.tap("menu_button_shops")                                 // the list is another one now
		must(w.T, w.anna.TapOn(list.ID, list.Keyboard[2][0].Text)) // on the list as it was
		pass(time.Second)
		w.tap("nav_button_back")
	})
}

func TestNoShops(t *testing.T) {
	inBoth(t, "shops_none", func(w *world) {
		for _, shop := range w.Market.Shops() {
			must(w.T, w.Market.CloseShop(shop.ID))
		}
		w.types("/start")
		w.tap("menu_button_shops")
		w.Market.Fault(market.Fault{Action: "products", Kind: market.HTML502, Times: market.Always})
		w.tap("nav_button_menu")
		w.tap("menu_button_recommended") // a failure can be tried again
		pass(30 * time.Second)
		w.Market.ClearFaults()
		pass(time.Minute)
		w.tap("nav_button_retry")
	})
}

// TestBuyingFromAShop comes back to the shop's page from every step.
func TestBuyingFromAShop(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		shops := w.Market.Shops()
		gmail, _ := w.Market.Row(market.GmailUSA)
		var shop market.Shop
		for _, s := range shops {
			if s.Name == gmail.Shop {
				shop = s
			}
		}
		w.tap("menu_button_shops")
		for range 2 {
			if !strings.Contains(w.anna.Transcript(), shop.Name) {
				w.tapLabel("›")
			}
		}
		w.tapLike(shop.Name)
		for !strings.Contains(w.anna.Transcript(), "Gmail Account - USA") {
			w.tapLabel("›")
		}
		list := w.anna.Last()
		same := func() {
			w.T.Helper()
			if now := w.anna.Last(); now.Text != list.Text || len(now.Keyboard) != len(list.Keyboard) || now.Keyboard[0][0] != list.Keyboard[0][0] {
				w.T.Errorf("back leads to\n%s\nand not to\n%s", now.Text, list.Text)
			}
		}
		w.tapLike("Gmail Account - USA")
		w.tap("nav_button_back")
		same()
		w.tapLike("Gmail Account - USA")
		w.tapLabel("1")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
		same()
		w.tapLike("Gmail Account - USA")
		w.tapLabel("2")
		w.tap("order_button_skip")
		w.tap("confirm_button_cancel")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
		same()
	})
}

// TestAPictureThatCantBeLoaded does not keep a screen from being shown: neither
// one that Telegram can't fetch nor one that is no picture's address at all.
func TestAPictureThatCantBeLoaded(t *testing.T) {
	inBoth(t, "picture", func(w *world) {
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

// TestForgedShops: what no list has named.
func TestForgedShops(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		mallory := w.Telegram.Join(telegram.Person{ID: 6666, FirstName: "Mallory", LanguageCode: "en"})
		mallory.Type("/start")
		pass(time.Second)
		for data, want := range map[string]string{
			keyboards.SellerGoods.Data(keyboards.SellerArgs{Shop: "AAAAAAAA"}):                                               w.l.T("shop_gone"),
			keyboards.SellerGoods.Data(keyboards.SellerArgs{}):                                                               w.l.T("menu_text"),
			keyboards.Recommended.Data(keyboards.RecommendedArgs{Page: 65535}):                                               "Recommended",
			keyboards.Product.Data(keyboards.ProductArgs{Service: market.GmailUSA, From: 99, Place: "AAAAAAAA", Parent: -5}): "Gmail Account - USA",
			"q:2.1.3..-5.0": "Delivery", // a shop that can't be; without a key it asks for one
		} {
			mallory.TapData(mallory.Last().ID, data)
			pass(time.Second)
			if text := mallory.Last().Text; !strings.Contains(text, strings.Split(want, "\n")[0]) && !strings.Contains(text, w.l.T("key_needed")) {
				w.T.Errorf("%s shows %q", data, text)
			}
		}
	})
}
