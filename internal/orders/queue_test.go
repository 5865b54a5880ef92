package orders

import (
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hstockbot/internal/callrate"
	"hstockbot/storage"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func account(key int64) string { return strconv.FormatInt(key, 10) }

// duePoll is an order that was polled one interval before it became due.
func duePoll(order, key int64, interval, overdue time.Duration) storage.DuePoll {
	due := start.Add(-overdue)
	return storage.DuePoll{OrderID: order, KeyID: key, Account: account(key), CreatedAt: start.Add(-time.Hour), LastPollAt: due.Add(-interval), DueAt: due}
}

// ofPerson is duePoll of another person with the same key.
func ofPerson(poll storage.DuePoll, user int64) storage.DuePoll {
	poll.UserID = user
	return poll
}

// queueWith returns a queue that may begin so many polls in each take; 0: no limit.
func queueWith(room int) *queue {
	if room == 0 {
		return newQueue(callrate.New(callrate.Options{}))
	}
	q := newQueue(callrate.New(callrate.Options{Most: 1}))
	q.room = func() (int, time.Duration) { return room, 0 }
	return q
}

func orderIDs(polls []storage.DuePoll) []int64 {
	ids := make([]int64, 0, len(polls))
	for _, p := range polls {
		ids = append(ids, p.OrderID)
	}
	return ids
}

// TestKeysAlternate: a key with a hundred due orders gets one poll before each of nine
// other keys has one.
func TestKeysAlternate(t *testing.T) {
	q := queueWith(10)
	var due []storage.DuePoll
	for n := range int64(100) {
		due = append(due, duePoll(n+1, 1, time.Second, time.Hour)) // the most overdue ones
	}
	for key := int64(2); key <= 10; key++ {
		due = append(due, duePoll(1000+key, key, time.Second, time.Second))
	}
	q.add(due, time.Time{}, start)
	taken, next := q.take(start)
	polls := map[int64]int{}
	for _, p := range taken {
		polls[p.KeyID]++
	}
	if len(taken) != 10 || len(polls) != 10 {
		t.Errorf("%d polls of %d keys, want 10 of 10", len(taken), len(polls))
	}
	if pause := next.Sub(start); pause != minTakeInterval {
		t.Errorf("the next may be made after %s, want %s", pause, minTakeInterval)
	}
}

// TestOrderWithinAKey: the order is next that has waited longest in proportion to its
// interval.
func TestOrderWithinAKey(t *testing.T) {
	q := queueWith(0)
	q.add([]storage.DuePoll{
		duePoll(1, 1, 10*time.Minute, time.Minute),    // 1.1 intervals
		duePoll(2, 1, 3*time.Second, 6*time.Second),   // 3
		duePoll(3, 1, 15*time.Second, 15*time.Second), // 2
	}, time.Time{}, start)
	taken, _ := q.take(start)
	if got := orderIDs(taken); !slices.Equal(got, []int64{2, 3, 1}) {
		t.Errorf("taken in the order %v", got)
	}
}

// TestPeopleOfAnAccountAlternate: somebody with ten due orders does not delay the one order
// of somebody else with the same key.
func TestPeopleOfAnAccountAlternate(t *testing.T) {
	q := queueWith(2)
	due := []storage.DuePoll{ofPerson(duePoll(100, 2, time.Second, time.Second), 2)}
	due[0].Account = account(1)
	for n := range int64(10) {
		due = append(due, ofPerson(duePoll(n+1, 1, time.Second, time.Hour), 1)) // the most overdue ones
	}
	q.add(due, time.Time{}, start)
	taken, _ := q.take(start)
	if got := orderIDs(taken); len(got) != 2 || !slices.Contains(got, 100) {
		t.Errorf("taken: %v, want one of each person", got)
	}
}

// TestPhonesWithACodeWait: they let even other accounts pass, but not for ever.
func TestPhonesWithACodeWait(t *testing.T) {
	withCode := func(order, key int64, overdue time.Duration) storage.DuePoll {
		poll := duePoll(order, key, time.Second, overdue)
		poll.HasCode = true
		return poll
	}
	for _, test := range []struct {
		room int
		want []int64
	}{{2, []int64{3, 4}}, {3, []int64{3, 4, 5}}, {5, []int64{3, 4, 5, 1, 2}}} {
		q := queueWith(test.room)
		q.add([]storage.DuePoll{
			withCode(1, 1, 2*time.Second), withCode(2, 2, time.Second), withCode(3, 3, (patience-1)*time.Second),
			duePoll(4, 4, time.Second, time.Second), duePoll(5, 4, time.Second, 0),
		}, time.Time{}, start)
		taken, _ := q.take(start)
		got, want := orderIDs(taken), slices.Clone(test.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("room for %d: %v, want %v", test.room, got, want)
		}
	}
}

func TestQueueLimits(t *testing.T) {
	t.Run("one key in flight", func(t *testing.T) {
		q := queueWith(0)
		var due []storage.DuePoll
		for n := range int64(2 * pollsPerAccount) {
			due = append(due, duePoll(n+1, 1, time.Second, time.Second))
		}
		q.add(due, time.Time{}, start)
		if taken, next := q.take(start); len(taken) != pollsPerAccount || !next.IsZero() {
			t.Errorf("%d taken, the next at %s; want %d, and no time for the next", len(taken), next, pollsPerAccount)
		}
		q.done(account(1), start, false)
		if taken, _ := q.take(start); len(taken) != 1 {
			t.Errorf("%d taken after one has ended", len(taken))
		}
	})
	t.Run("one key per second", func(t *testing.T) {
		q := queueWith(1000)
		taken := 0
		for n := range int64(200) {
			now := start.Add(time.Duration(n) * 50 * time.Millisecond)
			q.add([]storage.DuePoll{duePoll(n+1, 1, time.Second, time.Second)}, time.Time{}, now)
			polls, _ := q.take(now)
			taken += len(polls)
			for range polls {
				q.done(account(1), now, false)
			}
		}
		// 5 saved ones, and a rate that doubles from 2 to 4 and 8 a second.
		if taken < 40 || taken > 50 {
			t.Errorf("%d in ten seconds, want about 48", taken)
		}
	})
	t.Run("all in flight", func(t *testing.T) {
		q := queueWith(0)
		var due []storage.DuePoll
		for n := range int64(2 * pollsAtOnce) {
			due = append(due, duePoll(n+1, n+1, time.Second, time.Second))
		}
		q.add(due, time.Time{}, start)
		taken, _ := q.take(start)
		if len(taken) != pollsAtOnce {
			t.Errorf("%d taken, want %d", len(taken), pollsAtOnce)
		}
		q.done(taken[0].Account, start, false)
		q.done(taken[1].Account, start, true)
		if taken, _ := q.take(start); len(taken) != 2 {
			t.Errorf("%d taken after two have ended", len(taken))
		}
	})
}

// TestNextPollTime: after another process's lease, and after "too many requests".
func TestNextPollTime(t *testing.T) {
	for _, room := range []int{0, 1000} { // without a limit, and with one
		q := queueWith(room)
		leased := duePoll(1, 1, time.Second, time.Second)
		leased.LeasedUntil = start.Add(9 * time.Second)
		q.add([]storage.DuePoll{leased}, time.Time{}, start)
		if taken, next := q.take(start); len(taken) != 0 || !next.Equal(leased.LeasedUntil) {
			t.Errorf("%d taken, the next at %s", len(taken), next)
		}
		if taken, _ := q.take(leased.LeasedUntil); len(taken) != 1 {
			t.Errorf("%d taken when the lease is over", len(taken))
		}
		before := leased.LeasedUntil
		q.done(account(1), before, true)
		q.add([]storage.DuePoll{duePoll(2, 1, time.Second, time.Second)}, time.Time{}, before)
		taken, next := q.take(before)
		if pause := next.Sub(before); len(taken) != 0 || pause < throttleFirst*8/10 || pause > throttleFirst*12/10 {
			t.Errorf("%d taken, the next after %s; want about %s", len(taken), pause, throttleFirst)
		}
		if taken, _ := q.take(next); len(taken) != 1 {
			t.Errorf("%d taken after the pause", len(taken))
		}
	}
}

// TestQueueIsMaxMinFair: no key gets a second poll while another key that may poll has
// none.
func TestQueueIsMaxMinFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := queueWith(rapid.SampledFrom([]int{0, 1, 5, 50}).Draw(t, "room"))
		demand := rapid.SliceOfN(rapid.IntRange(0, 30), 1, 20).Draw(t, "due polls of each key")
		var due []storage.DuePoll
		order := int64(0)
		for key, n := range demand {
			for range n {
				order++
				due = append(due, duePoll(order, int64(key), time.Second, time.Duration(rapid.IntRange(0, 100).Draw(t, "overdue"))*time.Second))
			}
		}
		q.add(due, time.Time{}, start)
		polls := make([]int, len(demand))
		now := start
		for range 50 {
			taken, _ := q.take(now)
			inFlight := map[int64]int{}
			for _, p := range taken {
				polls[p.KeyID]++
				if inFlight[p.KeyID]++; inFlight[p.KeyID] > pollsPerAccount {
					t.Fatalf("%d polls of one key in flight", inFlight[p.KeyID])
				}
			}
			for key, n := range polls {
				for other, m := range polls {
					// Keys without further due polls do not count; all limiters are equal.
					if n > m+1 && m < demand[other] {
						t.Fatalf("key %d was polled %d times, key %d only %d of %d", key, n, other, m, demand[other])
					}
				}
			}
			for _, p := range taken {
				q.done(p.Account, now, false)
			}
			now = now.Add(500 * time.Millisecond)
		}
	})
}

// TestQueueLimitsOverTime: keys come and go, polls take time, and some are answered "too
// many requests". The limits hold, and no key that may poll is skipped.
func TestQueueLimitsOverTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		room := rapid.SampledFrom([]int{0, 1, 5, 20, 200}).Draw(t, "room")
		q := queueWith(room)
		type flight struct {
			key  int64
			ends time.Time
		}
		var (
			now      = start
			order    int64
			inFlight []flight
			held     = map[int64]time.Time{}
			last     = map[int64]int{} // poll of each key; 0: none yet
			takes    int
		)
		for range rapid.IntRange(1, 60).Draw(t, "rounds") {
			var due []storage.DuePoll
			for range rapid.IntRange(0, 40).Draw(t, "new") {
				order++
				key := rapid.Int64Range(0, 6).Draw(t, "key")
				due = append(due, duePoll(order, key*key/8, time.Second, time.Second)) // most are of one key
			}
			q.add(due, start, now)
			before := maps.Clone(last)
			taken, next := q.take(now)

			polls := map[int64]int{}
			for _, p := range taken {
				polls[p.KeyID]++
				if held[p.KeyID].After(now) {
					t.Fatalf("key %d is polled before %s", p.KeyID, held[p.KeyID])
				}
				takes++
				last[p.KeyID] = takes
				inFlight = append(inFlight, flight{p.KeyID, now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "takes")) * time.Millisecond)})
			}
			inFlightOf := map[int64]int{}
			for _, h := range inFlight {
				if inFlightOf[h.key]++; inFlightOf[h.key] > pollsPerAccount {
					t.Fatalf("%d polls of key %d in flight", inFlightOf[h.key], h.key)
				}
			}
			if room > 0 && len(taken) > room {
				t.Fatalf("%d polls taken, %d may begin", len(taken), room)
			}
			for name, waiting := range q.accounts {
				_, _, able := waiting.next(now, false)
				id, _ := strconv.ParseInt(name, 10, 64)
				if !able {
					continue // nothing is due, or a limit is reached
				}
				if len(inFlight) < pollsAtOnce && room == 0 {
					t.Fatalf("key %d may poll and is skipped", id)
				}
				if next.IsZero() {
					t.Fatalf("key %d waits without a time", id)
				}
				for other, n := range polls {
					if n > polls[id]+1 || polls[id] == 0 && before[other] > before[id] {
						t.Fatalf("key %d is polled %d times, key %d, which waits longer, %d times", other, n, id, polls[id])
					}
				}
			}

			now = now.Add(time.Duration(rapid.IntRange(50, 2000).Draw(t, "pause")) * time.Millisecond)
			inFlight = slices.DeleteFunc(inFlight, func(h flight) bool {
				if h.ends.After(now) {
					return false
				}
				tooMany := rapid.IntRange(0, 19).Draw(t, "too many") == 0
				q.done(account(h.key), now, tooMany)
				if held[h.key] = q.accounts[account(h.key)].pausedUntil; tooMany && held[h.key].Before(now.Add(throttleFirst*8/10)) {
					t.Fatalf("key %d pauses only until %s", h.key, held[h.key])
				}
				return true
			})
		}
	})
}
