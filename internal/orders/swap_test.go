package orders_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// rentAWhileAgo rents a number for which a swap is offered by now.
func (w *world) rentAWhileAgo() storage.Order {
	w.t.Helper()
	order := w.rent(1)[0]
	testworld.Pass(2*time.Minute + 10*time.Second)
	return order
}

// offerSwap rents a number and asks for a swap when one is offered.
func (w *world) offerSwap() (storage.Order, orders.SwapOffer) {
	w.t.Helper()
	order := w.rentAWhileAgo()
	return order, w.mustOffer(order)
}

func (w *world) mustOffer(order storage.Order) orders.SwapOffer {
	w.t.Helper()
	offer, err := w.service.OfferSwap(w.t.Context(), order.UserID, order.ID, 0, "en")
	testworld.Must(w.t, err)
	return offer
}

// startSwap confirms an offer.
func (w *world) startSwap(offer orders.SwapOffer) {
	w.t.Helper()
	if _, started, err := w.service.StartSwap(w.t.Context(), anna, offer.Swap.PurchaseID); err != nil || !started {
		w.t.Fatalf("started %v, %v", started, err)
	}
}

// at calls do at the next checkpoint of that name.
func (w *world) at(step string, do func()) {
	var once sync.Once
	on := func(name string) {
		if name == step {
			once.Do(do)
		}
	}
	w.onStep.Store(&on)
}

// phone is what the message of a number says.
func (w *world) phone(order storage.Order) orders.Phone {
	w.t.Helper()
	phone, err := w.service.Phone(w.t.Context(), w.order(order.ID))
	testworld.Must(w.t, err)
	return phone
}

// wantSwapped checks that a number was given back for a new one, by one cancel and one
// request.
func (w *world) wantSwapped(order storage.Order) {
	w.t.Helper()
	phone := w.phone(order)
	numbers := w.Market.Numbers()
	if phone.Swap.State != storage.SwapRenting || len(numbers) != 2 || phone.NewPhone != numbers[1].Phone || phone.State != storage.OrderCancelled {
		w.t.Errorf("%d numbers, %+v", len(numbers), phone)
	}
	if back := phone.CameBack(); back.Decimal.String() != "0.9" {
		w.t.Errorf("%v came back", back)
	}
	w.wantCalls("cancel", 1)
	w.wantCalls("add_sms", 2)
	if n := w.count(orders.MessageSwap); n != 1 {
		w.t.Errorf("%d messages about the swap", n)
	}
	if n := w.count(orders.MessageRental); n != 2 {
		w.t.Errorf("%d messages of numbers", n)
	}
	if got := w.Market.Balance(testworld.AnnaKey.Reveal()).String(); got != "99.1" {
		w.t.Errorf("the balance is %s", got)
	}
}

// TestSwap: one tap gives a number back and rents another one.
func TestSwap(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(time.Minute)
		if w.phone(order).CanSwap {
			t.Error("a swap is offered after a minute")
		}
		testworld.Pass(70 * time.Second)
		if !w.phone(order).CanSwap {
			t.Error("no swap is offered")
		}
		offer, err := w.service.OfferSwap(t.Context(), anna, order.ID, 0, "en")
		testworld.Must(t, err)
		if s := offer.Swap; s.Refund.String() != "0.9" || offer.Quote.Purchase.Total().String() != "0.9" || offer.Quote.Purchase.Rental.Phone != "" || !s.At.IsZero() || s.Place != 1 {
			t.Errorf("the offer is %+v", offer)
		}
		w.startSwap(offer)
		testworld.Pass(500 * time.Millisecond) // the card is drawn first
		w.wantCalls("cancel", 0)
		testworld.Pass(10 * time.Second)
		w.wantSwapped(order)
		w.startSwap(offer) // the button is tapped again
		testworld.Pass(10 * time.Second)
		w.wantSwapped(order)
		w.wantCounted(map[string]int64{"placed": 2})
	})
}

// TestOrdersWithoutSwap: none is offered of what is not a number that waits for its code.
// TestUsualTimeOfSwap: where it is known how long a code takes, a swap is offered after
// twice that time.
// TestSwapStops: whatever comes in between, at most one cancel and no second rental are
// sent, and the person is told.
func TestSwapStops(t *testing.T) {
	key := testworld.AnnaKey.Reveal()
	refuseKey := func(_ *testing.T, w *world) { w.Market.RemoveKey(key) }
	maintenance := func(t *testing.T, w *world) {
		testworld.Must(t, w.db.SetMaintenance(t.Context(), time.Now(), storage.AuditEntry{}))
	}
	newKey := func(t *testing.T, w *world) {
		w.Market.AddKey("canary-another", "50.00", "USD")
		_, err := w.db.SaveKey(t.Context(), anna, "canary-another")
		testworld.Must(t, err)
	}
	restore := func(t *testing.T, w *world) {
		testworld.Must(t, w.db.SetSetting(t.Context(), "epoch", "1"))
	}
	code := func(t *testing.T, w *world) { testworld.Must(t, w.Market.SendCode(market.FirstOrder, "123456")) }
	discard := func(_ *testing.T, w *world) {
		w.Exec(`UPDATE purchases SET state = 'superseded' WHERE state = 'draft'`)
	}
	fault := func(f market.Fault) func(*testing.T, *world) {
		return func(_ *testing.T, w *world) { w.Market.Fault(f) }
	}
	codeOfCancelled := market.Fault{
		Action: "sms_code", Kind: market.Answer, Times: market.Always, Body: `{"status":"canceled","code":"123456","sms_content":"Code 123456"}`,
	}
	for name, test := range map[string]struct {
		step     string // at which it happens; "": before the tap
		happens  func(t *testing.T, w *world)
		reason   string // of the swap
		rejected string // the reason of the new number's purchase
		cancels  int
		state    storage.OrderState // of the old number
		back     string             // what came back
		wait     time.Duration
	}{
		"code before the tap":    {happens: code, reason: orders.SwapCode, state: storage.OrderDelivered},
		"code before the cancel": {step: "cancelling", happens: code, reason: orders.SwapCode, cancels: 1, state: storage.OrderDelivered},
		"code and cancel":        {step: "cancelling", happens: fault(codeOfCancelled), reason: orders.SwapCode, cancels: 1, state: storage.OrderCancelled, back: "0.9"},
		"code after the cancel": {
			step: "cancelling",
			happens: func(_ *testing.T, w *world) {
				w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always}) // so that the end is read again
				w.at("swap cancelled", func() {
					w.Market.ClearFaults()
					w.Market.Fault(codeOfCancelled)
				})
			},
			reason: orders.SwapCode, cancels: 1, state: storage.OrderCancelled, back: "0.9",
		},
		"lost request and code": {
			step: "cancelling",
			happens: func(t *testing.T, w *world) {
				w.Market.Fault(market.Fault{Action: "cancel", Kind: market.CutBefore})
				code(t, w)
			},
			reason: orders.SwapCode, cancels: 1, state: storage.OrderDelivered,
		},
		"lost answer": {
			happens: fault(market.Fault{Action: "cancel", Kind: market.CommitThenLose}), reason: orders.SwapUncertain, cancels: 1, state: storage.OrderCancelled, back: "0.9",
		},
		"lost request": {
			happens: fault(market.Fault{Action: "cancel", Kind: market.CutBefore}), reason: orders.SwapUncertain, cancels: 1, state: storage.OrderOpen,
		},
		"refused cancel": {
			happens: fault(market.Fault{Action: "cancel", Kind: market.Refuse, Message: "Not now"}), reason: orders.SwapRefused, cancels: 1, state: storage.OrderOpen,
		},
		"refused question": {
			happens: fault(market.Fault{Action: "allowcancel", Kind: market.Refuse, Message: "Not now"}), reason: orders.SwapRefused, state: storage.OrderOpen,
		},
		"cancel is not sent": {
			step: "cancelling", happens: func(_ *testing.T, w *world) { w.CutMarket() }, reason: orders.SwapUnreachable, state: storage.OrderOpen,
		},
		"smaller refund": {
			happens: func(t *testing.T, w *world) { testworld.Must(t, w.Market.SetCancelRefund(market.FirstOrder, "0.30")) },
			reason:  orders.SwapLess, cancels: 1, state: storage.OrderCancelled, back: "0.3",
		},
		"smaller refund is promised": {
			happens: fault(market.Fault{Action: "allowcancel", Kind: market.Answer, Body: `[{"order":23501,"allowcancel":1,"refundAmount":0.30}]`}),
			reason:  orders.SwapLess, state: storage.OrderOpen,
		},
		"the end names no charge": {
			step: "cancelling",
			happens: fault(market.Fault{
				Action: "sms_status", Kind: market.Answer, Times: market.Always, Body: `{"status":"canceled","phone":"+1","code":null,"charge":null,"currency":"USD","expires_at":null}`,
			}),
			reason: orders.SwapUnconfirmed, cancels: 1, state: storage.OrderCancelled, wait: 12 * time.Minute,
		},
		"dearer": {
			step: "swap end confirmed",
			happens: func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.SetSMSPrice(market.ProjectTelegram, market.CountryUS, "0.9100"))
			},
			rejected: orders.ReasonPrice, cancels: 1, state: storage.OrderCancelled, back: "0.9",
		},
		"another currency": {
			step:     "swap end confirmed",
			happens:  func(_ *testing.T, w *world) { w.Market.AddKey(key, "100.00", "EUR") },
			rejected: orders.ReasonPrice, cancels: 1, state: storage.OrderCancelled, back: "0.9",
		},
		"sold out": {
			happens: func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, 0))
			},
			rejected: orders.ReasonRefused, cancels: 1, state: storage.OrderCancelled, back: "0.9", wait: 20 * time.Second, // until a second reading of the balance
		},
		"balance spent": {
			step:     "swap end confirmed",
			happens:  func(t *testing.T, w *world) { testworld.Must(t, w.Market.SetBalance(key, "0.50")) },
			rejected: orders.ReasonBalance, cancels: 1, state: storage.OrderCancelled, back: "0.9",
		},
		"maintenance before the cancel": {step: "swap armed", happens: maintenance, reason: orders.SwapPaused, state: storage.OrderOpen},
		"maintenance after the cancel":  {step: "swap cancelled", happens: maintenance, reason: orders.SwapPaused, cancels: 1, state: storage.OrderCancelled, back: "0.9"},
		"maintenance before the claim": {
			step: "swap end confirmed", happens: maintenance, reason: orders.SwapPaused, cancels: 1, state: storage.OrderCancelled, back: "0.9",
		},
		"refused key before the cancel": {step: "swap armed", happens: refuseKey, reason: orders.SwapKey, state: storage.OrderOpen},
		"refused key after the cancel":  {step: "swap end confirmed", happens: refuseKey, rejected: orders.ReasonInvalidKey, cancels: 1, state: storage.OrderCancelled, back: "0.9"},
		"another key before the cancel": {step: "swap armed", happens: newKey, reason: orders.SwapKey, state: storage.OrderOpen},
		"another key after the cancel":  {step: "swap cancelled", happens: newKey, reason: orders.SwapKey, cancels: 1, state: storage.OrderCancelled, back: "0.9"},
		"removed key": {
			step: "swap cancelled", happens: func(t *testing.T, w *world) { testworld.Must(t, w.db.RemoveKey(t.Context(), anna)) },
			reason: orders.SwapKey, cancels: 1, state: storage.OrderCancelled, back: "0.9",
		},
		"key is marked as refused":   {step: "swap armed", happens: func(_ *testing.T, w *world) { w.Exec(`UPDATE api_keys SET invalid = 1`) }, reason: orders.SwapKey, state: storage.OrderOpen},
		"no draft before the cancel": {step: "swap armed", happens: discard, reason: orders.SwapInterrupted, state: storage.OrderOpen},
		"no draft after the cancel":  {step: "swap cancelled", happens: discard, reason: orders.SwapInterrupted, cancels: 1, state: storage.OrderCancelled, back: "0.9"},
		"backup was restored": {
			step: "swap armed", happens: func(t *testing.T, w *world) {
				testworld.Must(t, w.db.SetSetting(t.Context(), "restored", "1 1 backup"))
			},
			reason: orders.SwapPaused, state: storage.OrderOpen,
		},
		"restored before the cancel": {step: "swap armed", happens: restore, reason: orders.SwapRestored, state: storage.OrderOpen},
		"restored after the cancel":  {step: "swap cancelled", happens: restore, reason: orders.SwapRestored, cancels: 1, state: storage.OrderCancelled, back: "0.9"},
		"end of its time": {
			step: "swap armed",
			happens: func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.ExpireSMS(market.FirstOrder))
				w.Market.SetCancelAfter(time.Hour)
			},
			reason: orders.SwapEnded, state: storage.OrderExpired,
		},
		"silence before the cancel": {
			happens: fault(market.Fault{Action: "allowcancel", Kind: market.HTML502, Times: market.Always}),
			reason:  orders.SwapUnreachable, state: storage.OrderOpen, wait: 11 * time.Minute,
		},
		"silence after the cancel": {
			step:    "cancelling",
			happens: fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always}),
			reason:  orders.SwapUnconfirmed, cancels: 1, state: storage.OrderCancelled, wait: 12 * time.Minute,
		},
		"panic after the claim": {step: "claimed", happens: func(*testing.T, *world) { panic("bug") }, rejected: orders.ReasonInterrupted, cancels: 1, state: storage.OrderCancelled, back: "0.9"},
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
				testworld.Pass(30*time.Second + test.wait)
				phone := w.phone(order)
				if phone.Swap.Reason != test.reason || phone.New.Reason != test.rejected || phone.NewPhone != "" || phone.State != test.state {
					t.Errorf("the number is %s, the swap %s %q, the purchase %q", phone.State, phone.Swap.State, phone.Swap.Reason, phone.New.Reason)
				}
				back := ""
				if sum := phone.CameBack(); sum.Valid {
					back = sum.Decimal.String()
				}
				if back != test.back {
					t.Errorf("%q came back, want %q", back, test.back)
				}
				w.wantCalls("cancel", test.cancels)
				if n := len(w.Market.Numbers()); n != 1 {
					t.Errorf("%d numbers were rented", n)
				}
				if n := w.count(orders.MessageSwap); n != 1 {
					t.Errorf("%d messages about the swap", n)
				}
			})
		})
	}
}

// TestForgottenPersonEndsSwap at each step: nothing is rented afterwards.
func TestForgottenPersonEndsSwap(t *testing.T) {
	for _, step := range []string{"swap armed", "cancelling", "swap cancelled", "swap end confirmed"} {
		t.Run(step, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				_, offer := w.offerSwap()
				w.at(step, func() { testworld.Must(t, w.db.Forget(t.Context(), anna, time.Now())) })
				w.startSwap(offer)
				testworld.Pass(time.Minute)
				w.wantCalls("add_sms", 1)
			})
		})
	}
}

// TestArmedSwap: a number that the marketplace does not take back yet is swapped when it
// does, without another tap.
func TestArmedSwap(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(t *testing.T, w *world, order storage.Order, purchase int64)
		reason  string
		cancels int
		state   storage.OrderState
	}{
		"nothing":               {happens: func(*testing.T, *world, storage.Order, int64) {}},
		"restart":               {happens: func(_ *testing.T, w *world, _ storage.Order, _ int64) { w.restart(w.client, time.Minute) }},
		"the clock is set back": {happens: func(_ *testing.T, w *world, _ storage.Order, _ int64) { w.stepClock(-time.Hour) }},
		"code": {
			happens: func(t *testing.T, w *world, order storage.Order, _ int64) {
				testworld.Must(t, w.Market.SendCode(number(order), "1234"))
			},
			reason: orders.SwapCode, state: storage.OrderDelivered,
		},
		"own cancel": {
			happens: func(t *testing.T, w *world, order storage.Order, _ int64) {
				w.Market.SetCancelAfter(0)
				_, err := w.service.Cancel(t.Context(), anna, order.ID)
				testworld.Must(t, err)
			},
			reason: orders.SwapCancelled, cancels: 1, state: storage.OrderCancelled,
		},
		"the person ends it": {
			happens: func(t *testing.T, w *world, _ storage.Order, purchase int64) {
				if _, ended, err := w.service.EndSwap(t.Context(), anna, purchase); err != nil || !ended {
					t.Errorf("ended %v, %v", ended, err)
				}
				if _, ended, err := w.service.EndSwap(t.Context(), anna, purchase); err != nil || ended {
					t.Errorf("ended twice: %v, %v", ended, err)
				}
			},
			reason: orders.SwapCancelled, state: storage.OrderOpen,
		},
		"cancel of an older program": {
			happens: func(_ *testing.T, w *world, _ storage.Order, _ int64) {
				w.Exec(`UPDATE orders SET cancel_sent_at = ?`, time.Now().UnixMilli())
			},
			reason: orders.SwapCancelled, state: storage.OrderOpen,
		},
		"code after a cancel of an older program": {
			happens: func(t *testing.T, w *world, order storage.Order, _ int64) {
				w.Exec(`UPDATE orders SET cancel_sent_at = ?`, time.Now().UnixMilli())
				testworld.Must(t, w.Market.SendCode(number(order), "1234"))
			},
			reason: orders.SwapCode, state: storage.OrderDelivered,
		},
		"another order of its id": { // a cancel could end either
			happens: func(t *testing.T, w *world, order storage.Order, _ int64) {
				testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
				goods := w.buy(market.GmailUSA, 1)
				testworld.Pass(5 * time.Second)
				w.Exec(`UPDATE orders SET external_id = ? WHERE id = ?`, order.ExternalID, goods.ID)
			},
			reason: orders.SwapInterrupted, state: storage.OrderOpen,
		},
		"later than was said": {
			happens: func(_ *testing.T, w *world, _ storage.Order, _ int64) { w.Market.SetCancelAfter(17 * time.Minute) },
			reason:  orders.SwapRefused, state: storage.OrderOpen,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.Market.SetCancelAfter(5 * time.Minute)
				order, offer := w.offerSwap()
				if at := w.order(order.ID).CreatedAt.Add(5 * time.Minute); offer.Swap.At.Sub(at).Abs() > time.Second {
					t.Errorf("the swap is for %v, want %v", offer.Swap.At, at)
				}
				w.startSwap(offer)
				testworld.Pass(10 * time.Second)
				w.wantCalls("cancel", 0)
				w.wantCalls("allowcancel", 1) // of the offer
				if phone := w.phone(order); phone.Swap.State != storage.SwapArmed || phone.CanSwap {
					t.Errorf("the swap is %+v", phone.Swap)
				}
				test.happens(t, w, order, offer.Swap.PurchaseID)
				testworld.Pass(3*time.Minute + 20*time.Second)
				if test.reason == "" {
					w.wantSwapped(order)
					return
				}
				if phone := w.phone(order); phone.Swap.State != storage.SwapStopped || phone.Swap.Reason != test.reason || phone.State != test.state {
					t.Errorf("the number is %s, the swap %s %q", phone.State, phone.Swap.State, phone.Swap.Reason)
				}
				w.wantCalls("cancel", test.cancels)
				w.wantCalls("add_sms", 1)
			})
		})
	}
}

// TestPostponedSwap waits as long as the person was told, and ten minutes more.
func TestPostponedSwap(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		order, offer := w.offerSwap()
		w.startSwap(offer)
		w.Market.SetCancelAfter(9 * time.Minute)
		testworld.Pass(4 * time.Minute)
		if phone := w.phone(order); phone.Swap.State != storage.SwapArmed || !phone.Swap.At.After(time.Now().Add(2*time.Minute)) {
			t.Errorf("the swap is %+v", phone.Swap)
		}
		testworld.Pass(3 * time.Minute)
		w.wantSwapped(order)
	})
}

// TestLateSwap: the marketplace takes the number back only shortly before its end.
func TestLateSwap(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.Market.SetCancelAfter(16 * time.Minute)
		order, offer := w.offerSwap()
		w.startSwap(offer)
		testworld.Pass(14*time.Minute + 20*time.Second)
		w.wantSwapped(order)
	})
}

// TestSwapsInARow: the fourth number is the last one.
func TestSwapsInARow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		for place := int64(1); place <= orders.MaxSwaps; place++ {
			testworld.Pass(2*time.Minute + 10*time.Second)
			offer, err := w.service.OfferSwap(t.Context(), anna, order.ID, 0, "en")
			testworld.Must(t, err)
			if offer.Swap.Place != place {
				t.Errorf("place %d, want %d", offer.Swap.Place, place)
			}
			w.startSwap(offer)
			testworld.Pass(10 * time.Second)
			next, err := w.db.OrdersOfPurchase(t.Context(), anna, offer.Swap.PurchaseID)
			testworld.Must(t, err)
			order = next[0]
		}
		testworld.Pass(2*time.Minute + 10*time.Second)
		if phone := w.phone(order); phone.CanSwap || !phone.SwapLimit {
			t.Errorf("after %d swaps: %+v", orders.MaxSwaps, phone)
		}
		if _, err := w.service.OfferSwap(t.Context(), anna, order.ID, 0, "en"); !errors.Is(err, orders.ErrTooManySwaps) {
			t.Errorf("an old button: %v", err)
		}
		w.wantCalls("cancel", orders.MaxSwaps)
	})
}

// TestRefusedTapOfSwap: nothing is started for an offer that is too old, of another person,
// or on terms that have changed.
func TestRefusedTapOfSwap(t *testing.T) {
	for name, test := range map[string]struct {
		before func(t *testing.T, w *world)
		user   int64
		want   error
	}{
		"too old":        {before: func(*testing.T, *world) { testworld.Pass(10 * time.Minute) }},
		"restored":       {before: func(t *testing.T, w *world) { testworld.Must(t, w.db.SetSetting(t.Context(), "epoch", "1")) }},
		"another person": {user: boris, want: storage.ErrNotFound},
		"maintenance": {want: orders.ErrMaintenance, before: func(t *testing.T, w *world) {
			testworld.Must(t, w.db.SetMaintenance(t.Context(), time.Now(), storage.AuditEntry{}))
		}},
		"another key": {want: orders.ErrOtherKey, before: func(t *testing.T, w *world) {
			_, err := w.db.SaveKey(t.Context(), anna, "canary-another")
			testworld.Must(t, err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.addBoris()
				order, offer := w.offerSwap()
				if test.before != nil {
					test.before(t, w)
				}
				user := test.user
				if user == 0 {
					user = anna
				} else if _, err := w.service.OfferSwap(t.Context(), user, order.ID, 0, "en"); !errors.Is(err, storage.ErrNotFound) {
					t.Errorf("offered to another person: %v", err)
				}
				if _, started, err := w.service.StartSwap(t.Context(), user, offer.Swap.PurchaseID); started && test.user == 0 || !errors.Is(err, test.want) {
					t.Errorf("started %v, %v", started, err)
				}
				if _, ended, err := w.service.EndSwap(t.Context(), boris, offer.Swap.PurchaseID); ended || !errors.Is(err, storage.ErrNotFound) {
					t.Errorf("ended by another person: %v, %v", ended, err)
				}
				testworld.Pass(time.Minute)
				w.wantCalls("cancel", 0)
				w.wantCalls("add_sms", 1)
			})
		})
	}
}

// TestOfferWithAnotherKey: the refund would go to another account.
// TestSwapIsTappedTwice, at the same time in two copies, both of which do the background
// work, and with a second offer of the same number.
func TestSwapIsTappedTwice(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order, offer := w.offerSwap()
		second, err := w.service.OfferSwap(t.Context(), anna, order.ID, 0, "en")
		testworld.Must(t, err)
		other := w.newService(w.client)
		other.Start()
		var taps sync.WaitGroup
		var failed atomic.Int64
		for _, service := range []*orders.Service{w.service, other} {
			for _, offer := range []orders.SwapOffer{offer, second} {
				for range 5 {
					taps.Go(func() {
						if _, _, err := service.StartSwap(t.Context(), anna, offer.Swap.PurchaseID); err != nil {
							failed.Add(1)
						}
					})
				}
			}
		}
		taps.Wait()
		if n := failed.Load(); n != 0 {
			t.Errorf("%d taps failed", n)
		}
		testworld.Pass(30 * time.Second)
		w.wantSwapped(order)
		testworld.Must(t, other.Stop(t.Context()))
	})
}

// TestSwapWaitsForKey: another purchase of the key is in flight when the refund is there.
func TestSwapWaitsForKey(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		order, offer := w.offerSwap()
		w.at("swap end confirmed", func() {
			w.Exec(`UPDATE purchases SET state = 'sending', lease_until = ? WHERE state = 'placed'`, time.Now().Add(time.Hour).UnixMilli())
		})
		w.startSwap(offer)
		testworld.Pass(30 * time.Second)
		w.wantCalls("add_sms", 1)
		w.Exec(`UPDATE purchases SET state = 'placed' WHERE state = 'sending'`)
		testworld.Pass(10 * time.Second)
		w.wantSwapped(order)
	})
}

// TestSwapOfUnknownOutcome: the answer to the request to rent is lost.
func TestSwapOfUnknownOutcome(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order, offer := w.offerSwap()
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
		w.startSwap(offer)
		testworld.Pass(30 * time.Second)
		if phone := w.phone(order); phone.New.State != storage.PurchaseOutcomeUnknown {
			t.Errorf("the purchase is %s", phone.New.State)
		}
		if !w.notified(anna, orders.MessageOutcomeUnknown) {
			t.Error("the person is not told")
		}
		w.wantCalls("add_sms", 2)
	})
}
