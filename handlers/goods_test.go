package handlers_test

import (
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
)

// TestReplacedAccount: an account that the marketplace took back does not count, and
// the one that takes its place is called a replacement.
func TestReplacedAccount(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.answers("status", `{"status":"Partial","charge":"2.50","remains":1,"currency":"USD","accounts":["bad"]}`)
		w.buyGmail("2")
		w.answers("status", `{"status":"Partial","charge":"2.50","remains":1,"currency":"USD","accounts":["new"]}`)
		pass(5 * time.Minute)
		if n := count(w.chat, "1 of 2 so far"); n != 2 {
			w.T.Errorf("%d messages say that 1 of 2 came, want 2", n)
		}
		w.says("1 account you got earlier was replaced")
		w.types("/orders")
		w.tapLike("Gmail")
		w.says("Delivered: 1 of 2")
		w.answers("status", `{"status":"Partial","charge":"2.50","remains":2,"currency":"USD","accounts":[]}`)
		pass(5 * time.Minute)
		w.tap("nav_button_refresh")
		w.says("Delivered: 0 of 2")
		w.answers("status", `{"status":"Completed","charge":"2.50","remains":0,"currency":"USD","accounts":["new","late"]}`)
		pass(15 * time.Minute)
		w.says("*Order #23501 delivered*")
	})
}

// TestCompletedWithFewerAccounts is told once after some minutes, in a message and on
// the cards. An account that comes later is delivered.
func TestCompletedWithFewerAccounts(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.answers("status", `{"status":"Completed","charge":"3.75","remains":0,"currency":"USD","accounts":["first"]}`)
		w.buyGmail("5")
		pass(15 * time.Minute)
		w.says("HStockPlus says this order is complete, but 1 of 5 came")
		pass(4 * time.Hour)
		if n := count(w.chat, "is complete, but"); n != 1 {
			w.T.Errorf("%d messages say that the order is incomplete, want 1", n)
		}
		w.tap("nav_button_refresh")
		card := keyboards.CardRefresh.Data(keyboards.OrderRef{Order: w.orderID(market.FirstOrder)})
		w.tapWhere("the card", w.chat.Messages(), func(b telegram.Button) bool { return b.CallbackData == card })
		if n := count(w.chat, "is complete, but"); n != 2 {
			w.T.Errorf("%d messages say that the order is incomplete, want the first and the card", n)
		}
		w.answers("status", `{"status":"Completed","charge":"3.75","remains":0,"currency":"USD","accounts":["first","late"]}`)
		pass(time.Hour)
		w.says("2 of 5 so far")
	})
}

// TestCompletedWithoutAccounts is told like TestCompletedWithFewerAccounts.
func TestCompletedWithoutAccounts(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.answers("status", `{"status":"Completed","charge":"1.25","remains":0,"currency":"USD","accounts":[]}`)
		w.buyGmail("1")
		pass(15 * time.Minute)
		w.says("HStockPlus says this order is complete, but 0 of 1 came")
	})
}

// TestUnknownOutcomeSaysWhatDisturbsTheBalance on each card that shows a reading.
func TestUnknownOutcomeSaysWhatDisturbsTheBalance(t *testing.T) {
	const caveat = "A top-up, a refund, or another key of your account makes this reading worthless."
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.tap("confirm_button_confirm")
		pass(6 * time.Minute)
		w.says(caveat)
		w.tap("unresolved_button_balance")
		w.says(caveat)
	})
}
