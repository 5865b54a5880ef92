package orders_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// annaPaysWithAllowance gives Anna an allowance, which pays instead of her own key.
func (w *world) annaPaysWithAllowance(amount string) {
	w.t.Helper()
	w.addHouse()
	w.give(anna, amount)
	if done, err := w.db.PayWith(w.t.Context(), anna, true); err != nil || !done {
		w.t.Fatal(done, err)
	}
}

// The refund of a number is available again before the next one is claimed.
func TestSwapOfAnAllowance(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.annaPaysWithAllowance("1.20")
		order, offer := w.offerSwap() // 0.90
		w.wantAvailable("rented", anna, "0.21")
		if offer.Short.IsPositive() || !offer.Quote.Blocked() {
			t.Errorf("%s lacks once the refund is there; blocked %v", offer.Short, offer.Quote.Blocked())
		}
		w.startSwap(offer)
		testworld.Pass(10 * time.Second)
		if phone := w.phone(order); phone.Swap.State != storage.SwapRenting || len(w.Market.Numbers()) != 2 {
			t.Errorf("%+v", phone.Swap)
		}
		w.wantAvailable("swapped", anna, "0.21")
		if n := w.Market.Balance(testworld.AnnaKey.Reveal()); !n.Equal(dec("100")) {
			t.Errorf("her own account has %s", n)
		}
	})
	inWorld(t, func(t *testing.T, w *world) {
		w.annaPaysWithAllowance("1.20")
		order, offer := w.offerSwap()
		w.at("swap end confirmed", func() { w.give(anna, "0.98") })
		w.startSwap(offer)
		testworld.Pass(10 * time.Second)
		if phone := w.phone(order); phone.Swap.State != storage.SwapStopped || phone.Swap.Reason != orders.SwapInterrupted || len(w.Market.Numbers()) != 1 {
			t.Errorf("%+v", phone.Swap)
		}
		w.wantAvailable("stopped", anna, "0.98")
	})
}

// A swap whose number is cancelled does not wait behind a queue that may never be empty.
func TestTurnsLetASwapPass(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.annaPaysWithAllowance("20")
		w.addHouse(clara, dora)
		order, offer := w.offerSwap()
		slow := func(step string) {
			if step == "swap end confirmed" { // a turn could be taken meanwhile
				time.Sleep(100 * time.Millisecond)
			}
		}
		w.onStep.Store(&slow)
		w.slowly(5)
		var wg sync.WaitGroup
		first := w.draftFor(clara, market.GmailUSA, 1)
		wg.Go(func() { w.confirm(first) })
		testworld.Pass(time.Second)
		for range 4 {
			w.confirm(w.draftFor(dora, market.GmailUSA, 1))
		}
		w.startSwap(offer)
		testworld.Pass(30 * time.Second)
		if phone := w.phone(order); phone.New.State != storage.PurchasePlaced || len(w.Market.Numbers()) != 2 {
			t.Errorf("%+v", phone.Swap)
		}
		w.wantTurns("after the swap", dora, dora, dora)
		testworld.Pass(2 * time.Minute)
		wg.Wait()
		w.wantTurns("in the end")
		if n := len(w.Market.Orders()); n != 5 {
			t.Errorf("%d orders", n)
		}
	})
}

// A swap that can't rent yet, because the marketplace does not say that the old number has ended,
// holds up nobody.
func TestTurnsDoNotWaitForASwapThatCantRent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.annaPaysWithAllowance("20")
		w.addHouse(clara, dora)
		order, offer := w.offerSwap()
		w.at("cancelling", func() {
			w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always})
		})
		w.startSwap(offer)
		testworld.Pass(10 * time.Second)
		p := w.draftFor(dora, market.GmailUSA, 1)
		bought := w.waitingTurns(p)
		testworld.Pass(30 * time.Second)
		bought()
		if phone := w.phone(order); phone.Swap.State != storage.SwapEnding {
			t.Errorf("%+v", phone.Swap)
		}
		w.wantOutcome("beside the swap", p, orders.Placed, "")
	})
}

// A number is not given back where the allowance can't pay for the next one.
func TestSwapAboveTheAllowance(t *testing.T) {
	raise := func(w *world, markup string) {
		terms := storage.AllowanceTerms{Amount: dec("1.20"), Currency: "USD", Markup: dec(markup)}
		_, err := w.db.GiveAllowance(w.t.Context(), anna, terms, byOlga())
		testworld.Must(w.t, err)
	}
	offered := func(w *world, order storage.Order, short string) orders.SwapOffer {
		offer, err := w.service.OfferSwap(w.t.Context(), anna, order.ID, 0, "en")
		testworld.Must(w.t, err)
		if !offer.Short.Equal(dec(short)) {
			w.t.Errorf("%s lacks, want %s", offer.Short, short)
		}
		return offer
	}
	for name, change := range map[string]struct {
		happens func(w *world)
		short   string
	}{
		"a higher markup": {func(w *world) { raise(w, "50") }, "0.15"}, // 1.35 of 0.21 and 0.99
		"another allowance": {func(w *world) { // the refund belongs to the one before
			_, err := w.db.RemoveAllowance(w.t.Context(), anna, byOlga())
			testworld.Must(w.t, err)
			w.give(anna, "0.50")
			_, err = w.db.PayWith(w.t.Context(), anna, true)
			testworld.Must(w.t, err)
		}, "0.49"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.annaPaysWithAllowance("1.20")
				order, _ := w.offerSwap()
				change.happens(w)
				offer := offered(w, order, change.short)
				if _, started, err := w.service.StartSwap(t.Context(), anna, offer.Swap.PurchaseID); err != nil || started {
					t.Errorf("started %v, %v", started, err)
				}
				w.wantCalls("cancel", 0)
			})
		})
	}
	inWorld(t, func(t *testing.T, w *world) { // it was removed after the tap
		w.annaPaysWithAllowance("1.20")
		order, offer := w.offerSwap()
		w.startSwap(offer)
		_, err := w.db.RemoveAllowance(t.Context(), anna, byOlga())
		testworld.Must(t, err)
		testworld.Pass(10 * time.Second)
		if phone := w.phone(order); phone.Swap.State != storage.SwapStopped || phone.Swap.Reason != orders.SwapKey {
			t.Errorf("%+v", phone.Swap)
		}
		w.wantCalls("cancel", 0)
	})
	inWorld(t, func(t *testing.T, w *world) { // after the tap
		w.annaPaysWithAllowance("1.20")
		order, offer := w.offerSwap()
		w.startSwap(offer)
		w.give(anna, "0.98")
		testworld.Pass(10 * time.Second)
		if phone := w.phone(order); phone.Swap.State != storage.SwapStopped || phone.Swap.Reason != orders.SwapInterrupted {
			t.Errorf("%+v", phone.Swap)
		}
		w.wantCalls("cancel", 0)
	})
}

// Estimated prices of an allowance block, too, and a charge above them is told to admins and
// to the buyer.
func TestChargeAboveTheHold(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		testworld.Must(t, w.db.SetSetting(t.Context(), storage.SMMRateConfirmedSetting(1000), "1"))
		_, _, err := w.db.TouchUser(t.Context(), olga, "Olga", "en", true)
		testworld.Must(t, err)
		p := w.draftFor(clara, 1, 1000) // followers
		w.give(clara, p.Shown().Sub(dec("0.01")).String())
		if quote, err := w.service.QuoteOf(t.Context(), clara, p.ID); err != nil || !quote.Blocked() {
			t.Errorf("blocked %v, %v", quote.Blocked(), err)
		}
		w.give(clara, "20")
		w.Market.Fault(market.Fault{Action: "status", Kind: market.Answer, Times: market.Always, Body: `{"status":"In progress","charge":"9.00","start_count":5,"remains":10,"currency":"USD"}`})
		w.confirm(p)
		testworld.Pass(5 * time.Minute)
		told := w.messages(storage.MessageOverHold)
		if len(told) != 2 || !w.notified(olga, storage.MessageOverHold) || !w.notified(clara, storage.MessageOverHold) || told[0].PurchaseID != p.ID {
			t.Errorf("told %+v", told)
		}
		line, err := w.db.LedgerEntry(t.Context(), p.ID)
		testworld.Must(t, err)
		if !line.Cost.Equal(dec("9")) || !line.Taken().Equal(dec("9.9")) {
			t.Errorf("%+v", line)
		}
	})
}

// waitingTurns makes Clara's purchase take the slot for 20 seconds, and these wait.
func (w *world) waitingTurns(waiting ...storage.Purchase) (bought func()) {
	w.t.Helper()
	first := w.draftFor(clara, market.GmailUSA, 1)
	w.slowly(1)
	var wg sync.WaitGroup
	wg.Go(func() { w.confirm(first) })
	testworld.Pass(time.Second)
	for _, p := range waiting {
		if outcome := w.confirm(p); outcome.Result != orders.Waiting {
			w.t.Fatal(outcome.Result)
		}
		testworld.Pass(10 * time.Millisecond)
	}
	return wg.Wait
}

// A purchase that can't be read holds up nobody, and does not wait for ever.
func TestDamagedTurn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara, dora, emil)
		damaged, p := w.draftFor(emil, market.GmailUSA, 1), w.draftFor(dora, market.GmailUSA, 1)
		bought := w.waitingTurns(damaged, p)
		w.Exec(`UPDATE purchases SET link_sealed = ? WHERE id = ?`, unreadable, damaged.ID)
		testworld.Pass(time.Minute)
		bought()
		w.wantOutcome("behind the damaged one", p, orders.Placed, "")
		w.wantTurns("the damaged one", emil)
		if !strings.Contains(w.Log.String(), fmt.Sprintf("purchase %d", damaged.ID)) {
			t.Error("the log does not say which one is damaged")
		}
		testworld.Pass(31 * time.Minute)
		w.wantTurns("in the end")
		if n := len(w.Market.Orders()); n != 2 {
			t.Errorf("%d orders", n)
		}
	})
}

// A turn whose key can't be read waits until it can be, and holds up nobody.
func TestTurnWithADamagedKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara, dora, emil)
		damaged, p := w.draftFor(emil, market.GmailUSA, 1), w.draftFor(dora, market.GmailUSA, 1)
		bought := w.waitingTurns(damaged, p)
		repair := w.damageKey(emil)
		testworld.Pass(time.Minute)
		bought()
		w.wantOutcome("behind the damaged one", p, orders.Placed, "")
		w.wantTurns("the damaged one", emil)
		if !strings.Contains(w.Log.String(), fmt.Sprintf("purchase %d", damaged.ID)) {
			t.Error("the log does not say which one waits")
		}
		repair()
		testworld.Pass(2 * time.Minute)
		w.wantOutcome("at last", damaged, orders.Placed, "")
	})
}

// After the database was restored a purchase that waited may have been bought: it is not begun,
// and the person is asked again.
func TestTurnBeforeRestoration(t *testing.T) {
	for name, after := range map[string]time.Duration{"soon": 0, "too late": 31 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.addHouse(clara, dora)
				p := w.draftFor(dora, market.GmailUSA, 1)
				bought := w.waitingTurns(p)
				testworld.Must(t, w.service.Stop(t.Context()))
				bought()
				w.Exec(`INSERT INTO settings (name, value) VALUES ('epoch', '7') ON CONFLICT (name) DO UPDATE SET value = '7'`)
				w.restart(w.client, after)
				testworld.Pass(time.Minute)
				w.wantTurns("in the end")
				outcome, err := w.service.Outcome(t.Context(), dora, p.ID)
				testworld.Must(t, err)
				if outcome.Result != orders.Drafted || !outcome.Quote.Restored || len(w.Market.Orders()) != 1 {
					t.Errorf("%v, restored %v, %d orders", outcome.Result, outcome.Quote.Restored, len(w.Market.Orders()))
				}
				if w.count(orders.MessageOutcome) != 1 {
					t.Error("the person is not notified")
				}
			})
		})
	}
}

// The next process goes on with the turns from their rows, however old the drafts are.
func TestTurnsGoOnAfterRestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara, dora)
		first, p := w.draftFor(clara, market.GmailUSA, 1), w.draftFor(dora, market.GmailUSA, 1)
		w.slowly(1)
		var wg sync.WaitGroup
		wg.Go(func() { w.confirm(first) })
		testworld.Pass(time.Second)
		w.confirm(p)
		testworld.Must(t, w.service.Stop(t.Context()))
		wg.Wait()
		testworld.Pass(15 * time.Minute)
		w.wantOutcome("while nothing runs", p, orders.Waiting, "")
		w.service = w.newService(w.client)
		if outcome := w.confirm(p); outcome.Result != orders.Waiting {
			t.Errorf("a tap in the next process: %v", outcome.Result)
		}
		w.service.Start()
		testworld.Pass(5 * time.Second)
		w.wantOutcome("after the restart", p, orders.Placed, "")
	})
}

func TestAllowanceInAnotherCurrency(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara)
		_, err := w.db.GiveAllowance(t.Context(), clara, storage.AllowanceTerms{Amount: dec("20"), Currency: "EUR"}, byOlga())
		testworld.Must(t, err)
		p := w.draftFor(clara, market.GmailUSA, 1)
		if quote, err := w.service.QuoteOf(t.Context(), clara, p.ID); err != nil || !quote.Blocked() || !quote.Short.Equal(p.Shown()) {
			t.Errorf("%+v, %v", quote, err)
		}
		if outcome := w.confirm(p); outcome.Result != orders.Redrawn || !slices.Equal(outcome.Changes, []orders.Change{orders.ChangeKey}) {
			t.Errorf("confirmed: %v %v", outcome.Result, outcome.Changes)
		}
		w.wantCalls("add", 0)
	})
}

// A stop waits a second for the answer to what is bought in turn.
func TestStopWhileTurnIsTaken(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addHouse(clara, dora)
		p := w.draftFor(dora, market.GmailUSA, 1)
		bought := w.waitingTurns(p)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 1700 * time.Millisecond})
		bought()
		for range 100 {
			if w.Market.Count("add") == 2 {
				break
			}
			testworld.Pass(100 * time.Millisecond)
		}
		testworld.Pass(time.Second)
		testworld.Must(t, w.service.Stop(t.Context()))
		w.wantOutcome("after the stop", p, orders.Placed, "")
	})
}
