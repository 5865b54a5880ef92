package loop

import "time"

// maxDrift is how far wall time and elapsed time may drift apart between two calls
// without a step of the clock: the system corrects small errors itself.
const maxDrift = 5 * time.Second

// Clock notices steps of the wall clock for one loop. Times in the database are wall
// times, so after a step what was due in a second may be due in a day. The zero value
// is ready.
type Clock struct {
	// Wall returns the wall time; nil: the system's. Tests replace it.
	Wall func() time.Time

	last time.Time // with the monotonic reading
	wall time.Time // at last
}

// AfterStep calls do where stored times may be wrong: the first time, because the clock
// may have been set while the process did not run, and after wall time has moved
// otherwise than elapsed time. An error of do is returned, and the next call repeats it.
func (c *Clock) AfterStep(do func() error) error {
	now := time.Now()
	wall := now.Round(0)
	if c.Wall != nil {
		wall = c.Wall().Round(0)
	}
	drift := wall.Sub(c.wall) - now.Sub(c.last)
	if c.last.IsZero() || drift.Abs() > maxDrift {
		if err := do(); err != nil {
			return err
		}
	}
	c.last, c.wall = now, wall
	return nil
}
