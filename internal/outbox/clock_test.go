package outbox_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestDeliveryAfterAStepOfTheClock of messages that were not tried, failed, or were
// leased by a process that was killed; while the process runs and while it does not.
func TestDeliveryAfterAStepOfTheClock(t *testing.T) {
	for _, step := range []time.Duration{-24 * time.Hour, -time.Hour, -5 * time.Minute, -time.Minute, time.Hour} {
		for name, restarted := range map[string]bool{"running": false, "restarted": true} {
			t.Run(step.String()+" "+name, func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					testworld.Must(t, w.outbox.Stop(t.Context()))
					var set atomic.Int64
					start := func() {
						w.outbox = outbox.New(outbox.Options{
							DB: w.db, Log: slog.New(slog.NewTextHandler(w.Log, nil)),
							Wall: func() time.Time { return time.Now().Add(time.Duration(set.Load())) },
						})
						w.outbox.Start(&w.sender)
					}
					start()
					w.sender.FailWith(func(storage.Message) error { return context.DeadlineExceeded })
					w.store(anna, outbox.PriorityGoods, "failed")
					w.outbox.Wake()
					testworld.Pass(3 * time.Minute)
					testworld.Must(t, w.outbox.Stop(t.Context()))
					w.store(boris, outbox.PriorityGoods, "leased")
					_, err := w.db.ClaimMessages(t.Context(), "killed", time.Now(), time.Now().Add(2*time.Minute), 10)
					testworld.Must(t, err)
					if !restarted {
						start()
						testworld.Pass(time.Second)
					}
					w.store(boris, outbox.PriorityStatus, "untried")
					synctest.Wait()
					for _, column := range []string{"created_at", "next_try_at", "lease_until"} {
						w.Exec(`UPDATE outbox SET `+column+` = `+column+` - ? WHERE `+column+` > 0`, step.Milliseconds())
					}
					set.Add(int64(step))
					w.sender.FailWith(nil)
					if restarted {
						start()
					}
					testworld.Pass(20 * time.Second) // the loop sleeps for 15 s at most
					w.wantSent(anna, "failed")
					testworld.Pass(2*time.Minute + 15*time.Second)
					w.wantSent(boris, "leased", "untried")
				})
			})
		}
	}
}

// TestStepOfTheClockRepeatsNothing: a message is in flight when the clock is set forward,
// beyond the end of its lease.
func TestStepOfTheClockRepeatsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.outbox.Stop(t.Context()))
		var set atomic.Int64
		w.outbox = outbox.New(outbox.Options{
			DB: w.db, Log: slog.New(slog.NewTextHandler(w.Log, nil)),
			Wall: func() time.Time { return time.Now().Add(time.Duration(set.Load())) },
		})
		w.sender.before = func(context.Context, storage.Message) { <-time.After(10 * time.Second) }
		w.outbox.Start(&w.sender)
		w.store(anna, outbox.PriorityGoods, "in flight")
		w.outbox.Wake()
		testworld.Pass(time.Second)
		w.Exec(`UPDATE outbox SET lease_until = lease_until - ?`, time.Hour.Milliseconds())
		set.Add(int64(time.Hour))
		w.outbox.Wake()
		testworld.Pass(time.Minute)
		w.wantSent(anna, "in flight")
	})
}
