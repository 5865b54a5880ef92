package orders_test

import (
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestSwapOfWhatCantBeRead waits: nothing is sent or told on what is not known.
func TestSwapOfWhatCantBeRead(t *testing.T) {
	for name, damaged := range map[string]struct{ table, column, where string }{
		"order":       {"orders", "charge", `TRUE`},
		"purchase":    {"purchases", "link_sealed", `TRUE`},
		"key":         {"api_keys", "secret_sealed", `TRUE`},
		"maintenance": {"settings", "value", `name = 'maintenance'`},
	} {
		for step, cancels := range map[string]int{"swap armed": 0, "swap cancelled": 1} {
			t.Run(name+" after "+step, func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					testworld.Must(t, w.db.SetSetting(t.Context(), "maintenance", ""))
					order, offer := w.offerSwap()
					repair := func() {}
					w.at(step, func() { repair = w.damage(damaged.table, damaged.column, damaged.where) })
					w.startSwap(offer)
					testworld.Pass(20 * time.Second)
					w.wantCalls("cancel", cancels)
					w.wantCalls("add_sms", 1)
					repair()
					if phone := w.phone(order); !phone.Swap.Waiting() || w.count(orders.MessageSwap) != 0 {
						t.Errorf("the swap is %s %q", phone.Swap.State, phone.Swap.Reason)
					}
					testworld.Pass(30 * time.Second)
					w.wantSwapped(order)
				})
			})
		}
	}
}

// TestStopOfSwapThatFails: a swap that has to stop, and can't be written, does so when it can,
// and the person is told once, and why. After the cancel was sent only the fact that its
// answer is not known remains.
func TestStopOfSwapThatFails(t *testing.T) {
	code := func(t *testing.T, w *world) { testworld.Must(t, w.Market.SendCode(market.FirstOrder, "123456")) }
	fault := func(f market.Fault) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) { w.Market.Fault(f) }
	}
	for name, test := range map[string]struct {
		step    string
		happens func(t *testing.T, w *world)
		reason  string
		cancels int
		state   storage.OrderState
	}{
		"code before the tap": {happens: code, reason: orders.SwapCode, state: storage.OrderDelivered},
		"refused question": {
			happens: fault(market.Fault{Action: "allowcancel", Kind: market.Refuse, Message: "Not now", Times: market.Always}), reason: orders.SwapRefused, state: storage.OrderOpen,
		},
		"smaller refund is promised": {
			happens: fault(market.Fault{Action: "allowcancel", Kind: market.Answer, Body: `[{"order":23501,"allowcancel":1,"refundAmount":0.30}]`, Times: market.Always}),
			reason:  orders.SwapLess, state: storage.OrderOpen,
		},
		"refused cancel": {
			happens: fault(market.Fault{Action: "cancel", Kind: market.Refuse, Message: "Not now"}), reason: orders.SwapUncertain, cancels: 1, state: storage.OrderOpen,
		},
		"another key after the cancel": {
			step: "swap cancelled",
			happens: func(t *testing.T, w *world) {
				w.Market.AddKey("canary-another", "50.00", "USD")
				_, err := w.db.SaveKey(t.Context(), anna, "canary-another")
				testworld.Must(t, err)
			},
			reason: orders.SwapKey, cancels: 1, state: storage.OrderCancelled,
		},
		"smaller refund": {
			happens: func(t *testing.T, w *world) { testworld.Must(t, w.Market.SetCancelRefund(market.FirstOrder, "0.30")) },
			reason:  orders.SwapLess, cancels: 1, state: storage.OrderCancelled,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order, offer := w.offerSwap()
				if test.step == "" {
					test.happens(t, w)
				} else {
					w.at(test.step, func() { test.happens(t, w) })
				}
				w.startSwap(offer)
				accept := w.Refuse(`UPDATE ON swaps FOR EACH ROW WHEN (NEW.state = 'stopped')`)
				testworld.Pass(2 * time.Minute) // longer than the lease of the cancel
				if w.count(orders.MessageSwap) != 0 {
					t.Error("the person is told before it is stored")
				}
				accept()
				testworld.Pass(30 * time.Second)
				if phone := w.phone(order); phone.Swap.State != storage.SwapStopped || phone.Swap.Reason != test.reason || phone.State != test.state {
					t.Errorf("the number is %s, the swap %s %q", phone.State, phone.Swap.State, phone.Swap.Reason)
				}
				w.wantCalls("cancel", test.cancels)
				w.wantCalls("add_sms", 1)
				if n := w.count(orders.MessageSwap); n != 1 {
					t.Errorf("%d messages about the swap", n)
				}
			})
		})
	}
}

// TestClaimOfSwapThatFails: nothing is begun without the claim, and everything goes on when it
// can be made.
func TestClaimOfSwapThatFails(t *testing.T) {
	for name, prevent := range map[string]func(w *world) (allow func()){
		"full disk": func(w *world) func() {
			return w.Refuse(`UPDATE ON purchases FOR EACH ROW WHEN (NEW.state = 'claimed')`)
		},
		"something is quicker": func(w *world) func() { return w.Ignore(`UPDATE ON swaps FOR EACH ROW WHEN (NEW.state = 'renting')`) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order, offer := w.offerSwap()
				allow := prevent(w)
				w.at("claimed", func() { t.Error("it goes on without a claim") })
				w.startSwap(offer)
				testworld.Pass(20 * time.Second)
				w.at("claimed", func() {})
				w.wantCalls("add_sms", 1)
				allow()
				testworld.Pass(10 * time.Second)
				w.wantSwapped(order)
			})
		})
	}
}

// TestRefusedKeyDuringSwap: the person is told that the key is refused, and keeps the number.
func TestRefusedKeyDuringSwap(t *testing.T) {
	for action, cancels := range map[string]int{"allowcancel": 0, "cancel": 1} {
		t.Run(action, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order, offer := w.offerSwap()
				w.Market.Fault(market.Fault{Action: action, Kind: market.Refuse, Message: "Invalid API key"})
				w.startSwap(offer)
				testworld.Pass(20 * time.Second)
				if phone := w.phone(order); phone.Swap.Reason != orders.SwapKey || phone.State != storage.OrderOpen || !phone.CancelSentAt.IsZero() {
					t.Errorf("the number is %s, the swap %s %q", phone.State, phone.Swap.State, phone.Swap.Reason)
				}
				w.wantCalls("cancel", cancels)
				w.wantCalls("add_sms", 1)
				if n := w.count(orders.MessageInvalidKey); n != 1 {
					t.Errorf("the person is told %d times that the key is refused", n)
				}
			})
		})
	}
}

// TestSlowQuestionOfSwap: it is asked once, however long the answer takes. A number that the
// person cancels meanwhile is not cancelled again.
func TestSlowQuestionOfSwap(t *testing.T) {
	for name, cancelled := range map[string]bool{"swapped": false, "cancelled": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order, offer := w.offerSwap()
				w.Market.Fault(market.Fault{Action: "allowcancel", Kind: market.Slow, Commit: true, Delay: 3 * time.Second})
				w.startSwap(offer)
				testworld.Pass(2500 * time.Millisecond)
				if cancelled {
					outcome, err := w.service.Cancel(t.Context(), anna, order.ID)
					testworld.Must(t, err)
					if !outcome.Done {
						t.Errorf("the outcome is %+v", outcome)
					}
				}
				testworld.Pass(10 * time.Second)
				w.wantCalls("allowcancel", 2) // one of the offer
				if !cancelled {
					w.wantSwapped(order)
					return
				}
				w.wantCalls("cancel", 1)
				w.wantCalls("add_sms", 1)
				if phone := w.phone(order); phone.Swap.Reason != orders.SwapCancelled {
					t.Errorf("the swap is %s %q", phone.Swap.State, phone.Swap.Reason)
				}
			})
		})
	}
}

// TestStopDuringCancelOfSwap: its answer is recorded, so the next process goes on with the swap.
func TestStopDuringCancelOfSwap(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order, offer := w.offerSwap()
		stopped := make(chan error, 1)
		w.at("cancelled", func() {
			go func() { stopped <- w.service.Stop(t.Context()) }()
			time.Sleep(time.Second) // it waits for this step
		})
		w.startSwap(offer)
		testworld.Pass(10 * time.Second)
		testworld.Must(t, <-stopped)
		w.restart(w.client, 0)
		testworld.Pass(10 * time.Second)
		w.wantSwapped(order)
	})
}

// TestStopWaitsForCancelOfSwap, for a second.
func TestStopWaitsForCancelOfSwap(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order, offer := w.offerSwap()
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.Slow, Delay: 800 * time.Millisecond})
		var stopped error
		w.at("cancelling", func() {
			time.AfterFunc(300*time.Millisecond, func() { stopped = w.service.Stop(t.Context()) })
		})
		w.startSwap(offer)
		testworld.Pass(10 * time.Second)
		testworld.Must(t, stopped)
		w.restart(w.client, 0)
		testworld.Pass(10 * time.Second)
		w.wantSwapped(order)
	})
}

// TestUncertainSwapKeepsItsReason however long it can't be stored. Any other reason would say that
// the cancel had no effect.
func TestUncertainSwapKeepsItsReason(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order, offer := w.offerSwap()
		w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CommitThenLose})
		accept := w.Refuse(`UPDATE ON swaps FOR EACH ROW WHEN (NEW.reason = '` + orders.SwapUncertain + `')`)
		w.startSwap(offer)
		testworld.Pass(15 * time.Minute)
		accept()
		testworld.Pass(30 * time.Second)
		if phone := w.phone(order); phone.Swap.State != storage.SwapStopped || phone.Swap.Reason != orders.SwapUncertain {
			t.Errorf("the swap is %s %q", phone.Swap.State, phone.Swap.Reason)
		}
		w.wantCalls("cancel", 1)
		w.wantCalls("add_sms", 1)
	})
}

// TestEndOfSwappedNumberIsReadLater: the new number is rented as soon as the end is read.
func TestEndOfSwappedNumberIsReadLater(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order, offer := w.offerSwap()
		var cancelled time.Time
		w.at("cancelling", func() {
			w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always})
			w.at("swap cancelled", func() {
				w.Market.ClearFaults()
				cancelled = time.Now()
			})
		})
		w.startSwap(offer)
		testworld.Pass(time.Minute)
		w.wantSwapped(order)
		rented := w.messages(orders.MessageRental)[1].CreatedAt
		if took := rented.Sub(cancelled); took > 4*time.Second {
			t.Errorf("the new number was rented %v after the cancel", took)
		}
	})
}

// TestBusyKeyEndsSwap: after ten minutes the person is told that something came in between.
func TestBusyKeyEndsSwap(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order, offer := w.offerSwap()
		w.at("swap end confirmed", func() {
			w.Exec(`UPDATE purchases SET state = 'sending', lease_until = ? WHERE state = 'placed'`, time.Now().Add(time.Hour).UnixMilli())
		})
		w.startSwap(offer)
		testworld.Pass(9 * time.Minute)
		if phone := w.phone(order); !phone.Swap.Waiting() {
			t.Errorf("the swap is %s %q", phone.Swap.State, phone.Swap.Reason)
		}
		testworld.Pass(2 * time.Minute)
		if phone := w.phone(order); phone.Swap.Reason != orders.SwapInterrupted || w.count(orders.MessageSwap) != 1 {
			t.Errorf("the swap is %s %q", phone.Swap.State, phone.Swap.Reason)
		}
		w.wantCalls("add_sms", 1)
	})
}

// TestSwapThatIsNeverAllowed stops ten minutes after the time that the person was told.
func TestSwapThatIsNeverAllowed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		order, offer := w.offerSwap()
		w.startSwap(offer)
		body := `[{"order":23501,"allowcancel":0,"error":"Not now","eligibleAfter":"` + offer.Swap.At.UTC().Format(time.RFC3339) + `"}]`
		w.Market.Fault(market.Fault{Action: "allowcancel", Kind: market.Answer, Times: market.Always, Body: body})
		testworld.Pass(time.Until(offer.Swap.At) + 9*time.Minute)
		if phone := w.phone(order); phone.Swap.State != storage.SwapArmed {
			t.Errorf("the swap is %s %q", phone.Swap.State, phone.Swap.Reason)
		}
		testworld.Pass(time.Minute + 10*time.Second)
		if phone := w.phone(order); phone.Swap.Reason != orders.SwapRefused || phone.State != storage.OrderOpen || w.count(orders.MessageSwap) != 1 {
			t.Errorf("the number is %s, the swap %s %q", phone.State, phone.Swap.State, phone.Swap.Reason)
		}
		w.wantCalls("cancel", 0)
	})
}

// TestStepOfClockWhileSwapCantBeWritten: the times of the swap are pulled when they can be.
func TestStepOfClockWhileSwapCantBeWritten(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		order, offer := w.offerSwap()
		w.startSwap(offer)
		testworld.Pass(10 * time.Second)
		w.stepClock(-time.Hour)
		accept := w.Refuse(`UPDATE ON swaps FOR EACH ROW`)
		testworld.Pass(30 * time.Second)
		accept()
		testworld.Pass(4 * time.Minute)
		w.wantSwapped(order)
	})
}
