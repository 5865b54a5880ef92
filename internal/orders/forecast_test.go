package orders

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"hstockbot/storage"
)

// outcomes returns n outcomes: log-normal times with this median, and one in never
// without an arrival in 25 minutes (0: all arrive).
func outcomes(n, never int, median time.Duration, sigma float64) (times storage.DeliveryTimes) {
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		if never > 0 && i%never == 0 {
			times.Ended = append(times.Ended, 25*time.Minute)
			continue
		}
		times.Arrived = append(times.Arrived, time.Duration(float64(median)*math.Exp(sigma*dice.NormFloat64())))
	}
	slices.Sort(times.Arrived)
	return times
}

func TestForecastNeedsTenOutcomes(t *testing.T) {
	if newForecast(outcomes(9, 3, time.Minute, 0.5)) != nil {
		t.Error("nine outcomes make a forecast")
	}
	if newForecast(outcomes(10, 3, time.Minute, 0.5)) == nil {
		t.Error("ten outcomes make none")
	}
}

func TestForecastUsualTime(t *testing.T) {
	times := storage.DeliveryTimes{Ended: make([]time.Duration, 5)}
	for i := range 6 {
		times.Arrived = append(times.Arrived, time.Duration(i)*time.Second)
	}
	if got := newForecast(times).usual; got != 3*time.Second {
		t.Errorf("usually %s, want the median", got)
	}
	times.Ended = append(times.Ended, 0)
	if got := newForecast(times).usual; got != 0 {
		t.Errorf("usually %s, although only half arrive", got)
	}
}

// TestForecastPauses: none is wasted before a code is plausible, and most are made where
// it is likely.
func TestForecastPauses(t *testing.T) {
	f := newForecast(outcomes(100, 7, 90*time.Second, 0.4))
	pause := func(age time.Duration) time.Duration { return f.pause(age, rentalCallCost, time.Second, time.Minute) }
	for _, test := range []struct{ age, shortest, longest time.Duration }{
		{-time.Hour, 5 * time.Second, 45 * time.Second}, // a clock that was set back
		{0, 5 * time.Second, 45 * time.Second},
		{time.Minute, time.Second, 5 * time.Second},
		{90 * time.Second, time.Second, 5 * time.Second},
		{10 * time.Minute, 10 * time.Second, time.Minute},
		{1000 * time.Hour, time.Minute, time.Minute},
	} {
		if got := pause(test.age); got < test.shortest || got > test.longest {
			t.Errorf("at %s a pause of %s, want %s to %s", test.age, got, test.shortest, test.longest)
		}
	}
	if got := newForecast(outcomes(100, 0, 2*time.Second, 0.2)).pause(2*time.Second, rentalCallCost, time.Second, time.Minute); got != time.Second {
		t.Errorf("a pause of %s, want the shortest", got)
	}
}

// TestForecastBeyondItsOutcomes: where no order has waited so long, pauses grow with the
// age as those of unknown subjects do.
func TestForecastBeyondItsOutcomes(t *testing.T) {
	f := newForecast(outcomes(100, 0, 10*time.Second, 0.3))
	last := time.Duration(0)
	for age := 2 * time.Minute; age < time.Hour; age *= 2 {
		got := f.pause(age, rentalCallCost, time.Second, time.Minute)
		want := time.Duration(root(2*age.Seconds()*rentalCallCost*(forecastPower+1)/forecastPower) * float64(time.Second))
		if got < last || got < want*8/10 || got > want*13/10 && got < time.Minute {
			t.Errorf("at %s a pause of %s, want about %s", age, got, want)
		}
		last = got
	}
}

// TestHazard at 3 s, which are those that arrived from 2 to 4.5 s by the time that all waited there.
func TestHazard(t *testing.T) {
	for name, test := range map[string]struct {
		arrived, ended  []time.Duration
		arrivals, waits float64
	}{
		"none":              {},
		"waited throughout": {ended: []time.Duration{time.Minute, 5 * time.Second}, waits: 5},
		"ended before":      {ended: []time.Duration{2 * time.Second}},
		"ended in between":  {ended: []time.Duration{3 * time.Second}, waits: 1},
		"arrived then":      {arrived: []time.Duration{3 * time.Second, 4 * time.Second}, arrivals: 2, waits: 3},
		"arrived first":     {arrived: []time.Duration{2 * time.Second}, arrivals: 1},
		"arrived too soon":  {arrived: []time.Duration{2*time.Second - 1}},
		"arrived last":      {arrived: []time.Duration{4500*time.Millisecond - 1}, arrivals: 1, waits: 2.5},
		"arrived too late":  {arrived: []time.Duration{4500 * time.Millisecond}, waits: 2.5},
	} {
		got := hazard(storage.DeliveryTimes{Arrived: test.arrived, Ended: test.ended}, 3)
		want := (test.arrivals + forecastPriorArrivals) / (test.waits + forecastPriorTime*3)
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestDeliveryTime(t *testing.T) {
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	phone := storage.Order{Kind: storage.KindSMS, State: storage.OrderOpen, Rental: storage.Rental{Project: "tg", Country: "us"}, CreatedAt: created, UpdatedAt: created.Add(20 * time.Second)}
	goods := storage.Order{Kind: storage.KindProduct, State: storage.OrderOpen, Service: 2, AutoDelivery: true, CreatedAt: created, UpdatedAt: created}
	for name, test := range map[string]struct {
		before storage.Order
		change func(before, next *storage.Order)
		at     time.Duration
		first  bool
		want   *storage.DeliveryTime
	}{
		"code":          {before: phone, at: 30 * time.Second, first: true, want: &storage.DeliveryTime{Took: 25 * time.Second, Arrived: true}},
		"goods":         {before: goods, at: time.Second, first: true, want: &storage.DeliveryTime{Took: 500 * time.Millisecond, Arrived: true}},
		"at 20 s":       {before: phone, at: 20 * time.Second, first: true, want: &storage.DeliveryTime{Took: 20 * time.Second, Arrived: true}},
		"2 min later":   {before: phone, at: 140 * time.Second, first: true, want: &storage.DeliveryTime{Took: 80 * time.Second, Arrived: true}},
		"even later":    {before: phone, at: 140*time.Second + 1, first: true},
		"nothing":       {before: phone, at: 30 * time.Second},
		"expired":       {before: phone, change: func(_, next *storage.Order) { next.State = storage.OrderExpired }, at: 22 * time.Second, want: &storage.DeliveryTime{Took: 21 * time.Second}},
		"refunded":      {before: goods, change: func(_, next *storage.Order) { next.State = storage.OrderRefunded }, at: time.Second, want: &storage.DeliveryTime{Took: 500 * time.Millisecond}},
		"too old":       {before: goods, change: func(_, next *storage.Order) { next.State = storage.OrderStale }, at: time.Second},
		"second code":   {before: phone, change: func(before, _ *storage.Order) { before.Delivered = 1 }, at: 30 * time.Second, first: true},
		"imported":      {before: phone, change: func(before, _ *storage.Order) { before.External = true }, at: 30 * time.Second, first: true},
		"adopted":       {before: phone, change: func(before, _ *storage.Order) { before.Adopted = true }, at: 30 * time.Second, first: true},
		"manual":        {before: goods, change: func(_, next *storage.Order) { next.AutoDelivery = false }, at: time.Second, first: true},
		"SMM":           {before: goods, change: func(_, next *storage.Order) { next.Kind = storage.KindSMM }, at: time.Second, first: true},
		"after failure": {before: phone, change: func(before, _ *storage.Order) { before.Failures = 1 }, at: 30 * time.Second, first: true},
		"after outage":  {before: phone, at: 5 * time.Minute, first: true},
		"refund later": {before: phone, change: func(before, next *storage.Order) {
			before.State, next.State = storage.OrderExpired, storage.OrderRefunded
		}, at: 22 * time.Second},
		"clock ahead": {before: phone, change: func(before, _ *storage.Order) { before.UpdatedAt = created.Add(-10 * time.Second) }, at: 11 * time.Second, first: true},
		"third of a purchase, polled at once": {
			before: phone, change: func(before, _ *storage.Order) { before.UpdatedAt = created.Add(-2 * time.Millisecond) }, at: 10 * time.Second, first: true,
			want: &storage.DeliveryTime{Took: 5 * time.Second, Arrived: true},
		},
		"code at such a poll": {before: goods, at: -2 * time.Millisecond, first: true, want: &storage.DeliveryTime{Arrived: true}},
		"clock set":           {before: phone, at: 10 * time.Second, first: true},
	} {
		before, next := test.before, test.before
		next.UpdatedAt = created.Add(test.at)
		if test.change != nil {
			test.change(&before, &next)
		}
		got := deliveryTime(before, next, test.first)
		if (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// TestUsualTimeOfGoods: it is not known of goods that a person delivers now, whatever the
// outcomes of before say.
func TestUsualTimeOfGoods(t *testing.T) {
	s := &Service{forecasts: newForecasts(nil, nil)} // it makes no query
	f := newForecast(outcomes(100, 7, 90*time.Second, 0.4))
	s.forecasts.known["product/1"] = knownForecast{forecast: f, readAt: time.Now()}
	goods := storage.Order{Kind: storage.KindProduct, State: storage.OrderOpen, Service: 1, AutoDelivery: true}
	if got := s.Usual(t.Context(), goods); got != f.usual || got == 0 {
		t.Errorf("usually %s, want %s", got, f.usual)
	}
	goods.AutoDelivery = false
	if got := s.Usual(t.Context(), goods); got != 0 {
		t.Errorf("delivered by a person: usually %s", got)
	}
}
