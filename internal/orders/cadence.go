package orders

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"hstockbot/storage"
)

// Every number that decides when something happens is here, with its reason.
const (
	// A draft shows a price that was just read; after ten minutes it is drawn again.
	draftLife = 10 * time.Minute

	// A lease outlives the work it covers: reading two answers (claimed), the
	// one request of at most hstock.PurchaseTimeout (sending).
	purchaseLease = 60 * time.Second

	// Price, stock and balance are read within this, so that turn, reading and
	// request together stay below the minute that a tap may take.
	termsTimeout = 15 * time.Second

	// A second purchase of the same key waits this long for its turn.
	turnPatience = 5 * time.Second
	turnPause    = 250 * time.Millisecond

	// What must be written down after the request is tried for this long, come what may.
	recordPatience = 10 * time.Second

	// A poll is one request; its lease covers the client's retries and the wait for its turn.
	pollTimeout = 25 * time.Second
	pollLease   = 60 * time.Second
	// Polls in hand at once: in all, and of one key, so that a slow key holds up nobody else.
	pollsAtOnce   = 32
	pollsOfOneKey = 4

	// The watcher's own requests of one key a second; people's taps don't wait for it.
	keyRate  = 2
	keyBurst = 5

	// The first look at a new order: automatic goods are there within a second or two.
	firstPollAfter = time.Second
	// Automatic goods: 1 s × 1.5 up to a minute (5.6 calls, median lateness 1.3 s).
	autoGrowth  = 1.5
	autoLongest = time.Minute
	// What a machine has not delivered after an hour waits for a person.
	autoGivesWay = time.Hour
	// By hand and SMM: 5 % of the order's age, so lateness stays small beside the wait.
	slowShare    = 0.05
	slowShortest = 30 * time.Second
	slowLongest  = 10 * time.Minute
	// After this long an order is asked for only when a person does.
	staleAfter = 30 * 24 * time.Hour
	// Spread, so that orders of one restart don't stay in step.
	jitter = 0.10

	// A person's own Refresh asks at most this often.
	refreshEvery = 3 * time.Second

	// A failing poll is repeated ever more rarely, up to this.
	failureFirst   = 5 * time.Second
	failureLongest = 10 * time.Minute

	// Readings of balances in hand at once.
	checksAtOnce = 8
	// Refused keys that are tried again each time the old is swept.
	refusedKeysAtOnce = 50

	// A message about a purchase that a tap has just settled lets the card that
	// announces it be drawn first.
	cardFirst = time.Second

	// Purchases that are settled in one go.
	settledAtOnce = 64

	// The outbox: people served at once, how long a sender may take, and how a
	// failure is repeated.
	peopleAtOnce   = 64
	messageLease   = 2 * time.Minute
	messageTimeout = 60 * time.Second
	retryFirst     = 2 * time.Second
	retryLongest   = 10 * time.Minute

	// Loops without due work look again after this (another replica may have
	// stored some); due work that can't be taken yet is looked at after spinPause.
	idlePause      = 15 * time.Second
	spinPause      = 250 * time.Millisecond
	retryLoopAfter = 2 * time.Second // and then ever more rarely, up to
	retryLoopMost  = time.Minute
	sweepEvery     = time.Hour
)

// balanceChecks is when the balance is read after an outcome became unknown,
// counted from the request: soon, when a slow marketplace has caught up, and
// when it surely would have.
var balanceChecks = [...]time.Duration{15 * time.Second, 60 * time.Second, 5 * time.Minute}

// nextPoll returns how long to wait before asking for o again, after polls
// answers and at this age.
func nextPoll(o storage.Order, age time.Duration) time.Duration {
	var pause time.Duration
	if o.Kind == storage.KindProduct && o.AutoDelivery && age < autoGivesWay {
		pause = min(time.Duration(float64(firstPollAfter)*math.Pow(autoGrowth, float64(min(o.Polls, 20)))), autoLongest)
	} else {
		pause = min(max(time.Duration(float64(age)*slowShare), slowShortest), slowLongest)
	}
	return spread(pause)
}

// backoff doubles first with each failure, up to longest.
func backoff(first, longest time.Duration, failures int64) time.Duration {
	pause := first
	for ; failures > 1 && pause < longest; failures-- {
		pause *= 2
	}
	return spread(min(pause, longest))
}

func spread(pause time.Duration) time.Duration {
	//nolint:gosec // jitter needs no unpredictability
	return time.Duration(float64(pause) * (1 - jitter + 2*jitter*rand.Float64()))
}

// limits holds a token bucket for each key that is being polled.
type limits struct {
	unpaced bool
	mu      sync.Mutex
	buckets map[int64]*rate.Limiter
}

func newLimits(unpaced bool) *limits {
	return &limits{unpaced: unpaced, buckets: map[int64]*rate.Limiter{}}
}

// of returns the bucket of a key.
func (l *limits) of(keyID int64) *rate.Limiter {
	if l.unpaced {
		return rate.NewLimiter(rate.Inf, 0)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buckets) > 1000 {
		for id, bucket := range l.buckets {
			if bucket.Tokens() >= keyBurst { // full: a new one would be the same
				delete(l.buckets, id)
			}
		}
	}
	bucket, ok := l.buckets[keyID]
	if !ok {
		bucket = rate.NewLimiter(keyRate, keyBurst)
		l.buckets[keyID] = bucket
	}
	return bucket
}
