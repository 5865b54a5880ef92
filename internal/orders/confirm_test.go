package orders_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestConcurrentTapsBuyOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 2)
		outcomes := make([]orders.Outcome, 12)
		var wg sync.WaitGroup
		for i := range outcomes {
			wg.Go(func() { outcomes[i], _ = w.service.Confirm(t.Context(), anna, p.ID, "en") })
		}
		wg.Wait()
		placed := 0
		for _, outcome := range outcomes {
			switch outcome.Result {
			case orders.Placed:
				placed++
			case orders.InProgress:
			default:
				t.Errorf("a tap: got %v", outcome.Result)
			}
		}
		if placed == 0 {
			t.Error("no tap got the order")
		}
		if again := w.confirm(p); again.Result != orders.Placed {
			t.Errorf("a later tap: got %v, want Placed", again.Result)
		}
		w.wantCalls("add", 1)
		if n := len(w.Market.Orders()); n != 1 {
			t.Errorf("%d orders, want 1", n)
		}
	})
}

func TestConcurrentProcessesBuyOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		other := w.newService(w.client)
		p := w.draft(market.GmailUSA, 1)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() { _, _ = w.service.Confirm(t.Context(), anna, p.ID, "en") })
			wg.Go(func() { _, _ = other.Confirm(t.Context(), anna, p.ID, "en") })
		}
		wg.Wait()
		w.wantCalls("add", 1)
	})
}

func TestConfirmOfAnotherPersonsDraft(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addUser(boris, testworld.AnnaKey)
		p := w.draft(market.GmailUSA, 1)
		if _, err := w.service.Confirm(t.Context(), boris, p.ID, "en"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
		w.wantCalls("add", 0)
	})
}

func TestExpiredDraftIsRedrawn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Pass(7 * time.Second) // between two rounds of the background work, which forgets its age
		p := w.draft(market.GmailUSA, 1)
		testworld.Pass(10 * time.Minute)
		outcome := w.confirm(p)
		if outcome.Result != orders.Redrawn || len(outcome.Changes) != 1 || outcome.Changes[0] != orders.ChangeExpired || outcome.Purchase.ID != p.ID {
			t.Fatalf("got %+v, want the card redrawn because it expired", outcome)
		}
		w.wantCalls("add", 0)
		if again := w.confirm(p); again.Result != orders.Gone || again.Quote.Restored {
			t.Errorf("the old draft: got %v, restored %v; want Gone", again.Result, again.Quote.Restored)
		}
		if fresh := w.confirm(outcome.Quote.Purchase); fresh.Result != orders.Placed {
			t.Errorf("the new draft: got %v, want Placed", fresh.Result)
		}
		w.wantCalls("add", 1)
	})
}

func TestHigherPriceIsConfirmedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 2)
		testworld.Must(t, w.Market.SetRate(market.GmailUSA, "1.30"))
		outcome := w.confirm(p)
		if outcome.Result != orders.Redrawn || outcome.Changes[0] != orders.ChangePrice {
			t.Fatalf("got %+v, want the card redrawn because the price rose", outcome)
		}
		if got := outcome.Quote.Purchase.Total().String(); got != "2.6" {
			t.Errorf("the new card says %s, want 2.6", got)
		}
		w.wantCalls("add", 0)
		testworld.Must(t, w.Market.SetRate(market.GmailUSA, "1.10")) // a fall is the person's gain
		if outcome := w.confirm(outcome.Quote.Purchase); outcome.Result != orders.Placed {
			t.Errorf("a lower price: got %v, want Placed", outcome.Result)
		}
	})
}

func TestNewKeyIsConfirmedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		w.Market.AddKey("another-key-0123456789", "5.00", "USD")
		_, err := w.db.SaveKey(t.Context(), anna, "another-key-0123456789")
		testworld.Must(t, err)
		testworld.Must(t, w.Market.SetRate(market.GmailUSA, "1.30"))
		outcome := w.confirm(p)
		if outcome.Result != orders.Redrawn || !slices.Equal(outcome.Changes, []orders.Change{orders.ChangeKey, orders.ChangePrice}) {
			t.Fatalf("got %+v, want the card redrawn because of the key and the price", outcome)
		}
		w.wantCalls("add", 0)
	})
}

// TestRejectedReasons: the reasons for which surely nothing was bought.
func TestRejectedReasons(t *testing.T) {
	for name, test := range map[string]struct {
		spoil   func(w *world)
		reason  string
		refusal string
		adds    int
	}{
		"documented": {
			spoil: func(w *world) {
				w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Insufficient balance"})
			},
			reason: orders.ReasonRefused, refusal: "Insufficient balance", adds: 1,
		},
		"undocumented, balance unchanged": {
			spoil: func(w *world) {
				w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Supplier is asleep"})
			},
			reason: orders.ReasonRefused, refusal: "Supplier is asleep", adds: 1,
		},
		"undocumented, balance changed since the card": {
			spoil: func(w *world) {
				testworld.Must(w.t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "50"))
				w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Supplier is asleep"})
			},
			reason: orders.ReasonRefused, refusal: "Supplier is asleep", adds: 1,
		},
		"key revoked": {
			spoil:  func(w *world) { w.Market.RemoveKey(testworld.AnnaKey.Reveal()) },
			reason: orders.ReasonInvalidKey, refusal: "Invalid API key", adds: 0,
		},
		"sold out since": {
			spoil:  func(w *world) { testworld.Must(w.t, w.Market.SetStock(market.GmailUSA, 0)) },
			reason: orders.ReasonStock, adds: 0,
		},
		"delisted since": {
			spoil:  func(w *world) { testworld.Must(w.t, w.Market.Remove(market.GmailUSA)) },
			reason: orders.ReasonGone, refusal: "Service not found", adds: 0,
		},
		"balance too low since": {
			spoil:  func(w *world) { testworld.Must(w.t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "0.10")) },
			reason: orders.ReasonBalance, adds: 0,
		},
		"terms refused": {
			spoil: func(w *world) {
				w.Market.Fault(market.Fault{Action: "inventory", Kind: market.Refuse, Message: "Insufficient balance"})
			},
			reason: orders.ReasonRefused, refusal: "Insufficient balance", adds: 0,
		},
		"terms refused, undocumented": {
			spoil: func(w *world) {
				w.Market.Fault(market.Fault{Action: "inventory", Kind: market.Refuse, Message: "Supplier is asleep"})
			},
			reason: orders.ReasonRefused, refusal: "Supplier is asleep", adds: 0,
		},
		"terms can't be read": {
			spoil: func(w *world) {
				w.Market.Fault(market.Fault{Action: "inventory", Kind: market.HTML502, Times: market.Always})
			},
			reason: orders.ReasonUnreachable, adds: 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				p := w.draft(market.GmailUSA, 1)
				test.spoil(w)
				outcome := w.confirm(p)
				if outcome.Result != orders.Rejected || outcome.Purchase.State != storage.PurchaseRejected || outcome.Purchase.Reason != test.reason || outcome.Purchase.Refusal != test.refusal {
					t.Errorf("got %v, reason %q, refusal %q; want Rejected, %q, %q",
						outcome.Result, outcome.Purchase.Reason, outcome.Purchase.Refusal, test.reason, test.refusal)
				}
				if outcome.Purchase.Reason == orders.ReasonStock && outcome.Purchase.Stock != 0 {
					t.Errorf("it says that %d are left, want 0", outcome.Purchase.Stock)
				}
				if again := w.confirm(p); again.Result != orders.Rejected {
					t.Errorf("a second tap: got %v, want Rejected", again.Result)
				}
				w.wantCalls("add", test.adds)
				w.wantCounted(map[string]int64{"rejected " + test.reason: 1})
			})
		})
	}
}

// TestUnreachableMarketplaceRejects: the request was not sent.
func TestUnreachableMarketplaceRejects(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		gone := w.newService(&stub{Client: w.client, add: func(ctx context.Context, key redact.Secret, request hstock.AddRequest) (string, error) {
			w.CutMarket() // between reading the terms and the request
			return w.client.Add(ctx, key, request)
		}})
		p := w.draft(market.GmailUSA, 1)
		outcome, err := gone.Confirm(t.Context(), anna, p.ID, "en")
		testworld.Must(t, err)
		if outcome.Result != orders.Rejected || outcome.Purchase.Reason != orders.ReasonNotSent {
			t.Errorf("got %v, reason %q; want Rejected, not_sent", outcome.Result, outcome.Purchase.Reason)
		}
		w.wantCalls("add", 0)
	})
}

// TestUnknownOutcomes: an answer that proves nothing is reported once, and the request
// is never repeated, whether it was carried out or not.
func TestUnknownOutcomes(t *testing.T) {
	for _, fault := range []market.Fault{
		{Kind: market.CutBefore},
		{Kind: market.CommitThenLose},
		{Kind: market.Cut},
		{Kind: market.HTML502},
		{Kind: market.HTML502, Commit: true},
		{Kind: market.TooMany},
		{Kind: market.Empty, Commit: true},
		{Kind: market.Garbage},
		{Kind: market.Huge, Commit: true},
		{Kind: market.Slow, Delay: 45 * time.Second},
		{Kind: market.Refuse, Message: "Internal error", Commit: true},
		{Kind: market.Refuse, Message: "Insufficient balance", Status: 503},
	} {
		t.Run(string(fault.Kind)+map[bool]string{true: ", done"}[fault.Commit], func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				p := w.draft(market.GmailUSA, 2)
				fault.Action = "add"
				w.Market.Fault(fault)
				outcome := w.confirm(p)
				if outcome.Result != orders.OutcomeUnknown {
					t.Fatalf("got %v, want OutcomeUnknown", outcome.Result)
				}
				w.wantNotified()
				testworld.Pass(2 * time.Second) // after the card
				w.wantNotified(orders.MessageOutcomeUnknown)
				if again := w.confirm(p); again.Result != orders.OutcomeUnknown {
					t.Errorf("a second tap: got %v, want OutcomeUnknown", again.Result)
				}
				testworld.Pass(10 * time.Minute)
				w.wantNotified(orders.MessageOutcomeUnknown, orders.MessageVerdict)
				w.wantCalls("add", 1)
			})
		})
	}
}

// TestTermsEndWhileTheKeyIsAwaited: what makes a card out of date at a tap does so while the
// tap waits for the key's slot, too.
func TestTermsEndWhileTheKeyIsAwaited(t *testing.T) {
	for name, test := range map[string]struct {
		happens  func(w *world)
		changes  []orders.Change
		restored bool
	}{
		"restored": {func(w *world) { testworld.Must(w.t, w.db.SetSetting(w.t.Context(), "epoch", "1")) }, nil, true},
		"expired":  {func(*world) {}, []orders.Change{orders.ChangeExpired}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.addUser(boris, testworld.AnnaKey)
				second := w.draftFor(boris, market.GmailUSA, 1)
				testworld.Pass(10*time.Minute - 3*time.Second)
				first := w.draft(market.GmailUSA, 1)
				w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 4 * time.Second})
				var wg sync.WaitGroup
				wg.Go(func() { w.confirm(first) })
				testworld.Pass(time.Second)
				wg.Go(func() {
					testworld.Pass(time.Second)
					test.happens(w)
				})
				outcome, err := w.service.Confirm(t.Context(), boris, second.ID, "en")
				wg.Wait()
				if err != nil || outcome.Result != orders.Redrawn || !slices.Equal(outcome.Changes, test.changes) || outcome.Quote.Restored != test.restored {
					t.Errorf("got %v, changes %v, restored %v, %v", outcome.Result, outcome.Changes, outcome.Quote.Restored, err)
				}
				w.wantCalls("add", 1)
			})
		})
	}
}

// TestRefusalAfterATopUp: what counts is the balance that was read right before the request, not
// that of the card.
func TestRefusalAfterATopUp(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 2)
		testworld.Must(t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "150"))
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Internal error"})
		if outcome := w.confirm(p); outcome.Result != orders.Rejected {
			t.Errorf("got %v, want Rejected", outcome.Result)
		}
	})
}

// TestTopUpHidesTheCharge: a balance that has risen does not prove that nothing was bought.
func TestTopUpHidesTheCharge(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 2)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Internal error", Commit: true})
		w.at("answered", func() { testworld.Must(t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "150")) })
		if outcome := w.confirm(p); outcome.Result != orders.OutcomeUnknown {
			t.Errorf("got %v, want OutcomeUnknown", outcome.Result)
		}
	})
}

func TestKeyHasOneSlot(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addUser(boris, testworld.AnnaKey) // two people, one account
		first := w.draft(market.GmailUSA, 1)
		second := w.draftFor(boris, market.GmailUSA, 1)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 8 * time.Second}) // a tap waits for five
		var wg sync.WaitGroup
		wg.Go(func() { w.confirm(first) })
		testworld.Pass(time.Second)
		busy, err := w.service.Confirm(t.Context(), boris, second.ID, "en")
		testworld.Must(t, err)
		if busy.Result != orders.Busy {
			t.Errorf("the second purchase: got %v, want Busy", busy.Result)
		}
		w.wantCalls("add", 1)
		wg.Wait()
		if outcome := w.confirm(second); outcome.Result != orders.Placed {
			t.Errorf("after the slot is free: got %v, want Placed", outcome.Result)
		}
	})
}

func TestSecondPurchaseWaitsForTheSlot(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first, second := w.draft(market.GmailUSA, 1), w.draft(market.GmailUSA, 2)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 3 * time.Second})
		var wg sync.WaitGroup
		wg.Go(func() { w.confirm(first) })
		testworld.Pass(time.Second)
		if outcome := w.confirm(second); outcome.Result != orders.Placed {
			t.Errorf("got %v, want Placed after a wait", outcome.Result)
		}
		wg.Wait()
		w.wantCalls("add", 2)
	})
}

func TestDraftLimits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for _, test := range []struct {
			service, quantity int64
			soldOut, ok       bool
		}{
			{service: market.GmailUSA, quantity: 50, ok: true},
			{service: market.GmailUSA, quantity: 51},
			{service: market.GmailUSA, quantity: 0},
			{service: market.GmailUSA, quantity: -1},
			{service: market.MinimumTen, quantity: 9},
			{service: market.OneLeft, quantity: 2},
			{service: market.OneLeft, quantity: 1, ok: true},
			{service: market.SoldOut, quantity: 1, soldOut: true},
			{service: market.InstagramFollowers, quantity: 99},
			{service: market.InstagramFollowers, quantity: 10001},
			{service: market.InstagramFollowers, quantity: 10000, ok: true},
		} {
			_, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: w.item(test.service), Quantity: test.quantity, Link: "https://example.com/a"})
			var amount *orders.LimitError
			if errors.As(err, &amount) == test.ok || (amount != nil && amount.SoldOut != test.soldOut) {
				t.Errorf("service %d × %d: got %v", test.service, test.quantity, err)
			}
		}
	})
}

func TestQuotes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "3.00"))
		quote := func(service, quantity int64) orders.Quote {
			t.Helper()
			q, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: w.item(service), Quantity: quantity, Link: "https://example.com/a"})
			testworld.Must(t, err)
			return q
		}
		if q := quote(market.GmailUSA, 3); !q.Blocked() || q.Short.String() != "0.75" || q.Estimate {
			t.Errorf("3 × 1.25 of 3.00: %+v", q)
		}
		if q := quote(market.GmailUSA, 2); q.Blocked() {
			t.Errorf("2 × 1.25 of 3.00: %+v", q)
		}
		if q := quote(market.NetflixVariants, 1); !q.Estimate {
			t.Error("variants: not an estimate")
		}
		q := quote(market.InstagramFollowers, 10000)
		if q.Blocked() || q.Short.String() != "2" || q.Hold().String() != "5" || !q.Estimate || q.OtherTotal.Decimal.String() != "5000" {
			t.Errorf("SMM, 10000 at 0.50 per 1000 of 3.00: %+v", q)
		}
	})
}

// TestFirstChargeConfirmsSMMRate: from then on only one total is shown.
func TestFirstChargeConfirmsSMMRate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.buy(market.InstagramFollowers, 1000)
		testworld.Pass(time.Minute)
		quote, err := w.service.Draft(t.Context(), orders.Intent{
			UserID: anna, Item: w.item(market.InstagramFollowers), Quantity: 1000, Link: "https://example.com/a",
		})
		testworld.Must(t, err)
		if quote.OtherTotal.Valid {
			t.Error("both totals are still shown after a real charge")
		}
	})
}

// TestChargesThatSayNothingAboutTheRate: what a refund has left, nothing, and a sum that may be
// the price at either reading.
func TestChargesThatSayNothingAboutTheRate(t *testing.T) {
	for name, test := range map[string]struct{ rate, answer string }{
		"rest":    {"0.50", `{"status":"Partial","charge":"0.05","remains":99}`}, // of 50, each 0.50
		"nothing": {"0.05", `{"status":"In progress","charge":"0"}`},
		"cent":    {"0.0001", `{"status":"In progress","charge":"0.01"}`}, // which is 0.00001, or 0.01
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.SetRate(market.InstagramFollowers, test.rate))
				w.answers("status", test.answer)
				w.buy(market.InstagramFollowers, 100)
				testworld.Pass(time.Minute)
				for _, setting := range []string{storage.SMMRateConfirmedSetting(1000), storage.SMMRateMismatchSetting(1000)} {
					if value, err := w.db.Setting(t.Context(), setting); value != "" || err != nil {
						t.Errorf("%s is %q, %v", setting, value, err)
					}
				}
			})
		})
	}
}

func TestDraftWithoutKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		_, err := w.service.Draft(t.Context(), orders.Intent{UserID: boris, Item: w.item(market.GmailUSA), Quantity: 1})
		if !errors.Is(err, orders.ErrNoKey) {
			t.Errorf("got %v, want ErrNoKey", err)
		}
	})
}

// TestCurrencyChangeIsConfirmedAgain: the sum on the card is not the one to be paid.
func TestCurrencyChangeIsConfirmedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		w.Market.AddKey(testworld.AnnaKey.Reveal(), "100.00", "EUR")
		if outcome := w.confirm(p); outcome.Result != orders.Redrawn || outcome.Changes[0] != orders.ChangeCurrency {
			t.Errorf("got %+v, want the card redrawn because of the currency", outcome)
		}
		w.wantCalls("add", 0)
	})
}

// TestPriceInAnotherCurrency: 1.25 EUR is not paid with 100 USD, and is not $1.25.
func TestPriceInAnotherCurrency(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		w.Market.Fault(market.Fault{
			Action: "inventory", Kind: market.Answer, Times: market.Always,
			Body: `{"service":1,"stock":50,"available":true,"rate":"1.25 EUR","min":1,"max":50,"entityType":"product"}`,
		})
		if outcome := w.confirm(p); outcome.Result != orders.Rejected {
			t.Errorf("got %+v, want the purchase rejected", outcome)
		}
		_, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: w.item(market.GmailUSA), Quantity: 1})
		if kind, _ := hstock.KindOf(err); kind != hstock.Unreadable {
			t.Errorf("got %v, want an unreadable answer", err)
		}
		w.wantCalls("add", 0)
	})
}

// TestPurchaseThatWakesUpLate: while a process sleeps, its purchase gets an unknown
// outcome and a verdict. It must send nothing after that.
func TestPurchaseThatWakesUpLate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sleeper := orders.New(orders.Options{
			DB: w.db, Market: w.client, SMMRatePer: 1000, Wake: w.outbox.Wake, Log: w.logger(),
			Checkpoint: func(step string) {
				if step == "sending" {
					time.Sleep(6 * time.Minute)
				}
			},
		})
		for action, draft := range map[string]func() storage.Purchase{
			"add":     func() storage.Purchase { return w.draft(market.GmailUSA, 1) },
			"add_sms": func() storage.Purchase { return w.draftRentals(telegramUS, 1) },
		} {
			outcome, err := sleeper.Confirm(t.Context(), anna, draft().ID, "en")
			testworld.Must(t, err)
			if n := w.Market.Count(action); n != 0 || outcome.Result != orders.OutcomeUnknown {
				t.Errorf("%d requests %q, result %d", n, action, outcome.Result)
			}
		}
	})
}

// TestServicesThatNeedMoreAreNotDrafted: neither is an item whose kind has changed.
func TestServicesThatNeedMoreAreNotDrafted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for _, kind := range []string{"Custom Comments", "Package", "mentions"} {
			item := w.item(market.InstagramFollowers)
			item.Type = kind
			_, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: item, Quantity: 100, Link: "https://instagram.com/anna"})
			var needs *orders.NeedsMoreError
			if !errors.As(err, &needs) || needs.Type != kind {
				t.Errorf("%q: got %v", kind, err)
			}
		}
		item := w.item(market.GmailUSA)
		item.EntityType = hstock.EntitySMM
		_, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: item, Quantity: 1, Link: "https://instagram.com/anna"})
		if !errors.Is(err, orders.ErrDelisted) {
			t.Errorf("a product as an SMM service: got %v", err)
		}
		item = w.item(market.InstagramFollowers)
		item.EntityType = hstock.EntityProduct
		if _, err := w.service.Draft(t.Context(), orders.Intent{UserID: anna, Item: item, Quantity: 1000}); !errors.Is(err, orders.ErrDelisted) {
			t.Errorf("an SMM service as a product: got %v", err)
		}
	})
}

// TestOutcomeWaitsForNoCard: Telegram refuses edits for long. The outcome of a purchase, in a
// message of its own, does not wait behind the redrawing of its card.
func TestOutcomeWaitsForNoCard(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 1)
		w.recorder.FailWith(func(message storage.Message) error {
			if message.Kind == orders.MessageCard {
				return &outbox.RetryAfterError{After: 90 * time.Second, Err: errors.New("too many requests")}
			}
			return nil
		})
		w.stop() // so that both are claimed together
		testworld.Must(t, w.service.RedrawCard(t.Context(), anna, order.PurchaseID, 77))
		testworld.Pass(time.Millisecond)
		testworld.Must(t, w.service.NotifyOutcome(t.Context(), anna, order.PurchaseID))
		w.start()
		testworld.Pass(time.Second)
		w.wantNotified(orders.MessageOutcome)
	})
}
