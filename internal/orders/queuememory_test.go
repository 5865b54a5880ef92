package orders

import (
	"slices"
	"testing"
	"time"

	"hstockbot/storage"
)

// TestEarliest: a loop that took the later of two times would leave a code or a reminder
// waiting.
func TestEarliest(t *testing.T) {
	early, late := start, start.Add(time.Second)
	for _, test := range []struct{ a, b, want time.Time }{
		{early, late, early},
		{late, early, early},
		{early, early, early},
		{early, time.Time{}, early},
		{time.Time{}, late, late},
		{time.Time{}, time.Time{}, time.Time{}},
	} {
		if got := earliest(test.a, test.b); !got.Equal(test.want) {
			t.Errorf("of %s and %s: %s", test.a, test.b, got)
		}
	}
}

// TestQueueReads: all due orders at first and every 15 s, because another process may have
// changed some, and otherwise those since the last read, with what the clocks differ by.
func TestQueueReads(t *testing.T) {
	q := queueWith(0)
	if got := q.since(start); !got.IsZero() {
		t.Errorf("at first since %s, want all", got)
	}
	first := []storage.DuePoll{duePoll(1, 1, time.Second, time.Second), duePoll(2, 1, time.Second, time.Second)}
	q.add(first, time.Time{}, start)
	for _, after := range []time.Duration{time.Second, fullReadInterval - 1} {
		if got := q.since(start.Add(after)); !got.Equal(start.Add(-readOverlap)) {
			t.Errorf("%s after all were read: since %s", after, got)
		}
	}
	soon := start.Add(time.Second)
	q.add([]storage.DuePoll{duePoll(3, 1, time.Second, 0)}, start.Add(-readOverlap), soon)
	if got := q.since(soon); !got.Equal(soon.Add(-readOverlap)) {
		t.Errorf("after a part was read: since %s", got)
	}
	if got := len(q.accounts[account(1)].due); got != 3 {
		t.Errorf("%d orders are due, want the two before and the new one", got)
	}
	again := start.Add(fullReadInterval)
	if got := q.since(again); !got.IsZero() {
		t.Errorf("after %s since %s, want all", fullReadInterval, got)
	}
	q.add(first[1:], time.Time{}, again)
	if taken, _ := q.take(again); !slices.Equal(orderIDs(taken), []int64{2}) {
		t.Errorf("taken: %v, but only order 2 is still due", orderIDs(taken))
	}
	q.readAllNext()
	if got := q.since(again); !got.IsZero() {
		t.Errorf("after a step of the clock since %s, want all", got)
	}
	q.readAllNext()
	q.add(nil, time.Time{}, again)
	if got := q.since(again); !got.IsZero() {
		t.Errorf("after a step during a read of all since %s, want all", got)
	}
}

// TestMoreDueThanInMemory: the next read begins where this one was full.
func TestMoreDueThanInMemory(t *testing.T) {
	q := queueWith(0)
	due := make([]storage.DuePoll, maxDuePolls)
	for i := range due {
		due[i] = duePoll(int64(i+1), 1, time.Second, time.Hour-time.Duration(i)*time.Millisecond)
	}
	q.add(due, q.since(start), start)
	if got, want := q.since(start), due[maxDuePolls-1].DueAt.Add(-readOverlap); !got.Equal(want) {
		t.Errorf("the next read is since %s, want %s", got, want)
	}
	q.add(due[1:], start.Add(-readOverlap), start)
	if got, want := q.since(start), start.Add(-readOverlap); !got.Equal(want) {
		t.Errorf("with one less: since %s, want %s", got, want)
	}
}

// TestTakesArePaced: polls are leased and stored many at a time.
func TestTakesArePaced(t *testing.T) {
	q := queueWith(0)
	for _, test := range []struct{ at, want time.Duration }{
		{0, 0}, {0, minTakeInterval}, {minTakeInterval - 1, 1}, {minTakeInterval, 0}, {minTakeInterval + 1, minTakeInterval - 1},
	} {
		if got := q.cooldown(start.Add(test.at)); got != test.want {
			t.Errorf("after %s a pause of %s, want %s", test.at, got, test.want)
		}
	}
}

// TestIdleAccountsAreForgotten, but not their polls in flight, which count against their limit,
// nor those that were polled lately, which would gain a better place.
func TestIdleAccountsAreForgotten(t *testing.T) {
	for name, test := range map[string]struct {
		after    time.Duration
		inFlight bool
		kept     bool
	}{
		"idle":             {accountIdleLimit, false, false},
		"not for so long":  {accountIdleLimit - 1, false, true},
		"a poll in flight": {accountIdleLimit, true, true},
	} {
		q := queueWith(0)
		q.add([]storage.DuePoll{duePoll(1, 1, time.Second, time.Second)}, time.Time{}, start)
		q.take(start)
		if !test.inFlight {
			q.done(account(1), start, false)
		}
		now := start.Add(test.after)
		q.add(nil, now.Add(-readOverlap), now)
		if q.accounts[account(1)] == nil {
			t.Errorf("%s: forgotten although a part was read", name)
		}
		q.add(nil, time.Time{}, now)
		if kept := q.accounts[account(1)] != nil; kept != test.kept {
			t.Errorf("%s: kept: %t, want %t", name, kept, test.kept)
		}
	}
}

// TestAccountWithoutDuePollsIsNotScheduled: it needs no look at the limit, which would be looked
// at 20 times a second.
func TestAccountWithoutDuePollsIsNotScheduled(t *testing.T) {
	q := queueWith(1)
	q.add([]storage.DuePoll{duePoll(1, 1, time.Second, time.Second)}, time.Time{}, start)
	q.take(start)
	q.room = func() (int, time.Duration) { return 0, time.Second }
	if taken, next := q.take(start); len(taken) > 0 || !next.IsZero() {
		t.Errorf("%d taken, the next at %s", len(taken), next)
	}
	q.add([]storage.DuePoll{duePoll(2, 1, time.Second, time.Second)}, start, start)
	if taken, next := q.take(start); len(taken) > 0 || next.Sub(start) != time.Second {
		t.Errorf("%d taken although there is no room, the next after %s, want 1 s", len(taken), next.Sub(start))
	}
}

// TestPausesAfterTooManyRequests: doubling up to a minute, and again from 5 s after an answer.
func TestPausesAfterTooManyRequests(t *testing.T) {
	q := queueWith(0)
	now := start
	for i, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute, 0, 5 * time.Second} {
		q.add([]storage.DuePoll{duePoll(int64(i+1), 1, time.Second, time.Second)}, time.Time{}, now)
		if taken, _ := q.take(now); len(taken) != 1 {
			t.Fatalf("%d taken", len(taken))
		}
		q.done(account(1), now, want > 0)
		if want == 0 {
			continue
		}
		q.add([]storage.DuePoll{duePoll(100, 1, time.Second, time.Second)}, time.Time{}, now)
		_, next := q.take(now)
		if pause := next.Sub(now); pause < want*9/10-1 || pause > want*11/10 {
			t.Errorf("after refusal %d a pause of %s, want about %s", i+1, pause, want)
		}
		now = next
	}
}

// TestRateAfterTooManyRequests: an account whose limit was met is not polled ever more often again,
// as it was before. What its limit is the polls tell that were answered.
func TestRateAfterTooManyRequests(t *testing.T) {
	q := queueWith(1000)
	order, now := int64(0), start
	// polls makes as many as may be made in this time. The last one is refused, if any is.
	polls := func(within time.Duration, refused bool) (n int) {
		for end := now.Add(within); now.Before(end); now = now.Add(minTakeInterval) {
			order++
			q.add([]storage.DuePoll{duePoll(order, 1, time.Second, time.Second)}, time.Time{}, now)
			taken, _ := q.take(now)
			n += len(taken)
			for range taken {
				q.done(account(1), now, refused)
			}
			if refused && len(taken) > 0 {
				now = now.Add(throttleFirst * 11 / 10)
				break
			}
		}
		return n
	}
	polls(10*time.Second, false)
	polls(time.Second, true)
	for range 4 {
		if n := polls(10*time.Second, false); n < 52 || n > 62 { // without a refusal it would be 200
			t.Errorf("after a refusal %d polls in ten seconds, want about 57", n)
		}
	}
	polls(time.Second, true)
	polls(10*time.Second, false)
	if n := polls(10*time.Second, false); n < 46 || n > 54 { // 41 if nothing had been answered
		t.Errorf("after another one %d polls in ten seconds, want about 50", n)
	}
}
