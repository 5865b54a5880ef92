package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
)

// TestServiceThatNeedsMoreThanLink can't be ordered: not from its screen, from an old
// button, for a pasted link, or in a language into which the type is translated.
func TestServiceThatNeedsMoreThanLink(t *testing.T) {
	inEnglish(t, "service_needs_more", func(w *world) {
		w.withKey(annaKey)
		w.open("1")
		for _, row := range w.Market.Rows() {
			if row.Service == market.InstagramFollowers || row.Name == "Instagram Likes [Fast]" {
				must(w.T, w.Market.SetType(row.Service, "Custom Comments"))
			}
		}
		pass(10 * time.Minute) // the cache has expired
		w.tapLabel("100")
		w.open("1")
		w.types("https://instagram.com/p/1")
		w.tapLike("$0.28")
		must(w.T, w.Market.SetType(market.InstagramFollowers, "DEFAULT"))
		pass(10 * time.Minute)
		w.open("1")
		w.tapLabel("100")
	})
	inWorld(t, "zh", func(w *world) {
		must(w.T, w.Market.SetType(market.InstagramFollowers, "Poll"))
		w.open("1")
		w.says(w.l.T("product_needs_more", locales.Args{"Type": "Poll"}))
		must(w.T, w.Market.SetType(market.InstagramFollowers, "Default"))
		pass(10 * time.Minute)
		w.open("1")
		w.says(w.l.T("product_choose"))
	})
}

// TestUnknownStockIsNotSoldOut: the item can be bought, and no figure is shown.
func TestUnknownStockIsNotSoldOut(t *testing.T) {
	inEnglish(t, "stock_unknown", func(w *world) {
		w.withKey(annaKey)
		w.answers("products", `{"products":[{"service":2,"name":"Gmail","rate":"1.25","min":1,"max":20,"stock":null,"entityType":"product"}],"total":1,"page":1,"limit":1,"total_pages":1}`)
		w.answers("inventory", `{"service":2,"stock":-1,"available":true,"rate":"1.25","entityType":"product","subproducts":[{"subproduct_id":"a","name":"New","stock":null},{"subproduct_id":"b","name":"Old","stock":4}]}`)
		w.open("2")
		w.types("/start")
		w.tap("menu_button_recommended")
		w.open("2")
		w.tapLabel("2")
		w.tap("order_button_skip")
	})
}

// TestInventoryTellsTheEntityType: a list of the older form does not say it, so its
// items look like SMM services; their stock says that they are products.
func TestInventoryTellsTheEntityType(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.answers("products", `{"products":[],"total":0}`)
		w.answers("services", `[{"service":2,"name":"Gmail","type":"Default","category":"Email","rate":"1.25","min":1,"max":20}]`)
		w.open("2")
		w.says("$1.25 each")
		w.tapLabel("2")
		w.says("Delivery email?")
		w.tap("order_button_skip")
		w.says("after $97.50")
	})
}

// TestPricesAreInTheCurrencyOfTheReader: two accounts of different currencies see the
// same product.
func TestPricesAreInTheCurrencyOfTheReader(t *testing.T) {
	inEnglish(t, "two_currencies", func(w *world) {
		const dongKey = "canary-key-in-dong-0123456789"
		w.Market.AddKey(dongKey, "5000000", "VND")
		must(w.T, w.Market.SetPriceFactor(dongKey, "25000"))
		w.as(bob, func() {
			w.withKey(dongKey)
			w.types("/catalog")
			w.tapLike("Email Accounts")
			w.tapLike("Gmail")
			w.tapLike("31250.00 VND")
			w.says("31250.00 VND")
			w.inline("gmail usa")
			seen, _ := w.chat.InlineAnswer()
			if text := seen.Results[0].Description; !strings.Contains(text, "VND") {
				w.T.Errorf("the inline card says %q", text)
			}
			w.types("/sms")
		})
		w.as(telegram.Person{ID: 3003, FirstName: "Cy", LanguageCode: "en"}, func() {
			w.open("2") // with the operator's key
			w.says("$1.25")
		})
		w.withKey(annaKey)
		w.open("2")
		w.types("/key " + dongKey) // a price that was read before is not called dong
		w.open("2")
		w.tap("product_button_price")
		w.types("30000")
		w.types("/key " + annaKey)
		w.open("2")
		must(w.T, w.Market.SetRate(market.GmailUSA, "1.20"))
		pass(10 * time.Minute)
	})
}

// TestUnreadableAnswerIsNotCalledSilence: what came at once but can't be read has a
// sentence of its own.
func TestUnreadableAnswerIsNotCalledSilence(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.answers("balance", "Service is being updated")
		w.types("/key " + annaKey)
		pass(10 * time.Second) // the retries
		w.says(w.l.T("key_unreadable"))
		w.answers("inventory", "Service is being updated")
		w.open("2")
		pass(10 * time.Second)
		w.says(w.l.T("error_unreadable"))
	})
}

// TestAccountsOfSeveralLinesAreNumbered: one can be told from the next.
func TestAccountsOfSeveralLinesAreNumbered(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyGmail("2")
		w.answers("status", `{"status":"Completed","remains":0,"charge":"2.50","currency":"USD","accounts":["login: a\npassword: 1","login: b\npassword: 2"]}`)
		pass(time.Minute)
		if got, want := w.file(), "# 1\nlogin: a\npassword: 1\n\n# 2\nlogin: b\npassword: 2\n\n"; got != want {
			w.T.Errorf("the file is %q, want %q", got, want)
		}
		w.says(w.l.N("delivered_blocks", 2))
	})
}

// TestLongPauseOfTelegramIsSaid: the tap that can't be drawn is answered with it.
func TestLongPauseOfTelegramIsSaid(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.types("/menu")
		w.Telegram.Fault(telegram.Fault{Method: "editMessageText", Code: 429, RetryAfter: 300, Times: 1})
		w.tap("menu_button_help")
		if got, want := lastAnswer(w.chat), w.l.N("error_flood", 5); got != want {
			w.T.Errorf("the answer is %q, want %q", got, want)
		}
	})
}
