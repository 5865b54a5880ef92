package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
)

// TestSellers: Back returns to the page of the list. Among the sellers are one
// without ratings, one without goods and one that has closed.
func TestSellers(t *testing.T) {
	inEnglish(t, "sellers", func(w *world) {
		sellers := w.Market.Shops()
		w.types("/start")
		w.tap("menu_button_sellers")
		w.tapLike(sellers[3].Name) // it has no ratings
		w.tapLabel("›")
		w.tapLike("·")
		w.tap("nav_button_refresh")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
		w.tapLabel("›")
		w.tapLike(sellers[9].Name)
		w.tap("nav_button_back") // to the second page
		for _, row := range w.Market.Rows() {
			if row.Shop == sellers[8].Name {
				must(w.T, w.Market.Remove(row.Service))
			}
		}
		w.tapLike(sellers[8].Name)
		w.tap("nav_button_back")
		must(w.T, w.Market.CloseShop(sellers[10].ID))
		list := w.chat.Last()
		pass(6 * time.Minute)
		w.types("/menu")
		w.tap("menu_button_sellers")                               // the list has changed
		must(w.T, w.chat.TapOn(list.ID, list.Keyboard[2][0].Text)) // on the old list
		pass(time.Second)
		w.tap("nav_button_back")
	})
}

func TestNoSellers(t *testing.T) {
	inEnglish(t, "sellers_none", func(w *world) {
		for _, seller := range w.Market.Shops() {
			must(w.T, w.Market.CloseShop(seller.ID))
		}
		w.types("/start")
		w.tap("menu_button_sellers")
		w.Market.Fault(market.Fault{Action: "products", Kind: market.HTML502, Times: market.Always})
		w.tap("nav_button_menu")
		w.tap("menu_button_recommended") // the failure offers Try again
		pass(30 * time.Second)
		w.Market.ClearFaults()
		pass(time.Minute)
		w.tap("nav_button_retry")
	})
}

func TestBackLeadsToSellerPage(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		gmail, _ := w.Market.Row(market.GmailUSA)
		w.tap("menu_button_sellers")
		for range 2 {
			if !strings.Contains(w.chat.Transcript(), gmail.Shop) {
				w.tapLabel("›")
			}
		}
		w.tapLike(gmail.Shop)
		for !strings.Contains(w.chat.Transcript(), "Gmail Account - USA") {
			w.tapLabel("›")
		}
		list := w.chat.Last()
		wantList := func() {
			w.T.Helper()
			if now := w.chat.Last(); now.Text != list.Text || len(now.Keyboard) != len(list.Keyboard) || now.Keyboard[0][0] != list.Keyboard[0][0] {
				w.T.Errorf("Back leads to\n%s\nwant\n%s", now.Text, list.Text)
			}
		}
		w.tapLike("Gmail Account - USA")
		w.tap("nav_button_back")
		wantList()
		w.tapLike("Gmail Account - USA")
		w.tapLabel("1")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
		wantList()
		w.tapLike("Gmail Account - USA")
		w.tapLabel("2")
		w.tap("order_button_skip")
		w.tap("confirm_button_cancel")
		w.tap("nav_button_back")
		w.tap("nav_button_back")
		wantList()
	})
}
