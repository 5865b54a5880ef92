package orders

import (
	"context"
	"log/slog"
	"math"
	"sort"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"hstockbot/storage"
)

// forecast estimates, from the outcomes of earlier orders of a subject, at which ages the
// first account or code of an order arrives. nil: too few outcomes are known.
//
// If polls are Δ apart, each costs a call, and a delivery's lateness to the power of p is
// Δᵖ/(p+1) on average; a power, because one that is very late is worse than many that are a
// bit late. An order that still waits gets its delivery with the rate h (the hazard), so a
// second of polls costs c/Δ + h·Δᵖ/(p+1), where c is the power of the lateness that a call
// is worth. That is least at Δ = (c·(p+1)/(p·h)) to the power of 1/(p+1). As h changes with
// the age, polls are made where the integral of 1/Δ has grown by one: none before the
// earliest plausible time, most where a delivery is likely.
type forecast struct {
	// polls is that integral with c = 1, up to each age of the grid.
	polls [forecastAges]float64
	usual time.Duration // the median of what arrived; 0 if most orders ended without
}

const (
	// The power p of the lateness. With 2 one code in a hundred is a second later, with 3
	// a code takes a tenth more calls (BenchmarkPolls).
	forecastPower = 2.7
	// With fewer outcomes there is no forecast.
	forecastMinOutcomes = 10
	// The grid of ages is logarithmic: 0.25 s × 1.15 to the power of 0 to 99, which is 3
	// days. Later polls are as rare as they may be.
	forecastAges     = 100
	forecastFirstAge = 0.25
	forecastAgeRatio = 1.15
	// The hazard at t is the number of arrivals from t/1.5 to 1.5 t by the time that
	// orders waited there.
	forecastWindow = 1.5
	// As if before all outcomes 0.1 deliveries had arrived during 0.2 t at each age t. An
	// age that no order has reached has the hazard 1/(2t), which gives pauses that grow
	// slower than t.
	forecastPriorArrivals = 0.1
	forecastPriorTime     = 0.2
)

// newForecast returns nil if there are too few outcomes.
func newForecast(times storage.DeliveryTimes) *forecast {
	if len(times.Arrived)+len(times.Ended) < forecastMinOutcomes {
		return nil
	}
	f := &forecast{}
	if len(times.Arrived) > len(times.Ended) {
		f.usual = times.Arrived[len(times.Arrived)/2]
	}
	sum, last := 0.0, 0.0
	for i := range f.polls {
		age := forecastAge(i)
		sum += (age - last) * root(hazard(times, age)*forecastPower/(forecastPower+1))
		f.polls[i], last = sum, age
	}
	return f
}

// hazard returns the arrivals per second among the orders that still wait at an age.
func hazard(times storage.DeliveryTimes, age float64) float64 {
	from, to := age/forecastWindow, age*forecastWindow
	arrived, waited := forecastPriorArrivals, forecastPriorTime*age
	for _, took := range times.Arrived {
		if seconds := took.Seconds(); seconds >= from && seconds < to {
			arrived++
		}
	}
	for _, all := range [][]time.Duration{times.Arrived, times.Ended} {
		for _, took := range all {
			waited += min(max(took.Seconds()-from, 0), to-from)
		}
	}
	return arrived / waited
}

func root(x float64) float64 { return math.Pow(x, 1/(forecastPower+1)) }

// forecastAge returns the i-th age of the grid in seconds.
func forecastAge(i int) float64 { return forecastFirstAge * math.Pow(forecastAgeRatio, float64(i)) }

// pause returns how long after age to poll next. callCost is c, in seconds to
// the power of forecastPower.
func (f *forecast) pause(age time.Duration, callCost float64, shortest, longest time.Duration) time.Duration {
	from := max(age, 0).Seconds()
	target := f.pollsUntil(from) + root(callCost)
	i := sort.SearchFloat64s(f.polls[:], target)
	if i == forecastAges {
		return longest
	}
	startAge, startPolls := f.start(i)
	at := startAge + (forecastAge(i)-startAge)*(target-startPolls)/(f.polls[i]-startPolls)
	return min(max(time.Duration((at-from)*float64(time.Second)), shortest), longest)
}

// pollsUntil interpolates polls at an age in seconds.
func (f *forecast) pollsUntil(age float64) float64 {
	i := sort.Search(forecastAges, func(i int) bool { return forecastAge(i) >= age })
	if i == forecastAges {
		return f.polls[forecastAges-1]
	}
	startAge, startPolls := f.start(i)
	return startPolls + (f.polls[i]-startPolls)*(age-startAge)/(forecastAge(i)-startAge)
}

// start returns where the i-th interval of the grid begins.
func (f *forecast) start(i int) (age, polls float64) {
	if i == 0 {
		return 0, 0
	}
	return forecastAge(i - 1), f.polls[i-1]
}

// forecasts keeps the forecasts of subjects in memory, so that polls make no queries.
type forecasts struct {
	db      *storage.DB
	log     *slog.Logger
	reading singleflight.Group // by subject

	mu    sync.Mutex
	known map[string]knownForecast // by subject
}

type knownForecast struct {
	forecast *forecast // nil: there are too few outcomes
	readAt   time.Time
}

const (
	// How long a forecast is used, and how long a subject counts as unknown.
	forecastLifetime = 5 * time.Minute
	unknownLifetime  = time.Minute
	// Forecasts in memory, some 3 MB.
	maxForecasts = 4096
	// Limits the reading of outcomes.
	forecastTimeout = 5 * time.Second
)

func newForecasts(db *storage.DB, log *slog.Logger) *forecasts {
	return &forecasts{db: db, log: log, known: map[string]knownForecast{}}
}

// of returns the forecast for orders like this one, nil if there is none. It reads the
// outcomes if those in memory are too old.
func (f *forecasts) of(ctx context.Context, o storage.Order) *forecast {
	subject := o.Subject()
	if subject == "" {
		return nil
	}
	known, exists := f.inMemory(subject)
	lifetime := forecastLifetime
	if known.forecast == nil {
		lifetime = unknownLifetime
	}
	if exists && time.Since(known.readAt) < lifetime {
		return known.forecast
	}
	read, err, _ := f.reading.Do(subject, func() (any, error) { return f.read(ctx, subject) })
	if err != nil { // the poll goes on as before
		f.log.Warn("delivery times not read", "error", err)
		return known.forecast
	}
	return read.(*forecast)
}

// inMemory returns what is known about a subject, however old it is.
func (f *forecasts) inMemory(subject string) (known knownForecast, exists bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, exists = f.known[subject]
	return known, exists
}

func (f *forecasts) read(ctx context.Context, subject string) (*forecast, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forecastTimeout) // others wait for it
	defer cancel()
	now := time.Now()
	times, err := f.db.DeliveryTimes(ctx, now, subject)
	if err != nil {
		return nil, err
	}
	read := newForecast(times[subject])
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.known) >= maxForecasts {
		clear(f.known)
	}
	f.known[subject] = knownForecast{forecast: read, readAt: now}
	return read, nil
}

// Usual returns how long the first account or code of an order like this one took lately,
// the median. It is 0 where it is not known, where most orders ended without, and if the
// order no longer waits.
func (s *Service) Usual(ctx context.Context, o storage.Order) time.Duration {
	if o.State != storage.OrderOpen || o.Delivered > 0 || isManual(o) {
		return 0
	}
	return s.forecasts.of(ctx, o).usualTime()
}

// usualTime returns usual, 0 without a forecast.
func (f *forecast) usualTime() time.Duration {
	if f == nil {
		return 0
	}
	return f.usual
}

func isManual(o storage.Order) bool { return o.Kind == storage.KindProduct && !o.AutoDelivery }

// maxUncertainty is how long before an answer with the first account or code the answer
// before may have been, if that is more than half of the order's age.
const maxUncertainty = 2 * time.Minute

// createdAhead is how far in the future an order may be created: those of one purchase are a
// millisecond apart. The first poll can ask before that.
const createdAhead = 100 * time.Millisecond

// deliveryTime returns the outcome of an order that the bot has placed and polled, if its
// next state is the first that shows one, else nil. first: the first account or code has
// arrived. It arrived at some time since the answered poll before; the middle is stored.
func deliveryTime(before, next storage.Order, first bool) *storage.DeliveryTime {
	ended := false
	switch next.State {
	case storage.OrderCancelled, storage.OrderRefunded, storage.OrderExpired, storage.OrderFailed:
		ended = before.State == storage.OrderOpen
	}
	if next.Subject() == "" || isManual(next) || before.External || before.Adopted || before.Delivered > 0 || !first && !ended {
		return nil
	}
	age := func(at time.Time) time.Duration {
		if d := at.Sub(before.CreatedAt); d < -createdAhead || d > 0 {
			return d
		}
		return 0
	}
	seen, last := age(next.UpdatedAt), age(before.UpdatedAt)
	if last < 0 || seen < last || before.Failures > 0 || seen-last > max(maxUncertainty, seen/2) { // a clock was set, or an outage
		return nil
	}
	return &storage.DeliveryTime{Took: (seen + last) / 2, Arrived: first}
}
