package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/storage"
)

const threeLines = "1 | https://instagram.com/one | 1000\n2 | | 2\n1 | https://instagram.com/two | 2,000"

// tapConfirm taps Confirm, or Buy anyway, of the newest card.
func (w *world) tapConfirm() {
	w.T.Helper()
	w.tapTo(w.chat.Last().Keyboard[0][0].CallbackData)
}

// TestBasket: pasted lines are bought one after another, and the result is a table.
func TestBasket(t *testing.T) {
	inEveryLanguage(t, "basket", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.InstagramFollowers, true))
		must(w.T, w.Market.Hold(market.GmailUSA, true)) // no delivery comes in between
		w.types(threeLines)
		w.types("/menu")
		w.tap("menu_button_basket")
		w.tapConfirm()
		pass(20 * time.Second)
		w.types("/menu")
	})
}

// TestBasketOfCards: ➕ Basket takes what a confirm card shows; a line can be removed.
func TestBasketOfCards(t *testing.T) {
	inEnglish(t, "basket_cards", func(w *world) {
		w.withKey(annaKey)
		w.smmCard("1", "1,000", annaLink)
		w.tap("basket_button_add")
		w.open("2")
		w.tapLabel("1")
		w.tap("order_button_skip")
		w.tap("basket_button_add")
		w.tap("basket_button_change")
		w.tapLike("2. ")
		w.tap("nav_button_back")
		w.tap("basket_button_change")
		w.tap("basket_button_empty")
		w.tap("basket_button_empty") // asked
	})
}

// TestBadLines are shown with their number and the reason; the good ones stay.
func TestBadLines(t *testing.T) {
	inEveryLanguage(t, "basket_bad", func(w *world) {
		w.withKey(annaKey)
		w.types("1 | https://instagram.com/one | 1000\nhello\n987654 | | 1\n1 | | 1000\n2 | https://instagram.com/one | 1\n2 | | many\n" +
			"1 | https://instagram.com/one | 1000\n2 | | 999999\n１｜https://instagram.com/p/CxYz1/｜１０００")
		w.types("987654 | | 1")
	})
}

func TestTooManyLines(t *testing.T) {
	inEnglish(t, "basket_full", func(w *world) {
		w.withKey(annaKey)
		lines := func(n int) string {
			var all []string
			for i := range n {
				all = append(all, fmt.Sprintf("1 | https://instagram.com/person%d | 1000", i))
			}
			return strings.Join(all, "\n")
		}
		w.types(lines(51))
		w.types(lines(49) + "\n" + lines(1)) // without links, with the warning
		w.tap("basket_button_change")
		w.types(lines(1))
		w.smmCard("1", "1,000", annaLink)
		w.tap("basket_button_add")
	})
}

// TestStoppedBasket: what was not begun is the new basket. A second message that shows it
// says where the result comes.
func TestStoppedBasket(t *testing.T) {
	inEnglish(t, "basket_stop", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.InstagramFollowers, true)) // no delivery comes in between
		w.types(threeLines)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 10 * time.Second})
		w.tapConfirm()
		w.types("/menu")
		w.tap("menu_button_basket")
		w.tap("basket_button_stop")
		w.types(threeLines) // nothing is added meanwhile
		pass(time.Minute)
		w.tap("menu_button_basket")
		if n := w.Market.Count("add"); n != 1 {
			w.T.Errorf("%d requests to buy, want 1", n)
		}
	})
}

// TestEndsOfBaskets: everything that can come in between has its sentence.
func TestEndsOfBaskets(t *testing.T) {
	inEnglish(t, "basket_ends", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		must(w.T, w.Market.Hold(market.InstagramFollowers, true))
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.types("3 | | 1\n2 | | 1") // a line gets dearer
		must(w.T, w.Market.SetRate(market.GmailUSA, "9.99"))
		w.tapConfirm()
		pass(20 * time.Second)
		w.tap("menu_button_basket")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Insufficient balance"})
		w.tapConfirm()
		pass(20 * time.Second)
		w.tap("menu_button_basket")
		must(w.T, w.app.DB.SetMaintenance(w.T.Context(), time.Now(), storage.AuditEntry{AdminID: adminID}))
		w.tapConfirm()
		w.types("2 | | 1")
		must(w.T, w.app.DB.SetMaintenance(w.T.Context(), time.Time{}, storage.AuditEntry{AdminID: adminID}))
		w.types("/menu")
		w.tap("menu_button_basket")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		w.tapConfirm()
		pass(20 * time.Second)
	})
}

// TestOldCardOfBasketIsDrawnAgain: nothing is bought at prices that are not shown.
func TestOldCardOfBasketIsDrawnAgain(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.types(threeLines)
		card := w.chat.Last()
		pass(11 * time.Minute)
		if answer := w.forge(w.chat, card.ID, card.Keyboard[0][0].CallbackData); answer != w.l.Label("confirm_redrawn") {
			w.T.Errorf("the answer is %q", answer)
		}
		if n := w.purchaseCalls(); n != 0 {
			w.T.Errorf("%d requests to buy", n)
		}
		w.tapConfirm()
		w.restart() // it goes on
		pass(20 * time.Second)
		if n := w.Market.Count("add"); n != 3 {
			w.T.Errorf("%d requests to buy, want 3", n)
		}
	})
}

// TestBasketThatChangesWhileItIsPriced: the card is drawn again for what is in it then. Its sum
// would be 0, with a button that buys.
func TestBasketThatChangesWhileItIsPriced(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.types("2 | | 2")
		w.types("/menu")
		w.Market.Fault(market.Fault{Action: "inventory", Kind: market.Slow, Delay: 5 * time.Second})
		w.tap("menu_button_basket")
		item := hstock.Item{Service: market.GmailUSA, Name: "Gmail", EntityType: hstock.EntityProduct}
		must(w.T, w.app.Orders.AddToBasket(w.T.Context(), anna.ID, 4711, []orders.Intent{{Item: item, Quantity: 3}})) // by another process
		pass(20 * time.Second)
		if text := w.chat.Last().Text; !strings.Contains(text, "2 lines") || !strings.Contains(text, "Total: $6.25") {
			w.T.Errorf("the card says\n%s", text)
		}
		w.tapConfirm()
		pass(20 * time.Second)
		if n := w.Market.Count("add"); n != 2 {
			w.T.Errorf("%d requests to buy, want 2", n)
		}
	})
}

// TestBadLinesOfABasketThatChanges: they are named above the card that is drawn again.
func TestBadLinesOfABasketThatChanges(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.Market.Fault(market.Fault{Action: "inventory", Kind: market.Slow, Delay: 5 * time.Second})
		w.types("2 | | 2\n999 | | 1")
		item := hstock.Item{Service: market.GmailUSA, Name: "Gmail", EntityType: hstock.EntityProduct}
		must(w.T, w.app.Orders.AddToBasket(w.T.Context(), anna.ID, 4711, []orders.Intent{{Item: item, Quantity: 3}})) // by another process
		pass(20 * time.Second)
		if text := w.chat.Last().Text; !strings.Contains(text, "2 lines") || !strings.Contains(text, "999") {
			w.T.Errorf("the card says\n%s", text)
		}
	})
}

// TestCardIsAddedToBasketOnce: a double tap adds one line.
func TestCardIsAddedToBasketOnce(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.smmCard("1", "1,000", annaLink)
		card := w.chat.Last()
		for range 2 {
			w.forge(w.chat, card.ID, buttonData(card, w.l.Label("basket_button_add")))
		}
		if text := w.chat.Last().Text; !strings.Contains(text, w.l.N("basket_title", 1)) && !strings.Contains(text, "1 line") {
			w.T.Errorf("the basket is %s", text)
		}
	})
}

// TestBasketOfAnotherPerson stays as it is.
func TestBasketOfAnotherPerson(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.types(threeLines)
		confirm := w.chat.Last().Keyboard[0][0].CallbackData
		w.tap("basket_button_change")
		before, buttons := w.snapshot(), w.chat.Last().Keyboard
		mallory := w.mallory("/key " + poorKey)
		w.forge(mallory, 1, confirm)
		for _, row := range buttons {
			w.forge(mallory, 1, row[0].CallbackData)
		}
		if after := w.snapshot(); after != before {
			w.T.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	})
}

// TestSets: a set is saved from a basket and applied to a pasted link.
func TestSets(t *testing.T) {
	inEveryLanguage(t, "basket_set", func(w *world) {
		w.withKey(annaKey)
		w.types(threeLines)
		w.tap("basket_button_save")
		w.types(strings.Repeat("x", 25))
		w.types("Boost")
		w.tap("nav_button_back")
		w.tap("basket_button_change")
		w.tap("basket_button_empty")
		w.tap("basket_button_empty") // asked
		w.types(annaLink)
		w.tapLike("Boost")
		w.tap("basket_button_save")
		w.tapLike("Boost")
	})
}

func TestBasketWithoutMoney(t *testing.T) {
	inEnglish(t, "basket_short", func(w *world) {
		w.as(telegram.Person{ID: 77, FirstName: "Cy", LanguageCode: "en"}, func() {
			w.types(threeLines) // without a key
		})
		w.withKey(poorKey)
		w.types(threeLines)
	})
}

// TestMyDataHasBasket: with its links, and the sets.
func TestMyDataHasBasket(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.types(threeLines)
		w.tap("basket_button_save")
		w.types("Boost")
		w.types("/forget")
		w.says(w.l.N("forget_basket", 3))
		w.says(w.l.N("forget_sets", 1))
		w.tap("mydata_button")
		var data struct {
			Lines []struct {
				Service, Quantity int64
				Link, Rate        string
			} `json:"basket_lines"`
			Sets []struct{ Name, Lines string } `json:"basket_sets"`
		}
		must(w.T, json.Unmarshal([]byte(w.file()), &data))
		if len(data.Lines) != 3 || data.Lines[2].Link != "https://instagram.com/two" || data.Lines[2].Quantity != 2000 || data.Lines[2].Rate == "" ||
			len(data.Sets) != 1 || data.Sets[0].Name != "Boost" || data.Sets[0].Lines != "1 1000\n1 2000" {
			w.T.Errorf("the file has %+v", data)
		}
	})
}
