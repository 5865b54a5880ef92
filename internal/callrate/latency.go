package callrate

import (
	"math"
	"time"
)

const (
	usualTime    = 5 * time.Minute // over which the usual duration of an action is averaged
	recentTime   = 2 * time.Second // over which the present durations are
	slowRatio    = 2.0             // of the present to the usual duration
	minSlow      = 50 * time.Millisecond
	minDurations = 20 // before they say anything
	maxActions   = 32 // of the marketplace's API there are 16
)

// latency compares the durations of answers with what is usual for their action.
type latency struct {
	usual  map[string]*average // seconds, by action
	recent average             // of durations divided by the usual one
}

// average is a mean in which older values count less.
type average struct {
	value float64
	count int
	at    time.Time
}

func (a *average) add(value float64, now time.Time, over time.Duration) {
	a.count++
	// At first it is the plain mean, so that the first values do not count for minutes.
	weight := max(1/float64(a.count), 0)
	if a.count > minDurations {
		weight = 1 - math.Exp(-max(now.Sub(a.at), 0).Seconds()/over.Seconds())
	}
	a.value += weight * (value - a.value)
	a.at = now
}

// isSlow adds the duration of an answer, and reports whether answers now take twice as
// long as usual.
func (l *latency) isSlow(action string, took time.Duration, now time.Time) bool {
	usual := l.usual[action]
	if usual == nil {
		if len(l.usual) >= maxActions {
			return false
		}
		if l.usual == nil {
			l.usual = map[string]*average{}
		}
		usual = &average{}
		l.usual[action] = usual
	}
	slow := false
	if usual.count >= minDurations {
		l.recent.add(took.Seconds()/max(usual.value, 0.001), now, recentTime)
		slow = l.recent.count >= minDurations && l.recent.value > slowRatio && usual.value*(l.recent.value-1) > minSlow.Seconds()
	}
	usual.add(took.Seconds(), now, usualTime)
	return slow
}

// reset forgets the present durations, after the rate was reduced because of them.
func (l *latency) reset() { l.recent = average{} }
