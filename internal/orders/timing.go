package orders

import (
	"math"
	"math/rand/v2"
	"time"

	"hstockbot/internal/loop"
	"hstockbot/storage"
)

// Every number that decides when something happens is here, with its reason.
const (
	// A draft shows a price that was just read; after ten minutes it is drawn again.
	draftLifetime = 10 * time.Minute

	// A lease outlives the work it covers: reading two answers (claimed), the
	// one request of at most hstock.PurchaseTimeout (sending).
	purchaseLease = 60 * time.Second

	// Price, stock and balance are read within this, so that turn, reading and
	// request together stay below the minute that a tap may take.
	termsTimeout = 15 * time.Second

	// A second purchase of the same key waits this long for its turn.
	slotTimeout = 5 * time.Second
	slotRetry   = 250 * time.Millisecond

	// What must be written down after the request is tried for this long, come what may.
	recordTimeout = 10 * time.Second

	// A poll is one attempt at a request or two; its lease covers it. After a crash
	// the orders in hand wait for the end of their leases.
	pollTimeout = 15 * time.Second
	pollLease   = 30 * time.Second
	// Polls in hand at once: in all, enough for 10,000 young numbers, 3,600 polls a
	// second, at 100 ms each with room to spare; and of one key, so that a slow key
	// holds up nobody else.
	pollsAtOnce = 1024
	pollsPerKey = 16
	// Polls that end at nearly the same time are written down together, in one
	// durable commit; people don't notice so little.
	minTakeInterval = 50 * time.Millisecond
	// Due orders are read as they become due; all of them anew after this, for
	// what has changed by another hand.
	fullReadInterval = 15 * time.Second
	// What became due so lately is read again: its row may have been on its way.
	readOverlap = time.Second
	// Due orders in memory at the most, some 2 MB; the rest waits its turn in the database.
	maxDuePolls = 20_000

	// The watcher's own requests of one key a second; people's taps don't wait for it.
	keyRate  = 2
	keyBurst = 5
	// Its share of all calls: the rest is for people, who would wait behind it.
	watchShare = 0.8
	// A key without a turn for so long is as good as a new one; sooner it would jump
	// the queue by being forgotten.
	keyIdleLimit = 10 * time.Minute
	// A key that is told "too many requests" is left alone, ever longer.
	throttleFirst = 5 * time.Second
	throttleMax   = time.Minute

	// The first look at a new order: automatic goods are there within a second or two.
	firstPollAfter = time.Second
	// Automatic goods: 1 s × 1.5 up to a minute (5.6 calls, median lateness 1.3 s).
	autoGrowth      = 1.5
	autoMaxInterval = time.Minute
	// What a machine has not delivered after an hour waits for a person.
	autoFastPeriod = time.Hour
	// By hand and SMM: 5 % of the order's age, so lateness stays small beside the wait.
	slowFraction    = 0.05
	slowMinInterval = 30 * time.Second
	slowMaxInterval = 10 * time.Minute
	// After this long an order is asked for only when a person does. A number is old
	// a day after its time, or after it was rented if nobody says when that is over.
	staleAfter       = 30 * 24 * time.Hour
	rentalStaleAfter = 24 * time.Hour
	// No time that is told is believed beyond this.
	rentalMaxLifetime = 8 * 24 * time.Hour

	// Numbers: people sit before a form while the code is young. Then 0.5·√age s, so
	// that lateness grows slower than patience; after an hour a share of the age.
	rentalFastPeriod      = 2 * time.Minute
	rentalFastInterval    = 2 * time.Second
	rentalFastSpread      = 1500 * time.Millisecond
	rentalRootFactor      = 0.5
	rentalMaxInterval     = 15 * time.Second
	rentalSlowAfter       = time.Hour
	rentalSlowFraction    = 0.005
	rentalSlowMaxInterval = time.Minute
	// A code may come late: a number is asked for so long after its time.
	rentalGrace = 5 * time.Minute
	// The message of a number is drawn again so long before its time is over.
	rentalWarning = 2 * time.Minute
	// Spread, so that orders of one restart don't stay in step.
	jitter = 0.10

	// A person's own Refresh asks at most this often.
	refreshInterval = 3 * time.Second

	// A failing poll is repeated ever more rarely, up to this.
	failureFirst = 5 * time.Second
	failureMax   = 10 * time.Minute
	// A number's time runs: it is not left alone for longer than this.
	rentalFailureFirst = 2 * time.Second
	rentalFailureMax   = 30 * time.Second

	// Readings of balances in hand at once.
	checksAtOnce = 8
	// Orders that were cancelled together are asked for side by side: 100 of them
	// within the time that a tap may take.
	fetchesAtOnce = 8
	// Of the open orders of a person so many are asked for at a tap on "cancel all":
	// five requests side by side.
	maxCancellable = 500
	// Asking first leaves the time of the one request, out of the minute that a tap
	// may take.
	allowTimeout = 20 * time.Second
	// Reminders that are ended in one go.
	remindersAtOnce = 64
	// Refused keys that are tried again at a time: every hour, and those that rented
	// numbers wait for every minute, since their time runs.
	keysAtOnce             = 50
	keyRetryInterval       = time.Hour
	rentalKeyRetryInterval = time.Minute

	// A message about a purchase that a tap has just settled lets the card that
	// announces it be drawn first; a number's message also the first poll end.
	cardDelay = time.Second

	// Purchases that are settled in one go.
	purchasesAtOnce = 64

	// A write that failed after the request is tried again after this, doubling.
	writeRetryFirst = 100 * time.Millisecond
	writeRetryMax   = 2 * time.Second

	// Loops without due work look again after this (another replica may have
	// stored some); due work that can't be taken yet is looked at after minPause.
	idlePause     = 15 * time.Second
	minPause      = 250 * time.Millisecond
	sweepInterval = time.Hour
)

// balanceChecks is when the balance is read after an outcome became unknown,
// counted from the request: soon, when a slow marketplace has caught up, and
// when it surely would have.
var balanceChecks = [...]time.Duration{15 * time.Second, 60 * time.Second, 5 * time.Minute}

// firstPoll is how long after its placing an order is first asked for: a number
// at once, since only that tells until when it is rented.
func firstPoll(kind storage.Kind) time.Duration {
	if kind == storage.KindSMS {
		return 0
	}
	return firstPollAfter
}

// nextPoll returns when to ask for o again, after an answer at now.
func nextPoll(o storage.Order, now time.Time) time.Time {
	age := now.Sub(o.CreatedAt)
	switch {
	case o.Kind == storage.KindSMS && o.State != storage.OrderDelivered:
		return nextRentalPoll(o, age, now)
	case o.Kind == storage.KindProduct && o.AutoDelivery && age < autoFastPeriod:
		pause := time.Duration(float64(firstPollAfter) * math.Pow(autoGrowth, float64(min(o.Polls, 20))))
		return now.Add(spread(min(pause, autoMaxInterval)))
	default:
		return now.Add(spread(min(max(time.Duration(float64(age)*slowFraction), slowMinInterval), slowMaxInterval)))
	}
}

// nextRentalPoll does not pass over the moments that something depends on: the
// end of the number's time, and of the grace after it.
func nextRentalPoll(o storage.Order, age time.Duration, now time.Time) time.Time {
	var pause time.Duration
	switch {
	case age < rentalFastPeriod:
		pause = rentalFastInterval + rand.N(rentalFastSpread) //nolint:gosec // jitter needs no unpredictability
	case age < rentalSlowAfter:
		pause = spread(min(time.Duration(rentalRootFactor*math.Sqrt(age.Seconds())*float64(time.Second)), rentalMaxInterval))
	default:
		pause = spread(min(max(time.Duration(float64(age)*rentalSlowFraction), rentalMaxInterval), rentalSlowMaxInterval))
	}
	next := now.Add(pause)
	for _, moment := range []time.Time{o.ExpiresAt, graceEnd(o)} {
		if moment.After(now) && moment.Before(next) {
			return moment
		}
	}
	return next
}

// graceEnd is when a number is given up: zero where its time is not known. A
// time that was over before the number was rented is none: somebody's clock goes
// wrong, and the marketplace's word tells.
func graceEnd(o storage.Order) time.Time {
	if o.ExpiresAt.IsZero() || o.ExpiresAt.Before(o.CreatedAt) {
		return time.Time{}
	}
	return o.ExpiresAt.Add(rentalGrace)
}

// staleAt is when an open order is too old to be watched, whatever is said of
// its time.
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

// nextAfterFailure returns when to ask again after so many failures in a row.
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

func spread(pause time.Duration) time.Duration {
	//nolint:gosec // jitter needs no unpredictability
	return time.Duration(float64(pause) * (1 - jitter + 2*jitter*rand.Float64()))
}

// pauseUntil returns the pause until an event, for loops whose work has a due time:
// at least a moment (an event that is due but can't be worked on yet must not
// spin), at most idlePause (another process may bring work forward).
func pauseUntil(event, now time.Time) time.Duration {
	if event.IsZero() {
		return idlePause
	}
	return min(max(event.Sub(now), minPause), idlePause)
}
