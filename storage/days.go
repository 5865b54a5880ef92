package storage

import (
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Zone returns the name of the zone of Options.Zone.
func (db *DB) Zone() string { return db.zone.String() }

// Day returns the day of a time in the zone of Options.Zone. Days are written as
// midnight in UTC in every zone.
func (db *DB) Day(t time.Time) time.Time {
	year, month, date := t.In(db.zone).Date()
	return time.Date(year, month, date, 0, 0, 0, 0, time.UTC)
}

// DayBegins returns when a day begins in the zone of Options.Zone.
func (db *DB) DayBegins(of time.Time) time.Time {
	year, month, date := of.Date()
	begins := time.Date(year, month, date, 0, 0, 0, 0, db.zone)
	// Where the clock is set at midnight, this may be an hour of the day before, or not
	// the first of two midnights.
	if db.Day(begins).Before(of) {
		_, begins = begins.ZoneBounds()
	}
	if set, _ := begins.ZoneBounds(); db.Day(set.Add(-time.Millisecond)).Equal(of) {
		_, before := set.Add(-time.Millisecond).Zone()
		begins = time.Date(year, month, date, 0, 0, 0, 0, time.FixedZone("", before))
	}
	return begins
}

// firstOrders is a time before all orders.
var firstOrders = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// dayNumber returns the SQL for the day of a column of times, in days since 1970.
func (db *DB) dayNumber(column string) string {
	var cases strings.Builder
	until := time.Now().Add(day)
	for at := firstOrders.In(db.zone); ; {
		_, offset := at.Zone()
		_, end := at.ZoneBounds()
		shifted := column
		if offset != 0 {
			shifted = "(" + column + " + " + strconv.Itoa(offset*1000) + ")"
		}
		shifted += " / " + strconv.FormatInt(day.Milliseconds(), 10)
		if end.IsZero() || end.After(until) {
			if cases.Len() == 0 {
				return shifted // an index has this expression in UTC
			}
			return "CASE" + cases.String() + " ELSE " + shifted + " END"
		}
		cases.WriteString(" WHEN " + column + " < " + strconv.FormatInt(toMillis(end), 10) + " THEN " + shifted)
		at = end
	}
}
