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

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// duePoll is an order that was asked interval before it became due, overdue by so much.
func duePoll(order, key int64, interval, overdue time.Duration) storage.DuePoll {
	due := begin.Add(-overdue)
	return storage.DuePoll{OrderID: order, KeyID: key, CreatedAt: begin.Add(-time.Hour), LastPollAt: due.Add(-interval), DueAt: due}
}

func orderIDs(polls []storage.DuePoll) []int64 {
	ids := make([]int64, 0, len(polls))
	for _, p := range polls {
		ids = append(ids, p.OrderID)
	}
	return ids
}

// TestKeysTakeTurns: a key with a hundred orders due gets one turn, and the nine
// others theirs, before it gets another.
func TestKeysTakeTurns(t *testing.T) {
	q := newQueue(50) // ten tokens at once
	var due []storage.DuePoll
	for n := range int64(100) {
		due = append(due, duePoll(n+1, 1, time.Second, time.Hour)) // and they are the most overdue
	}
	for key := int64(2); key <= 10; key++ {
		due = append(due, duePoll(1000+key, key, time.Second, time.Second))
	}
	q.add(due, time.Time{}, begin)
	taken, next := q.take(begin)
	turns := map[int64]int{}
	for _, p := range taken {
		turns[p.KeyID]++
	}
	if len(taken) != 10 || len(turns) != 10 {
		t.Errorf("%d polls of %d keys, want 10 of 10", len(taken), len(turns))
	}
	if pause := next.Sub(begin); pause <= 0 || pause > 30*time.Millisecond {
		t.Errorf("the next may go after %s, want 25 ms for 40 a second", pause)
	}
}

// TestIntervalsStretchAlike: of one key the order goes first that has waited
// longest in proportion to its interval.
func TestIntervalsStretchAlike(t *testing.T) {
	q := newQueue(0)
	q.add([]storage.DuePoll{
		duePoll(1, 1, 10*time.Minute, time.Minute),    // 1.1 intervals
		duePoll(2, 1, 3*time.Second, 6*time.Second),   // 3
		duePoll(3, 1, 15*time.Second, 15*time.Second), // 2
	}, time.Time{}, begin)
	taken, _ := q.take(begin)
	if got := orderIDs(taken); !slices.Equal(got, []int64{2, 3, 1}) {
		t.Errorf("taken in the order %v", got)
	}
}

// TestBoundsOfTheQueue: of one key so many in hand and so many a second; of all
// so many in hand.
func TestBoundsOfTheQueue(t *testing.T) {
	t.Run("one key in hand", func(t *testing.T) {
		q := newQueue(0)
		var due []storage.DuePoll
		for n := range int64(2 * pollsPerKey) {
			due = append(due, duePoll(n+1, 1, time.Second, time.Second))
		}
		q.add(due, time.Time{}, begin)
		if taken, next := q.take(begin); len(taken) != pollsPerKey || !next.IsZero() {
			t.Errorf("%d taken, the next at %s; want %d, and the end of one tells", len(taken), next, pollsPerKey)
		}
		q.done(1, begin, false)
		if taken, _ := q.take(begin); len(taken) != 1 {
			t.Errorf("%d taken after one has ended", len(taken))
		}
	})
	t.Run("one key a second", func(t *testing.T) {
		q := newQueue(1000)
		taken := 0
		for n := range int64(200) {
			now := begin.Add(time.Duration(n) * 50 * time.Millisecond)
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
	t.Run("all in hand", func(t *testing.T) {
		q := newQueue(0)
		var due []storage.DuePoll
		for n := range int64(2 * pollsAtOnce) {
			due = append(due, duePoll(n+1, n+1, time.Second, time.Second))
		}
		q.add(due, time.Time{}, begin)
		if taken, _ := q.take(begin); len(taken) != pollsAtOnce {
			t.Errorf("%d taken, want %d", len(taken), pollsAtOnce)
		}
	})
}

// TestWhoHasToWait is told when: for the end of somebody else's lease, and for a
// marketplace that asked for less.
func TestWhoHasToWait(t *testing.T) {
	q := newQueue(0)
	leased := duePoll(1, 1, time.Second, time.Second)
	leased.LeasedUntil = begin.Add(9 * time.Second)
	q.add([]storage.DuePoll{leased}, time.Time{}, begin)
	if taken, next := q.take(begin); len(taken) != 0 || !next.Equal(leased.LeasedUntil) {
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
		t.Errorf("%d taken after the hold", len(taken))
	}
}

// TestTheQueueIsMaxMinFair: whatever is due, no key has a second turn while one
// that could go has none, and the bounds hold.
func TestTheQueueIsMaxMinFair(t *testing.T) {
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
		q.add(due, time.Time{}, begin)
		turns := make([]int, len(demand))
		now := begin
		for range 50 {
			taken, _ := q.take(now)
			inHand := map[int64]int{}
			for _, p := range taken {
				turns[p.KeyID]++
				if inHand[p.KeyID]++; inHand[p.KeyID] > pollsPerKey {
					t.Fatalf("%d polls of one key in hand", inHand[p.KeyID])
				}
			}
			for key, n := range turns {
				for other, m := range turns {
					// A key that has had all it wants does not count, and buckets are alike.
					if n > m+1 && m < demand[other] {
						t.Fatalf("key %d has had %d turns, key %d only %d of %d", key, n, other, m, demand[other])
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

// TestBoundsHoldOverTime: keys come and go, polls take their time and some are
// told to wait. At every moment the bounds hold, over every span the rates, and
// in every turn who can go is not passed over.
func TestBoundsHoldOverTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		calls := rapid.SampledFrom([]float64{0, 1, 5, 20, 200}).Draw(t, "rate")
		q := newQueue(calls)
		type hand struct {
			key  int64
			ends time.Time
		}
		var (
			now    = begin
			order  int64
			inHand []hand
			held   = map[int64]time.Time{}
			last   = map[int64]int{} // turn of each key; 0: none yet
			all    []time.Time
			ofKey  = map[int64][]time.Time{}
		)
		for range rapid.IntRange(1, 60).Draw(t, "turns") {
			var due []storage.DuePoll
			for range rapid.IntRange(0, 40).Draw(t, "new") {
				order++
				key := rapid.Int64Range(0, 6).Draw(t, "key")
				due = append(due, duePoll(order, key*key/8, time.Second, time.Second)) // most are of one key
			}
			q.add(due, begin, now)
			before := maps.Clone(last)
			taken, next := q.take(now)

			turns := map[int64]int{}
			for _, p := range taken {
				turns[p.KeyID]++
				if held[p.KeyID].After(now) {
					t.Fatalf("key %d has a turn before %s", p.KeyID, held[p.KeyID])
				}
				all, ofKey[p.KeyID] = append(all, now), append(ofKey[p.KeyID], now)
				last[p.KeyID] = len(all)
				inHand = append(inHand, hand{p.KeyID, now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "takes")) * time.Millisecond)})
			}
			inHandOf := map[int64]int{}
			for _, h := range inHand {
				if inHandOf[h.key]++; inHandOf[h.key] > pollsPerKey {
					t.Fatalf("%d polls of key %d in hand", inHandOf[h.key], h.key)
				}
			}
			for id, key := range q.keys {
				_, _, able := key.next(now)
				if !able {
					continue // it has had what it wants, or may have
				}
				if len(inHand) < pollsAtOnce && calls == 0 {
					t.Fatalf("key %d could go and nothing is in the way", id)
				}
				if next.IsZero() {
					t.Fatalf("key %d waits and nobody knows until when", id)
				}
				for other, n := range turns {
					if n > turns[id]+1 || turns[id] == 0 && before[other] > before[id] {
						t.Fatalf("key %d has %d turns of this time, key %d, which waits longer, %d", other, n, id, turns[id])
					}
				}
			}

			now = now.Add(time.Duration(rapid.IntRange(50, 2000).Draw(t, "pause")) * time.Millisecond)
			inHand = slices.DeleteFunc(inHand, func(h hand) bool {
				if h.ends.After(now) {
					return false
				}
				tooMany := rapid.IntRange(0, 19).Draw(t, "too many") == 0
				q.done(h.key, now, tooMany)
				if held[h.key] = q.keys[h.key].pausedUntil; tooMany && held[h.key].Before(now.Add(throttleFirst*8/10)) {
					t.Fatalf("key %d is held until %s only", h.key, held[h.key])
				}
				return true
			})
		}
		if calls == 0 {
			return
		}
		share := calls * watchShare
		withinRate(t, "all keys", all, share, max(1, float64(int(share/4))))
		for key, times := range ofKey {
			withinRate(t, "key "+strconv.FormatInt(key, 10), times, keyRate, keyBurst)
		}
	})
}

// withinRate fails where in any span there are more than a burst and what the
// rate gives.
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
