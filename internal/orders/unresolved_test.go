package orders_test

import (
	"errors"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/storage"
)

// unknown makes a purchase of two accounts whose answer is lost, carried out
// or not.
func (w *world) unknown(service int64, done bool) storage.Purchase {
	w.t.Helper()
	p := w.draft(service, 2)
	w.market.Fault(market.Fault{Action: "add", Kind: market.HTML502, Commit: done})
	outcome := w.confirm(p)
	if outcome.Result != orders.Unknown {
		w.t.Fatalf("got %v, want Unknown", outcome.Result)
	}
	return outcome.Purchase
}

// TestVerdicts: what the balance suggests, and when it can't tell.
func TestVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		service int64
		done    bool
		between func(w *world)
		want    storage.Verdict
		within  time.Duration
	}{
		"bought":     {service: market.GmailUSA, done: true, want: storage.VerdictBought, within: 20 * time.Second},
		"not bought": {service: market.GmailUSA, want: storage.VerdictNotBought, within: 6 * time.Minute},
		"another purchase in between": {
			service: market.GmailUSA, done: true,
			between: func(w *world) { w.buy(market.GmailUSA, 1) },
			want:    storage.VerdictUnclear, within: 6 * time.Minute,
		},
		"another unknown in between": {
			service: market.GmailUSA,
			between: func(w *world) { w.unknown(market.GmailUSA, true) },
			want:    storage.VerdictUnclear, within: 6 * time.Minute,
		},
		"variants have other prices": {service: market.NetflixVariants, done: true, want: storage.VerdictUnclear, within: 6 * time.Minute},
		"a fall of another size": {
			service: market.GmailUSA,
			between: func(w *world) { must(w.t, w.market.SetBalance(annaKey.Reveal(), "60.00")) },
			want:    storage.VerdictUnclear, within: 6 * time.Minute,
		},
		"a reading that failed proves nothing": {
			service: market.GmailUSA,
			between: func(w *world) {
				w.market.Fault(market.Fault{Action: "balance", Kind: market.HTML502, Times: 3})
			},
			want: storage.VerdictUnclear, within: 6 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				p := w.unknown(test.service, test.done)
				if test.between != nil {
					test.between(w)
				}
				pass(test.within)
				got, err := w.db.Purchase(t.Context(), anna, p.ID)
				must(t, err)
				if got.Verdict != test.want {
					t.Errorf("verdict %q, want %q (balance before %s, seen %s)", got.Verdict, test.want, got.Balance, got.BalanceSeen.Decimal)
				}
			})
		})
	}
}

func TestAdopting(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		known := w.buy(market.GmailUSA, 1)
		p := w.unknown(market.GmailUSA, true)
		lost := w.market.Orders()[1].Number

		if _, err := w.service.LookUp(t.Context(), anna, p.ID, known.ExternalID); !errors.Is(err, storage.ErrExternalIDTaken) {
			t.Errorf("a number that is an order already: %v, want ErrNumberTaken", err)
		}
		if _, err := w.service.LookUp(t.Context(), anna, p.ID, 999999); !errors.Is(err, hstock.ErrOrderNotFound) {
			t.Errorf("a number that is none: %v, want ErrOrderNotFound", err)
		}
		if _, err := w.service.LookUp(t.Context(), boris, p.ID, lost); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("another person's purchase: %v, want ErrNotFound", err)
		}
		found, err := w.service.LookUp(t.Context(), anna, p.ID, lost)
		must(t, err)
		if found.Order.Charge.Decimal.String() != "2.5" {
			t.Errorf("its charge is %s, want 2.5", found.Order.Charge.Decimal)
		}
		order, err := w.service.Adopt(t.Context(), anna, p.ID, lost)
		must(t, err)
		if _, err := w.service.Adopt(t.Context(), anna, p.ID, lost); err == nil {
			t.Error("adopted twice")
		}
		pass(time.Minute)
		if got := w.order(order.ID); got.State != storage.OrderDelivered || !got.Adopted {
			t.Errorf("the adopted order is %s", got.State)
		}
		if got := len(w.accounts()); got != 3 {
			t.Errorf("%d accounts arrived, want 3", got)
		}
		w.wantAdds(2)
	})
}

func TestOneNumberIsOnePurchase(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.unknown(market.GmailUSA, true)
		second := w.unknown(market.GmailUSA, false)
		number := w.market.Orders()[0].Number
		_, err := w.service.Adopt(t.Context(), anna, first.ID, number)
		must(t, err)
		if _, err := w.service.Adopt(t.Context(), anna, second.ID, number); !errors.Is(err, storage.ErrExternalIDTaken) {
			t.Errorf("got %v, want ErrNumberTaken", err)
		}
	})
}

// TestDismissing: a person's word ends the doubt, but a number still wins.
func TestDismissing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.unknown(market.GmailUSA, true)
		if err := w.service.Dismiss(t.Context(), boris, p.ID); !errors.Is(err, orders.ErrOutcomeKnown) {
			t.Errorf("another person's purchase: %v, want ErrNotUnknown", err)
		}
		must(t, w.service.Dismiss(t.Context(), anna, p.ID))
		if err := w.service.Dismiss(t.Context(), anna, p.ID); !errors.Is(err, orders.ErrOutcomeKnown) {
			t.Errorf("twice: %v, want ErrNotUnknown", err)
		}
		_, err := w.service.Adopt(t.Context(), anna, p.ID, w.market.Orders()[0].Number)
		must(t, err)
	})
}

// TestAbandonedPurchases: what a process that died held is settled by the next one.
func TestAbandonedPurchases(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		now := time.Now()
		claimed, sending := w.draft(market.GmailUSA, 1), w.draft(market.GmailUSA, 2)
		_, err := w.db.ClaimPurchase(t.Context(), anna, claimed.ID, "dead", now, now.Add(time.Minute))
		must(t, err)
		pass(59 * time.Second)
		w.wantTold()
		pass(20 * time.Second)
		w.wantTold(orders.MessageOutcome)

		now = time.Now()
		_, err = w.db.ClaimPurchase(t.Context(), anna, sending.ID, "dead", now, now.Add(time.Minute))
		must(t, err)
		_, err = w.db.StartSending(t.Context(), sending.ID, "dead", storage.Terms{Rate: sending.Rate, Balance: sending.Balance, Currency: "USD"}, now, now.Add(time.Minute))
		must(t, err)
		if outcome := w.confirm(sending); outcome.Result != orders.InProgress {
			t.Errorf("while its lease lasts: %v, want InProgress", outcome.Result)
		}
		pass(80 * time.Second)
		w.wantTold(orders.MessageOutcome, orders.MessageOutcomeUnknown)
		w.wantAdds(0)
	})
}

// TestALateClaimNeverSends: a claim whose lease is over is nobody's any more.
func TestALateClaimNeverSends(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		slow := &dawdling{Client: w.client, by: 80 * time.Second} // longer than the lease
		late := orders.New(orders.Options{DB: w.db, Market: slow, SMMRatePer: 1000, Rate: 20, Send: w.send, Log: discard})
		outcome, err := late.Confirm(t.Context(), anna, p.ID, "en")
		must(t, err)
		if outcome.Result != orders.Rejected {
			t.Errorf("got %v, want Rejected", outcome.Result)
		}
		w.wantAdds(0)
	})
}
