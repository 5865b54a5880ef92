package handlers_test

import (
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/internal/watches"
)

// The flows of this file have a golden transcript in every language, all others
// one in English: testdata/<flow>.<language>.txt is the whole chat, from the first
// tap to the last message.

// inEveryLanguage runs a flow in every language and compares the transcripts. Neither the
// race detector, which makes everything ten times slower, nor the database depends on the
// words: with them a flow runs in three languages.
func inEveryLanguage(t *testing.T, flow string, scenario func(w *world)) {
	t.Helper()
	for _, lang := range languages(t) {
		t.Run(lang, func(t *testing.T) { inLanguage(t, lang, flow, scenario) })
	}
}

// inEnglish runs a flow in English and compares the transcript.
func inEnglish(t *testing.T, flow string, scenario func(w *world)) {
	t.Helper()
	inLanguage(t, "en", flow, scenario)
}

func inLanguage(t *testing.T, lang, flow string, scenario func(w *world)) {
	t.Helper()
	inWorld(t, lang, func(w *world) {
		scenario(w)
		w.golden(flow + "." + lang)
	})
}

// languages are the codes of all languages. Under the race detector and on PostgreSQL one
// is enough: what runs and what is stored does not depend on the language.
func languages(t *testing.T) []string {
	t.Helper()
	if raceDetector || pgtest.Wanted() {
		return []string{"en"}
	}
	bundle, err := testworld.Languages()
	must(t, err)
	var codes []string
	for _, language := range bundle.Languages() {
		codes = append(codes, language.Code)
	}
	return codes
}

func TestStartAndKey(t *testing.T) {
	inEveryLanguage(t, "start_key", func(w *world) {
		w.types("/start")
		w.tap("menu_button_help")
		w.tap("nav_button_menu")
		w.tap("menu_button_language")
		w.tap("nav_button_menu")
		w.types("hello?")
		w.tap("menu_button_key")
		w.types("this is no key")
		w.types("canary-key-that-nobody-has")
		w.types(annaKey)
		w.tap("menu_button_key")
		w.tap("key_button_replace")
		w.types("/cancel")
		w.tap("menu_button_key")
		w.tap("key_button_remove")
		w.tap("key_button_remove")
	})
}

func TestBuyTypedAmountWithEmail(t *testing.T) {
	inEveryLanguage(t, "buy_typed", func(w *world) {
		w.withKey(annaKey)
		w.open("11")
		w.tap("product_button_amount")
		for _, invalid := range []string{"many", "1.5", "0", "-3", "99999999999999999999", "41"} {
			w.types(invalid)
		}
		w.chat.Sticker()
		pass(time.Second)
		w.types("３") // full-width
		w.types("not an address")
		w.types("anna@example.com")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
	})
}

func TestSMMWithLink(t *testing.T) {
	inEveryLanguage(t, "smm", func(w *world) {
		w.withKey(annaKey)
		w.open("1")
		w.tapLabel(w.l.Number(1000))
		w.types("my page")
		w.types("https://instagram.com/anna")
		w.tap("confirm_button_confirm")
		pass(2 * time.Minute)
		w.open("1")
		w.tapLabel(w.l.Number(100))
		w.types("instagram.com/anna")
		w.tap("confirm_button_cancel")
	})
}

func TestSameLink(t *testing.T) {
	inEveryLanguage(t, "guard_same_link", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.InstagramFollowers, true))
		order := func(quantity int64, link string) {
			w.open("1")
			w.tapLabel(w.l.Number(quantity))
			w.types(link)
		}
		order(1000, annaLink)
		w.tap("confirm_button_confirm")
		pass(time.Minute)
		must(w.T, w.Market.Deliver(market.FirstOrder, 620))
		pass(10 * time.Minute)
		w.fixPolls()
		order(500, againLink)
		w.tap("confirm_button_open")
		w.tap("confirm_button_anyway")
		pass(time.Minute)
	})
}

func TestPartialDelivery(t *testing.T) {
	inEveryLanguage(t, "partial", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buy("2", "5")
		pass(time.Minute)
		must(w.T, w.Market.Deliver(market.FirstOrder, 3))
		pass(2 * time.Minute)
		must(w.T, w.Market.Deliver(market.FirstOrder, 2))
		pass(2 * time.Minute)
	})
}

func TestSoldOutAndWatch(t *testing.T) {
	inEveryLanguage(t, "sold_out", func(w *world) {
		w.withKey(annaKey)
		w.open("5")
		w.open("14")
		w.tapLabel("1")
		must(w.T, w.Market.SetStock(market.OneLeft, 0))
		w.tap("order_button_skip")
		must(w.T, w.Market.SetStock(market.OneLeft, 1))
		w.card("14", "1")
		must(w.T, w.Market.SetStock(market.OneLeft, 0))
		w.tap("confirm_button_confirm")
		w.open("5")
		w.tap("product_button_back")
		must(w.T, w.Market.SetStock(market.SoldOut, 4))
		pass(watches.Every)
		w.tap("watch_fired_button_open")
	})
}

func TestUnknownOutcomeAndAdopting(t *testing.T) {
	inEveryLanguage(t, "unknown", func(w *world) {
		w.withKey(annaKey)
		w.card("2", "2")
		w.Market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
		w.tap("confirm_button_confirm")
		pass(20 * time.Second)
		w.types("/orders")
		w.tapLike("❔")
		w.tap("unresolved_button_balance")
		w.tap("unresolved_button_id")
		w.types("what number?")
		w.types("999999")
		w.types("23501")
		// The card is drawn before the goods arrive.
		w.Market.Fault(market.Fault{Action: "status", Kind: market.Slow, Delay: 100 * time.Millisecond, Times: market.Always})
		w.tap("unresolved_button_yes")
		pass(10 * time.Second)
	})
}

func TestOnePhoneToItsCode(t *testing.T) {
	inEveryLanguage(t, "sms_one", func(w *world) {
		w.withKey(annaKey)
		w.tap("menu_button_sms")
		w.tap("sms_button_countries")
		w.tapLabel("›")
		w.tapLabel("‹")
		w.tapLike("🇺🇸")
		w.tapLabel("›")
		w.tap("nav_button_back")
		w.tapLike("🇺🇸")
		w.tapLike("Telegram")
		w.tap("nav_button_back")
		w.tapLike("Telegram")
		w.tapLabel("1")
		w.tap("confirm_button_confirm")
		pass(20 * time.Second)
		w.tap("phone_button_check")
		must(w.T, w.Market.SendSMS(market.FirstOrder, "40312", "Telegram code: 40312. Do not share it."))
		pass(5 * time.Second)
		w.list("orders_button_sms")
		w.tapLike("#23501")
		w.tap("phone_button_code")
		w.tap("nav_button_back")
		w.types("/sms")               // the app is now the first
		w.tap("sms_button_countries") // and so is the country
	})
}

func TestCancelWithRefund(t *testing.T) {
	inEveryLanguage(t, "cancel_refund", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.Market.SetCancelAfter(170 * time.Second)
		w.buy("2", "5")
		pass(time.Minute)
		must(w.T, w.Market.Deliver(market.FirstOrder, 1))
		pass(70 * time.Second)
		w.tapLike(w.l.Label("nav_button_refresh")) // from here on the order is polled once a minute
		w.list("orders_button_open")
		w.tapLike("#23501")
		w.tap("cancel_button_refund") // too early
		w.tap("cancel_button_remind")
		w.restart() // the reminder is kept
		pass(35 * time.Second)
		w.tap("cancel_button_refund")
		w.tap("cancel_button_keep")
		w.tap("cancel_button_refund")
		must(w.T, w.Market.Deliver(market.FirstOrder, 2)) // between the question and the tap
		w.tap("cancel_button_sure")
		pass(time.Minute)
		w.wantCancels(1)
	})
}

func TestOrdersAndExport(t *testing.T) {
	inEveryLanguage(t, "orders_export", func(w *world) {
		w.withKey(annaKey)
		w.types("/orders")
		w.buyGmail("1")
		w.types("23501")
		w.tap("nav_button_refresh")
		w.list("orders_button_export")
	})
}

func TestBalanceAndSpending(t *testing.T) {
	inEveryLanguage(t, "balance_spending", func(w *world) {
		w.withKey(annaKey)
		w.types("/balance")
		w.tap("balance_button_spending")
		w.buyGmail("1")
		w.types("/balance")
		w.tap("balance_button_spending")
		w.tap("nav_button_back") // the picture stays
		w.skipDays(60)
		w.buyGmail("2")
		w.types("/balance")
		w.tap("balance_button_spending")
		w.skipDays(400)
		w.types("/balance")
		w.tap("balance_button_spending")
	})
}
