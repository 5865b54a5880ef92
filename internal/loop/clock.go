package loop

import "time"

const (
	// maxDrift is how far wall time and elapsed time may drift apart between two calls
	// without a step of the clock: the system corrects small errors itself.
	maxDrift = 5 * time.Second

	// When do is called again after a step: the time since the step quadruples, so that most
	// is corrected at once, and the rest when the longest work has ended.
	firstRepeat = time.Second
	lastRepeat  = 64 * time.Second
)

// Clock notices steps of the wall clock for one loop. Times in the database are wall
// times, so after a step what was due in a second may be due in a day. The zero value
// is ready.
type Clock struct {
	// Wall returns the wall time; nil: the system's. Tests replace it.
	Wall func() time.Time

	last    time.Time     // with the monotonic reading
	wall    time.Time     // at last
	stepped time.Time     // when the last step was noticed
	repeat  time.Duration // after stepped; 0: no more
}

// AfterStep calls do where stored times may be wrong: the first time, because the clock
// may have been set while the process did not run, and after wall time has moved
// otherwise than elapsed time. A few times within a minute after a step it calls do again:
// work that was in flight has computed times by the clock of before, and stores them
// later. An error of do is returned, and the next call repeats it.
func (c *Clock) AfterStep(do func(again bool) error) error {
	now := time.Now()
	wall := now.Round(0)
	if c.Wall != nil {
		wall = c.Wall().Round(0)
	}
	drift := wall.Sub(c.wall) - now.Sub(c.last)
	first := c.last.IsZero()
	step := !first && drift.Abs() > maxDrift
	again := !step && c.repeat > 0 && now.Sub(c.stepped) >= c.repeat
	if first || step || again {
		if err := do(again); err != nil {
			return err
		}
	}
	c.last, c.wall = now, wall
	switch {
	case step:
		c.stepped, c.repeat = now, firstRepeat
	case again && c.repeat < lastRepeat:
		c.repeat *= 4
	case again:
		c.repeat = 0
	}
	return nil
}
