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

	// A cancel leaves within half a minute of its mark on the order, and takes at most
	// hstock.PurchaseTimeout; the clocks of processes differ by up to 4 s. A marketplace that
	// still allows the cancel after this has not done it.
	cancelLife = 65 * time.Second

	// Limits the reading of price, stock and balance, so that waiting for the slot,
	// reading and the request together stay below the minute that a tap may take.
	termsTimeout = 15 * time.Second

	// How long a second purchase of the same key waits for the slot, and how often it
	// checks whether another process has freed it.
	slotTimeout = 5 * time.Second
	slotRetry   = 250 * time.Millisecond

	// How long a request of the background work that buys may outlast a stop: the answer
	// usually comes in a second, and what is cut off has an unknown outcome. The program
	// waits half a second longer than this.
	stopGrace = time.Second

	// How long a write after the request is retried.
	recordTimeout = 10 * time.Second

	// A poll is one attempt at one or two requests; its lease covers it. After a crash
	// the leased orders wait until their leases are over.
	pollTimeout = 15 * time.Second
	pollLease   = 30 * time.Second
	// Polls in flight: in all, enough for 10,000 new phones, which are 3,600 polls a
	// second of 100 ms each; and of one account, so that a slow one does not delay others.
	pollsAtOnce     = 1024
	pollsPerAccount = 16
	// Polls that end within this are stored in one durable commit.
	minTakeInterval = 50 * time.Millisecond
	// Due orders are read incrementally; all are read after this, because another
	// process may have changed some.
	fullReadInterval = 15 * time.Second
	// An incremental read overlaps the one before by this: a row may have been
	// committed a moment after the time at which it is due, by a process whose clock is
	// up to 4 s behind (package replica allows 2 s to either side).
	readOverlap = 5 * time.Second
	// Due orders in memory, some 2 MB; the others stay in the database.
	maxDuePolls = 20_000

	// A phone that has had a code waits for the polls of all others until so many of its
	// intervals are over: people seldom need a second one.
	patience = 4
	// An account that was not polled for so long is removed from the queue. If it were
	// removed sooner, it would gain a better place by being added again.
	accountIdleLimit = 10 * time.Minute
	// The pause of an account after "too many requests", doubling.
	throttleFirst = 5 * time.Second
	throttleMax   = time.Minute

	// Automatic goods are delivered within a second or two: 1 s × 1.5 up to a minute
	// takes 5.6 calls for a median delay of 1.3 s.
	firstPollAfter  = time.Second
	autoGrowth      = 1.5
	autoMaxInterval = time.Minute
	// Automatic goods that are later than this probably wait for a human. The polls made
	// show that the time has passed: the clock alone may have been set forward.
	autoFastPeriod = time.Hour
	autoFastPolls  = 60
	// Manual goods and SMM: 5 % of the order's age, so that the delay stays small
	// compared to the wait.
	slowFraction    = 0.05
	slowMinInterval = 30 * time.Second
	slowMaxInterval = 10 * time.Minute
	// A completed order with fewer accounts than were bought is reported after this, in
	// polls at most so far apart. A longer pause counts as one such: the clock may have
	// been set.
	incompleteAfter       = 10 * time.Minute
	incompleteMaxInterval = time.Minute
	// The longest pause between two polls, also after failures, with its jitter.
	maxPollPause = 11 * time.Minute
	// After this an order is polled only when a person asks. For a phone it counts from
	// the end of its time, or from the rental if that is not known.
	staleAfter       = 30 * 24 * time.Hour
	rentalStaleAfter = 24 * time.Hour
	// An expiry later than this after the rental is not believed.
	rentalMaxLifetime = 8 * 24 * time.Hour

	// Phones: people wait in front of a form at first. Then 0.5·√age s, so that the
	// delay grows slower than the wait; after an hour a fraction of the age. As for
	// automatic goods, a number of polls must have been made as well.
	rentalFastPeriod      = 2 * time.Minute
	rentalFastPolls       = 40
	rentalFastInterval    = 2 * time.Second
	rentalFastSpread      = 1500 * time.Millisecond
	rentalRootFactor      = 0.5
	rentalMaxInterval     = 15 * time.Second
	rentalSlowAfter       = time.Hour
	rentalSlowAfterPolls  = 250
	rentalSlowFraction    = 0.005
	rentalSlowMaxInterval = time.Minute
	// A first poll that is made so long after it was due is late.
	lateAfter = 2 * time.Second
	// Where a forecast tells when an account or a code is likely: the lateness
	// that a call is worth, to the power of forecastPower, and the shortest pause.
	// BenchmarkPolls shows what comes of them. In front of a form people count seconds.
	goodsCallCost    = 1.33
	rentalCallCost   = 0.72
	forecastMinPause = time.Second

	// How long numbers are usually rented, where the marketplace gives no end.
	rentalUsualTime = 20 * time.Minute
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
	// Reminders that are due in one round, and requests about them at the same time.
	remindersAtOnce = 64
	asksAtOnce      = 8
	// The pauses between two questions whether the order of a reminder can be cancelled: the
	// shortest, and the longest, because a clock may be wrong.
	reminderMinPause = 30 * time.Second
	reminderMaxPause = 10 * time.Minute
	// How long after a delivery a person is asked whether the goods work, and for how long an
	// adopted order counts as just bought.
	feedbackAfter = 45 * time.Minute
	adoptedLately = 24 * time.Hour
	// Refused keys tried in one round, and how often: the time of rented phones runs.
	keysAtOnce             = 50
	keyRetryInterval       = time.Hour
	rentalKeyRetryInterval = time.Minute

	// Delays a message so that the card of the tap that caused it is drawn first, and
	// for a phone so that the first poll has set its expiry.
	cardDelay = time.Second

	// How long a phone waits for its code until a swap is offered, where it is not known how
	// long a code usually takes.
	swapAfter = 2 * time.Minute
	// The longest time until the marketplace takes a number back for which a swap is armed.
	maxSwapDelay = 6 * time.Hour
	// How long a swap waits for the marketplace, and the pause between two tries.
	swapPatience = 10 * time.Minute
	swapRetry    = 5 * time.Second
	// The lease of the process that sends the cancel of a swap: the request and the reading of
	// the order take less.
	swapCancelLease = 90 * time.Second
	// From the cancel of a swap to the renting, so that the refund is in the balance that is
	// read before the request, and the message of the number was redrawn.
	swapRefundPause = 1500 * time.Millisecond
	// Due swaps read in one round.
	swapsAtOnce = 64

	// Due baskets read in one round, and the pause until a line is tried again that could not
	// be begun: another purchase of the key is in flight.
	basketsAtOnce = 64
	basketRetry   = 2 * time.Second
	// How long a confirmed purchase waits for its turn to use the operator's key, and the pause
	// between two tries while the key is taken: another process may have freed it.
	turnPatience = 30 * time.Minute
	turnRetry    = time.Second
	turnsAtOnce  = 16 // read in one round, of which one is begun
	// How far back the ledger is checked at a start.
	ledgerCheck = 62 * 24 * time.Hour
	// From one line to the next, so that the card is drawn in between, and the person can stop.
	basketPause = 1200 * time.Millisecond
	// Stocks that are read at a time for the card of a basket.
	basketReads = 8

	// How long after its request the marketplace may not find an order yet that it has given.
	importPatience = 10 * time.Minute

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

// checkIntervals is how long after an outcome became unknown the balance is read, and
// how long after each reading it is read again. Each is counted from the moment before
// it: the time of the request may be one of a clock that was set since.
var checkIntervals = [...]time.Duration{15 * time.Second, 45 * time.Second, 4 * time.Minute}

// checkPatience is how long after the request a reading waits for its key, for which the
// marketplace wants fewer calls.
const checkPatience = 10 * time.Minute

// firstPoll returns how long after its purchase an order is first polled: a phone at
// once, because only the poll tells until when it is rented. It makes no query.
func (s *Service) firstPoll(p storage.Purchase) time.Duration {
	if p.Kind == storage.KindSMS {
		return 0
	}
	known, _ := s.forecasts.inMemory(storage.Order{Kind: p.Kind, Service: p.Service}.Subject())
	if known.forecast == nil {
		return firstPollAfter
	}
	return known.forecast.pause(0, goodsCallCost, firstPollAfter, autoMaxInterval)
}

// nextPoll returns when to poll o again after an answer at now. f is nil where nothing is
// known about such orders.
func nextPoll(o storage.Order, f *forecast, now time.Time) time.Time {
	age := now.Sub(o.CreatedAt)
	switch {
	case o.Kind == storage.KindSMS && o.State != storage.OrderDelivered:
		return nextRentalPoll(o, f, age, now)
	case o.Kind == storage.KindProduct && o.AutoDelivery && (age < autoFastPeriod || o.Polls < autoFastPolls):
		if f != nil && o.State == storage.OrderOpen {
			return now.Add(loop.Jitter(f.pause(age, goodsCallCost, forecastMinPause, autoMaxInterval)))
		}
		pause := time.Duration(float64(firstPollAfter) * math.Pow(autoGrowth, float64(min(o.Polls, 20))))
		return now.Add(loop.Jitter(min(pause, autoMaxInterval)))
	case o.IncompleteFor > 0 && o.IncompleteFor < incompleteAfter:
		return now.Add(loop.Jitter(incompleteMaxInterval))
	default:
		return now.Add(loop.Jitter(min(max(time.Duration(float64(age)*slowFraction), slowMinInterval), slowMaxInterval)))
	}
}

// nextRentalPoll returns the time of the next poll of a phone. A poll always happens
// at the end of the phone's time and at the end of the grace after it, or at once where
// that has passed since the marketplace was asked.
func nextRentalPoll(o storage.Order, f *forecast, age time.Duration, now time.Time) time.Time {
	var pause time.Duration
	switch {
	case f != nil:
		pause = min(loop.Jitter(f.pause(age, rentalCallCost, forecastMinPause, rentalSlowMaxInterval)), rentalSlowMaxInterval)
	case age < rentalFastPeriod, o.Polls < rentalFastPolls:
		pause = rentalFastInterval + rand.N(rentalFastSpread) //nolint:gosec // jitter needs no unpredictability
	case age < rentalSlowAfter, o.Polls < rentalSlowAfterPolls:
		pause = loop.Jitter(min(time.Duration(rentalRootFactor*math.Sqrt(age.Seconds())*float64(time.Second)), rentalMaxInterval))
	default:
		pause = loop.Jitter(min(max(time.Duration(float64(age)*rentalSlowFraction), rentalMaxInterval), rentalSlowMaxInterval))
	}
	next := now.Add(pause)
	for _, moment := range []time.Time{o.ExpiresAt, graceEnd(o)} {
		if moment.After(o.UpdatedAt) && moment.Before(next) {
			return moment
		}
	}
	return next
}

// rentalEnd returns when the rental of a phone ends, or usually ends if that is not
// known. An imported phone may have ended before its order was created here.
func rentalEnd(o storage.Order) time.Time {
	if o.ExpiresAt.IsZero() || o.ExpiresAt.Before(o.CreatedAt) && !o.External {
		return o.CreatedAt.Add(rentalUsualTime)
	}
	return o.ExpiresAt
}

// graceEnd returns when a phone counts as expired, the zero time if that is not
// known. An expiry before the rental comes from a wrong clock and is ignored.
func graceEnd(o storage.Order) time.Time {
	if o.ExpiresAt.IsZero() || o.ExpiresAt.Before(o.CreatedAt) {
		return time.Time{}
	}
	return o.ExpiresAt.Add(rentalGrace)
}

// staleAt returns when an open order is too old to be polled, see stale.
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

// stale reports whether an open order is too old to be polled. As many polls as its first
// hour takes must have been made as well: the clock alone may have been set forward. How old
// an imported order is, the marketplace says.
func stale(o storage.Order, now time.Time) bool {
	polls := int64(autoFastPolls)
	if o.Kind == storage.KindSMS {
		polls = rentalSlowAfterPolls
	}
	return !now.Before(staleAt(o)) && (o.External || o.Polls+o.Failures >= polls)
}

// nextAfterFailure returns when to poll o again after a number of failures in a row.
func nextAfterFailure(o storage.Order, failures int64, now time.Time) time.Time {
	if o.Kind == storage.KindSMS {
		return now.Add(loop.Jitter(loop.Backoff(rentalFailureFirst, rentalFailureMax, int(failures))))
	}
	at := now.Add(loop.Jitter(loop.Backoff(failureFirst, failureMax, int(failures))))
	if next := nextPoll(o, nil, now); next.After(at) {
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
