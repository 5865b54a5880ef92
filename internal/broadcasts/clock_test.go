package broadcasts_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/testworld"
)

// stepClock sets the clock forward, or back if by is negative. A bubble has one clock,
// so all stored times are moved the other way.
func (w *world) stepClock(by time.Duration) {
	w.T.Helper()
	synctest.Wait()
	var steps strings.Builder
	for table, columns := range map[string][]string{
		"broadcasts":           {"created_at", "confirmed_at", "started_at", "lease_until"},
		"broadcast_recipients": {"next_try_at"},
		"users":                {"created_at"},
	} {
		for _, column := range columns {
			fmt.Fprintf(&steps, "UPDATE %[1]s SET %[2]s = %[2]s - %[3]d WHERE %[2]s > 0;\n", table, column, by.Milliseconds())
		}
	}
	w.Exec(steps.String())
	w.set.Add(int64(by))
}

// TestBroadcastAfterAStepOfTheClock to people who were not tried, failed, or joined
// before the step, by a process that runs on and by one that follows a killed one.
func TestBroadcastAfterAStepOfTheClock(t *testing.T) {
	for _, step := range []time.Duration{-24 * time.Hour, -time.Hour, -2 * time.Minute, 2 * time.Minute, time.Hour, 24 * time.Hour} {
		t.Run(step.String()+" failed", func(t *testing.T) {
			run(t, func(w *world) {
				w.join(3)
				w.sendErr = func(id int64) error {
					if id == 2 {
						return &outbox.RetryAfterError{After: 30 * time.Second, Err: errors.New("too many requests")}
					}
					return nil
				}
				s := w.startProcess()
				w.confirm(author, 3, textForAll)
				s.Wake()
				testworld.Pass(5 * time.Second)
				w.stepClock(step)
				w.change(func() { w.sendErr = nil })
				testworld.Pass(2 * time.Minute)
				if n := w.countRecipients(); n != 3 {
					t.Errorf("%d people got the broadcast, want 3", n)
				}
				w.stop(s)
			})
		})
		t.Run(step.String()+" killed", func(t *testing.T) {
			run(t, func(w *world) {
				w.join(3)
				id := w.confirm(author, 3, textForAll)
				_, err := w.db.ClaimBroadcast(w.T.Context(), "killed", time.Now(), time.Now().Add(30*time.Second))
				w.must(err)
				w.stepClock(step)
				s := w.startProcess()
				testworld.Pass(time.Minute)
				if n := w.countRecipients(); n != 3 || w.broadcast(id).EndedAt.IsZero() {
					t.Errorf("%d people got the broadcast, want 3", n)
				}
				w.stop(s)
			})
		})
		t.Run(step.String()+" joined before", func(t *testing.T) {
			run(t, func(w *world) {
				w.join(3)
				s := w.startProcess()
				testworld.Pass(time.Second)
				w.stepClock(step)
				testworld.Pass(20 * time.Second) // the loop sleeps for 15 s at most
				w.confirm(author, 3, textForAll)
				s.Wake()
				testworld.Pass(time.Minute)
				if n := w.countRecipients(); n != 3 {
					t.Errorf("%d people got the broadcast, want 3", n)
				}
				w.stop(s)
			})
		})
	}
}

// wall is the wall time of the processes.
func (w *world) wall() time.Time { return time.Now().Add(time.Duration(w.set.Load())) }
