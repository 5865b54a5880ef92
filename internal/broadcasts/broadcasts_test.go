package broadcasts_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestEachPersonGetsTheTextOfTheirLanguage(t *testing.T) {
	run(t, func(w *world) {
		w.join(300)
		id := w.confirm(author, 300, map[string]string{"": "Hello", "zh": "你好"})
		w.join(300) // seen again, which changes nothing
		testworld.Pass(time.Second)
		_, _, err := w.db.TouchUser(w.T.Context(), 301, "Joined after the confirmation", "en", true)
		w.must(err)
		s := w.startProcess()
		testworld.Pass(time.Minute)
		if n := w.countRecipients(); n != 300 {
			w.T.Errorf("%d people got it, want 300", n)
		}
		for person, copies := range w.copies {
			if want := map[string]string{"en": "Hello", "zh": "你好"}[languageOf(person)]; copies[0] != want {
				w.T.Errorf("%d reads %s and got %q", person, languageOf(person), copies[0])
			}
		}
		b := w.broadcast(id)
		if b.State != storage.BroadcastDone || b.Sent != 300 || b.Handled() != 300 {
			w.T.Errorf("the broadcast is %+v", b)
		}
		if shown := w.lastShown(id); shown.State != storage.BroadcastDone || shown.Sent != 300 {
			w.T.Errorf("the progress shows %+v", shown)
		}
		if w.maxInFlight != 15 {
			w.T.Errorf("%d messages were in flight, want 15", w.maxInFlight)
		}
		w.stop(s)
	})
}

func TestPeopleWithoutATextAreSkipped(t *testing.T) {
	run(t, func(w *world) {
		w.join(600)
		id := w.confirm(author, 200, map[string]string{"zh": "你好"})
		s := w.startProcess()
		testworld.Pass(time.Minute)
		if n := w.countRecipients(); n != 200 || len(w.copies[1]) != 0 {
			w.T.Errorf("%d people got it, want the 200 who read Chinese", n)
		}
		if b := w.broadcast(id); b.Sent != 200 || b.State != storage.BroadcastDone {
			w.T.Errorf("the broadcast is %+v", b)
		}
		w.stop(s)
	})
}

func TestBroadcastWithoutRecipientsEnds(t *testing.T) {
	run(t, func(w *world) {
		id := w.confirm(author, 0, textForAll)
		s := w.startProcess()
		testworld.Pass(time.Second)
		if b := w.broadcast(id); b.State != storage.BroadcastDone || b.Handled() != 0 {
			w.T.Errorf("the broadcast is %+v", b)
		}
		w.stop(s)
	})
}

func TestOutcomesAreCounted(t *testing.T) {
	run(t, func(w *world) {
		w.join(100)
		attempts := map[int64]int{}
		w.sendErr = func(id int64) error {
			attempts[id]++
			switch {
			case id == 3:
				return fmt.Errorf("%w: blocked", outbox.ErrUnreachable)
			case id == 5:
				return fmt.Errorf("%w: bad request", outbox.ErrRejected)
			case id == 7:
				return fmt.Errorf("%w: no answer", outbox.ErrUncertain)
			case id == 8:
				panic("eight")
			case id == 9 && attempts[id] < 4:
				return errors.New("no connection")
			case id == 11 && attempts[id] < 2:
				return &outbox.RetryAfterError{After: 40 * time.Second, Err: errors.New("flood")}
			}
			return nil
		}
		id := w.confirm(author, 100, textForAll)
		s := w.startProcess()
		testworld.Pass(30 * time.Second)
		if n := w.countRecipients(); n > 30 {
			w.T.Errorf("%d people got it although Telegram asked to wait", n)
		}
		testworld.Pass(5 * time.Minute)
		w.countRecipients()
		b := w.broadcast(id)
		if b.Sent != 96 || b.Unreachable != 1 || b.Failed != 1 || b.Uncertain != 2 || b.State != storage.BroadcastDone {
			w.T.Errorf("the broadcast is %+v", b)
		}
		if attempts[9] != 4 || attempts[11] != 2 || attempts[7] != 1 || attempts[8] != 1 {
			w.T.Errorf("attempts by person: %v", attempts)
		}
		if user, err := w.db.User(w.T.Context(), 3); err != nil || !user.Unreachable {
			w.T.Errorf("the person who blocked the bot is %+v, %v", user, err)
		}
		// The next broadcast skips the unreachable person.
		next := w.confirm(author, 99, textForAll)
		s.Wake()
		testworld.Pass(time.Minute)
		if b := w.broadcast(next); b.Handled() != 99 || attempts[3] != 1 {
			w.T.Errorf("the next broadcast is %+v", b)
		}
		w.stop(s)
		w.wantErrors = 2 // the panic of each broadcast
	})
}

func TestOutageTriesOneRecipientAtATime(t *testing.T) {
	run(t, func(w *world) {
		w.join(200)
		down, calls := true, 0
		w.sendErr = func(int64) error {
			calls++
			if down {
				return errors.New("no connection")
			}
			return nil
		}
		id := w.confirm(author, 200, textForAll)
		s := w.startProcess()
		testworld.Pass(time.Hour)
		if calls > 100 {
			w.T.Errorf("%d calls in an hour of outage", calls)
		}
		w.change(func() { down = false })
		testworld.Pass(3 * time.Minute)
		if b := w.broadcast(id); b.Sent != 200 || b.Failed != 0 || w.countRecipients() != 200 {
			w.T.Errorf("the broadcast is %+v", b)
		}
		w.stop(s)
	})
}

func TestAttemptsPerRecipientAreLimited(t *testing.T) {
	run(t, func(w *world) {
		w.join(30)
		attempts := 0
		w.sendErr = func(id int64) error {
			if id == 2 {
				attempts++
				return errors.New("no connection")
			}
			return nil
		}
		id := w.confirm(author, 30, textForAll)
		s := w.startProcess()
		testworld.Pass(time.Hour)
		if b := w.broadcast(id); b.State != storage.BroadcastDone || b.Sent != 29 || b.Failed != 1 || attempts != 20 {
			w.T.Errorf("after %d attempts the broadcast is %+v", attempts, b)
		}
		w.stop(s)
	})
}

func TestBroadcastsAreSentInTurnAcrossProcesses(t *testing.T) {
	run(t, func(w *world) {
		w.join(200)
		first := w.confirm(author, 200, textForAll)
		testworld.Pass(time.Millisecond)
		second := w.confirm(otherAdmin, 200, map[string]string{"": "The second"})
		one, two := w.startProcess(), w.startProcess()
		testworld.Pass(time.Second)
		if a, b := w.broadcast(first), w.broadcast(second); a.State != storage.BroadcastSending || b.State != storage.BroadcastWaiting || b.Handled() != 0 {
			w.T.Errorf("after a second the broadcasts are %+v and %+v", a, b)
		}
		testworld.Pass(2 * time.Minute)
		for _, id := range []int64{first, second} {
			if b := w.broadcast(id); b.State != storage.BroadcastDone || b.Sent != 200 {
				w.T.Errorf("the broadcast is %+v", b)
			}
		}
		for id, copies := range w.copies {
			if !slices.Equal(copies, []string{"Hello", "The second"}) {
				w.T.Errorf("%d got %q", id, copies)
			}
		}
		if w.maxInFlight != 15 {
			w.T.Errorf("%d messages were in flight, want 15", w.maxInFlight)
		}
		w.stop(one)
		w.stop(two)
	})
}

func TestUnshownEndIsShownLaterAndHoldsUpNothing(t *testing.T) {
	run(t, func(w *world) {
		w.join(20)
		w.progressErr = errors.New("no connection")
		first := w.confirm(author, 20, textForAll)
		testworld.Pass(time.Millisecond)
		second := w.confirm(otherAdmin, 20, textForAll)
		s := w.startProcess()
		testworld.Pass(time.Minute)
		if b := w.broadcast(second); b.State != storage.BroadcastDone {
			w.T.Errorf("the second broadcast is %s", b.State)
		}
		w.stop(s)
		w.progressErr = nil
		clear(w.progress)
		s = w.startProcess()
		testworld.Pass(2 * time.Minute)
		for _, id := range []int64{first, second} {
			if n := len(w.progress[id]); n != 1 {
				w.T.Errorf("the next process showed the end %d times, want once", n)
			}
		}
		w.stop(s)
	})
}

func TestSlowProgressIsNotShownAfterTheEnd(t *testing.T) {
	run(t, func(w *world) {
		w.join(20)
		w.progressTime = 20 * time.Second
		id := w.confirm(author, 20, textForAll)
		s := w.startProcess()
		testworld.Pass(time.Minute)
		if shown := w.lastShown(id); shown.State != storage.BroadcastDone {
			w.T.Errorf("the progress shows %+v", shown)
		}
		w.stop(s)
	})
}

func TestProgressIsShownEveryFiveSeconds(t *testing.T) {
	run(t, func(w *world) {
		w.join(1500) // takes 10 s
		id := w.confirm(author, 1500, textForAll)
		s := w.startProcess()
		testworld.Pass(time.Minute)
		if n := len(w.progress[id]); n != 4 && n != 3 { // after 1, 6 and maybe 11 s, and at the end
			w.T.Errorf("the progress was shown %d times", n)
		}
		w.stop(s)
	})
}
