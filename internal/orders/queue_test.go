package orders

import (
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hstockbot/storage"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// duePoll is an order that was polled one interval before it became due.
func duePoll(order, key int64, interval, overdue time.Duration) storage.DuePoll {
	due := start.Add(-overdue)
	return storage.DuePoll{OrderID: order, KeyID: key, CreatedAt: start.Add(-time.Hour), LastPollAt: due.Add(-interval), DueAt: due}
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
	q := newQueue(50) // ten tokens at once
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
	if pause := next.Sub(start); pause <= 0 || pause > 30*time.Millisecond {
		t.Errorf("the next may be made after %s, want 25 ms for 40 a second", pause)
	}
}

// TestOrderWithinAKey: the order is next that has waited longest in proportion to its
// interval.
func TestOrderWithinAKey(t *testing.T) {
	q := newQueue(0)
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

func TestQueueLimits(t *testing.T) {
	t.Run("one key in flight", func(t *testing.T) {
		q := newQueue(0)
		var due []storage.DuePoll
		for n := range int64(2 * pollsPerKey) {
			due = append(due, duePoll(n+1, 1, time.Second, time.Second))
		}
		q.add(due, time.Time{}, start)
		if taken, next := q.take(start); len(taken) != pollsPerKey || !next.IsZero() {
			t.Errorf("%d taken, the next at %s; want %d, and no time for the next", len(taken), next, pollsPerKey)
		}
		q.done(1, start, false)
		if taken, _ := q.take(start); len(taken) != 1 {
			t.Errorf("%d taken after one has ended", len(taken))
		}
	})
	t.Run("one key per second", func(t *testing.T) {
		q := newQueue(1000)
		taken := 0
		for n := range int64(200) {
			now := start.Add(time.Duration(n) * 50 * time.Millisecond)
			q.add([]storage.DuePoll{duePoll(n+1, 1, time.Second, time.Second)}, time.Time{}, now)
			polls, _ := q.take(now)
			taken += len(polls)
			for range polls {
				q.done(1, now, false)
			}
		}
		if want := keyBurst + 10*keyRate; taken < want-1 || taken > want {
			t.Errorf("%d in ten seconds, want %d", taken, want)
		}
	})
	t.Run("all in flight", func(t *testing.T) {
		q := newQueue(0)
		var due []storage.DuePoll
		for n := range int64(2 * pollsAtOnce) {
			due = append(due, duePoll(n+1, n+1, time.Second, time.Second))
		}
		q.add(due, time.Time{}, start)
		if taken, _ := q.take(start); len(taken) != pollsAtOnce {
			t.Errorf("%d taken, want %d", len(taken), pollsAtOnce)
		}
	})
}

// TestNextPollTime: after another process's lease, and after "too many requests".
func TestNextPollTime(t *testing.T) {
	q := newQueue(0)
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
	q.done(1, before, true)
	q.add([]storage.DuePoll{duePoll(2, 1, time.Second, time.Second)}, time.Time{}, before)
	taken, next := q.take(before)
	if pause := next.Sub(before); len(taken) != 0 || pause < throttleFirst*8/10 || pause > throttleFirst*12/10 {
		t.Errorf("%d taken, the next after %s; want about %s", len(taken), pause, throttleFirst)
	}
	if taken, _ := q.take(next); len(taken) != 1 {
		t.Errorf("%d taken after the pause", len(taken))
	}
}

// TestQueueIsMaxMinFair: no key gets a second poll while another key that may poll has
// none.
func TestQueueIsMaxMinFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue(rapid.SampledFrom([]float64{0, 1, 20, 200}).Draw(t, "rate"))
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
				if inFlight[p.KeyID]++; inFlight[p.KeyID] > pollsPerKey {
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
				q.done(p.KeyID, now, false)
			}
			now = now.Add(500 * time.Millisecond)
		}
	})
}

// TestQueueLimitsOverTime: keys come and go, polls take time, and some are answered "too
// many requests". The limits and rates hold, and no key that may poll is skipped.
func TestQueueLimitsOverTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		calls := rapid.SampledFrom([]float64{0, 1, 5, 20, 200}).Draw(t, "rate")
		q := newQueue(calls)
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
			all      []time.Time
			ofKey    = map[int64][]time.Time{}
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
				all, ofKey[p.KeyID] = append(all, now), append(ofKey[p.KeyID], now)
				last[p.KeyID] = len(all)
				inFlight = append(inFlight, flight{p.KeyID, now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "takes")) * time.Millisecond)})
			}
			inFlightOf := map[int64]int{}
			for _, h := range inFlight {
				if inFlightOf[h.key]++; inFlightOf[h.key] > pollsPerKey {
					t.Fatalf("%d polls of key %d in flight", inFlightOf[h.key], h.key)
				}
			}
			for id, key := range q.keys {
				_, _, able := key.next(now)
				if !able {
					continue // nothing is due, or a limit is reached
				}
				if len(inFlight) < pollsAtOnce && calls == 0 {
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
				q.done(h.key, now, tooMany)
				if held[h.key] = q.keys[h.key].pausedUntil; tooMany && held[h.key].Before(now.Add(throttleFirst*8/10)) {
					t.Fatalf("key %d pauses only until %s", h.key, held[h.key])
				}
				return true
			})
		}
		if calls == 0 {
			return
		}
		share := calls * pollShare
		withinRate(t, "all keys", all, share, max(1, float64(int(share/4))))
		for key, times := range ofKey {
			withinRate(t, "key "+strconv.FormatInt(key, 10), times, keyRate, keyBurst)
		}
	})
}

// withinRate fails if there are more polls in any span than the rate and the burst
// allow.
func withinRate(t *rapid.T, what string, times []time.Time, rate, burst float64) {
	for i := range times {
		for j := i; j < len(times); j++ {
			span := times[j].Sub(times[i]).Seconds()
			if n := float64(j - i + 1); n > burst+rate*span+0.01 {
				t.Fatalf("%s: %.0f polls in %.2f s", what, n, span)
			}
		}
	}
}
