package monitor_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/monitor"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// stepClock sets the clock forward, or back if by is negative. A bubble has one clock,
// so all stored times are moved the other way.
func (w *world) stepClock(by time.Duration) {
	w.T.Helper()
	synctest.Wait()
	for _, change := range []string{
		`UPDATE inbox SET received_at = received_at - %, finished_at = finished_at - %`,
		`UPDATE outbox SET created_at = created_at - %, next_try_at = next_try_at - %`,
		`UPDATE monitor_alerts SET since = since - %`,
		`UPDATE settings SET value = CAST(CAST(value AS BIGINT) - % AS TEXT) WHERE name = 'monitor_notified_at'`,
	} {
		w.Exec(strings.ReplaceAll(change, "%", fmt.Sprint("(", by.Milliseconds(), ")")))
	}
	w.clockSet.Add(int64(by))
}

var clockSteps = []time.Duration{-24 * time.Hour, -time.Hour, -time.Minute, time.Minute, time.Hour, 24 * time.Hour}

// TestNotificationsAfterAStepOfTheClock: each start and end is notified in time.
func TestNotificationsAfterAStepOfTheClock(t *testing.T) {
	for _, step := range clockSteps {
		t.Run(step.String(), func(t *testing.T) {
			run(t, func(w *world) {
				w.join(olga)
				w.down.start()
				testworld.Pass(20 * time.Second)
				w.want(olga, monitor.MarketDown)
				w.stepClock(step)
				w.down.end()
				testworld.Pass(2 * time.Minute)
				w.want(olga, "+"+monitor.MarketDown)
			})
		})
	}
}

// TestDeadLetterAlertAfterAStepBack ends within an hour.
func TestDeadLetterAlertAfterAStepBack(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		_, _, err := w.db.StoreUpdates(w.T.Context(), "me", []int64{1}, []int64{7}, [][]byte{[]byte("{}")})
		w.must(err)
		_, err = w.db.DeadLetter(w.T.Context(), "me", 7, 1)
		w.must(err)
		testworld.Pass(20 * time.Second)
		w.want(olga, monitor.UpdatesDeadLettered)
		w.stepClock(-24 * time.Hour)
		testworld.Pass(62 * time.Minute)
		w.want(olga, "+"+monitor.UpdatesDeadLettered)
	})
}

// TestOutboxStuckAlertAfterAStepForward: a message that was just stored is not stuck.
func TestOutboxStuckAlertAfterAStepForward(t *testing.T) {
	run(t, func(w *world) {
		w.must(w.outbox.Stop(w.T.Context()))
		testworld.Pass(10 * time.Minute)
		w.must(w.db.AddMessage(w.T.Context(), storage.Message{UserID: 7, Kind: "goods", CreatedAt: time.Now()}))
		w.stepClock(time.Hour)
		testworld.Pass(4 * time.Minute)
		if active := w.active(); len(active) != 0 {
			t.Errorf("the active alerts are %+v", active)
		}
		testworld.Pass(2 * time.Minute)
		if active := w.active(); len(active) != 1 {
			t.Errorf("the active alerts after six minutes are %+v", active)
		}
	})
}
