package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/storage"
)

// waitForSwap rents a phone, waits until a swap is offered, and taps it.
func (w *world) waitForSwap() {
	w.T.Helper()
	w.withKey(annaKey)
	w.rent("1")
	pass(2*time.Minute + 10*time.Second)
	w.tap("swap_button")
}

func TestSwapNumber(t *testing.T) {
	inEveryLanguage(t, "swap", func(w *world) {
		w.waitForSwap()
		w.tap("cancel_button_keep")
		w.tap("swap_button")
		w.tap("swap_button_sure")
		pass(10 * time.Second)
		must(w.T, w.Market.SendCode(market.FirstOrder+1, "246810"))
		pass(5 * time.Second)
		w.list("orders_button_sms")
	})
}

// TestArmedSwap: the marketplace takes the number back after five minutes.
func TestArmedSwap(t *testing.T) {
	inEnglish(t, "swap_armed", func(w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		w.waitForSwap()
		w.tapLike("⏰ Swap at 00:05 UTC")
		w.tap("swap_button_off")
		w.tap("swap_button")
		w.tapLike("⏰ Swap at")
		w.restart()
		pass(3 * time.Minute)
		if n := w.Market.Count("add_sms"); n != 2 {
			w.T.Errorf("%d requests to rent, want 2", n)
		}
	})
}

func TestCodeComesBeforeSwap(t *testing.T) {
	inEnglish(t, "swap_code", func(w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		w.waitForSwap()
		w.tapLike("⏰ Swap at")
		must(w.T, w.Market.SendCode(market.FirstOrder, "135791"))
		pass(3 * time.Minute)
	})
}

func TestSwapIsDearer(t *testing.T) {
	inEnglish(t, "swap_dearer", func(w *world) {
		w.waitForSwap()
		must(w.T, w.Market.SetSMSPrice(market.ProjectTelegram, market.CountryUS, "1.2000"))
		w.tap("swap_button_sure")
		pass(10 * time.Second)
		w.tap("phone_button_another")
	})
}

func TestSwapIsSoldOut(t *testing.T) {
	inEnglish(t, "swap_sold_out", func(w *world) {
		w.waitForSwap()
		w.setPhones(0)
		w.tap("swap_button_sure")
		pass(40 * time.Second) // until a second reading of the balance
	})
}

func TestSwapRefundsLess(t *testing.T) {
	inEnglish(t, "swap_less", func(w *world) {
		w.waitForSwap()
		must(w.T, w.Market.SetCancelRefund(market.FirstOrder, "0.30"))
		w.tap("swap_button_sure")
		pass(10 * time.Second)
	})
}

func TestCancelOfSwapIsLost(t *testing.T) {
	inEnglish(t, "swap_lost", func(w *world) {
		w.waitForSwap()
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CommitThenLose})
		w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always})
		w.Market.Fault(market.Fault{Action: "sms_code", Kind: market.HTML502, Times: market.Always})
		w.tap("swap_button_sure")
		pass(time.Minute)
		w.Market.ClearFaults()
		pass(time.Minute)
		if n := w.Market.Count("add_sms"); n != 1 {
			w.T.Errorf("%d requests to rent, want 1", n)
		}
	})
}

func TestThreeSwapsInARow(t *testing.T) {
	inEnglish(t, "swap_three", func(w *world) {
		w.waitForSwap()
		w.tap("swap_button_sure")
		for range 2 {
			pass(2*time.Minute + 20*time.Second)
			w.tap("swap_button")
			w.tap("swap_button_sure")
		}
		pass(2*time.Minute + 20*time.Second)
	})
}

// TestEndsOfSwaps: everything that can come in between has its sentence, and the chat says
// what came back.
func TestEndsOfSwaps(t *testing.T) {
	inEnglish(t, "swap_ends", func(w *world) {
		again := func(happens func()) {
			w.rent("1")
			pass(2*time.Minute + 10*time.Second)
			w.tap("swap_button")
			happens()
			pass(30 * time.Second)
		}
		w.withKey(annaKey)
		again(func() { // the marketplace refuses
			w.Market.Fault(market.Fault{Action: "cancel", Kind: market.Refuse, Message: "Not now"})
			w.tap("swap_button_sure")
		})
		again(func() { // the new number may have been rented
			w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
			w.tap("swap_button_sure")
		})
		again(func() { // the money for the new number is gone
			must(w.T, w.Market.SetBalance(annaKey, "0.10"))
			must(w.T, w.Market.SetSMSPrice(market.ProjectTelegram, market.CountryUS, "1.2000"))
			w.tap("cancel_button_keep")
			w.tap("swap_button") // the balance does not suffice
			must(w.T, w.Market.SetBalance(annaKey, "100.00"))
			w.tap("nav_button_refresh")
		})
		again(func() { // another key
			w.withKey(poorKey)
			w.tapLike("✅ Swap")
		})
		w.withKey(annaKey)
		w.Market.SetCancelAfter(time.Hour) // never
		again(func() {})
		w.Market.SetCancelAfter(3 * time.Minute)
		again(func() { // maintenance
			w.tapLike("⏰ Swap at")
			must(w.T, w.app.DB.SetMaintenance(w.T.Context(), time.Now(), storage.AuditEntry{AdminID: adminID}))
			pass(time.Minute)
		})
	})
}

// TestOldQuestionOfSwap is asked again, with the present prices.
func TestOldQuestionOfSwap(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.waitForSwap()
		question := w.chat.Last()
		must(w.T, w.Market.SetSMSPrice(market.ProjectTelegram, market.CountryUS, "1.2000"))
		pass(11 * time.Minute) // meanwhile the number was drawn again
		w.forge(w.chat, question.ID, buttonData(question, w.l.Label("swap_button_sure")))
		pass(10 * time.Second)
		w.says(w.l.T("confirm_changed_expired"))
		w.says("take a new one (−$1.20)?")
		if n := w.purchaseCalls(); n != 1 {
			w.T.Errorf("%d requests", n)
		}
		w.tap("swap_button_sure")
		pass(10 * time.Second)
		w.says("swapped for")
	})
}

// TestTappedTwiceSwap: an old button, and one of another person, do nothing.
func TestTappedTwiceSwap(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.waitForSwap()
		question := w.chat.Last()
		sure := buttonData(question, w.l.Label("swap_button_sure"))
		mallory := w.mallory("/key " + poorKey)
		w.forge(mallory, mallory.Last().ID, sure)
		pass(10 * time.Second)
		if n := w.purchaseCalls(); n != 1 {
			w.T.Errorf("another person's tap: %d requests", n)
		}
		for range 3 {
			w.chat.TapData(question.ID, sure)
		}
		pass(20 * time.Second)
		if cancels, rentals := w.Market.Count("cancel"), w.Market.Count("add_sms"); cancels != 1 || rentals != 2 {
			w.T.Errorf("%d cancels and %d rentals", cancels, rentals)
		}
		w.forge(w.chat, question.ID, sure)
		w.forge(w.chat, question.ID, strings.Replace(sure, "nx:", "ny:", 1))
		pass(10 * time.Second)
		if cancels, rentals := w.Market.Count("cancel"), w.Market.Count("add_sms"); cancels != 1 || rentals != 2 {
			w.T.Errorf("later taps: %d cancels and %d rentals", cancels, rentals)
		}
	})
}

// TestCardOfSwapIsDrawnLate: the message of the old number shows the end of its swap as soon
// as Telegram accepts that.
func TestCardOfSwapIsDrawnLate(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.waitForSwap()
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.Slow, Delay: 3 * time.Second})
		w.tap("swap_button_sure")
		w.says("Giving this number back")
		card := w.chat.Last().ID
		w.Telegram.Fault(telegram.Fault{Method: "editMessageText", HTML: true, Times: telegram.Always})
		pass(10 * time.Second)
		w.Telegram.ClearFaults()
		pass(time.Minute)
		if message, _ := w.chat.Message(card); strings.Contains(message.Text, "Giving this number back") {
			t.Errorf("the old number says %q", message.Text)
		}
	})
}
