package orders

import (
	"math"
	"testing"
	"time"

	"hstockbot/storage"
)

// TestPollTimes: each row of the table "Polling" in the documentation of this package, at its
// bounds. All pauses vary by 10 %, those of a new phone between 2 and 3.5 s.
func TestPollTimes(t *testing.T) {
	phone := storage.Order{Kind: storage.KindSMS, State: storage.OrderOpen}
	with := func(o storage.Order, polls int64, change func(o *storage.Order)) storage.Order {
		o.Polls = polls
		if change != nil {
			change(&o)
		}
		return o
	}
	delivered := func(o *storage.Order) { o.State = storage.OrderDelivered }
	auto := storage.Order{Kind: storage.KindProduct, State: storage.OrderOpen, AutoDelivery: true}
	manual := storage.Order{Kind: storage.KindProduct, State: storage.OrderOpen}
	incomplete := func(shown time.Duration) func(o *storage.Order) {
		return func(o *storage.Order) { o.IncompleteFor = shown }
	}
	likely := newForecast(outcomes(100, 7, 90*time.Second, 0.4))
	foreseenCode := likely.pause(0, rentalCallCost, forecastMinPause, rentalSlowMaxInterval)
	foreseen := likely.pause(0, goodsCallCost, forecastMinPause, autoMaxInterval)
	ends := func(after time.Duration) func(o *storage.Order) {
		return func(o *storage.Order) { o.ExpiresAt = start.Add(after) }
	}
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	for name, test := range map[string]struct {
		order    storage.Order
		age      time.Duration
		forecast bool
		want     time.Duration // 0: 2 to 3.5 s
	}{
		"phone, new":                            {order: with(phone, 3, nil), age: 10 * time.Second},
		"phone, at the end of two minutes":      {order: with(phone, 1000, nil), age: 2*time.Minute - 1},
		"phone, seems old after a step":         {order: with(phone, 39, nil), age: 10 * time.Minute},
		"phone, two minutes old":                {order: with(phone, 40, nil), age: 2 * time.Minute, want: seconds(0.5 * math.Sqrt(120))},
		"phone, ten minutes old":                {order: with(phone, 40, nil), age: 10 * time.Minute, want: seconds(0.5 * math.Sqrt(600))},
		"phone, almost an hour old":             {order: with(phone, 1000, nil), age: time.Hour - 1, want: 15 * time.Second},
		"phone, seems hours old after a step":   {order: with(phone, 249, nil), age: 2 * time.Hour, want: 15 * time.Second},
		"phone, an hour old":                    {order: with(phone, 250, nil), age: time.Hour, want: 18 * time.Second},
		"phone, two hours old":                  {order: with(phone, 250, nil), age: 2 * time.Hour, want: 36 * time.Second},
		"phone, a day old":                      {order: with(phone, 250, nil), age: 24 * time.Hour, want: time.Minute},
		"phone with a code, new":                {order: with(phone, 3, delivered), age: 10 * time.Second, want: 30 * time.Second},
		"phone with a code, an hour old":        {order: with(phone, 300, delivered), age: time.Hour, want: 3 * time.Minute},
		"goods, first":                          {order: with(auto, 0, nil), want: time.Second},
		"phone with a forecast":                 {order: with(phone, 20, nil), forecast: true, want: foreseenCode},
		"phone after all forecasts":             {order: with(phone, 300, nil), age: 1000 * time.Hour, forecast: true, want: time.Minute},
		"goods, fourth":                         {order: with(auto, 3, nil), age: 5 * time.Second, want: 3375 * time.Millisecond},
		"goods, eleventh":                       {order: with(auto, 10, nil), age: 5 * time.Minute, want: seconds(math.Pow(1.5, 10))},
		"goods, twelfth":                        {order: with(auto, 11, nil), age: 5 * time.Minute, want: time.Minute},
		"goods, almost an hour old":             {order: with(auto, 1000, nil), age: time.Hour - 1, want: time.Minute},
		"goods, seem old after a step":          {order: with(auto, 59, nil), age: 24 * time.Hour, want: time.Minute},
		"goods, an hour old":                    {order: with(auto, 60, nil), age: time.Hour, want: 3 * time.Minute},
		"goods, a day old":                      {order: with(auto, 60, nil), age: 24 * time.Hour, want: 10 * time.Minute},
		"goods with a forecast":                 {order: with(auto, 20, nil), forecast: true, want: foreseen},
		"goods in parts are no longer foreseen": {order: with(auto, 3, func(o *storage.Order) { o.State = storage.OrderPartial }), forecast: true, want: 3375 * time.Millisecond},
		"manual goods, new":                     {order: with(manual, 0, nil), want: 30 * time.Second},
		"manual goods, an hour old":             {order: with(manual, 40, nil), age: time.Hour, want: 3 * time.Minute},
		"SMM, an hour old":                      {order: with(storage.Order{Kind: storage.KindSMM, AutoDelivery: true}, 3, nil), age: time.Hour, want: 3 * time.Minute},
		"too few accounts, not seen":            {order: with(manual, 90, incomplete(0)), age: 24 * time.Hour, want: 10 * time.Minute},
		"too few accounts, seen":                {order: with(manual, 90, incomplete(time.Millisecond)), age: 24 * time.Hour, want: time.Minute},
		"too few accounts, reported":            {order: with(manual, 90, incomplete(10*time.Minute)), age: 24 * time.Hour, want: 10 * time.Minute},
		"phone after its grace":                 {order: with(phone, 40, ends(-5*time.Minute)), age: 25 * time.Minute, want: 15 * time.Second},
	} {
		var known *forecast
		if test.forecast {
			known = likely
		}
		test.order.CreatedAt, test.order.UpdatedAt = start.Add(-test.age), start
		shortest, longest := test.want*9/10, test.want*11/10
		if test.want == 0 {
			shortest, longest = 2*time.Second, 3500*time.Millisecond
		}
		for range 100 {
			if got := nextPoll(test.order, known, start).Sub(start); got < shortest-1 || got > longest {
				t.Errorf("%s: polled after %s, want %s to %s", name, got, shortest, longest)
				break
			}
		}
	}

	for name, moment := range map[string]time.Duration{"the end of a phone": time.Second, "the end of its grace": time.Second - rentalGrace} {
		order := with(phone, 1000, ends(moment))
		order.CreatedAt, order.UpdatedAt = start.Add(-time.Hour), start
		if got := nextPoll(order, nil, start).Sub(start); got != time.Second {
			t.Errorf("polled after %s, but %s is after a second", got, name)
		}
	}
}

// TestFirstPollTimes: a phone is polled at once, as only the poll tells until when it is rented;
// goods when they are likely, in a second where that is not known.
func TestFirstPollTimes(t *testing.T) {
	s := &Service{forecasts: newForecasts(nil, nil)} // it makes no query
	likely := newForecast(outcomes(100, 7, 90*time.Second, 0.4))
	s.forecasts.known["product/1"] = knownForecast{forecast: likely}
	s.forecasts.known["product/2"] = knownForecast{}
	for _, test := range []struct {
		purchase storage.Purchase
		want     time.Duration
	}{
		{storage.Purchase{Kind: storage.KindSMS}, 0},
		{storage.Purchase{Kind: storage.KindProduct, Service: 1}, likely.pause(0, goodsCallCost, firstPollAfter, autoMaxInterval)},
		{storage.Purchase{Kind: storage.KindProduct, Service: 2}, time.Second},
		{storage.Purchase{Kind: storage.KindProduct, Service: 3}, time.Second},
		{storage.Purchase{Kind: storage.KindSMM, Service: 1}, time.Second},
	} {
		if got := s.firstPoll(test.purchase); got != test.want {
			t.Errorf("%s %d: after %s, want %s", test.purchase.Kind, test.purchase.Service, got, test.want)
		}
	}
}

// TestPauseOfALoop: it neither spins nor oversleeps, and looks now and then where nothing is due.
func TestPauseOfALoop(t *testing.T) {
	for _, test := range []struct {
		event time.Time
		want  time.Duration
	}{
		{time.Time{}, idlePause},
		{start.Add(-time.Hour), minPause},
		{start, minPause},
		{start.Add(3 * time.Second), 3 * time.Second},
		{start.Add(time.Hour), idlePause},
	} {
		if got := pauseUntil(test.event, start); got != test.want {
			t.Errorf("until %s: %s, want %s", test.event, got, test.want)
		}
	}
}

// TestEndsOfRental: until when a phone is polled after its code and without one, and when it is
// too old. A wrong clock must neither end it at once nor keep it for ever.
func TestEndsOfRental(t *testing.T) {
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		expiry           time.Duration // after the start; 0: not known
		external         bool
		end, grace, late time.Duration // grace 0: not known
	}{
		"not known":                       {end: 20 * time.Minute, late: day},
		"usual":                           {expiry: 15 * time.Minute, end: 15 * time.Minute, grace: 20 * time.Minute, late: day + 20*time.Minute},
		"three hours":                     {expiry: 3 * time.Hour, end: 3 * time.Hour, grace: 3*time.Hour + 5*time.Minute, late: day + 3*time.Hour + 5*time.Minute},
		"in 70 years":                     {expiry: 70 * 365 * day, end: 70 * 365 * day, grace: 70*365*day + 5*time.Minute, late: 8 * day},
		"before the start":                {expiry: -time.Hour, end: 20 * time.Minute, late: day},
		"before the start, of an import":  {expiry: -time.Hour, external: true, end: -time.Hour, late: day},
		"after the start, of an import":   {expiry: 15 * time.Minute, external: true, end: 15 * time.Minute, grace: 20 * time.Minute, late: day + 20*time.Minute},
		"not known, of an imported phone": {external: true, end: 20 * time.Minute, late: day},
	} {
		order := storage.Order{Kind: storage.KindSMS, State: storage.OrderOpen, CreatedAt: start, External: test.external}
		if test.expiry != 0 {
			order.ExpiresAt = start.Add(test.expiry)
		}
		var grace time.Time
		if test.grace != 0 {
			grace = start.Add(test.grace)
		}
		if got := rentalEnd(order); !got.Equal(start.Add(test.end)) {
			t.Errorf("%s: the rental ends after %s, want %s", name, got.Sub(start), test.end)
		}
		if got := graceEnd(order); !got.Equal(grace) {
			t.Errorf("%s: the grace ends at %s, want %s", name, got, grace)
		}
		if got := staleAt(order); !got.Equal(start.Add(test.late)) {
			t.Errorf("%s: it is too old after %s, want %s", name, got.Sub(start), test.late)
		}
	}
	if got := staleAt(storage.Order{Kind: storage.KindProduct, CreatedAt: start}).Sub(start); got != 30*day {
		t.Errorf("goods are too old after %s, want 30 days", got)
	}
}

// TestTooOldToBePolled: the time alone does not make an order too old, as the clock may have
// been set forward: as many polls as its first hour takes must have been tried.
func TestTooOldToBePolled(t *testing.T) {
	phone := storage.Order{Kind: storage.KindSMS, CreatedAt: start}
	goods := storage.Order{Kind: storage.KindProduct, CreatedAt: start}
	for name, test := range map[string]struct {
		order           storage.Order
		after           time.Duration
		polls, failures int64
		external, want  bool
	}{
		"phone":                       {order: phone, after: rentalStaleAfter, polls: 250, want: true},
		"phone, a moment too soon":    {order: phone, after: rentalStaleAfter - 1, polls: 1000},
		"phone, after a step":         {order: phone, after: rentalStaleAfter, polls: 249},
		"phone, polls that failed":    {order: phone, after: rentalStaleAfter, polls: 100, failures: 150, want: true},
		"phone, one poll too few":     {order: phone, after: rentalStaleAfter, polls: 100, failures: 149},
		"phone, imported":             {order: phone, after: rentalStaleAfter, external: true, want: true},
		"phone, imported a day early": {order: phone, external: true},
		"goods":                       {order: goods, after: staleAfter, polls: 60, want: true},
		"goods, after a step":         {order: goods, after: staleAfter, polls: 59},
	} {
		test.order.Polls, test.order.Failures, test.order.External = test.polls, test.failures, test.external
		if got := stale(test.order, start.Add(test.after)); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}

// TestPauseAfterFailures: doubling, and for goods no shorter than without a failure.
func TestPauseAfterFailures(t *testing.T) {
	for name, test := range map[string]struct {
		order    storage.Order
		failures int64
		want     time.Duration
	}{
		"phone, first":    {storage.Order{Kind: storage.KindSMS, CreatedAt: start}, 1, 2 * time.Second},
		"phone, third":    {storage.Order{Kind: storage.KindSMS, CreatedAt: start}, 3, 8 * time.Second},
		"phone, many":     {storage.Order{Kind: storage.KindSMS, CreatedAt: start}, 30, 30 * time.Second},
		"goods, first":    {storage.Order{Kind: storage.KindProduct, AutoDelivery: true, CreatedAt: start}, 1, 5 * time.Second},
		"goods, third":    {storage.Order{Kind: storage.KindProduct, AutoDelivery: true, CreatedAt: start}, 3, 20 * time.Second},
		"goods, many":     {storage.Order{Kind: storage.KindProduct, AutoDelivery: true, CreatedAt: start}, 30, 10 * time.Minute},
		"goods, a slow 1": {storage.Order{Kind: storage.KindProduct, CreatedAt: start.Add(-time.Hour)}, 1, 3 * time.Minute},
	} {
		if got := nextAfterFailure(test.order, test.failures, start).Sub(start); got < test.want*9/10-1 || got > test.want*11/10 {
			t.Errorf("%s: polled after %s, want about %s", name, got, test.want)
		}
	}
}
