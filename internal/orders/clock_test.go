package orders_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func (w *world) wall() time.Time { return time.Now().Add(time.Duration(w.set.Load())) }

// stepClock sets the bot's clock forward, or back if by is negative. A bubble has one
// clock, so all times that are stored, and the marketplace's, are moved the other way.
func (w *world) stepClock(by time.Duration) {
	w.t.Helper()
	synctest.Wait()
	var steps strings.Builder
	for table, columns := range map[string][]string{
		"orders":    {"created_at", "updated_at", "closed_at", "next_poll_at", "last_poll_at", "lease_until", "expires_at", "notified_at", "delivered_at", "cancel_sent_at"},
		"purchases": {"created_at", "expires_at", "sent_at", "settled_at", "lease_until", "next_check_at"},
		"reminders": {"at"},
		"swaps":     {"at", "due_at", "give_up_at", "created_at"},
		"baskets":   {"due_at", "priced_at", "changed_at"},
		"outbox":    {"created_at", "next_try_at", "lease_until", "sent_at"},
	} {
		for _, column := range columns {
			fmt.Fprintf(&steps, "UPDATE %[1]s SET %[2]s = %[2]s - %[3]d WHERE %[2]s > 0;\n", table, column, by.Milliseconds())
		}
	}
	w.Exec(steps.String())
	w.set.Add(int64(by))
	w.Market.SetClock(-time.Duration(w.set.Load()), false)
}

var clockSteps = []time.Duration{
	-24 * time.Hour, -time.Hour, -8 * time.Minute, -40 * time.Second, 40 * time.Second, 8 * time.Minute, time.Hour, 24 * time.Hour,
}

// TestDeliveryAfterAStepOfTheClock, while the process runs and while it does not.
func TestDeliveryAfterAStepOfTheClock(t *testing.T) {
	for _, step := range clockSteps {
		for name, restarted := range map[string]bool{"running": false, "restarted": true} {
			t.Run(step.String()+" "+name, func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
					goods, phone := w.buy(market.GmailUSA, 2), w.rent(1)[0]
					testworld.Pass(20 * time.Second)
					if restarted {
						testworld.Must(t, w.service.Stop(t.Context()))
					}
					w.stepClock(step)
					if restarted {
						w.service = w.newService(w.client)
						w.service.Start()
					}
					testworld.Pass(20 * time.Second) // the loop sleeps for 15 s at most
					testworld.Must(t, w.Market.SendSMS(number(phone), "1", "code 1"))
					testworld.Must(t, w.Market.Deliver(number(goods), 2))
					testworld.Pass(20 * time.Second)
					if got := w.codes(); len(got) != 1 {
						t.Errorf("codes %q after 20 s", got)
					}
					testworld.Pass(50 * time.Second)
					if got := w.accounts(); len(got) != 2 {
						t.Errorf("accounts %q after 70 s", got)
					}
					if n := w.count(orders.MessageEnded); n != 0 {
						t.Errorf("%d messages about an end", n)
					}
				})
			})
		}
	}
}

// TestRefreshAfterAStepOfTheClock: the step must not look like a Refresh a moment ago.
func TestRefreshAfterAStepOfTheClock(t *testing.T) {
	for _, step := range clockSteps {
		t.Run(step.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
				order := w.buy(market.GmailUSA, 1)
				testworld.Pass(10 * time.Second)
				w.stepClock(step)
				testworld.Must(t, w.Market.Deliver(number(order), 1))
				got, err := w.service.Refresh(t.Context(), anna, order.ID)
				testworld.Must(t, err)
				if got.State != storage.OrderDelivered {
					t.Errorf("the order is %s", got.State)
				}
			})
		})
	}
}

// TestPollIntervalsAfterAStepBack: none of what was stored by a clock that was ahead
// is polled more often afterwards than before.
func TestPollIntervalsAfterAStepBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		w.buy(market.GmailUSA, 1)
		testworld.Pass(10 * time.Minute)
		w.stepClock(-24 * time.Hour)
		testworld.Pass(20 * time.Second)
		calls := w.Market.Count("status")
		testworld.Pass(10 * time.Minute)
		if n := w.Market.Count("status") - calls; n < 9 || n > 12 {
			t.Errorf("polled %d times in 10 minutes, want about 10", n)
		}
	})
}

// TestKilledPurchaseAfterAStepOfTheClock: the request of a process that was killed is
// carried out 22 s later. The person learns in time that the outcome is unknown, and
// no reading before the end of the five minutes suggests that nothing was bought.
func TestKilledPurchaseAfterAStepOfTheClock(t *testing.T) {
	for _, step := range append(clockSteps, 400*time.Second) {
		t.Run(step.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				p := w.draft(market.GmailUSA, 2)
				testworld.Must(t, w.service.Stop(t.Context()))
				now := time.Now()
				_, err := w.db.ClaimPurchase(t.Context(), anna, p.ID, "dead", now, now.Add(time.Minute))
				testworld.Must(t, err)
				_, err = w.db.StartSending(t.Context(), p.ID, "dead", storage.Terms{Rate: p.Rate, Balance: p.Balance, Currency: "USD"}, now, now.Add(time.Minute))
				testworld.Must(t, err)
				w.stepClock(step)
				w.service = w.newService(w.client)
				w.service.Start()
				testworld.Pass(22 * time.Second)
				testworld.Must(t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), p.Balance.Sub(p.Total()).String()))
				testworld.Pass(60 * time.Second)
				if w.count(orders.MessageOutcomeUnknown) != 1 {
					t.Errorf("messages %q", w.recorder.Kinds())
				}
				testworld.Pass(6 * time.Minute)
				got, err := w.db.Purchase(t.Context(), anna, p.ID)
				testworld.Must(t, err)
				want := storage.VerdictBought
				if step < -time.Minute { // the lease lasts longer than a smaller step
					want = storage.VerdictUnclear
				}
				if got.State != storage.PurchaseOutcomeUnknown || got.Verdict != want {
					t.Errorf("%s, verdict %q, want %q", got.State, got.Verdict, want)
				}
			})
		})
	}
}

// TestLeaseAfterAStepOfTheClock: it begins anew once, not each time that times are pulled again, so
// who waits for a process that was killed learns of it in time.
func TestLeaseAfterAStepOfTheClock(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p, now := w.draft(market.GmailUSA, 1), time.Now()
		_, err := w.db.ClaimPurchase(t.Context(), anna, p.ID, "dead", now, now.Add(time.Minute))
		testworld.Must(t, err)
		w.stepClock(time.Hour)
		testworld.Pass(100 * time.Second) // the loops notice the step, and the end, within 15 s each
		w.wantNotified(orders.MessageOutcome)
	})
}

// TestVerdictAfterAStepOfTheClock: a step forward does not shorten the five minutes.
func TestVerdictAfterAStepOfTheClock(t *testing.T) {
	for _, step := range clockSteps {
		t.Run(step.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				p := w.unresolved(market.GmailUSA, false)
				testworld.Pass(20 * time.Second)
				w.stepClock(step)
				testworld.Pass(4 * time.Minute)
				if n := w.count(orders.MessageVerdict); n != 0 {
					t.Error("a verdict after four minutes")
				}
				testworld.Pass(3 * time.Minute)
				got, err := w.db.Purchase(t.Context(), anna, p.ID)
				testworld.Must(t, err)
				want := storage.VerdictNotBought
				if step < 0 {
					want = storage.VerdictUnclear // a refund of before the step can't be told from one after it
				}
				if got.Verdict != want || w.count(orders.MessageVerdict) != 1 {
					t.Errorf("verdict %q, want %q, messages %q", got.Verdict, want, w.recorder.Kinds())
				}
			})
		})
	}
}

// TestDraftAfterAStepOfTheClock: a draft lives for ten minutes that have really passed,
// whether it is confirmed at once after the step, later, or by the next process.
func TestDraftAfterAStepOfTheClock(t *testing.T) {
	const life = 10 * time.Minute
	for _, step := range clockSteps {
		for name, test := range map[string]struct {
			age, since time.Duration // at the step, and from then to the Confirm
			restarted  bool
		}{
			"at once":              {age: 5 * time.Minute},
			"a minute later":       {age: 5 * time.Minute, since: time.Minute},
			"at the end":           {age: 5 * time.Minute, since: life - 5*time.Minute - 10*time.Second},
			"after the end":        {age: 5 * time.Minute, since: life - 5*time.Minute + time.Second},
			"long after the end":   {age: 5 * time.Minute, since: life},
			"after a restart":      {age: 5 * time.Minute, since: time.Minute, restarted: true},
			"too late, by another": {age: 5 * time.Minute, since: life - 5*time.Minute + time.Second, restarted: true},
		} {
			t.Run(step.String()+" "+name, func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					p := w.draft(market.GmailUSA, 1)
					testworld.Pass(test.age)
					w.stepClock(step)
					testworld.Pass(test.since)
					if test.restarted {
						w.restart(w.client, 0)
					}
					outcome, err := w.service.Confirm(t.Context(), anna, p.ID, "en")
					testworld.Must(t, err)
					want := orders.Placed
					if test.age+test.since >= life {
						want = orders.Redrawn
					}
					if outcome.Result != want {
						t.Errorf("got %v, %v; want %v", outcome.Result, outcome.Changes, want)
					}
				})
			})
		}
	}
}

// TestDraftAfterAStepForward: a card that was just drawn works, although its time seems to be over.
func TestDraftAfterAStepForward(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		w.stepClock(time.Hour)
		if outcome := w.confirm(p); outcome.Result != orders.Placed {
			t.Errorf("got %v, %v", outcome.Result, outcome.Changes)
		}
	})
}

// TestRedrawnDraftAfterAStepOfTheClock: the draft that takes the place of a claimed one.
func TestRedrawnDraftAfterAStepOfTheClock(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		testworld.Must(t, w.Market.SetRate(market.GmailUSA, "1.30"))
		redrawn := w.confirm(p)
		w.stepClock(time.Hour)
		if redrawn.Result != orders.Redrawn || w.confirm(redrawn.Quote.Purchase).Result != orders.Placed {
			t.Errorf("got %v, and the new draft is not placed", redrawn.Result)
		}
	})
}

// TestDraftOfAClockThatWasAhead: nothing tells the next process how old it is, so it has
// expired.
func TestDraftOfAClockThatWasAhead(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		testworld.Pass(time.Minute)
		testworld.Must(t, w.service.Stop(t.Context()))
		w.stepClock(-time.Hour)
		w.service = w.newService(w.client)
		w.service.Start()
		synctest.Wait()
		if outcome := w.confirm(p); outcome.Result != orders.Redrawn {
			t.Errorf("got %v, want a draft with the present price", outcome.Result)
		}
	})
}

// TestStepWhileTheDatabaseRefuses: the stored times are corrected when it accepts that.
func TestStepWhileTheDatabaseRefuses(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.unresolved(market.GmailUSA, false)
		w.stepClock(-time.Hour)
		accept := w.Refuse(`UPDATE ON purchases FOR EACH ROW`)
		testworld.Pass(2 * time.Minute)
		accept()
		testworld.Pass(10 * time.Minute)
		if n := w.count(orders.MessageVerdict); n != 1 {
			t.Errorf("%d verdicts", n)
		}
	})
}
