package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/keyboards"
)

func TestPasteLink(t *testing.T) {
	inEnglish(t, "link", func(w *world) {
		w.withKey(annaKey)
		w.types("https://www.tiktok.com/@anna/video/7300?is_from_webapp=1")
		w.tapLabel("›")
		w.tapLike("120")
		w.tap("nav_button_back")
		w.tapLabel("‹")
		w.tapLike("$0.036")
		w.tap("product_button_amount")
		w.types("some")
		w.types("7")
		w.restart()
		w.types("60")
		w.tap("confirm_button_confirm")
		pass(time.Minute)
		w.tap("menu_button_orders")
		w.tapLike("#23501")
		if link := w.Market.Orders()[0].Link; link != "https://www.tiktok.com/@anna/video/7300?is_from_webapp=1" {
			w.T.Errorf("the order is for %q", link)
		}
	})
}

func TestLinksOfAllKinds(t *testing.T) {
	inEnglish(t, "link_kinds", func(w *world) {
		w.withKey(annaKey)
		w.types("x.com/anna")
		w.types("HTTPS://T.ME/anna/15")
		w.types("https://fb.me/abc")
		w.types("https://www.twitch.tv/anna") // nothing is sold for this site
		w.types("https://example.com/anna")
		w.types("gmail.com") // people do not mean a link
		w.types("see https://instagram.com/anna please")
		for service := int64(1); service < 2000; service++ {
			_ = w.Market.SetStock(service, 0) // if the service exists
		}
		pass(10 * time.Minute) // the cache has expired
		w.types("x.com/anna")
		w.tapLike("✖")
	})
}

// TestLinkWithoutKey: services can be viewed; buying asks for the key and continues.
func TestLinkWithoutKey(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("https://instagram.com/p/1")
		w.tapLike("$0.28")
		w.tapLabel("100")
		w.says(w.l.T("key_needed"))
		w.types(annaKey)
		w.says("https://instagram.com/p/1")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		w.wantAdds(1)
	})
	inWorld(t, "en", func(w *world) {
		w.cfg.HStockAPIKey = ""
		w.restart()
		w.types("https://instagram.com/p/1")
		w.says(w.l.T("key_needed"))
		w.types(annaKey)
		w.says("a post: https://instagram.com/p/1")
	})
}

// TestLinkOfAnotherPerson: forged buttons neither show the link nor buy for it, and
// can't order a product for a link.
func TestLinkOfAnotherPerson(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.types("https://instagram.com/p/secret")
		var data []string
		for _, row := range w.chat.Last().Keyboard {
			for _, b := range row {
				data = append(data, b.CallbackData)
			}
		}
		w.tapLike("$0.28")
		for _, row := range w.chat.Last().Keyboard {
			for _, b := range row {
				data = append(data, b.CallbackData)
			}
		}
		w.types("/sms")
		w.types("an") // a search without a link
		mallory := w.mallory("/key " + poorKey)
		for _, one := range data {
			w.forge(mallory, 1, one)
		}
		if text := mallory.Transcript(); strings.Contains(text, "secret") {
			w.T.Errorf("Mallory sees Anna's link:\n%s", text)
		}
		link, err := w.app.DB.AddSearch(w.T.Context(), anna.ID, "https://instagram.com/p/mine")
		must(w.T, err)
		words, err := w.app.DB.AddSearch(w.T.Context(), anna.ID, "an")
		must(w.T, err)
		before := w.chat.Last().ID
		for _, forged := range []string{
			keyboards.LinkedQuantity.Data(keyboards.LinkedServiceArgs{Link: link, Service: market.GmailUSA}.WithQuantity(1)),
			keyboards.LinkedService.Data(keyboards.LinkedServiceArgs{Link: link, Service: market.GmailUSA}),
			keyboards.LinkedQuantity.Data(keyboards.LinkedServiceArgs{Link: words, Service: 1}.WithQuantity(100)),
			keyboards.LinkedQuantity.Data(keyboards.LinkedServiceArgs{Link: link, Service: 1}.WithQuantity(1)),
			keyboards.LinkedQuantity.Data(keyboards.LinkedServiceArgs{Link: link, Service: 1}.WithQuantity(-100)),
			keyboards.Linked.Data(keyboards.LinkedArgs{Link: words}),
			keyboards.Linked.Data(keyboards.LinkedArgs{Link: link, Page: 65535}), // the last page
		} {
			w.forge(w.chat, before, forged)
		}
		if text := w.chat.History(); strings.Contains(text, "Please confirm") {
			w.T.Errorf("a forged button draws a card:\n%s", text)
		}
	})
}
