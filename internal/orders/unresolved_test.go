package orders_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// unresolved makes a purchase of two accounts whose outcome is unknown. done: it was
// carried out.
func (w *world) unresolved(service int64, done bool) storage.Purchase {
	w.t.Helper()
	p := w.draft(service, 2)
	w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502, Commit: done})
	outcome := w.confirm(p)
	if outcome.Result != orders.OutcomeUnknown {
		w.t.Fatalf("got %v, want OutcomeUnknown", outcome.Result)
	}
	return outcome.Purchase
}

// holdKey makes a call for which the marketplace wants a minute without others.
func (w *world) holdKey() {
	w.t.Helper()
	w.Market.Fault(market.Fault{Action: "add", Kind: market.TooMany, Delay: time.Minute})
	if _, err := w.client.Add(w.t.Context(), testworld.AnnaKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 1}); err == nil {
		w.t.Error("no 429")
	}
}

func TestVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		service int64
		done    bool
		between func(w *world)
		want    storage.Verdict
		within  time.Duration
		unseen  bool // no balance was read
	}{
		"bought":     {service: market.GmailUSA, done: true, want: storage.VerdictBought, within: 16 * time.Second},
		"not bought": {service: market.GmailUSA, want: storage.VerdictNotBought, within: 6 * time.Minute},
		"another purchase in between": {
			service: market.GmailUSA, done: true,
			between: func(w *world) { w.buy(market.GmailUSA, 1) },
			want:    storage.VerdictUnclear, within: 6 * time.Minute,
		},
		"another unresolved purchase in between": {
			service: market.GmailUSA,
			between: func(w *world) { w.unresolved(market.GmailUSA, true) },
			want:    storage.VerdictUnclear, within: 6 * time.Minute,
		},
		"variants have other prices": {service: market.NetflixVariants, done: true, want: storage.VerdictUnclear, within: 6 * time.Minute},
		"a fall of another size": {
			service: market.GmailUSA,
			between: func(w *world) { testworld.Must(w.t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "60.00")) },
			want:    storage.VerdictUnclear, within: 6 * time.Minute,
		},
		"the price of one of two accounts": {
			service: market.GmailUSA,
			between: func(w *world) { testworld.Must(w.t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "98.75")) },
			want:    storage.VerdictUnclear, within: 6 * time.Minute,
		},
		"the price in another currency": {
			service: market.GmailUSA,
			between: func(w *world) { w.Market.AddKey(testworld.AnnaKey.Reveal(), "97.50", "EUR") },
			want:    storage.VerdictUnclear, within: 6 * time.Minute,
		},
		"the price and 2 %": {
			service: market.GmailUSA,
			between: func(w *world) { testworld.Must(w.t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "97.45")) },
			want:    storage.VerdictBought, within: 16 * time.Second,
		},
		"no reading": {
			service: market.GmailUSA,
			between: func(w *world) {
				w.Market.Fault(market.Fault{Action: "balance", Kind: market.HTML502, Times: market.Always})
			},
			want: storage.VerdictUnclear, within: 6 * time.Minute, unseen: true,
		},
		"a reading that failed proves nothing": {
			service: market.GmailUSA,
			between: func(w *world) {
				w.Market.Fault(market.Fault{Action: "balance", Kind: market.HTML502, Times: 3})
			},
			want: storage.VerdictUnclear, within: 6 * time.Minute,
		},
		"a held key puts the reading off": {
			service: market.GmailUSA,
			between: func(w *world) { w.holdKey() },
			want:    storage.VerdictNotBought, within: 6 * time.Minute,
		},
		"a key that is held for too long": {
			service: market.GmailUSA,
			between: func(w *world) {
				for range 14 {
					w.holdKey()
					testworld.Pass(50 * time.Second)
				}
			},
			want: storage.VerdictUnclear, within: 6 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				p := w.unresolved(test.service, test.done)
				if test.between != nil {
					test.between(w)
				}
				testworld.Pass(test.within)
				got, err := w.db.Purchase(t.Context(), anna, p.ID)
				testworld.Must(t, err)
				if got.Verdict != test.want {
					t.Errorf("verdict %q, want %q (balance before %s, seen %s)", got.Verdict, test.want, got.Balance, got.BalanceSeen.Decimal)
				}
				if now := w.Market.Balance(testworld.AnnaKey.Reveal()); got.BalanceSeen.Valid == test.unseen || !test.unseen && !got.BalanceSeen.Decimal.Equal(now) {
					t.Errorf("the balance seen is %s, want %s", got.BalanceSeen.Decimal, now)
				}
				if !w.notified(anna, orders.MessageVerdict) {
					t.Error("the person is not told")
				}
			})
		})
	}
}

func TestAdopt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		known := w.buy(market.GmailUSA, 1)
		p := w.unresolved(market.GmailUSA, true)
		external := idOf(w.Market.Orders()[1].Number)

		if _, err := w.service.LookUp(t.Context(), anna, p.ID, known.ExternalID); !errors.Is(err, storage.ErrExternalIDTaken) {
			t.Errorf("an order that is stored already: %v, want ErrExternalIDTaken", err)
		}
		if _, err := w.service.LookUp(t.Context(), anna, p.ID, "999999"); !errors.Is(err, hstock.ErrOrderNotFound) {
			t.Errorf("an order that does not exist: %v, want ErrOrderNotFound", err)
		}
		if _, err := w.service.LookUp(t.Context(), boris, p.ID, external); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("another person's purchase: %v, want ErrNotFound", err)
		}
		found, err := w.service.LookUp(t.Context(), anna, p.ID, external)
		testworld.Must(t, err)
		if o := found.Order; o.Charge.Decimal.String() != "2.5" || o.Kind != storage.KindProduct || o.Quantity != 2 || o.Currency != "USD" || !o.CreatedAt.Equal(time.Now()) || found.Purchase.ID != p.ID {
			t.Errorf("found %+v", found)
		}
		heed := w.Ignore(`UPDATE ON purchases FOR EACH ROW`)
		if order, err := w.service.Adopt(t.Context(), anna, p.ID, external); !errors.Is(err, orders.ErrOutcomeKnown) {
			t.Errorf("while it is settled otherwise: %+v, %v; want ErrOutcomeKnown", order, err)
		}
		heed()
		order, err := w.service.Adopt(t.Context(), anna, p.ID, external)
		testworld.Must(t, err)
		if _, err := w.service.Adopt(t.Context(), anna, p.ID, external); err == nil {
			t.Error("adopted twice")
		}
		if missing, err := w.service.CountMissing(t.Context(), anna, p.ID); err != nil || missing != 0 {
			t.Errorf("%d orders are missing, %v", missing, err)
		}
		testworld.Pass(900 * time.Millisecond)
		if n := len(w.accounts()); n != 0 {
			t.Errorf("%d accounts have arrived before the card", n)
		}
		testworld.Pass(time.Minute)
		if got := w.order(order.ID); got.State != storage.OrderDelivered || !got.Adopted {
			t.Errorf("the adopted order is %s", got.State)
		}
		if got := len(w.accounts()); got != 3 {
			t.Errorf("%d accounts arrived, want 3", got)
		}
		w.wantCalls("add", 2)
		w.wantCounted(map[string]int64{"placed": 2, "outcome_unknown": 1})
	})
}

func TestOrderIsAdoptedOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.unresolved(market.GmailUSA, true)
		second := w.unresolved(market.GmailUSA, false)
		externalID := idOf(w.Market.Orders()[0].Number)
		_, err := w.service.Adopt(t.Context(), anna, first.ID, externalID)
		testworld.Must(t, err)
		if _, err := w.service.Adopt(t.Context(), anna, second.ID, externalID); !errors.Is(err, storage.ErrExternalIDTaken) {
			t.Errorf("got %v, want ErrExternalIDTaken", err)
		}
	})
}

// TestDismiss: a dismissed purchase can still be adopted.
func TestDismiss(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.unresolved(market.GmailUSA, true)
		if err := w.service.Dismiss(t.Context(), boris, p.ID); !errors.Is(err, orders.ErrOutcomeKnown) {
			t.Errorf("another person's purchase: %v, want ErrOutcomeKnown", err)
		}
		accept := w.Refuse(`UPDATE ON purchases FOR EACH ROW`)
		if err := w.service.Dismiss(t.Context(), anna, p.ID); err == nil || errors.Is(err, orders.ErrOutcomeKnown) {
			t.Errorf("while the database refuses it: %v", err)
		}
		accept()
		testworld.Must(t, w.service.Dismiss(t.Context(), anna, p.ID))
		if err := w.service.Dismiss(t.Context(), anna, p.ID); !errors.Is(err, orders.ErrOutcomeKnown) {
			t.Errorf("twice: %v, want ErrOutcomeKnown", err)
		}
		if outcome := w.confirm(p); outcome.Result != orders.OutcomeUnknown {
			t.Errorf("a tap on its card: got %v, want OutcomeUnknown", outcome.Result)
		}
		_, err := w.service.Adopt(t.Context(), anna, p.ID, idOf(w.Market.Orders()[0].Number))
		testworld.Must(t, err)
	})
}

// TestOverdueLeasesAreSettled: purchases of a process that was killed.
func TestOverdueLeasesAreSettled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		now := time.Now()
		claimed, sending := w.draft(market.GmailUSA, 1), w.draft(market.GmailUSA, 2)
		_, err := w.db.ClaimPurchase(t.Context(), anna, claimed.ID, "dead", now, now.Add(time.Minute))
		testworld.Must(t, err)
		testworld.Pass(59 * time.Second)
		w.wantNotified()
		testworld.Pass(20 * time.Second)
		w.wantNotified(orders.MessageOutcome)
		if outcome := w.confirm(claimed); outcome.Result != orders.Rejected || outcome.Purchase.Reason != orders.ReasonInterrupted {
			t.Errorf("the claimed one: %v, %q", outcome.Result, outcome.Purchase.Reason)
		}

		now = time.Now()
		_, err = w.db.ClaimPurchase(t.Context(), anna, sending.ID, "dead", now, now.Add(time.Minute))
		testworld.Must(t, err)
		_, err = w.db.StartSending(t.Context(), sending.ID, "dead", storage.Terms{Rate: sending.Rate, Balance: sending.Balance, Currency: "USD"}, now, now.Add(time.Minute))
		testworld.Must(t, err)
		if outcome := w.confirm(sending); outcome.Result != orders.InProgress {
			t.Errorf("while its lease lasts: %v, want InProgress", outcome.Result)
		}
		testworld.Pass(80 * time.Second)
		w.wantNotified(orders.MessageOutcome, orders.MessageOutcomeUnknown)
		w.wantCounted(map[string]int64{"rejected interrupted": 1, "outcome_unknown": 1})

		now = time.Now()
		restored := w.draft(market.GmailUSA, 1)
		_, err = w.db.ClaimPurchase(t.Context(), anna, restored.ID, "dead", now, now.Add(time.Minute))
		testworld.Must(t, err)
		testworld.Must(t, w.db.SetSetting(t.Context(), "epoch", "1"))
		testworld.Pass(80 * time.Second)
		if outcome := w.confirm(restored); outcome.Result != orders.OutcomeUnknown {
			t.Errorf("one that may have been sent after the database was saved: got %v, want OutcomeUnknown", outcome.Result)
		}
		w.wantCalls("add", 0)
		w.wantCounted(map[string]int64{"rejected interrupted": 1, "outcome_unknown": 2})
	})
}

// TestOverdueClaimDoesNotSend, nor is its card drawn again.
func TestOverdueClaimDoesNotSend(t *testing.T) {
	for _, price := range []string{"1.25", "1.30"} {
		t.Run(price, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				p := w.draft(market.GmailUSA, 1)
				testworld.Must(t, w.Market.SetRate(market.GmailUSA, price))
				late := w.newService(&stub{Client: w.client, inventory: func(service int64) (hstock.Inventory, error) {
					testworld.Pass(80 * time.Second) // longer than the lease
					return w.client.Inventory(t.Context(), testworld.AnnaKey, service, "en")
				}})
				outcome, err := late.Confirm(t.Context(), anna, p.ID, "en")
				testworld.Must(t, err)
				if outcome.Result != orders.Rejected {
					t.Errorf("got %v, want Rejected", outcome.Result)
				}
				w.wantCalls("add", 0)
			})
		})
	}
}

// TestKeyRemovedBeforeTheOutcomeIsKnown: nothing is read with it any more, so nothing is known.
func TestKeyRemovedBeforeTheOutcomeIsKnown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.unresolved(market.GmailUSA, false)
		testworld.Must(t, w.db.RemoveKey(t.Context(), anna))
		calls := len(w.Market.Calls())
		if _, err := w.service.Evidence(t.Context(), anna, p.ID); !errors.Is(err, orders.ErrKeyRemoved) {
			t.Errorf("got %v, want ErrKeyRemoved", err)
		}
		testworld.Pass(10 * time.Minute)
		p, err := w.db.Purchase(t.Context(), anna, p.ID)
		testworld.Must(t, err)
		if p.Verdict != storage.VerdictUnclear || p.BalanceSeen.Valid || len(w.Market.Calls()) != calls { // nor is a balance of nothing shown
			t.Errorf("verdict %q, balance %v after %d calls", p.Verdict, p.BalanceSeen, len(w.Market.Calls())-calls)
		}
	})
}

// TestOrderIDThatComesAfterAnotherWasAdopted: both are orders.
func TestOrderIDThatComesAfterAnotherWasAdopted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		other, err := w.client.Add(t.Context(), testworld.AnnaKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 1})
		testworld.Must(t, err)
		late := w.newService(&stub{Client: w.client, add: func(ctx context.Context, key redact.Secret, r hstock.AddRequest) (string, error) {
			testworld.Pass(80 * time.Second) // longer than the lease
			_, err := w.service.Adopt(t.Context(), anna, p.ID, other)
			testworld.Must(t, err)
			r.SendBefore = time.Time{} // it had left
			return w.client.Add(ctx, key, r)
		}})
		_, err = late.Confirm(t.Context(), anna, p.ID, "en")
		testworld.Must(t, err)
		for _, placed := range w.Market.Orders() {
			if _, err := w.db.OrderByExternalID(t.Context(), anna, strconv.FormatInt(placed.Number, 10)); err != nil {
				t.Errorf("order %d: %v", placed.Number, err)
			}
		}
	})
}

// TestLateOrderIDIsKeptUntilItIsImported: the marketplace does not answer for a while.
func TestLateOrderIDIsKeptUntilItIsImported(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		other, err := w.client.Add(t.Context(), testworld.AnnaKey, hstock.AddRequest{Service: market.GmailUSA, Quantity: 1})
		testworld.Must(t, err)
		late := ""
		w.restart(&stub{Client: w.client, add: func(ctx context.Context, key redact.Secret, r hstock.AddRequest) (string, error) {
			testworld.Pass(80 * time.Second) // longer than the lease
			_, err := w.service.Adopt(t.Context(), anna, p.ID, other)
			testworld.Must(t, err)
			r.SendBefore = time.Time{} // it had left
			late, err = w.client.Add(ctx, key, r)
			w.Market.Fault(market.Fault{Action: "status", Kind: market.HTML502, Times: market.Always})
			return late, err
		}}, 0)
		w.confirm(p)
		if _, err := w.db.OrderByExternalID(t.Context(), anna, late); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("imported during the outage: %v", err)
		}
		w.Market.ClearFaults()
		testworld.Pass(5 * time.Minute)
		if _, err := w.db.OrderByExternalID(t.Context(), anna, late); err != nil {
			t.Errorf("order %s: %v", late, err)
		}
		if n := w.Market.Count("add"); n != 2 {
			t.Errorf("%d requests to buy, want 2", n)
		}
	})
}

// TestLookUpAsksTheMarketplaceFirst: whether an order of another person was bought here
// is not shown.
func TestLookUpAsksTheMarketplaceFirst(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addUser(boris, borisKey)
		order := w.buy(market.GmailUSA, 1)
		p := w.draft(market.GmailUSA, 1)
		_, err := w.db.SaveKey(t.Context(), anna, testworld.PoorKey)
		testworld.Must(t, err)
		w.Exec(`UPDATE orders SET user_id = ? WHERE external_id = ?`, boris, order.ExternalID)
		w.Exec(`UPDATE purchases SET state = 'outcome_unknown', key_id = (SELECT id FROM api_keys WHERE user_id = ?) WHERE id = ?`, boris, p.ID)
		if _, err := w.service.LookUp(t.Context(), anna, p.ID, order.ExternalID); !errors.Is(err, hstock.ErrOrderNotFound) {
			t.Errorf("got %v, want ErrOrderNotFound", err)
		}
	})
}

// TestAdoptAfterDismissAndANewKey: an order id settles a dismissed purchase,
// also after the key that bought was replaced.
func TestAdoptAfterDismissAndANewKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.unresolved(market.GmailUSA, true)
		testworld.Must(t, w.service.Dismiss(t.Context(), anna, p.ID))
		_, err := w.db.SaveKey(t.Context(), anna, testworld.PoorKey)
		testworld.Must(t, err)
		_, err = w.service.Adopt(t.Context(), anna, p.ID, idOf(market.FirstOrder))
		testworld.Must(t, err)
	})
}

// TestAdoptPhonesOneByOne, also if fewer were rented than asked for.
func TestAdoptPhonesOneByOne(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, 2))
		draft := w.draftRentals(telegramUS, 3)
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
		if outcome := w.confirm(draft); outcome.Result != orders.OutcomeUnknown {
			t.Fatalf("got %v", outcome.Result)
		}
		testworld.Pass(time.Minute)
		evidence, err := w.service.Evidence(t.Context(), anna, draft.ID)
		testworld.Must(t, err)
		if evidence.Verdict != storage.VerdictBought {
			t.Errorf("two of three were charged, and the verdict is %q", evidence.Verdict)
		}
		for i, phone := range w.Market.Numbers() {
			found, err := w.service.LookUp(t.Context(), anna, draft.ID, idOf(phone.Number))
			testworld.Must(t, err)
			if o := found.Order; o.Rental.Phone != phone.Phone || o.Rental.Project != telegramUS.Project || o.State != storage.OrderOpen || o.RawStatus == "" {
				t.Errorf("found %+v, want %+v", o, phone)
			}
			adopted, err := w.service.Adopt(t.Context(), anna, draft.ID, idOf(phone.Number))
			testworld.Must(t, err)
			if adopted.Rental.Phone != phone.Phone || adopted.RawStatus != found.Order.RawStatus {
				t.Errorf("adopted %+v, want %+v", adopted, phone)
			}
			testworld.Pass(2 * time.Second)
			if n := w.count(orders.MessageRental); n != i+1 {
				t.Errorf("%d messages show a phone, want %d", n, i+1)
			}
			missing, err := w.service.CountMissing(t.Context(), anna, draft.ID)
			testworld.Must(t, err)
			if want := int64(2 - i); missing != want {
				t.Errorf("%d missing, want %d", missing, want)
			}
			if _, err := w.service.Adopt(t.Context(), anna, draft.ID, idOf(phone.Number)); !errors.Is(err, storage.ErrExternalIDTaken) {
				t.Errorf("adopted twice: %v", err)
			}
		}
		testworld.Must(t, w.Market.SendSMS(w.Market.Numbers()[1].Number, "8", "code 8"))
		testworld.Pass(10 * time.Second)
		if len(w.codes()) != 1 || w.count(orders.MessageRental) != 2 {
			t.Errorf("codes %q, messages %q", w.codes(), w.recorder.Kinds())
		}
		if n := w.Market.Count("add_sms"); n != 1 {
			t.Errorf("%d requests to rent", n)
		}
	})
}

// TestAdoptUntilNoPhoneIsMissing: then the outcome is known.
func TestAdoptUntilNoPhoneIsMissing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		draft := w.draftRentals(telegramUS, 2)
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
		if outcome := w.confirm(draft); outcome.Result != orders.OutcomeUnknown {
			t.Fatalf("got %v", outcome.Result)
		}
		if missing, err := w.service.CountMissing(t.Context(), anna, draft.ID); err != nil || missing != 0 {
			t.Errorf("before one is adopted: %d missing, %v; want none", missing, err)
		}
		for _, phone := range w.Market.Numbers() {
			_, err := w.service.Adopt(t.Context(), anna, draft.ID, idOf(phone.Number))
			testworld.Must(t, err)
		}
		missing, err := w.service.CountMissing(t.Context(), anna, draft.ID)
		testworld.Must(t, err)
		if missing != 0 {
			t.Errorf("%d missing, want none", missing)
		}
		other := w.rent(1)[0].ExternalID // an order of the same key that is a third one
		for what, do := range map[string]func() error{
			"looking up": func() error { _, err := w.service.LookUp(t.Context(), anna, draft.ID, other); return err },
			"adopting":   func() error { _, err := w.service.Adopt(t.Context(), anna, draft.ID, other); return err },
			"dismissing": func() error { return w.service.Dismiss(t.Context(), anna, draft.ID) },
		} {
			if err := do(); !errors.Is(err, orders.ErrOutcomeKnown) {
				t.Errorf("%s: %v, want ErrOutcomeKnown", what, err)
			}
		}
		outcome := w.confirm(draft)
		if outcome.Result != orders.Placed || len(outcome.Orders) != 2 {
			t.Errorf("got %v with %d orders", outcome.Result, len(outcome.Orders))
		}
		testworld.Must(t, w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, 1))
		fewer := w.confirm(w.draftRentals(telegramUS, 2))
		if missing, err := w.service.CountMissing(t.Context(), anna, fewer.Purchase.ID); err != nil || missing != 0 || len(fewer.Orders) != 1 {
			t.Errorf("the answer had %d of two phones: %d missing, %v; want none", len(fewer.Orders), missing, err)
		}
	})
}

// TestEvidence: a reading that shows nothing new leaves the verdict as it is, and one that shows
// the charge does not.
func TestEvidence(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.unresolved(market.GmailUSA, false)
		wantEvidence := func(want storage.Verdict, balance string) {
			t.Helper()
			evidence, err := w.service.Evidence(t.Context(), anna, p.ID)
			testworld.Must(t, err)
			if evidence.Verdict != want || !evidence.Balance.Decimal.Equal(dec(balance)) || evidence.Purchase.ID != p.ID {
				t.Errorf("got %q, %s, purchase %d; want %q, %s", evidence.Verdict, evidence.Balance.Decimal, evidence.Purchase.ID, want, balance)
			}
		}
		wantEvidence(storage.VerdictNone, "100")
		testworld.Pass(6 * time.Minute)
		wantEvidence(storage.VerdictNotBought, "100")
		testworld.Must(t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "97.5"))
		wantEvidence(storage.VerdictBought, "97.5")
	})
}

// TestSettlingIsRetried: while the database refuses what became of a purchase, that is logged.
func TestSettlingIsRetried(t *testing.T) {
	unknown := []string{orders.MessageOutcomeUnknown, orders.MessageVerdict}
	for name, test := range map[string]struct {
		refused string
		want    []string
	}{
		"claim":   {`NEW.state = 'rejected'`, []string{orders.MessageOutcome}}, // nothing was sent, and its outcome is never unknown
		"lease":   {`NEW.state = 'outcome_unknown'`, unknown},
		"reading": {`NEW.checks > 0`, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				if name == "reading" {
					w.unresolved(market.GmailUSA, true)
				} else {
					now := time.Now()
					p := w.draft(market.GmailUSA, 2)
					_, err := w.db.ClaimPurchase(t.Context(), anna, p.ID, "dead", now, now.Add(time.Minute))
					testworld.Must(t, err)
					if name == "lease" {
						_, err = w.db.StartSending(t.Context(), p.ID, "dead", storage.Terms{Rate: p.Rate, Balance: p.Balance, Currency: "USD"}, now, now.Add(time.Minute))
						testworld.Must(t, err)
					}
				}
				accept := w.Refuse(`UPDATE ON purchases FOR EACH ROW WHEN (` + test.refused + `)`)
				testworld.Pass(80 * time.Second)
				if w.count(orders.MessageVerdict) != 0 || !strings.Contains(w.Log.String(), "background work failed") {
					t.Errorf("got messages %q; logged: %s", w.recorder.Kinds(), w.Log.String())
				}
				accept()
				testworld.Pass(10 * time.Minute)
				w.wantNotified(test.want...)
			})
		})
	}
}

// TestFailureThatComesAfterTheLease: the purchase was settled, and is not once more.
func TestFailureThatComesAfterTheLease(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		late := w.newService(&stub{Client: w.client, add: func(ctx context.Context, key redact.Secret, r hstock.AddRequest) (string, error) {
			testworld.Pass(80 * time.Second) // longer than the lease
			r.SendBefore = time.Time{}       // it had left
			return w.client.Add(ctx, key, r)
		}})
		outcome, err := late.Confirm(t.Context(), anna, p.ID, "en")
		if err != nil || outcome.Result != orders.OutcomeUnknown {
			t.Errorf("got %v, %v; want OutcomeUnknown", outcome.Result, err)
		}
		testworld.Pass(2 * time.Second)
		w.wantNotified(orders.MessageOutcomeUnknown)
		w.wantCounted(map[string]int64{"outcome_unknown": 1})
	})
}

// TestLookUpOfAnotherPhone: where a phone was to be rented again, the order may be of another one.
func TestLookUpOfAnotherPhone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		before := w.rent(1)[0]
		testworld.Must(t, w.Market.SendSMS(number(before), "1", "code 1"))
		testworld.Pass(10 * time.Second)
		p := w.draftRentals(before.Rental, 1)
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.HTML502})
		if outcome := w.confirm(p); outcome.Result != orders.OutcomeUnknown {
			t.Fatalf("got %v", outcome.Result)
		}
		other, err := w.client.AddSMS(t.Context(), testworld.AnnaKey, hstock.AddSMSRequest{ProjectID: market.ProjectTelegram, Country: market.CountryUS, Quantity: 1})
		testworld.Must(t, err)
		found, err := w.service.LookUp(t.Context(), anna, p.ID, other[0].Order)
		testworld.Must(t, err)
		if found.Order.Rental.Phone != other[0].Phone {
			t.Errorf("found %s, want %s", found.Order.Rental.Phone, other[0].Phone)
		}
	})
}
