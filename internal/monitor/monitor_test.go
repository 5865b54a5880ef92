package monitor_test

import (
	"strings"
	"testing"
	"time"

	"hstockbot/internal/monitor"
	"hstockbot/internal/sandbox/testworld"
)

func TestAlertIsNotifiedOnceAtItsStartAndItsEnd(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga, oleg)
		w.down.start()
		testworld.Pass(5 * time.Minute)
		w.want(olga, monitor.MarketDown)
		w.want(oleg, monitor.MarketDown)
		w.restart()
		testworld.Pass(time.Hour)
		w.want(olga)
		w.down.end()
		w.restart()
		testworld.Pass(time.Minute)
		w.want(olga, "+"+monitor.MarketDown)
		w.want(oleg, "+"+monitor.MarketDown)
		testworld.Pass(time.Hour)
		w.want(olga)
	})
}

func TestOneReportPerMinuteOmitsWhatEndedBefore(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		w.down.start()
		testworld.Pass(15 * time.Second)
		w.want(olga, monitor.MarketDown)
		w.conflict.set(time.Now().Add(-time.Minute), true)
		testworld.Pass(15 * time.Second) // the alert is stored
		w.want(olga)
		w.down.end()
		testworld.Pass(15 * time.Second)
		w.conflict.end()
		testworld.Pass(15 * time.Second)
		w.want(olga)
		testworld.Pass(time.Minute)
		w.want(olga, "+"+monitor.MarketDown)

		for range 10 { // an alert that flaps
			w.down.start()
			testworld.Pass(20 * time.Second)
			w.down.end()
			testworld.Pass(20 * time.Second)
		}
		if n := len(w.reports(olga)); n > 7 {
			w.T.Errorf("%d reports in 400 seconds, want at most 7", n)
		}
	})
}

func TestAlertsWaitForAReachableAdmin(t *testing.T) {
	run(t, func(w *world) {
		w.down.start()
		testworld.Pass(time.Hour)
		w.join(olga)
		testworld.Pass(time.Minute)
		w.want(olga, monitor.MarketDown)
		w.must(w.db.SetUnreachable(w.T.Context(), olga))
		w.join(oleg)
		w.down.end()
		testworld.Pass(2 * time.Minute)
		w.want(oleg, "+"+monitor.MarketDown)
		w.want(olga)
	})
}

// A new process can't tell yet whether there is a problem.
func TestRestartNeitherEndsNorRepeatsAlerts(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		started := time.Now()
		w.down.start()
		w.conflict.start()
		testworld.Pass(time.Minute)
		w.want(olga, monitor.MarketDown+" "+monitor.PollConflict)
		w.down.set(time.Time{}, false)
		w.conflict.set(time.Time{}, false)
		w.restart()
		testworld.Pass(2 * time.Minute)
		w.down.set(started.Add(time.Minute), true)
		w.conflict.set(started.Add(time.Minute), true)
		testworld.Pass(2 * time.Minute)
		w.want(olga)
		w.down.end()
		w.conflict.end()
		testworld.Pass(2 * time.Minute)
		w.want(olga, "+"+monitor.MarketDown+" +"+monitor.PollConflict)
	})
}

func TestReportCountsTheAlertsThatDoNotFit(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		for i := range int64(30) {
			w.addUnresolvedPurchase(1000 + i)
		}
		testworld.Pass(time.Minute)
		w.want(olga, strings.Repeat(monitor.OutcomeUnknown+" ", 20)+"and 10")
		testworld.Pass(time.Hour)
		w.want(olga)
	})
}
