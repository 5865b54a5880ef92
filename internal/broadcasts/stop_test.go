package broadcasts_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"hstockbot/internal/broadcasts"
	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestStoppedBroadcastSendsNoMore(t *testing.T) {
	run(t, func(w *world) {
		w.join(500)
		w.sendErr = func(id int64) error {
			if id == 4 {
				return errors.New("no connection") // becomes pending
			}
			return nil
		}
		id := w.confirm(author, 500, textForAll)
		s := w.startProcess()
		testworld.Pass(3 * time.Second)
		stopped := w.stopBroadcast(id)
		s.Wake()
		testworld.Pass(time.Second)
		b, n := w.broadcast(id), w.countRecipients()
		if !stopped || b.State != storage.BroadcastStopped || b.StoppedBy != otherAdmin || n == 0 || n > 450 || int(b.Sent) != n {
			w.T.Errorf("%d people got it: %+v", n, b)
		}
		if shown := w.lastShown(id); shown != b {
			w.T.Errorf("the progress shows %+v", shown)
		}
		testworld.Pass(time.Hour)
		if now := w.countRecipients(); now != n {
			w.T.Errorf("%d more people got it after the stop", now-n)
		}
		w.stop(s)
	})
}

// TestWakeReachesAnotherProcess: one process handles the admins' taps, and another one
// sends.
func TestWakeReachesAnotherProcess(t *testing.T) {
	run(t, func(w *world) {
		w.join(500)
		wakes := testworld.Wakes{}
		tapped, sending := w.newProcess(wakes.Share), w.newProcess(wakes.Share)
		sending.Start()
		testworld.Pass(time.Second)
		id := w.confirm(author, 500, textForAll)
		tapped.Wake()
		testworld.Pass(time.Second)
		if n := w.countRecipients(); n == 0 {
			w.T.Error("nobody got it within a second")
		}
		w.stopBroadcast(id)
		tapped.Wake()
		testworld.Pass(time.Second)
		if shown := w.lastShown(id); shown.State != storage.BroadcastStopped {
			w.T.Errorf("the progress shows %+v", shown)
		}
		w.stop(sending)
	})
}

func TestStoppedBroadcastCancelsMessagesWithoutASlot(t *testing.T) {
	run(t, func(w *world) {
		w.join(40)
		w.sendTime = time.Hour
		id := w.confirm(author, 40, textForAll)
		s := w.startProcess()
		testworld.Pass(10 * time.Second)
		w.stopBroadcast(id)
		s.Wake()
		testworld.Pass(time.Second)
		if shown := w.lastShown(id); shown.State != storage.BroadcastStopped || shown.Handled() != 0 || w.countRecipients() != 0 {
			w.T.Errorf("the progress shows %+v", shown)
		}
		w.stop(s)
	})
}

func TestBroadcastStopsWhenItsAuthorIsNoLongerAnAdmin(t *testing.T) {
	run(t, func(w *world) {
		w.join(500)
		id := w.confirm(author, 500, textForAll)
		testworld.Pass(time.Millisecond)
		next := w.confirm(otherAdmin, 500, map[string]string{"": "The second"})
		s := w.startProcess()
		testworld.Pass(2 * time.Second)
		w.change(func() { w.admins = []int64{otherAdmin} })
		testworld.Pass(2 * time.Minute)
		b := w.broadcast(id)
		if b.State != storage.BroadcastStopped || b.StoppedBy != 0 || b.Sent == 0 || b.Sent > 450 {
			w.T.Errorf("the broadcast is %+v", b)
		}
		entries, _, err := w.db.AuditLog(w.T.Context(), 9, 0)
		w.must(err)
		if !slices.ContainsFunc(entries, func(e storage.AuditEntry) bool {
			return e.Action == broadcasts.ActionRevoked && e.Subject == id && e.AdminID == author
		}) {
			w.T.Errorf("the audit log has %+v", entries)
		}
		if b := w.broadcast(next); b.State != storage.BroadcastDone || b.Sent != 500 {
			w.T.Errorf("the other admin's broadcast is %+v", b)
		}
		w.stop(s)
	})
}

func TestRestartsLeaveOutNobody(t *testing.T) {
	run(t, func(w *world) {
		w.join(300)
		id := w.confirm(author, 300, textForAll)
		for range 4 {
			s := w.startProcess()
			testworld.Pass(1500 * time.Millisecond)
			w.change(func() { w.sendTime = time.Minute }) // so that the stop cancels some
			testworld.Pass(time.Second)
			w.stop(s)
			w.change(func() { w.sendTime = 100 * time.Millisecond })
		}
		s := w.startProcess()
		testworld.Pass(time.Minute)
		if b := w.broadcast(id); b.Sent != 300 || b.Uncertain != 0 || w.countRecipients() != 300 {
			w.T.Errorf("the broadcast is %+v", b)
		}
		w.stop(s)
	})
}

func TestConcurrentStopsObeyTheirOwnContexts(t *testing.T) {
	run(t, func(w *world) {
		w.join(1000)
		w.progressTime = time.Minute // Stop waits for its end
		w.confirm(author, 1000, textForAll)
		s := w.startProcess()
		testworld.Pass(3 * time.Second)
		first := make(chan error)
		go func() { first <- s.Stop(w.T.Context()) }()
		synctest.Wait()
		stopped := time.Now()
		ctx, cancel := context.WithTimeout(w.T.Context(), time.Second)
		defer cancel()
		if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(stopped) != time.Second {
			w.T.Errorf("the second Stop returned %v after %v, want its deadline after 1 s", err, time.Since(stopped))
		}
		if err := <-first; err != nil || time.Since(stopped) <= time.Second {
			w.T.Errorf("the first Stop returned %v after %v, want nil after the second Stop", err, time.Since(stopped))
		}
	})
}

// Random outcomes, stops and a second process: nobody gets two copies, and each
// person is counted once.
func TestEachRecipientIsCountedOnce(t *testing.T) {
	const (
		unreachable = iota + 1
		rejected
		uncertain
		uncertainUnsent
		transient
		retryAfter
		outcomes = 12 // the others are sent
	)
	rapid.Check(t, func(rt *rapid.T) {
		people := rapid.IntRange(1, 60).Draw(rt, "people")
		fates := rapid.SliceOfN(rapid.IntRange(0, outcomes), people, people).Draw(rt, "fates")
		stops := rapid.SliceOfN(rapid.IntRange(50, 900), 0, 4).Draw(rt, "stops")
		run(t, func(w *world) {
			w.join(people)
			attempts := map[int64]int{}
			w.sendErr = func(id int64) error {
				attempts[id]++
				switch fate := fates[id-1]; {
				case fate == unreachable:
					return outbox.ErrUnreachable
				case fate == rejected:
					return outbox.ErrRejected
				case fate == uncertain:
					return outbox.ErrUncertain
				case fate == uncertainUnsent:
					return errUncertainUnsent
				case fate == transient && attempts[id] < 3:
					return errors.New("no connection")
				case fate == retryAfter && attempts[id] < 3:
					return &outbox.RetryAfterError{After: 3 * time.Second, Err: errors.New("flood")}
				}
				return nil
			}
			id := w.confirm(author, people, textForAll)
			for _, ms := range stops {
				s := w.startProcess()
				testworld.Pass(time.Duration(ms) * time.Millisecond)
				w.stop(s)
			}
			one, two := w.startProcess(), w.startProcess()
			for began := time.Now(); w.broadcast(id).State != storage.BroadcastDone && time.Since(began) < time.Hour; {
				testworld.Pass(time.Minute)
			}
			testworld.Pass(2 * time.Minute) // longer than a lease: nothing is sent again
			w.countRecipients()
			count := func(of ...int) (n int64) {
				for _, fate := range fates {
					if slices.Contains(of, fate) {
						n++
					}
				}
				return n
			}
			b := w.broadcast(id)
			if b.State != storage.BroadcastDone || b.Unreachable != count(unreachable) || b.Failed != count(rejected) ||
				b.Uncertain != count(uncertain, uncertainUnsent) || b.Handled() != int64(people) {
				rt.Errorf("the broadcast is %+v, want the outcomes %v", b, fates)
			}
			w.stop(one)
			w.stop(two)
		})
	})
}
