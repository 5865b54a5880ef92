package orders

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/loop"
	"hstockbot/storage"
)

// TestDraftLeft: the process that has made a draft measures its age, whatever its stored expiry
// says. For other processes that counts, unless it was stored by a clock that was ahead.
func TestDraftLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{draftAges: map[int64]loop.Stopwatch{}}
		const known, unknown = 1, 2
		s.keepDraftAge(known, loop.StartStopwatch())
		time.Sleep(4 * time.Minute)
		for _, test := range []struct {
			id              int64
			expiresIn, left time.Duration
		}{
			{known, time.Hour, 6 * time.Minute},
			{known, -time.Hour, 6 * time.Minute},
			{unknown, 5 * time.Minute, 5 * time.Minute},
			{unknown, draftLifetime, draftLifetime},
			{unknown, draftLifetime + time.Millisecond, 0},
			{unknown, -time.Minute, -time.Minute},
		} {
			if got := s.draftLeft(storage.Purchase{ID: test.id, ExpiresAt: time.Now().Add(test.expiresIn)}); got != test.left {
				t.Errorf("draft %d, which is stored to expire in %s: %s are left, want %s", test.id, test.expiresIn, got, test.left)
			}
		}
	})
}

// TestDraftAges are kept until the drafts have expired: with background work that stores their
// expiries, and a while longer without it.
func TestDraftAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{draftAges: map[int64]loop.Stopwatch{}}
		want := func(when string, expiries map[int64]time.Duration) {
			t.Helper()
			got := map[int64]time.Duration{}
			for id, at := range s.draftExpiries(time.Now()) {
				got[id] = time.Until(at)
			}
			if !maps.Equal(got, expiries) {
				t.Errorf("%s: %v, want %v", when, got, expiries)
			}
		}
		s.keepDraftAge(1, loop.StartStopwatch())
		time.Sleep(time.Minute)
		s.keepDraftAge(2, loop.StartStopwatch())
		time.Sleep(draftLifetime - time.Minute)
		want("before the background work", map[int64]time.Duration{1: 0, 2: time.Minute})
		s.dropDraftAges()
		want("after it", map[int64]time.Duration{2: time.Minute})
		time.Sleep(draftLifetime + time.Minute)
		s.keepDraftAge(3, loop.StartStopwatch())
		if got := slices.Collect(maps.Keys(s.draftAges)); !slices.Equal(got, []int64{3}) {
			t.Errorf("without background work the ages of %v are kept", got)
		}
	})
}
