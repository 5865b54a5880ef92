package storage

import (
	"testing"
	"time"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// Each time belongs to exactly one day: the one that its clock shows. SQL reckons alike.
// The zones set their clocks at midnight, by half an hour, or not at all, or are those
// farthest from UTC.
func TestDays(t *testing.T) {
	db := openTest(t)
	for _, name := range []string{
		"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Pago_Pago",
		"Asia/Beirut", "Africa/Cairo", "America/Asuncion", "America/Havana", "Asia/Tehran", "America/Santiago", "Asia/Amman", "Atlantic/Azores",
	} {
		db.zone = zone(t, name)
		number := `SELECT ` + db.dayNumber("at") + ` FROM (SELECT CAST(? AS BIGINT) AS at) AS times`
		times := []time.Time{time.Now(), time.Now().UTC().Truncate(day)}
		for change := firstOrders.In(db.zone); ; {
			if _, change = change.ZoneBounds(); change.IsZero() || change.After(time.Now().Add(-day)) {
				break
			}
			for _, d := range []time.Duration{-25 * time.Hour, -time.Hour, -time.Millisecond, 0, 30 * time.Minute, time.Hour, 25 * time.Hour} {
				times = append(times, change.Add(d))
			}
		}
		for _, at := range times {
			of := db.Day(at)
			begins, ends := db.DayBegins(of), db.DayBegins(of.Add(day))
			if at.In(db.zone).Format(time.DateOnly) != of.Format(time.DateOnly) || at.Before(begins) || !at.Before(ends) ||
				!db.Day(begins).Equal(of) || !db.Day(begins.Add(-time.Millisecond)).Equal(of.Add(-day)) {
				t.Errorf("%s is on %s, from %s to %s", at.In(db.zone), of, begins, ends)
			}
			var days int64
			if err := db.reader.Get(&days, number, toMillis(at)); err != nil {
				t.Fatal(err)
			}
			if got := time.UnixMilli(days * day.Milliseconds()).UTC(); !got.Equal(of) {
				t.Errorf("%s is on %s in SQL, want %s", at.In(db.zone), got, of)
			}
		}
	}
}
