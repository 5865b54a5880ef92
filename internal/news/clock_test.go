package news_test

import (
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
)

var clockSteps = []time.Duration{-48 * time.Hour, -time.Hour, -40 * time.Second, 40 * time.Second, time.Hour, 12 * time.Hour, 48 * time.Hour}

// TestStepsOfTheClock: a step of the wall clock neither makes news nor hides them, while
// the process runs.
func TestStepsOfTheClock(t *testing.T) {
	for _, step := range clockSteps {
		t.Run(step.String(), func(t *testing.T) {
			run(t, func(w *world) {
				w.setStock(market.SoldOut, 5)
				passRounds(1)
				w.setStock(market.SoldOut, 0)
				w.must(w.Market.Remove(market.GmailUSA))
				passRounds(1)
				w.set.Store(int64(step))
				w.setStock(market.SoldOut, 5)
				w.must(w.Market.Return(market.GmailUSA))
				w.setStock(market.ChatGPTPlus, 0)
				passRounds(1)
				w.want("restock 5")
				w.setStock(market.ChatGPTPlus, 5)
				passRounds(1)
				w.want("restock 5", "restock 19")
				var ahead []int64
				w.Select(&ahead, `SELECT id FROM news WHERE at > ?`, time.Now().Add(step).UnixMilli())
				if len(ahead) > 0 {
					w.T.Errorf("%d news lie ahead", len(ahead))
				}
			})
		})
	}
}

// TestClockThatIsSetWhileNothingRuns: back is no pause, and far ahead is a long one.
func TestClockThatIsSetWhileNothingRuns(t *testing.T) {
	for step, want := range map[time.Duration][]string{-48 * time.Hour: {"restock 5"}, time.Hour: {"restock 5"}, 48 * time.Hour: nil} {
		t.Run(step.String(), func(t *testing.T) {
			run(t, func(w *world) {
				w.setStock(market.SoldOut, 5)
				w.set.Store(int64(step))
				w.restart(0)
				w.want(want...)
				w.setStock(market.ChatGPTPlus, 0)
				passRounds(1)
				w.setStock(market.ChatGPTPlus, 5)
				passRounds(1)
				w.want(append(want, "restock 19")...)
			})
		})
	}
}
