package orders

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"hstockbot/internal/callrate"
	"hstockbot/internal/loop"
	"hstockbot/storage"
)

// queue decides which due polls are made next. It is max-min fair across accounts: the
// account whose last poll is longest ago is next. Within an account it is so across people,
// who may use the same key. Of one person the poll is next that has waited longest in
// proportion to its interval, so that under load all intervals grow by the same factor.
// Phones that have had a code let all other orders pass, unless they have waited for long.
//
// It limits the polls in flight, for each account and for all, and the rate of each account;
// that of all calls is found out by package callrate. Each process has its own queue.
type queue struct {
	limiter *callrate.Limiter // of all calls; if it has no limit, no account has one
	// room returns how many polls may be begun, and if there are none, when to ask again.
	room func() (polls int, again time.Duration)

	mu       sync.Mutex
	accounts map[string]*accountQueue
	takes    int64     // polls taken so far
	inFlight int       // polls
	readTo   time.Time // orders that are due until then have been read
	readAll  time.Time // when all due orders were last asked for
	takenAt  time.Time
}

// accountQueue holds the due polls of one account.
type accountQueue struct {
	due         map[int64]storage.DuePoll // by order
	inFlight    int                       // polls
	rate        *callrate.Polls           // nil = no limit
	lastTake    int64
	lastTakes   map[int64]int64 // by person
	takenAt     time.Time       // the last one
	pausedUntil time.Time       // after "too many requests"
	throttled   int64           // answers "too many requests" in a row
}

func newQueue(limiter *callrate.Limiter) *queue {
	return &queue{limiter: limiter, room: limiter.Room, accounts: map[string]*accountQueue{}}
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
		q.readAll = now // before the read, so that a wish for another one that comes during it stays
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
		for name, account := range q.accounts {
			clear(account.due)
			if account.inFlight == 0 && now.Sub(account.takenAt) >= accountIdleLimit {
				delete(q.accounts, name)
			}
		}
	}
	q.readTo = now
	if len(due) == maxDuePolls {
		q.readTo = due[len(due)-1].DueAt // the others are read next time
	}
	for _, d := range due {
		q.account(d.Account, now).due[d.OrderID] = d
	}
}

func (q *queue) account(name string, now time.Time) *accountQueue {
	account := q.accounts[name]
	if account == nil {
		account = &accountQueue{due: map[int64]storage.DuePoll{}, lastTakes: map[int64]int64{}, takenAt: now}
		if q.limiter.Most() > 0 {
			account.rate = q.limiter.NewPolls(now)
		}
		q.accounts[name] = account
	}
	return account
}

// take returns the polls to make now; each is in flight until done. next is when a
// waiting poll may be made, the zero time if none waits for a certain time.
func (q *queue) take(now time.Time) (taken []storage.DuePoll, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var waiting []*accountQueue
	for _, account := range q.accounts {
		if len(account.due) > 0 {
			waiting = append(waiting, account)
		}
	}
	if len(waiting) == 0 {
		return nil, time.Time{}
	}
	room, again := q.room()
	slices.SortFunc(waiting, func(a, b *accountQueue) int { return int(a.lastTake - b.lastTake) })
	for _, urgent := range []bool{true, false} {
		for left := slices.Clone(waiting); len(left) > 0 && q.inFlight < pollsAtOnce; {
			rest := left[:0]
			for _, account := range left {
				if q.inFlight == pollsAtOnce {
					break
				}
				if len(taken) == room {
					return taken, earliest(next, now.Add(max(again, minTakeInterval)))
				}
				poll, at, ok := account.next(now, urgent)
				if !ok {
					next = earliest(next, at)
					continue
				}
				q.takes++
				q.inFlight++
				account.take(poll, q.takes, now)
				taken = append(taken, poll)
				rest = append(rest, account)
			}
			left = rest
		}
	}
	return taken, next
}

func (a *accountQueue) take(poll storage.DuePoll, number int64, now time.Time) {
	if a.rate != nil {
		a.rate.Take(now)
	}
	delete(a.due, poll.OrderID)
	a.lastTake, a.lastTakes[poll.UserID], a.takenAt = number, number, now
	a.inFlight++
}

// next returns the first poll of an account, or of its urgent ones, or when one may be made;
// the zero time means when another poll is done.
func (a *accountQueue) next(now time.Time, urgent bool) (best storage.DuePoll, at time.Time, ok bool) {
	switch {
	case a.inFlight >= pollsPerAccount:
		return best, time.Time{}, false
	case a.pausedUntil.After(now):
		return best, a.pausedUntil, false
	}
	if a.rate != nil {
		if at = a.rate.Next(now); at.After(now) {
			return best, at, false
		}
	}
	at = time.Time{}
	var longest float64
	for _, d := range a.due {
		if d.LeasedUntil.After(now) { // by another process, or by one that was killed
			at = earliest(at, d.LeasedUntil)
			continue
		}
		ratio := now.Sub(d.LastPollAt).Seconds() / max(d.DueAt.Sub(d.LastPollAt).Seconds(), 0.001)
		if urgent && d.HasCode && ratio < patience {
			continue
		}
		order := cmp.Compare(a.lastTakes[best.UserID], a.lastTakes[d.UserID])
		if order == 0 {
			order = cmp.Or(cmp.Compare(ratio, longest), best.CreatedAt.Compare(d.CreatedAt))
		}
		if !ok || order > 0 {
			best, longest, ok = d, ratio, true
		}
	}
	return best, at, ok
}

// done ends a poll of an account. tooMany: the answer was "too many requests".
func (q *queue) done(name string, now time.Time, tooMany bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	account := q.account(name, now)
	q.inFlight--
	account.inFlight--
	if !tooMany {
		account.throttled = 0
		if account.rate != nil {
			account.rate.Accepted()
		}
		return
	}
	account.throttled++
	account.pausedUntil = now.Add(loop.Jitter(loop.Backoff(throttleFirst, throttleMax, int(account.throttled))))
	if account.rate != nil {
		account.rate.Refused(now)
	}
}

// earliest returns the earlier of two times; a zero time means none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
