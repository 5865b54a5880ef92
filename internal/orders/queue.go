package orders

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"hstockbot/internal/loop"
	"hstockbot/storage"
)

// queue decides which of the polls that are due go next. Between keys it is
// max-min fair: the key whose last turn is longest ago has the next one, so
// whoever wants little gets all of it, and the others share what is left alike.
// Within a key the poll goes first that has waited longest in proportion to its
// interval: when there are more than fit, all intervals stretch alike.
//
// It bounds the polls in hand, those of one key, their rate for each key, and
// the rate of all; it is a matter of one process.
type queue struct {
	limiter *rate.Limiter // of all keys; nil = no limit, and none for each key

	mu       sync.Mutex
	keys     map[int64]*keyQueue
	takes    int64     // given so far
	inFlight int       // polls
	readTo   time.Time // due orders are known until then
	readAll  time.Time // when all of them were read
	takenAt  time.Time
}

// keyQueue is what is due, and what is under way, of one key.
type keyQueue struct {
	due         map[int64]storage.DuePoll // by order
	inFlight    int                       // polls
	limiter     *rate.Limiter             // nil = no limit
	lastTake    int64
	takenAt     time.Time // of the last turn
	pausedUntil time.Time // nothing before then: the marketplace asked for less
	throttled   int64     // of that kind, in a row
}

// newQueue returns a queue for a marketplace that takes so many calls a second,
// 0 = any number.
func newQueue(callsPerSecond float64) *queue {
	q := &queue{keys: map[int64]*keyQueue{}}
	if callsPerSecond > 0 {
		share := callsPerSecond * watchShare
		q.limiter = rate.NewLimiter(rate.Limit(share), max(1, int(share/4)))
	}
	return q
}

// cooldown returns how long the queue must be left alone, so that polls are taken
// and written down many at a time.
func (q *queue) cooldown(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if rest := q.takenAt.Add(minTakeInterval).Sub(now); rest > 0 {
		return rest
	}
	q.takenAt = now
	return 0
}

// since returns from when on due orders are to be read; the zero time says all.
// An order may be stored a moment after the time at which it is due: a little is
// read twice.
func (q *queue) since(now time.Time) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.readAll) >= fullReadInterval {
		return time.Time{}
	}
	return q.readTo.Add(-readOverlap)
}

// readAllNext has all due orders read anew the next time.
func (q *queue) readAllNext() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.readAll = time.Time{}
}

// add takes in what was read from since until now. What is due and was not
// read, because there was too much, is read the next time.
func (q *queue) add(due []storage.DuePoll, since, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if since.IsZero() {
		q.readAll = now
		for id, key := range q.keys {
			clear(key.due)
			if key.inFlight == 0 && now.Sub(key.takenAt) >= keyIdleLimit {
				delete(q.keys, id)
			}
		}
	}
	q.readTo = now
	if len(due) == maxDuePolls {
		q.readTo = due[len(due)-1].DueAt // the rest is for the next time
	}
	for _, d := range due {
		q.key(d.KeyID, now).due[d.OrderID] = d
	}
}

func (q *queue) key(id int64, now time.Time) *keyQueue {
	key := q.keys[id]
	if key == nil {
		key = &keyQueue{due: map[int64]storage.DuePoll{}, takenAt: now}
		if q.limiter != nil {
			key.limiter = rate.NewLimiter(keyRate, keyBurst)
		}
		q.keys[id] = key
	}
	return key
}

// take returns the polls that go now; each is in hand until done. next is when
// a poll that has to wait may go, zero where none waits for a moment.
func (q *queue) take(now time.Time) (taken []storage.DuePoll, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var waiting []*keyQueue
	for _, key := range q.keys {
		if len(key.due) > 0 {
			waiting = append(waiting, key)
		}
	}
	slices.SortFunc(waiting, func(a, b *keyQueue) int { return int(a.lastTake - b.lastTake) })
	for len(waiting) > 0 && q.inFlight < pollsAtOnce {
		again := waiting[:0]
		for _, key := range waiting {
			if q.inFlight == pollsAtOnce {
				break
			}
			if at := nextToken(q.limiter, now); at.After(now) {
				return taken, earliest(next, at)
			}
			poll, at, ok := key.next(now)
			if !ok {
				next = earliest(next, at)
				continue
			}
			takeToken(q.limiter, now)
			takeToken(key.limiter, now)
			delete(key.due, poll.OrderID)
			q.takes++
			q.inFlight++
			key.lastTake, key.takenAt = q.takes, now
			key.inFlight++
			taken = append(taken, poll)
			again = append(again, key)
		}
		waiting = again
	}
	return taken, next
}

// next returns the poll of a key that goes first, or when one may go; that is
// the zero time where the end of another one tells.
func (k *keyQueue) next(now time.Time) (best storage.DuePoll, at time.Time, ok bool) {
	switch {
	case k.inFlight >= pollsPerKey:
		return best, time.Time{}, false
	case k.pausedUntil.After(now):
		return best, k.pausedUntil, false
	}
	if at = nextToken(k.limiter, now); at.After(now) {
		return best, at, false
	}
	at = time.Time{}
	var most float64
	for _, d := range k.due {
		if d.LeasedUntil.After(now) { // another process has it, or one that is gone had
			at = earliest(at, d.LeasedUntil)
			continue
		}
		stretch := now.Sub(d.LastPollAt).Seconds() / max(d.DueAt.Sub(d.LastPollAt).Seconds(), 0.001)
		if !ok || stretch > most || stretch == most && d.CreatedAt.Before(best.CreatedAt) {
			best, most, ok = d, stretch, true
		}
	}
	return best, at, ok
}

// takeExtraToken counts a call beyond the one of a poll's turn.
func (q *queue) takeExtraToken() {
	if q.limiter != nil {
		q.limiter.ReserveN(time.Now(), 1) // the next turns wait the longer
	}
}

// done ends a poll of a key. tooMany says that the marketplace asked for less.
func (q *queue) done(keyID int64, now time.Time, tooMany bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := q.key(keyID, now)
	q.inFlight--
	key.inFlight--
	if !tooMany {
		key.throttled = 0
		return
	}
	key.throttled++
	key.pausedUntil = now.Add(loop.Jitter(loop.Backoff(throttleFirst, throttleMax, int(key.throttled))))
}

// nextToken returns when a bucket has its next token, now at the soonest.
func nextToken(bucket *rate.Limiter, now time.Time) time.Time {
	if bucket == nil {
		return now
	}
	lacks := 1 - bucket.TokensAt(now)
	if lacks <= 0 {
		return now
	}
	return now.Add(time.Duration(lacks/float64(bucket.Limit())*float64(time.Second)) + time.Millisecond)
}

func takeToken(bucket *rate.Limiter, now time.Time) {
	if bucket != nil {
		bucket.AllowN(now, 1)
	}
}

// earliest returns the earlier of two times, a zero one being none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
