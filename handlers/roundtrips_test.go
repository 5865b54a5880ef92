package handlers_test

import (
	"context"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/keyboards"
)

// TestRoundTripsOfATap: on PostgreSQL a tap on a screen that reads nothing waits three
// times for the server: to store it, to read the person, and to record that it is done.
func TestRoundTripsOfATap(t *testing.T) {
	pgtest.Require(t)
	proxy := testworld.PostgresProxy(t)
	l := testworld.NewLoopback(t, telegram.Options{NoLog: true})
	l.DatabaseURL = proxy.URL()
	l.Start(t, 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ann := l.Telegram.Join(telegram.Person{ID: 7, FirstName: "Ann", LanguageCode: "en"})
	ann.Type("/menu")
	must(t, ann.Await(ctx, func([]telegram.Message) bool { return ann.Last().FromBot }))
	message := ann.Last()
	least, trips := int64(100), []int64{}
	for i := range 30 {
		before, text := proxy.RoundTrips(), message.Text
		ann.TapData(message.ID, []string{keyboards.Help.Data(struct{}{}), keyboards.Language.Data(struct{}{})}[i%2])
		must(t, ann.Await(ctx, func([]telegram.Message) bool {
			message = ann.Last()
			return message.Text != text
		}))
		l.AwaitIdle(t)
		trips = append(trips, proxy.RoundTrips()-before)
		least = min(least, trips[i])
	}
	// Other work of the program falls into some taps; the first taps prepare statements.
	if least != 3 {
		t.Errorf("the taps cost %v round trips, want 3", trips)
	}
}
