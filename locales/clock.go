package locales

import (
	"strconv"
	"time"
)

// localUntil is how far ahead a time may be for LocalClock. Telegram refuses a message
// with a time that is three years ahead (ENTITY_DATE_INVALID).
const localUntil = 365 * day

// Clock returns a time as plain text, absolute and relative to now: "12:05 UTC
// (in 14 min)", and on another day "3 Nov, 12:05 UTC (2 days ago)". The zone is UTC.
// It is for what has no markup, such as buttons; messages have LocalClock.
func (l *Localizer) Clock(t, now time.Time) string {
	return l.clock(t, now, func(text, _ string) string { return text })
}

// LocalClock returns the text of Clock, in which Telegram replaces the time, the date
// and the relative time by those of the reader's zone, language and moment (Bot API:
// date_time). Before 1970 and more than a year ahead it is the text of Clock. Seconds are
// left out, as in the text, so that a message with the same text is the same message.
func (l *Localizer) LocalClock(t, now time.Time) HTML {
	unix := t.Truncate(time.Minute).Unix()
	local := unix > 0 && t.Sub(now) < localUntil
	return HTML(l.clock(t, now, func(text, format string) string {
		if !local {
			return Escape(text)
		}
		return `<tg-time unix="` + strconv.FormatInt(unix, 10) + `" format="` + format + `">` + Escape(text) + "</tg-time>"
	}))
}

// clock renders the three parts of a time with mark, which gets the text of a part and
// the Bot API's format for it. Isolates stay outside of the marked text, because
// Telegram replaces that.
func (l *Localizer) clock(t, now time.Time, mark func(text, format string) string) string {
	t, now = t.UTC(), now.UTC()
	args := Args{
		"Time":     l.Isolate(mark(t.Format("15:04")+" UTC", "t")),
		"Relative": mark(l.relative(t.Sub(now)), "r"),
	}
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return l.Label("clock_today", args)
	}
	id := "clock_date"
	if t.Year() != now.Year() {
		id = "clock_date_year"
	}
	args["Date"] = mark(l.Label(id, Args{
		"Day":   strconv.Itoa(t.Day()),
		"Month": l.Label("clock_month_" + strconv.Itoa(int(t.Month()))),
		"Year":  strconv.Itoa(t.Year()),
	}), "d")
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
		if future {
			return l.Label("clock_now")
		}
		return l.Label("clock_just_now")
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
