package app_test

import (
	"slices"
	"strings"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

// What a person reads after ✅ Confirm.
const (
	wordPlaced  = "placed"
	wordUnknown = "may or may not have been placed"
	wordNothing = "Nothing was bought"
)

// scenarios are what people do while the program is killed.
func scenarios() []scenario {
	return []scenario{purchase(), rental(), delivery(), file(), code(), cancel(), cancelOrder(), swap(), basket(), keyChange(), inOrder(), broadcast()}
}

func giveKey(w *matrixWorld) { testworld.Must(w.t, w.ann.giveKey(w.deadline, w.ann.key)) }

// accounts asks for accounts until the card with ✅ Confirm.
func (w *matrixWorld) accounts(quantity string) (card telegram.Message) {
	card = w.types("/start p_2", "How many?")
	card = w.taps(card, quantity, "Skip")
	return w.taps(card, "Skip", "✅ Confirm")
}

// number asks for a number until the card with ✅ Confirm.
func (w *matrixWorld) number() (card telegram.Message) {
	w.types("/sms", byCountry)
	w.types("Telegram", "Which country?")
	card = w.types("United States", "How many numbers?")
	return w.taps(card, "1", "✅ Confirm")
}

// buys confirms a card. If nothing was bought it tries again.
func (w *matrixWorld) buys(card telegram.Message) {
	outcome := w.taps(card, "✅ Confirm", wordPlaced, wordUnknown, wordNothing)
	if strings.Contains(outcome.Text, wordNothing) {
		card = w.taps(outcome, "🔁 Try again", "✅ Confirm")
		w.taps(card, "✅ Confirm", wordPlaced, wordUnknown)
	}
}

// rented returns the message of a rented number.
func (w *matrixWorld) rented() telegram.Message { return w.shown(0, "waiting for the code") }

// purchase buys two accounts.
func purchase() scenario {
	return scenario{
		name: "purchase", prepare: giveKey, adds: 1,
		act: func(w *matrixWorld) { w.buys(w.accounts("2")) },
		must: []string{
			"chats,inbox", "purchases:draft", "purchases:claimed", "purchases:sending", "call add ", "answer add ", "purchases:placed",
			"orders:delivered", "call sendMessage", "answer sendMessage", "outbox:sent",
		},
	}
}

// rental rents a number.
func rental() scenario {
	return scenario{
		name: "rental", prepare: giveKey, adds: 1,
		act: func(w *matrixWorld) { w.buys(w.number()) },
		must: []string{
			"purchases:draft", "purchases:claimed", "purchases:sending", "call add_sms ", "answer add_sms ", "purchases:placed",
			"call sendMessage", "answer sendMessage", "outbox:sent",
		},
	}
}

// delivery gets five accounts that were bought before, in two parts.
func delivery() scenario {
	return scenario{
		name: "delivery", adds: 1,
		prepare: func(w *matrixWorld) {
			giveKey(w)
			testworld.Must(w.t, w.market.Hold(market.GmailUSA, true))
			w.buys(w.accounts("5"))
		},
		act: func(w *matrixWorld) {
			testworld.Must(w.t, w.market.Deliver(market.FirstOrder, 2))
			w.shown(0, "2 of 5 so far")
			testworld.Must(w.t, w.market.Finish(market.FirstOrder))
		},
		must: []string{"deliveries", "call sendMessage", "answer sendMessage", "outbox:sent"},
	}
}

// file gets accounts in two files.
func file() scenario {
	return scenario{
		name: "file", adds: 1,
		prepare: func(w *matrixWorld) {
			giveKey(w)
			testworld.Must(w.t, w.market.Hold(market.GmailUSA, true))
			w.buys(w.accounts("20"))
		},
		act:  func(w *matrixWorld) { testworld.Must(w.t, w.market.Finish(market.FirstOrder)) },
		must: []string{"deliveries", "call sendDocument", "answer sendDocument", "outbox:sent"},
	}
}

// code gets the code of a number.
func code() scenario {
	return scenario{
		name: "code", adds: 1,
		prepare: func(w *matrixWorld) {
			giveKey(w)
			w.buys(w.number())
			w.rented()
		},
		act: func(w *matrixWorld) {
			testworld.Must(w.t, w.market.SendCode(market.FirstOrder, "111111"))
			w.shown(0, "🔐 111111")
		},
		must: []string{"call sms_code", "answer sms_code", "call sendMessage", "answer sendMessage", "outbox:sent"},
	}
}

// cancel gives a number back.
func cancel() scenario {
	return scenario{
		name: "cancel", adds: 1,
		prepare: func(w *matrixWorld) {
			giveKey(w)
			w.buys(w.number())
			w.rented()
		},
		act: func(w *matrixWorld) {
			m := w.taps(w.rented(), "✖ Cancel", "Cancel order")
			w.cancels(m)
		},
		check: (*matrixWorld).cancelled,
		must:  []string{"call cancel ", "answer cancel ", "orders:cancelled"},
	}
}

// cancelOrder cancels the rest of an order of which two accounts were delivered.
func cancelOrder() scenario {
	return scenario{
		name: "cancel the rest", adds: 1,
		prepare: func(w *matrixWorld) {
			giveKey(w)
			testworld.Must(w.t, w.market.Hold(market.GmailUSA, true))
			w.buys(w.accounts("5"))
			testworld.Must(w.t, w.market.Deliver(market.FirstOrder, 2))
			w.shown(0, "2 of 5 so far")
		},
		act: func(w *matrixWorld) {
			m := w.types("/orders", "🌓 #23501")
			m = w.taps(m, "🌓 #23501", "✖ Cancel & refund")
			m = w.taps(m, "✖ Cancel & refund", "✅ Cancel it")
			w.cancels(m)
		},
		check: (*matrixWorld).cancelled,
		must:  []string{"call cancel ", "answer cancel ", "orders:cancelled"},
	}
}

// swap swaps a number for another one.
func swap() scenario {
	return scenario{
		name: "swap", adds: 2, slow: true,
		prepare: func(w *matrixWorld) {
			giveKey(w)
			w.buys(w.number())
			m := w.rented()
			w.world.Exec(`UPDATE orders SET created_at = created_at - 180000`) // nobody waits for it
			w.taps(m, "🔄 Check now", "🔁 Swap")
		},
		act: func(w *matrixWorld) {
			m := w.taps(w.rented(), "🔁 Swap", "✅ Swap")
			w.taps(m, "✅ Swap", "swapped for", "No new number was taken", wordUnknown)
		},
		check: (*matrixWorld).cancelled,
		must: []string{
			"swaps:cancelling", "call cancel ", "answer cancel ", "swaps:ending", "purchases:claimed", "purchases:sending",
			"call add_sms ", "answer add_sms ", "purchases:placed",
		},
	}
}

// basket buys three lines.
func basket() scenario {
	return scenario{
		name: "basket", adds: 3, prepare: giveKey,
		act: func(w *matrixWorld) {
			card := w.types("1 | https://instagram.com/one | 1000\n2 | | 2\n1 | https://instagram.com/two | 2,000", "✅ Confirm")
			w.until("the lines are in the basket", func() bool { return w.left(unhandled) == 0 })
			for _, m := range w.ann.Messages() {
				if button(m, "✅ Confirm") != "" {
					card = m // the newest one
				}
			}
			w.taps(card, "✅ Confirm", "Everything is ordered", "Not everything was ordered", "not clear yet whether everything")
		},
		must: []string{"baskets:running", "purchases:sending", "call add ", "answer add ", "purchases:placed", "baskets:ended"},
	}
}

// cancels confirms that an order is cancelled. After a kill the person may read that a cancel
// may have been sent; then it is not sent again before a minute has passed.
func (w *matrixWorld) cancels(m telegram.Message) {
	w.taps(m, "✅ Cancel it", "cancelled", "has already been sent")
	ended := func(order market.Order) bool { return order.Refunded.IsPositive() }
	if slices.ContainsFunc(w.market.Orders(), ended) || slices.ContainsFunc(w.market.Numbers(), func(n market.Number) bool { return n.Refunded.IsPositive() }) {
		w.shown(0, "cancelled")
	}
}

// cancelled checks that a cancel was sent at most once.
func (w *matrixWorld) cancelled() {
	if sent := w.market.Count("cancel"); sent > 1 {
		w.t.Errorf("%d requests to cancel", sent)
	}
}
