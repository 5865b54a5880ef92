package orders_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/testworld"
)

// TestSwapWhileNothingCanBeWritten: the step is not made over and over, each time with a
// question to the marketplace, and is made when the disk has room again.
func TestSwapWhileNothingCanBeWritten(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order, offer := w.offerSwap()
		w.startSwap(offer)
		accept := w.Refuse(`UPDATE ON swaps FOR EACH ROW`)
		before := w.Market.Count("allowcancel")
		testworld.Pass(time.Minute)
		if n := w.Market.Count("allowcancel") - before; n == 0 || n > 20 {
			t.Errorf("the marketplace is asked %d times in a minute", n)
		}
		w.wantCalls("cancel", 0)
		accept()
		testworld.Pass(15 * time.Second)
		w.wantSwapped(order)
	})
}

// TestBasketWhileNothingCanBeWritten: the next line is not tried over and over, and each one is
// bought once.
func TestBasketWhileNothingCanBeWritten(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		quote := w.fillBasket(goods(1), goods(2))
		w.startBasket(quote)
		accept := w.Refuse(`UPDATE ON baskets FOR EACH ROW`)
		before := w.Market.Count("")
		testworld.Pass(time.Minute)
		calls, delays := w.Market.Count("")-before, strings.Count(w.Log.String(), "basket delayed")
		if calls == 0 || calls > 20 || delays == 0 || delays > 40 {
			t.Errorf("in a minute the marketplace is asked %d times, and the basket is delayed %d times", calls, delays)
		}
		accept()
		testworld.Pass(15 * time.Second)
		w.wantBasket(quote.ID, "", 2, 0)
		w.wantCalls("add", 2)
	})
}
