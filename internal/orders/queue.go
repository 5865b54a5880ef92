package orders

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"hstockbot/internal/loop"
	"hstockbot/storage"
)

// queue decides which due polls are made next. It is max-min fair across keys: the
// key whose last poll is longest ago is next. Within a key the poll is next that has
// waited longest in proportion to its interval, so that under load all intervals
// grow by the same factor.
//
// It limits the polls in flight and their rate, for each key and for all keys. Each
// process has its own queue.
type queue struct {
	limiter *rate.Limiter // of all keys; nil = no limit, also for each key

	mu       sync.Mutex
	keys     map[int64]*keyQueue
	takes    int64     // polls taken so far
	inFlight int       // polls
	readTo   time.Time // orders that are due until then have been read
	readAll  time.Time // when all due orders were read
	takenAt  time.Time
}

// keyQueue holds the due polls of one key.
type keyQueue struct {
	due         map[int64]storage.DuePoll // by order
	inFlight    int                       // polls
	limiter     *rate.Limiter             // nil = no limit
	lastTake    int64
	takenAt     time.Time // the last one
	pausedUntil time.Time // after "too many requests"
	throttled   int64     // answers "too many requests" in a row
}

// newQueue returns a queue for a marketplace with a limit of calls per second; 0
// means no limit.
func newQueue(callsPerSecond float64) *queue {
	q := &queue{keys: map[int64]*keyQueue{}}
	if callsPerSecond > 0 {
		share := callsPerSecond * pollShare
		q.limiter = rate.NewLimiter(rate.Limit(share), max(1, int(share/4)))
	}
	return q
}

// cooldown returns how long to wait before the next take, so that polls are leased
// and stored many at a time. At 0 the take counts as made.
func (q *queue) cooldown(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if pause := q.takenAt.Add(minTakeInterval).Sub(now); pause > 0 {
		return pause
	}
	q.takenAt = now
	return 0
}

// since returns the start of the due times to read; the zero time means all.
func (q *queue) since(now time.Time) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.readAll) >= fullReadInterval {
		return time.Time{}
	}
	return q.readTo.Add(-readOverlap)
}

// readAllNext makes the next read a full one.
func (q *queue) readAllNext() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.readAll = time.Time{}
}

// add adds the polls that were read and are due from since until now.
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
		q.readTo = due[len(due)-1].DueAt // the others are read next time
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

// take returns the polls to make now; each is in flight until done. next is when a
// waiting poll may be made, the zero time if none waits for a certain time.
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

// next returns the first poll of a key, or when one may be made; the zero time means
// when another poll is done.
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
	var longest float64
	for _, d := range k.due {
		if d.LeasedUntil.After(now) { // by another process, or by one that was killed
			at = earliest(at, d.LeasedUntil)
			continue
		}
		ratio := now.Sub(d.LastPollAt).Seconds() / max(d.DueAt.Sub(d.LastPollAt).Seconds(), 0.001)
		if !ok || ratio > longest || ratio == longest && d.CreatedAt.Before(best.CreatedAt) {
			best, longest, ok = d, ratio, true
		}
	}
	return best, at, ok
}

// takeExtraToken counts a second call of one poll.
func (q *queue) takeExtraToken() {
	if q.limiter != nil {
		q.limiter.ReserveN(time.Now(), 1) // later polls wait longer
	}
}

// done ends a poll of a key. tooMany: the answer was "too many requests".
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

// nextToken returns when a limiter has its next token, now at the earliest.
func nextToken(limiter *rate.Limiter, now time.Time) time.Time {
	if limiter == nil {
		return now
	}
	missing := 1 - limiter.TokensAt(now)
	if missing <= 0 {
		return now
	}
	return now.Add(time.Duration(missing/float64(limiter.Limit())*float64(time.Second)) + time.Millisecond)
}

func takeToken(limiter *rate.Limiter, now time.Time) {
	if limiter != nil {
		limiter.AllowN(now, 1)
	}
}

// earliest returns the earlier of two times; a zero time means none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
