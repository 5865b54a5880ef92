package orders_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// failed is what the log says of a loop whose work has failed.
const failed = "background work failed"

// await lets time pass until something has happened, and fails if it never does.
func (w *world) await(what string, happened func() bool) {
	w.t.Helper()
	for n := 0; !happened(); n++ {
		if n > 100_000 {
			w.t.Fatalf("waited in vain for %s", what)
		}
		testworld.Pass(10 * time.Millisecond)
	}
}

// awaitCall lets time pass until another request of an action reaches the marketplace.
func (w *world) awaitCall(action string) {
	w.t.Helper()
	before := w.Market.Count(action)
	w.await("a further "+action, func() bool { return w.Market.Count(action) > before })
}

// awaitFault lets time pass until the marketplace's faults have struck.
func (w *world) awaitFault() {
	w.t.Helper()
	w.await("a fault", func() bool { return len(w.Market.Faults()) == 0 })
}

// TestPollsThatChangeNothing are counted, but are stored together, not in a transaction each.
func TestPollsThatChangeNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 2)
		testworld.Must(t, w.Market.Deliver(number(order), 1))
		testworld.Pass(time.Minute)
		before, applied := w.order(order.ID), 0
		if before.State != storage.OrderPartial {
			t.Fatalf("the order is %s", before.State)
		}
		count := func(step string) {
			if step == "applied" {
				applied++
			}
		}
		w.onStep.Store(&count)
		testworld.Pass(10 * time.Minute)
		if after := w.order(order.ID); after.Polls < before.Polls+8 || applied != 0 {
			t.Errorf("%d polls, of which %d changed something", after.Polls-before.Polls, applied)
		}
		if log := w.Log.String(); strings.Contains(log, "damaged") || strings.Contains(log, "not polled") {
			t.Errorf("the log tells of failures: %s", log)
		}
	})
}

// TestNothingIsWrittenBetweenPolls: results of polls are stored once.
func TestNothingIsWrittenBetweenPolls(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.buy(market.GmailUSA, 1)
		w.Market.Fault(market.Fault{Action: "status", Kind: market.HTML502, Times: market.Always})
		testworld.Pass(30 * time.Minute) // polled every ten minutes by then
		w.awaitCall("status")
		testworld.Pass(time.Second)
		accept := w.Refuse(`UPDATE ON orders FOR EACH ROW`)
		testworld.Pass(time.Minute)
		accept()
		if strings.Contains(w.Log.String(), failed) {
			t.Error("orders were written although none was polled")
		}
	})
}

// TestDuePollsThatCantBeRead are an error of the loop, which pauses, and goes on afterwards.
func TestDuePollsThatCantBeRead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(10 * time.Second)
		back := w.hideTable("orders")
		testworld.Pass(10 * time.Second)
		back()
		if log := w.Log.String(); !strings.Contains(log, failed+`" loop="watch orders"`) {
			t.Errorf("nobody learns of it: %s", log)
		}
		testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
		testworld.Pass(30 * time.Second)
		if got := w.codes(); len(got) != 1 {
			t.Errorf("codes %q", got)
		}
	})
}

// TestPollsWhileTheDatabaseRefuses: the results are kept, so the next polls follow before the
// leases of the last ones are over. A step of the clock is not forgotten.
func TestPollsWhileTheDatabaseRefuses(t *testing.T) {
	for name, restarted := range map[string]bool{"running": false, "restarted after a step of the clock": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				testworld.Pass(10 * time.Second)
				w.awaitCall("sms_code")
				if restarted {
					testworld.Must(t, w.service.Stop(t.Context()))
					w.stepClock(-time.Hour)
				}
				accept := w.Refuse(`UPDATE ON orders FOR EACH ROW`)
				if restarted {
					w.service = w.newService(w.client)
					w.service.Start()
				}
				testworld.Pass(4 * time.Second)
				accept()
				if !strings.Contains(w.Log.String(), failed) {
					t.Error("nobody learns of it")
				}
				testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
				testworld.Pass(20 * time.Second) // all orders are read every 15 s
				if got := w.codes(); len(got) != 1 {
					t.Errorf("codes %q", got)
				}
			})
		})
	}
}

// TestPollsInFlight of one key: at most 16, so that a slow marketplace delays no other key.
func TestPollsInFlight(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		w.addBoris()
		w.Market.Fault(market.Fault{Action: "status", Key: testworld.AnnaKey.Reveal(), Kind: market.Slow, Delay: 14 * time.Second, Times: market.Always})
		for n := range 20 {
			if n == 16 {
				testworld.Pass(2 * time.Second)
			}
			w.buy(market.GmailUSA, 1)
		}
		testworld.Pass(3 * time.Second)
		w.wantCalls("status", 16)
		another := w.confirm(w.draftFor(boris, market.GmailUSA, 1)).Orders[0]
		testworld.Must(t, w.Market.Finish(number(another)))
		testworld.Pass(5 * time.Second)
		if !w.notified(boris, orders.MessageGoods) {
			t.Error("another key waits for the polls of this one")
		}
		testworld.Pass(10 * time.Second)
		if n := w.Market.Count("status") - len(w.callsOf(another, "status")); n < 20 {
			t.Errorf("%d polls of 20 orders", n)
		}
	})
}

// TestTooManyRequestsPauseTheKey: it is left alone for five seconds. Another failure delays only
// the order that was polled.
func TestTooManyRequestsPauseTheKey(t *testing.T) {
	for kind, atLeast := range map[market.FaultKind]int{market.TooMany: 0, market.HTML502: 3} {
		t.Run(string(kind), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.rent(4)
				testworld.Pass(10 * time.Second)
				w.Market.Fault(market.Fault{Action: "sms_code", Kind: kind})
				w.awaitFault()
				testworld.Pass(500 * time.Millisecond) // what was in flight
				before := w.Market.Count("")
				testworld.Pass(3500 * time.Millisecond)
				if n := w.Market.Count("") - before; n < atLeast || atLeast == 0 && n > 0 {
					t.Errorf("%d calls in the seconds after it", n)
				}
				testworld.Pass(6 * time.Second)
				if n := w.Market.Count("") - before; n < 3 {
					t.Errorf("only %d calls after the pause", n)
				}
			})
		})
	}
}

// TestStopReleasesPolls: what was in flight is polled again at once by the next process.
func TestStopReleasesPolls(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 1)
		w.Market.Fault(market.Fault{Action: "status", Kind: market.Slow, Delay: 10 * time.Second})
		testworld.Pass(2 * time.Second)
		testworld.Must(t, w.Market.Finish(number(order)))
		w.restart(w.client, 0)
		testworld.Pass(5 * time.Second)
		w.wantNotified(orders.MessageGoods)
	})
}

// TestPhoneAfterItsTime: that it has ended is concluded where the marketplace refuses to tell its
// own buyer, not from a failure or from what another account is told.
func TestPhoneAfterItsTime(t *testing.T) {
	fail := func(w *world, f market.Fault) {
		f.Times = market.Always
		for _, f.Action = range []string{"sms_status", "sms_code"} {
			w.Market.Fault(f)
		}
	}
	notFound := market.Fault{Kind: market.Refuse, Message: "Order not found"}
	for name, test := range map[string]struct {
		begin func(w *world, order storage.Order)
		want  storage.OrderState
		told  int // about the end
	}{
		"not found": {func(w *world, _ storage.Order) { fail(w, notFound) }, storage.OrderExpired, 1},
		"an outage": {func(w *world, _ storage.Order) { fail(w, market.Fault{Kind: market.HTML502}) }, storage.OrderOpen, 0},
		"not found with another key": {func(w *world, _ storage.Order) {
			testworld.Must(w.t, w.db.RemoveKey(w.t.Context(), anna))
			w.Market.AddKey("another-key-0123456789", "5.00", "USD")
			_, err := w.db.SaveKey(w.t.Context(), anna, "another-key-0123456789")
			testworld.Must(w.t, err)
		}, storage.OrderOpen, 0},
		"not found after its code": {func(w *world, order storage.Order) {
			testworld.Must(w.t, w.Market.SendSMS(number(order), "1", "code 1"))
			testworld.Pass(10 * time.Second)
			fail(w, notFound)
		}, storage.OrderDelivered, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				testworld.Pass(10 * time.Second)
				test.begin(w, order)
				redrawn := w.count(orders.MessageRedraw)
				testworld.Pass(10 * time.Minute)
				if got := w.order(order.ID); got.Open() == (test.want == storage.OrderDelivered) {
					t.Errorf("open %t before its time is over", got.Open())
				}
				testworld.Pass(20 * time.Minute)
				got := w.order(order.ID)
				if closed := test.want != storage.OrderOpen; got.State != test.want || got.Open() == closed {
					t.Errorf("the order is %s, open %t", got.State, got.Open())
				}
				if test.want == storage.OrderExpired && got.Charge.Valid {
					t.Errorf("it is said to have cost %s: what the refund has left is not known", got.Charge.Decimal)
				}
				if n := w.count(orders.MessageEnded); n != test.told {
					t.Errorf("%d messages about the end", n)
				}
				if n := w.count(orders.MessageRedraw) - redrawn; n < test.told {
					t.Error("the message that shows the phone is not redrawn")
				}
				if strings.Contains(w.Log.String(), "not closed") {
					t.Error("the log says that it was not closed")
				}
			})
		})
	}
}

// TestStaleDuringAnOutage: an old order that can't be polled is no longer polled, which is said.
func TestStaleDuringAnOutage(t *testing.T) {
	for name, begin := range map[string]func(w *world) storage.Order{
		"goods": func(w *world) storage.Order {
			order := w.buy(market.ChatGPTPlus, 2)
			testworld.Must(w.t, w.Market.Deliver(number(order), 1))
			return order
		},
		"phone": func(w *world) storage.Order {
			order := w.rent(1)[0]
			testworld.Must(w.t, w.Market.SetExpiry(number(order), time.Time{}))
			return order
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.Hold(market.ChatGPTPlus, true))
				order := begin(w)
				testworld.Pass(5 * time.Second)
				w.stop()
				testworld.Pass(31 * 24 * time.Hour)
				w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
				w.start()
				testworld.Pass(12 * time.Hour)
				got := w.order(order.ID)
				if got.State != storage.OrderStale || got.Open() {
					t.Errorf("the order is %s, open %t", got.State, got.Open())
				}
				if n := w.count(orders.MessageEnded); n != 1 {
					t.Errorf("told %d times", n)
				}
				if n := w.count(orders.MessageRedraw); n > 0 && got.Kind != storage.KindSMS {
					t.Errorf("a message is redrawn that shows a phone, %d times", n)
				}
			})
		})
	}
}

// TestReadingThatFails: a person who asks for an order, its goods or its codes is not shown an
// old state, or nothing, as if it were the answer.
func TestReadingThatFails(t *testing.T) {
	outage := func(err error) bool {
		kind, _ := hstock.KindOf(err)
		return kind == hstock.Unreachable
	}
	noKey := func(err error) bool { return errors.Is(err, orders.ErrNoKey) }
	for name, test := range map[string]struct {
		begin func(w *world)
		want  func(err error) bool
	}{
		"outage": {func(w *world) { w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always}) }, outage},
		"no key": {func(w *world) { testworld.Must(w.t, w.db.RemoveKey(w.t.Context(), anna)) }, noKey},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				goods, phone := w.buy(market.GmailUSA, 1), w.rent(1)[0]
				testworld.Pass(10 * time.Second)
				test.begin(w)
				_, refreshErr := w.service.Refresh(t.Context(), anna, goods.ID)
				_, _, accountsErr := w.service.Accounts(t.Context(), anna, goods.ID)
				_, _, codesErr := w.service.Codes(t.Context(), anna, phone.ID)
				if !test.want(refreshErr) || !test.want(accountsErr) || !test.want(codesErr) {
					t.Errorf("Refresh: %v, Accounts: %v, Codes: %v", refreshErr, accountsErr, codesErr)
				}
				if _, _, err := w.service.Accounts(t.Context(), boris, goods.ID); !errors.Is(err, storage.ErrNotFound) {
					t.Errorf("accounts of another person's order: %v", err)
				}
			})
		})
	}
}

// TestPresentKeyReads what an own key has bought that was removed or refused.
func TestPresentKeyReads(t *testing.T) {
	for name, end := range map[string]func(w *world){
		"removed": func(w *world) { testworld.Must(w.t, w.db.RemoveKey(w.t.Context(), anna)) },
		"refused": func(w *world) {
			w.Market.RemoveKey(testworld.AnnaKey.Reveal())
			testworld.Pass(time.Minute)
			w.Market.AddKey(testworld.AnnaKey.Reveal(), "5.00", "USD")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
				order := w.buy(market.GmailUSA, 1)
				end(w)
				const another = "another-key-0123456789"
				w.Market.AddKey(another, "5.00", "USD")
				_, err := w.db.SaveKey(t.Context(), anna, another)
				testworld.Must(t, err)
				calls := len(w.Market.Calls())
				_, _, err = w.service.Accounts(t.Context(), anna, order.ID)
				if kind, _ := hstock.KindOf(err); kind != hstock.Refused {
					t.Errorf("the answer of another account: %v", err)
				}
				if call := w.Market.Calls()[calls]; call.Action != "status" || call.Fields.Get("key") != another {
					t.Errorf("%s with the key %s", call.Action, call.Fields.Get("key"))
				}
			})
		})
	}
}

// TestRefreshReadsEverything that the marketplace says of a phone, also what polls need not know.
func TestRefreshReadsEverything(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(time.Minute)
		until := time.Now().Add(time.Hour).Truncate(time.Second)
		testworld.Must(t, w.Market.SetExpiry(number(order), until))
		testworld.Pass(5 * time.Second)
		w.Market.Fault(market.Fault{Action: "sms_code", Kind: market.Slow, Delay: 10 * time.Second}) // of a poll
		w.awaitFault()
		testworld.Pass(4 * time.Second)
		got, err := w.service.Refresh(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if !got.ExpiresAt.Equal(until) {
			t.Errorf("it ends at %s, want %s", got.ExpiresAt, until)
		}
	})
}

// TestRefreshWithKeyThatIsAcceptedAgain: its other orders go on at once.
func TestRefreshWithKeyThatIsAcceptedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		first, second := w.buy(market.GmailUSA, 1), w.buy(market.GmailUSA, 1)
		w.Market.Fault(market.Fault{Action: "status", Kind: market.Refuse, Message: "Invalid API key"})
		testworld.Pass(2 * time.Minute)
		w.wantNotified(orders.MessageInvalidKey)
		testworld.Must(t, w.Market.Finish(number(first)))
		testworld.Must(t, w.Market.Finish(number(second)))
		got, err := w.service.Refresh(t.Context(), anna, first.ID)
		testworld.Must(t, err)
		if got.State != storage.OrderDelivered {
			t.Errorf("the order is %s", got.State)
		}
		testworld.Pass(10 * time.Second)
		w.wantNotified(orders.MessageInvalidKey, orders.MessageGoods, orders.MessageGoods)
	})
}

// TestRefreshDuringAPoll that stores its answer first: the person sees what is stored.
func TestRefreshDuringAPoll(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 1)
		for range 4 {
			w.awaitCall("status")
		}
		testworld.Pass(3500 * time.Millisecond) // the next one follows within another two seconds
		testworld.Must(t, w.Market.Finish(number(order)))
		w.Market.Fault(market.Fault{Action: "status", Kind: market.Slow, Delay: 6 * time.Second})
		got, err := w.service.Refresh(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if got.State != storage.OrderDelivered || got.Delivered != 1 {
			t.Errorf("the order is %s, %d delivered", got.State, got.Delivered)
		}
		testworld.Pass(time.Minute)
		w.wantNotified(orders.MessageGoods)
	})
}

// TestForecastsKnowWhatDidNotCome: goods with money back are no delivery, and a number that the
// marketplace forgets has got no code.
func TestForecastsKnowWhatDidNotCome(t *testing.T) {
	for name, happens := range map[string]func(w *world){
		"goods": func(w *world) {
			order := w.buy(market.GmailUSA, 1)
			testworld.Pass(5 * time.Second)
			testworld.Must(w.t, w.Market.Refund(number(order)))
			testworld.Pass(time.Minute)
		},
		"phone": func(w *world) {
			w.rent(1)
			testworld.Pass(25*time.Minute - 50*time.Millisecond) // it has ended, and a late code is no longer waited for
			for _, action := range []string{"sms_status", "sms_code"} {
				w.Market.Fault(market.Fault{Action: action, Kind: market.Refuse, Message: "Order not found", Times: market.Always})
			}
			testworld.Pass(10 * time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
				happens(w)
				var arrived []int64
				w.Select(&arrived, `SELECT arrived FROM delivery_times`)
				if len(arrived) != 1 || arrived[0] != 0 {
					t.Errorf("stored as arrived: %v, want one 0", arrived)
				}
			})
		})
	}
}

// TestFirstChargeOfAnotherRate: what the first charge of an SMM order says about SMM_RATE_PER.
// Other charges say nothing.
func TestFirstChargeOfAnotherRate(t *testing.T) {
	for name, test := range map[string]struct {
		service             int64
		charges             []string // of 1000 pieces for 5.00 a thousand
		confirmed, mismatch bool
	}{
		"for a thousand":     {market.InstagramFollowers, []string{"5.00"}, true, false},
		"for one":            {market.InstagramFollowers, []string{"5000"}, false, true},
		"neither":            {market.InstagramFollowers, []string{"7.00"}, false, false},
		"the second charge":  {market.InstagramFollowers, []string{"7.00", "5000"}, false, false},
		"after none is said": {market.InstagramFollowers, []string{"0", "5.00"}, true, false},
		"goods":              {market.GmailUSA, []string{"5.00"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				quantity := int64(1)
				if test.service == market.InstagramFollowers {
					quantity = 1000
				}
				testworld.Must(t, w.Market.SetRate(test.service, "5.00"))
				testworld.Must(t, w.Market.Hold(test.service, true))
				w.answers("status", `{"status":"In progress"}`)
				w.buy(test.service, quantity)
				for _, charge := range test.charges {
					w.answers("status", `{"status":"In progress","charge":"`+charge+`"}`)
					testworld.Pass(time.Minute)
				}
				for setting, want := range map[string]bool{storage.SMMRateConfirmedSetting(1000): test.confirmed, storage.SMMRateMismatchSetting(1000): test.mismatch} {
					if value, err := w.db.Setting(t.Context(), setting); (value != "") != want || err != nil {
						t.Errorf("%s is %q, %v", setting, value, err)
					}
				}
				if strings.Contains(w.Log.String(), "not stored") {
					t.Error("the log says that the result is not stored")
				}
			})
		})
	}
}
