package handlers_test

import (
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// card opens the confirm card for an amount of a product that asks for no link.
func (w *world) card(service, quantity string) {
	w.T.Helper()
	w.open(service)
	w.tapLabel(quantity)
	w.tap("order_button_skip")
}

// confirmCard stores Anna's key and opens the confirm card of one account.
func (w *world) confirmCard() {
	w.T.Helper()
	w.withKey(annaKey)
	w.card("2", "1")
}

// buy buys, whether the card warns or not.
func (w *world) buy(service, quantity string) {
	w.T.Helper()
	w.card(service, quantity)
	w.tapTo(w.chat.Last().Keyboard[0][0].CallbackData)
}

// buyGmail buys the first fixed product, and lets the time pass that a delivery takes.
func (w *world) buyGmail(quantity string) {
	w.T.Helper()
	w.buy("2", quantity)
	pass(10 * time.Second)
}

// buyWithEmail buys one account for an address.
func (w *world) buyWithEmail(email string) {
	w.T.Helper()
	w.open("2")
	w.tapLabel("1")
	w.types(email)
	w.tap("confirm_button_confirm")
	pass(10 * time.Second)
}

// wantAdds fails unless n purchases were sent to the marketplace.
func (w *world) wantAdds(n int) {
	w.T.Helper()
	if got := w.Market.Count("add"); got != n {
		w.T.Errorf("%d requests to buy reached the marketplace, want %d", got, n)
	}
}

func TestBuyFromCatalog(t *testing.T) {
	inEnglish(t, "buy_one", func(w *world) {
		w.withKey(annaKey)
		w.tap("menu_button_catalog")
		w.openGmail()
		w.tapLabel("1")
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		w.tap("nav_button_refresh")
		w.tap("menu_button_orders")
		w.tapLike("#23501")
		w.tap("nav_button_refresh")
		w.tap("order_button_accounts")
		w.tap("feedback_button_works")
		w.types("/balance")
	})
}

func TestInsufficientBalance(t *testing.T) {
	inEnglish(t, "insufficient_balance", func(w *world) {
		w.withKey(poorKey)
		w.card("2", "1")
		must(w.T, w.Market.SetBalance(poorKey, "5.00"))
		w.tap("nav_button_refresh")
		must(w.T, w.Market.SetBalance(poorKey, "0.50"))
		w.tap("confirm_button_confirm")
	})
}

func TestSmallestAmountIsOfferedWithoutEnoughBalance(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(poorKey)
		w.card("13", "10")
		w.says("short")
	})
}

func TestPriceChangesBeforeConfirm(t *testing.T) {
	inEnglish(t, "price_changed", func(w *world) {
		w.withKey(annaKey)
		w.card("2", "2")
		must(w.T, w.Market.SetRate(market.GmailUSA, "1.40"))
		w.tap("confirm_button_confirm")
		pass(11 * time.Minute)
		w.tap("confirm_button_confirm")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
	})
}

func TestPurchaseContinuesAfterRestarts(t *testing.T) {
	inEnglish(t, "restart", func(w *world) {
		w.withKey(annaKey)
		w.open("2")
		w.tap("product_button_amount")
		w.restart() // the question is kept
		w.types("2")
		w.restart() // and so is the next one
		w.tap("order_button_skip")
		w.restart()
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.tap("confirm_button_confirm")
		w.stop()
		must(w.T, w.Market.Finish(market.FirstOrder))
		w.start()
		pass(time.Minute)
	})
}

func TestTwelveTapsOnConfirmBuyOnce(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 5 * time.Second})
		must(w.T, w.chat.TapOn(w.chat.Last().ID, w.l.Label("confirm_button_confirm")))
		for range 11 {
			must(w.T, w.chat.RepeatTap())
		}
		pass(30 * time.Second)
		w.wantAdds(1)
		w.says("#23501")
	})
}

// TestConfirmRepeatedAfterHoursBuysNothing: Telegram may repeat an update hours later.
func TestConfirmRepeatedAfterHoursBuysNothing(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		card := w.chat.Last()
		data := buttonData(card, w.l.Label("confirm_button_confirm"))
		pass(3 * time.Hour)
		w.forge(w.chat, card.ID, data)
		w.wantAdds(0)
		w.says("over ten minutes old")
	})
}

func TestBuyingAsksForMissingKeyAndContinues(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.open("2")
		w.tapLabel("1")
		w.says(w.l.T("key_needed"))
		w.types(annaKey)
		w.tap("order_button_skip")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		w.wantAdds(1)
	})
}

// TestKeyTypedAfterConfirmBuysNothing: after a Confirm without a key, the new key
// draws the card again.
func TestKeyTypedAfterConfirmBuysNothing(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		must(w.T, w.app.DB.RemoveKey(w.T.Context(), anna.ID))
		w.tap("confirm_button_confirm")
		w.says(w.l.T("key_needed"))
		w.types(annaKey)
		w.wantAdds(0)
		w.tap("confirm_button_confirm") // on the card that was drawn again
		w.wantAdds(1)
	})
}

// TestFailedConfirmKeepsCard: the error is a message of its own, and the card keeps
// its buttons.
func TestFailedConfirmKeepsCard(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		card := w.chat.Last()
		pass(11 * time.Minute)
		must(w.T, w.Market.SetStock(market.GmailUSA, 0))
		w.tap("confirm_button_confirm")
		w.says(w.l.T("error_sold_out"))
		now, _ := w.chat.Message(card.ID)
		if buttonData(now, w.l.Label("confirm_button_confirm")) == "" {
			w.T.Errorf("the buttons of the card are gone:\n%s", w.chat.Transcript())
		}
	})
}

func TestOutcomeIsSentWhenItCannotBeDrawn(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.confirmCard()
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Service not found", Delay: 3 * time.Second})
		must(w.T, w.chat.TapOn(w.chat.Last().ID, w.l.Label("confirm_button_confirm")))
		pass(time.Second)
		w.Telegram.Fault(telegram.Fault{Method: "editMessageText", HTML: true, Times: 2})
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", HTML: true, Times: 2})
		pass(10 * time.Minute)
		w.says("Nothing was bought")
	})
}

// The last delivery e-mail is a button. Whoever does not want to be asked again confirms
// with the second tap from the product.
func TestEmailIsAskedOnce(t *testing.T) {
	inEnglish(t, "email", func(w *world) {
		w.withKey(annaKey)
		w.buyWithEmail("anna.lee@example.com")
		w.types("/key")
		w.open("2")
		w.tapLabel("1")
		w.types("not an address")
		w.tapLike("a…@example.com")
		w.tap("confirm_button_cancel")
		w.types("/key")
		w.tap("key_button_email_keep")
		w.open("2")
		w.tapLabel("2")
		w.tap("confirm_button_confirm")
		pass(10 * time.Second)
		w.types("/key")
		w.tap("key_button_email_ask")
		w.open("2")
		w.tapLabel("1")
		w.tap("order_button_skip")
		w.types("/key")
		w.tap("key_button_email_keep") // the answer is none from now on
		w.open("2")
		w.tapLabel("1")
		w.wantAdds(2)
	})
}
