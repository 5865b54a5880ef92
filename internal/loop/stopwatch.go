package loop

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// Stopwatch measures a time that steps of the wall clock do not change.
type Stopwatch struct {
	started time.Time // with the monotonic reading
	uptime  time.Duration
}

// StartStopwatch returns a Stopwatch that starts now.
func StartStopwatch() Stopwatch { return Stopwatch{started: time.Now(), uptime: uptime()} }

// Elapsed returns the time since the start. On Linux it contains the time in which the
// machine was suspended, which the monotonic clock leaves out.
func (s Stopwatch) Elapsed() time.Duration {
	return max(time.Since(s.started), uptime()-s.uptime)
}

// uptime returns how long the machine has run, suspends included; 0 if that is not known.
// Tests replace it.
var uptime = func() time.Duration {
	content, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	first, _, _ := bytes.Cut(content, []byte(" "))
	seconds, err := strconv.ParseFloat(string(first), 64)
	if err != nil {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}
