package orders

import (
	"math"
	"math/rand/v2"
	"time"

	"hstockbot/internal/loop"
	"hstockbot/storage"
)

// All constants that decide when something happens.
const (
	// A draft shows a price that was just read; after this it is drawn again.
	draftLifetime = 10 * time.Minute

	// A lease must outlast the work that it covers: reading the terms (claimed), or
	// the one request of at most hstock.PurchaseTimeout (sending).
	purchaseLease = 60 * time.Second

	// Limits the reading of price, stock and balance, so that waiting for the slot,
	// reading and the request together stay below the minute that a tap may take.
	termsTimeout = 15 * time.Second

	// How long a second purchase of the same key waits for the slot, and how often it
	// checks whether another process has freed it.
	slotTimeout = 5 * time.Second
	slotRetry   = 250 * time.Millisecond

	// How long a write after the request is retried.
	recordTimeout = 10 * time.Second

	// A poll is one attempt at one or two requests; its lease covers it. After a crash
	// the leased orders wait until their leases are over.
	pollTimeout = 15 * time.Second
	pollLease   = 30 * time.Second
	// Polls in flight: in all, enough for 10,000 new phones, which are 3,600 polls a
	// second of 100 ms each; and of one key, so that a slow key does not delay others.
	pollsAtOnce = 1024
	pollsPerKey = 16
	// Polls that end within this are stored in one durable commit.
	minTakeInterval = 50 * time.Millisecond
	// Due orders are read incrementally; all are read after this, because another
	// process may have changed some.
	fullReadInterval = 15 * time.Second
	// An incremental read overlaps the one before by this: a row may have been
	// committed a moment after the time at which it is due.
	readOverlap = time.Second
	// Due orders in memory, some 2 MB; the others stay in the database.
	maxDuePolls = 20_000

	// Polls per second of one key. Requests of a person's taps are not counted.
	keyRate  = 2
	keyBurst = 5
	// The polls' share of all calls: the rest is for people, who would wait otherwise.
	pollShare = 0.8
	// A key that was not polled for so long is removed from the queue. If it were
	// removed sooner, it would gain a better place by being added again.
	keyIdleLimit = 10 * time.Minute
	// The pause of a key after "too many requests", doubling.
	throttleFirst = 5 * time.Second
	throttleMax   = time.Minute

	// Automatic goods are delivered within a second or two: 1 s × 1.5 up to a minute
	// takes 5.6 calls for a median delay of 1.3 s.
	firstPollAfter  = time.Second
	autoGrowth      = 1.5
	autoMaxInterval = time.Minute
	// Automatic goods that are later than this probably wait for a human.
	autoFastPeriod = time.Hour
	// Manual goods and SMM: 5 % of the order's age, so that the delay stays small
	// compared to the wait.
	slowFraction    = 0.05
	slowMinInterval = 30 * time.Second
	slowMaxInterval = 10 * time.Minute
	// After this an order is polled only when a person asks. For a phone it counts from
	// the end of its time, or from the rental if that is not known.
	staleAfter       = 30 * 24 * time.Hour
	rentalStaleAfter = 24 * time.Hour
	// An expiry later than this after the rental is not believed.
	rentalMaxLifetime = 8 * 24 * time.Hour

	// Phones: people wait in front of a form at first. Then 0.5·√age s, so that the
	// delay grows slower than the wait; after an hour a fraction of the age.
	rentalFastPeriod      = 2 * time.Minute
	rentalFastInterval    = 2 * time.Second
	rentalFastSpread      = 1500 * time.Millisecond
	rentalRootFactor      = 0.5
	rentalMaxInterval     = 15 * time.Second
	rentalSlowAfter       = time.Hour
	rentalSlowFraction    = 0.005
	rentalSlowMaxInterval = time.Minute
	// How long a phone is polled after its time: a code may be late.
	rentalGrace = 5 * time.Minute
	// How long before the end of its time the message of a phone is redrawn.
	rentalWarning = 2 * time.Minute

	// A person's Refresh makes a request at most this often.
	refreshInterval = 3 * time.Second

	// The pause after a failed poll, doubling. The time of a phone runs out, so its
	// pauses are shorter.
	failureFirst       = 5 * time.Second
	failureMax         = 10 * time.Minute
	rentalFailureFirst = 2 * time.Second
	rentalFailureMax   = 30 * time.Second

	// Balances read at the same time.
	checksAtOnce = 8
	// Cancelled orders fetched at the same time: 100 of them within the time that a tap
	// may take.
	fetchesAtOnce = 8
	// How many open orders "cancel all" asks about: five requests in parallel.
	maxCancellable = 500
	// Limits allowcancel, so that the minute of a tap leaves time for the one request.
	allowTimeout = 20 * time.Second
	// Reminders sent in one round.
	remindersAtOnce = 64
	// Refused keys tried in one round, and how often: the time of rented phones runs.
	keysAtOnce             = 50
	keyRetryInterval       = time.Hour
	rentalKeyRetryInterval = time.Minute

	// Delays a message so that the card of the tap that caused it is drawn first, and
	// for a phone so that the first poll has set its expiry.
	cardDelay = time.Second

	// Purchases settled in one round.
	purchasesAtOnce = 64

	// The pause after a failed write, doubling.
	writeRetryFirst = 100 * time.Millisecond
	writeRetryMax   = 2 * time.Second

	// Loops without due work pause for idlePause, because another process may store
	// some. Work that is due and can't be done yet must not spin.
	idlePause     = 15 * time.Second
	minPause      = 250 * time.Millisecond
	sweepInterval = time.Hour
)

// balanceChecks is when the balance is read after an outcome became unknown, counted
// from the request.
var balanceChecks = [...]time.Duration{15 * time.Second, 60 * time.Second, 5 * time.Minute}

// firstPoll returns how long after its purchase an order is first polled: a phone at
// once, because only the poll tells until when it is rented.
func firstPoll(kind storage.Kind) time.Duration {
	if kind == storage.KindSMS {
		return 0
	}
	return firstPollAfter
}

// nextPoll returns when to poll o again after an answer at now.
func nextPoll(o storage.Order, now time.Time) time.Time {
	age := now.Sub(o.CreatedAt)
	switch {
	case o.Kind == storage.KindSMS && o.State != storage.OrderDelivered:
		return nextRentalPoll(o, age, now)
	case o.Kind == storage.KindProduct && o.AutoDelivery && age < autoFastPeriod:
		pause := time.Duration(float64(firstPollAfter) * math.Pow(autoGrowth, float64(min(o.Polls, 20))))
		return now.Add(loop.Jitter(min(pause, autoMaxInterval)))
	default:
		return now.Add(loop.Jitter(min(max(time.Duration(float64(age)*slowFraction), slowMinInterval), slowMaxInterval)))
	}
}

// nextRentalPoll returns the time of the next poll of a phone. A poll always happens
// at the end of the phone's time and at the end of the grace after it.
func nextRentalPoll(o storage.Order, age time.Duration, now time.Time) time.Time {
	var pause time.Duration
	switch {
	case age < rentalFastPeriod:
		pause = rentalFastInterval + rand.N(rentalFastSpread) //nolint:gosec // jitter needs no unpredictability
	case age < rentalSlowAfter:
		pause = loop.Jitter(min(time.Duration(rentalRootFactor*math.Sqrt(age.Seconds())*float64(time.Second)), rentalMaxInterval))
	default:
		pause = loop.Jitter(min(max(time.Duration(float64(age)*rentalSlowFraction), rentalMaxInterval), rentalSlowMaxInterval))
	}
	next := now.Add(pause)
	for _, moment := range []time.Time{o.ExpiresAt, graceEnd(o)} {
		if moment.After(now) && moment.Before(next) {
			return moment
		}
	}
	return next
}

// graceEnd returns when a phone counts as expired, the zero time if that is not
// known. An expiry before the rental comes from a wrong clock and is ignored.
func graceEnd(o storage.Order) time.Time {
	if o.ExpiresAt.IsZero() || o.ExpiresAt.Before(o.CreatedAt) {
		return time.Time{}
	}
	return o.ExpiresAt.Add(rentalGrace)
}

// staleAt returns when an open order is too old to be polled.
func staleAt(o storage.Order) time.Time {
	if o.Kind != storage.KindSMS {
		return o.CreatedAt.Add(staleAfter)
	}
	at := o.CreatedAt.Add(rentalStaleAfter)
	if end := graceEnd(o).Add(rentalStaleAfter); end.After(at) {
		at = end
	}
	if latest := o.CreatedAt.Add(rentalMaxLifetime); latest.Before(at) {
		at = latest
	}
	return at
}

// nextAfterFailure returns when to poll o again after a number of failures in a row.
func nextAfterFailure(o storage.Order, failures int64, now time.Time) time.Time {
	if o.Kind == storage.KindSMS {
		return now.Add(loop.Jitter(loop.Backoff(rentalFailureFirst, rentalFailureMax, int(failures))))
	}
	at := now.Add(loop.Jitter(loop.Backoff(failureFirst, failureMax, int(failures))))
	if next := nextPoll(o, now); next.After(at) {
		return next
	}
	return at
}

// pauseUntil returns the pause of a loop until its next event, from minPause to
// idlePause.
func pauseUntil(event, now time.Time) time.Duration {
	if event.IsZero() {
		return idlePause
	}
	return min(max(event.Sub(now), minPause), idlePause)
}
