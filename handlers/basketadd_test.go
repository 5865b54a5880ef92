package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

// basketLines are the lines of Anna's basket.
func (w *world) basketLines() []storage.BasketLine {
	w.T.Helper()
	b, err := w.app.DB.Basket(w.T.Context(), anna.ID, 0)
	must(w.T, err)
	return b.Lines
}

// TestBasketOfProducts: ➕ Basket puts the smallest quantity of goods in, and asks for the
// amount and the link of a service.
func TestBasketOfProducts(t *testing.T) {
	inEveryLanguage(t, "basket_product", func(w *world) {
		w.withKey(annaKey)
		w.open("13") // at least 10
		w.tap("basket_button_add")
		w.open("1")
		w.tap("basket_button_add")
		w.types("99")
		w.types("some")
		w.types("150")
		w.types("no link")
		w.types("@anna")
		w.open("1")
		w.tap("basket_button_add")
		w.tapLabel(w.l.Number(1000))
		w.types(annaLink)
		w.open("2")
		w.tap("menu_button_basket")
	})
}

// TestProductIsAddedOnce: taps are repeated, and handled again after a crash.
func TestProductIsAddedOnce(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tap("basket_button_add")
		for range 2 {
			if answer := w.forge(w.chat, w.chat.Last().ID, keyboards.BasketProduct.Data(keyboards.ProductArgs{Service: market.GmailUSA})); answer != w.l.Label("basket_added_toast") {
				w.T.Errorf("the answer is %q", answer)
			}
		}
		for range 2 {
			w.open("1")
			w.tap("basket_button_add")
			w.types("1000")
			w.types(annaLink)
		}
		if lines := w.basketLines(); len(lines) != 2 || lines[0].Quantity != 1 || lines[0].Link != "" || lines[1].Quantity != 1000 || lines[1].Link != annaLink {
			w.T.Errorf("the basket is %+v", lines)
		}
	})
}

// TestPastedListIsAddedOnce: a list whose handling was cut off after it was added is handled
// again.
func TestPastedListIsAddedOnce(t *testing.T) {
	pgtest.SQLiteOnly(t) // whose files are copied
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.hang("balance")
		w.types(threeLines)
		w.kill(w.databaseFiles())
		w.Market.ClearFaults()
		w.start()
		pass(5 * time.Second)
		if lines := w.basketLines(); len(lines) != 3 {
			w.T.Errorf("%d lines, want 3", len(lines))
		}
		w.types(threeLines) // another list
		if lines := w.basketLines(); len(lines) != 6 {
			w.T.Errorf("%d lines, want 6", len(lines))
		}
	})
}

// TestBasketOfKeptEmail: the line has the address that purchases have.
func TestBasketOfKeptEmail(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.buyWithEmail("anna@example.com")
		w.types("/key")
		w.tap("key_button_email_keep")
		w.open("2")
		w.tap("basket_button_add")
		if lines := w.basketLines(); len(lines) != 1 || lines[0].Link != "anna@example.com" {
			w.T.Errorf("the basket is %+v", lines)
		}
	})
}

// TestNotForTheBasket: what can't be ordered has no ➕ Basket, and its old button says why.
func TestNotForTheBasket(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		must(w.T, w.Market.SetType(market.TelegramMembers, "Custom Comments"))
		w.withKey(annaKey)
		for _, test := range []struct {
			service  int64
			sentence string
		}{
			{market.SoldOut, w.l.T("error_sold_out")},
			{market.TelegramMembers, "Custom Comments"},
		} {
			w.open(idOf(test.service))
			if data := buttonData(w.chat.Last(), w.l.Label("basket_button_add")); data != "" {
				w.T.Errorf("%d has the button", test.service)
			}
			w.forge(w.chat, w.chat.Last().ID, keyboards.BasketProduct.Data(keyboards.ProductArgs{Service: test.service}))
			if text := w.chat.Last().Text; !strings.Contains(text, test.sentence) {
				w.T.Errorf("%d says %q, want %q", test.service, text, test.sentence)
			}
		}
		has, err := w.app.DB.HasBasket(w.T.Context(), anna.ID)
		must(w.T, err)
		if has {
			w.T.Errorf("the basket is %+v", w.basketLines())
		}
	})
}

// TestProductIsNotAdded without a key, while a basket is being bought, or to a full one.
func TestProductIsNotAdded(t *testing.T) {
	inEnglish(t, "basket_product_refused", func(w *world) {
		w.open("2")
		w.tap("basket_button_add")
		w.withKey(annaKey)
		var lines []string
		for range 50 {
			lines = append(lines, "3 | | 1")
		}
		w.types(strings.Join(lines, "\n"))
		w.open("2")
		w.tap("basket_button_add")
		w.Exec(`UPDATE baskets SET state = 'running', due_at = 9999999999999`)
		w.open("2")
		w.tap("basket_button_add")
		w.open("1")
		w.tap("basket_button_add")
		w.types("100")
		w.types(annaLink)
	})
}
