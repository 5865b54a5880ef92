package watches_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/internal/watches"
)

var clockSteps = []time.Duration{
	-24 * time.Hour, -time.Hour, -2 * time.Minute, -40 * time.Second, -7 * time.Second, 7 * time.Second, 2 * time.Minute, time.Hour, 24 * time.Hour,
}

// TestRoundsAfterAStepOfTheClock: the step delays no round, in a process that runs on and
// in one that is started after it.
func TestRoundsAfterAStepOfTheClock(t *testing.T) {
	for _, step := range clockSteps {
		for name, restarted := range map[string]bool{"running": false, "restarted": true} {
			t.Run(step.String()+" "+name, func(t *testing.T) {
				run(t, testworld.OperatorKey, func(w *world) {
					w.setStock(market.GmailUSA, 0)
					w.watchRestock(anna, market.GmailUSA)
					passRounds(2)
					testworld.Pass(time.Minute)
					if restarted {
						w.must(w.processes[0].Stop(w.T.Context()))
					}
					synctest.Wait()
					w.set.Store(int64(step))
					w.setStock(market.GmailUSA, 5)
					if restarted {
						w.startProcess()
						testworld.Pass(time.Second)
					} else {
						testworld.Pass(watches.Every - time.Minute + time.Second)
					}
					w.want(fmt.Sprint(anna, " restock ", market.GmailUSA))
					before := w.Market.Count("products")
					passRounds(3)
					if calls := w.Market.Count("products") - before; calls != 3 {
						w.T.Errorf("three rounds after the step made %d calls, want 3", calls)
					}
				})
			})
		}
	}
}

// TestOneRoundAfterAStepOfTheClock: of several processes, one makes each round also after
// the clock of all was set.
func TestOneRoundAfterAStepOfTheClock(t *testing.T) {
	for _, step := range clockSteps {
		t.Run(step.String(), func(t *testing.T) {
			run(t, testworld.OperatorKey, func(w *world) {
				w.startProcess()
				w.startProcess()
				w.watchRestock(anna, market.SoldOut)
				passRounds(2)
				testworld.Pass(time.Minute)
				w.set.Store(int64(step))
				before := w.Market.Count("products")
				passRounds(4)
				if calls := w.Market.Count("products") - before; calls != 4 {
					w.T.Errorf("four rounds of three processes made %d calls, want 4", calls)
				}
			})
		})
	}
}
