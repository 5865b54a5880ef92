package locales

import (
	"strconv"
	"time"
)

// Clock returns a time as plain text, absolute and relative to now: "12:05 UTC
// (in 14 min)", and on another day "3 Nov, 12:05 UTC (2 days ago)". The zone is
// always UTC, because Telegram does not send the person's zone.
func (l *Localizer) Clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	args := Args{"Time": l.Isolate(t.Format("15:04") + " UTC"), "Relative": l.relative(t.Sub(now))}
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return l.Label("clock_today", args)
	}
	date := Args{
		"Day":   strconv.Itoa(t.Day()),
		"Month": l.Label("clock_month_" + strconv.Itoa(int(t.Month()))),
		"Year":  strconv.Itoa(t.Year()),
	}
	if t.Year() == now.Year() {
		args["Date"] = l.Label("clock_date", date)
	} else {
		args["Date"] = l.Label("clock_date_year", date)
	}
	return l.Label("clock_day", args)
}

const day = 24 * time.Hour

// relative returns the words for a time that is offset from now: in minutes,
// from two hours on in hours, from two days on in days.
func (l *Localizer) relative(offset time.Duration) string {
	future := offset > 0
	offset = offset.Abs()
	minutes, hours, days := roundTo(offset, time.Minute), roundTo(offset, time.Hour), roundTo(offset, day)
	switch {
	case minutes == 0:
		return l.Label("clock_now")
	case minutes < 120:
		return l.inOrAgo(future, "clock_in_minutes", "clock_minutes_ago", minutes)
	case hours < 48:
		return l.inOrAgo(future, "clock_in_hours", "clock_hours_ago", hours)
	default:
		return l.inOrAgo(future, "clock_in_days", "clock_days_ago", days)
	}
}

func roundTo(offset, unit time.Duration) int64 { return int64(offset.Round(unit) / unit) }

func (l *Localizer) inOrAgo(future bool, in, ago string, count int64) string {
	if future {
		return l.LabelN(in, count)
	}
	return l.LabelN(ago, count)
}
