package loop_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/loop"
)

// TestClockNoticesSteps: in the first call, and after each step.
func TestClockNoticesSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var set time.Duration
		clock := loop.Clock{Wall: func() time.Time { return time.Now().Add(set) }}
		for _, call := range []struct {
			name   string
			passes time.Duration
			step   time.Duration
			want   bool
		}{
			{name: "start", want: true},
			{name: "nothing", passes: 15 * time.Second},
			{name: "slewed", passes: 15 * time.Second, step: 4 * time.Second},
			{name: "long idle", passes: 24 * time.Hour},
			{name: "set back by a day", passes: time.Second, step: -24 * time.Hour, want: true},
			{name: "right after it", passes: 900 * time.Millisecond},
			{name: "set forward by 6 s", passes: time.Second, step: 6 * time.Second, want: true},
			{name: "set back by 6 s", passes: time.Second, step: -6 * time.Second, want: true},
		} {
			time.Sleep(call.passes)
			set += call.step
			noticed := false
			err := clock.AfterStep(func(bool) error { noticed = true; return nil })
			if err != nil || noticed != call.want {
				t.Errorf("%s: %v, %v, want %v", call.name, noticed, err, call.want)
			}
		}
		var system loop.Clock
		calls := 0
		for _, result := range []error{errors.New("disk full"), nil, nil} {
			err := system.AfterStep(func(bool) error { calls++; return result })
			if !errors.Is(err, result) {
				t.Errorf("got %v, want %v", err, result)
			}
		}
		if calls != 2 {
			t.Errorf("%d calls after one that failed and one that did not, want 2", calls)
		}
	})
}

// TestClockRepeatsAfterAStep, for work that was in flight; nothing is at the start.
func TestClockRepeatsAfterAStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var set time.Duration
		clock := loop.Clock{Wall: func() time.Time { return time.Now().Add(set) }}
		began := time.Now()
		first, repeats := []time.Duration(nil), []time.Duration(nil)
		for range 300 {
			err := clock.AfterStep(func(again bool) error {
				calls := &first
				if again {
					calls = &repeats
				}
				*calls = append(*calls, time.Since(began)/time.Second)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
			if time.Since(began) == 100*time.Second {
				set -= time.Hour
			}
		}
		if !slices.Equal(first, []time.Duration{0, 100}) || !slices.Equal(repeats, []time.Duration{101, 104, 116, 164}) {
			t.Errorf("called at %d s, and again at %d s", first, repeats)
		}
	})
}
