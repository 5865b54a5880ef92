package handlers_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// list opens the list of orders and taps one of its buttons.
func (w *world) list(button string) {
	w.T.Helper()
	w.types("/orders")
	w.tap(button)
}

// wantCancels fails unless n requests to cancel were sent to the marketplace.
func (w *world) wantCancels(n int) {
	w.T.Helper()
	if got := w.Market.Count("cancel"); got != n {
		w.T.Errorf("%d requests to cancel reached the marketplace, want %d", got, n)
	}
}

func (w *world) orderID(externalID int64) int64 {
	w.T.Helper()
	order, err := w.app.DB.OrderByExternalID(w.T.Context(), anna.ID, idOf(externalID))
	must(w.T, err)
	return order.ID
}

// TestNoReminderForUnusableTime: a time that is past or can't be read is shown as the
// marketplace gave it, without the offer of a reminder.
func TestNoReminderForUnusableTime(t *testing.T) {
	for _, word := range []string{"1999-12-31T23:59:59.000Z", "when it is done", "2030"} {
		inWorld(t, "en", func(w *world) {
			w.withKey(annaKey)
			must(w.T, w.Market.Hold(market.GmailUSA, true))
			w.Market.SetCancelAfter(10 * time.Minute)
			w.buy("2", "1")
			w.list("orders_button_open")
			w.tapLike("#23501")
			w.tap("cancel_button_refund")
			screen := w.chat.Last()
			w.Market.SetEligibleWord(word)
			w.tap("cancel_button_refund")
			w.says("You can cancel it after " + word + ".")
			if data := buttonData(w.chat.Last(), w.l.Label("cancel_button_remind")); data != "" {
				w.T.Errorf("%q: a reminder is offered:\n%s", word, w.chat.Transcript())
			}
			w.forge(w.chat, screen.ID, buttonData(screen, w.l.Label("cancel_button_remind")))
			if at, err := w.app.DB.ReminderOf(w.T.Context(), anna.ID, w.orderID(market.FirstOrder)); err != nil || !at.IsZero() {
				w.T.Errorf("%q: reminded at %v, %v", word, at, err)
			}
		})
	}
}

func TestNoReminderAfterDelivery(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.Market.SetCancelAfter(10 * time.Minute)
		w.buy("2", "1")
		w.list("orders_button_open")
		w.tapLike("#23501")
		w.tap("cancel_button_refund")
		w.tap("cancel_button_remind")
		must(w.T, w.Market.Finish(market.FirstOrder))
		pass(time.Hour)
		if text := w.chat.Transcript(); strings.Contains(text, "can be cancelled now") {
			w.T.Errorf("reminded of an order that was delivered:\n%s", text)
		}
	})
}

// TestNoReminderAfterCode: a reminder that could not be sent in time is dropped once
// the phone has received its code.
func TestNoReminderAfterCode(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.rent("1")
		must(w.T, w.Market.SendCode(market.FirstOrder, "40312"))
		pass(5 * time.Second)
		must(w.T, w.app.DB.AddMessage(w.T.Context(), storage.Message{
			UserID: anna.ID, OrderID: w.orderID(market.FirstOrder), Kind: "reminder", CreatedAt: time.Now(),
		}))
		pass(time.Minute)
		if text := w.chat.Transcript(); strings.Contains(text, "can be cancelled now") {
			w.T.Errorf("reminded of a phone that has received its code:\n%s", text)
		}
	})
}

func TestCancelAll(t *testing.T) {
	inEnglish(t, "cancel_all", func(w *world) {
		w.Market.AddKey(poorKey, "50.00", "EUR")
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.buy("2", "2")
		w.buy("3", "1")
		w.rent("1")
		w.withKey(poorKey)
		w.buyGmail("1")
		w.list("orders_button_open")
		w.tap("orders_button_cancel_all")
		w.tap("cancel_all_button_keep")
		w.tap("orders_button_cancel_all")
		must(w.T, w.Market.Finish(market.FirstOrder+1)) // one order less can be cancelled
		w.tap("cancel_all_button_sure")
		w.wantCancels(0)
		w.Market.Fault(market.Fault{Action: "cancel", Key: poorKey, Kind: market.Refuse, Message: "Please ask support"})
		w.tap("cancel_all_button_sure")
		pass(time.Minute)
		w.wantCancels(2) // one for each key
	})
}

// TestCancelAllWithoutAnswerIsNotRepeated: the result is read from the orders' states.
func TestCancelAllWithoutAnswerIsNotRepeated(t *testing.T) {
	inEnglish(t, "cancel_all_no_answer", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buy("2", "2")
		w.buyGmail("1")
		w.list("orders_button_open")
		w.tap("orders_button_cancel_all")
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CommitThenLose})
		w.Market.Fault(market.Fault{Action: "status", Kind: market.HTML502, Times: market.Always})
		w.tap("cancel_all_button_sure")
		pass(30 * time.Second)
		w.tap("nav_button_back")
		w.tap("orders_button_cancel_all")
		w.wantCancels(1)
	})
}

// TestLostCancelIsSentAgainWhenAsked: a tap that is handled again, as after a crash, sends
// nothing. After more than a minute the person may ask again, and confirm.
func TestLostCancelIsSentAgainWhenAsked(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyGmail("1")
		w.buyGmail("1")
		w.list("orders_button_open")
		w.tap("orders_button_cancel_all")
		sure := buttonData(w.chat.Last(), w.l.Label("cancel_all_button_sure"))
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CutBefore})
		w.tapTo(sure)
		pass(70 * time.Second)
		w.forge(w.chat, w.chat.Last().ID, sure)
		w.wantCancels(1)
		w.list("orders_button_open")
		w.tapLike("#23501")
		w.tap("cancel_button_refund")
		w.tap("cancel_button_sure")
		w.wantCancels(2)
	})
}

// TestSecondTapOnCancelAll: after orders were cancelled it does not say that none was.
func TestSecondTapOnCancelAll(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyGmail("1")
		w.buyGmail("1")
		w.list("orders_button_open")
		w.tap("orders_button_cancel_all")
		message, sure := w.chat.Last().ID, buttonData(w.chat.Last(), w.l.Label("cancel_all_button_sure"))
		w.tapTo(sure)
		w.says("Cancelled 2 of 2")
		w.forge(w.chat, message, sure)
		w.wantCancels(1)
		if text := w.chat.Last().Text; strings.Contains(text, "Nothing was") {
			w.T.Errorf("it says %q", text)
		}
	})
}

// TestLostCancelThatIsRefusedLater: a person who asks again is told what HStockPlus says. They
// are not told to ask again in a minute.
func TestLostCancelThatIsRefusedLater(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyGmail("1")
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CutBefore})
		w.list("orders_button_open")
		w.tapLike("#23501")
		w.tap("cancel_button_refund")
		w.tap("cancel_button_sure")
		pass(70 * time.Second)
		w.Market.Fault(market.Fault{
			Action: "allowcancel", Kind: market.Answer, Body: `[{"order":23501,"allowcancel":0,"error":"The seller has begun with it","reason":"NOT_CANCELABLE"}]`,
		})
		w.list("orders_button_open")
		w.tapLike("#23501")
		w.tap("cancel_button_refund")
		w.says("The seller has begun with it")
		w.wantCancels(1)
	})
}

// TestCancelAllOf130Orders: 130 orders take two requests, and a file lists each order.
func TestCancelAllOf130Orders(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.Market.AddKey(annaKey, "1000.00", "USD")
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		must(w.T, w.Market.SetStock(market.GmailUSA, 1000))
		w.buy("2", "1")
		placements := []storage.Placement{}
		client := w.Client()
		for range 129 {
			externalID, err := client.Add(w.T.Context(), testworld.AnnaKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 1})
			must(w.T, err)
			placements = append(placements, storage.Placement{ExternalID: externalID})
		}
		w.place(placements)
		w.list("orders_button_open")
		w.tap("orders_button_cancel_all")
		w.says("Cancel 130 open orders?")
		w.says("$162.50") // of 1.25 each
		w.tap("cancel_all_button_sure")
		pass(time.Minute)
		w.wantCancels(2)
		file := w.file()
		if n := strings.Count(file, "cancelled · charged $0.00\n"); n != 130 {
			w.T.Errorf("the file lists %d cancelled orders:\n%s", n, file)
		}
		w.says("Cancelled 130 of 130")
	})
}

// TestNothingComesBack: where no refund comes, nothing is said of where it goes.
func TestNothingComesBack(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		must(w.T, w.Market.Hold(market.GmailUSA, true))
		w.buyGmail("1")
		w.list("orders_button_open")
		w.tapLike("#23501")
		w.answers("allowcancel", `[{"order":23501,"allowcancel":1,"refundAmount":0.00}]`)
		w.tap("cancel_button_refund")
		w.says("You’d get $0.00 back.")
		w.answers("cancel", `[{"order":23501,"cancel":1}]`)
		w.answers("status", `{"status":"Fail","charge":"1.25","remains":1,"currency":"USD","accounts":[]}`)
		before := w.chat.Transcript()
		w.tap("cancel_button_sure")
		for _, text := range []string{before, w.chat.Transcript()} {
			if strings.Contains(text, w.l.T("cancel_to_balance")) {
				w.T.Errorf("it says where refunds go:\n%s", text)
			}
		}
	})
}

// TestCancelHandledTwice: after a crash the tap that has cancelled an order is handled again.
// The person reads that it is cancelled, and not that there was nothing to cancel.
func TestCancelHandledTwice(t *testing.T) {
	for _, first := range []func(w *world){
		func(w *world) {
			must(w.T, w.Market.Hold(market.GmailUSA, true))
			w.buy("2", "5")
			w.list("orders_button_open")
			w.tapLike("#23501")
			w.tap("cancel_button_refund")
		},
		func(w *world) {
			w.rent("1")
			w.tap("cancel_button")
		},
	} {
		inWorld(t, "en", func(w *world) {
			w.withKey(annaKey)
			first(w)
			w.tap("cancel_button_sure")
			cancelled := w.chat.Last()
			must(w.T, w.chat.RepeatTap())
			pass(5 * time.Second)
			if last := w.chat.Last(); last.ID != cancelled.ID || last.Text != cancelled.Text || !strings.Contains(last.Text, "cancelled") {
				w.T.Errorf("after %q Anna reads %q", cancelled.Text, last.Text)
			}
			w.wantCancels(1)
		})
	}
}
