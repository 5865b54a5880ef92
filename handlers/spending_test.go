package handlers_test

import (
	"testing"
	"time"
)

// buyGmail buys so many of the first fixed product.
func (w *world) buyGmail(quantity string) {
	w.T.Helper()
	w.open("2")
	w.tapLabel(quantity)
	w.tap("order_button_skip")
	w.tap("confirm_button_confirm")
	pass(10 * time.Second)
}

// later lets days pass without the bot, whose waiting would take long to simulate.
func (w *world) later(days int) {
	w.T.Helper()
	w.stop()
	pass(time.Duration(days) * 24 * time.Hour)
	w.start()
}

func TestSpending(t *testing.T) {
	inBoth(t, "spending", func(w *world) {
		w.withKey(annaKey)
		w.types("/balance")
		w.tap("balance_button_spending")
		w.buyGmail("1")
		w.types("/balance")
		w.tap("balance_button_spending")
		w.tap("nav_button_back") // the picture stays
		w.later(60)
		w.buyGmail("2")
		w.types("/balance")
		w.tap("balance_button_spending")
		w.later(400)
		w.types("/balance")
		w.tap("balance_button_spending")
	})
}
