package callrate

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memoryStore holds the Setting.
type memoryStore struct {
	mu     sync.Mutex
	value  string
	writes int
	err    error
}

func (s *memoryStore) Setting(_ context.Context, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != Setting {
		return "", errors.New("another setting")
	}
	return s.value, s.err
}

func (s *memoryStore) SwapSetting(_ context.Context, name, old, value string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || name != Setting || s.value != old {
		return false, s.err
	}
	s.writes++
	s.value = value
	return true, nil
}

func (s *memoryStore) written() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

func stop(t *testing.T, l *Limiter) {
	t.Helper()
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// work keeps the limiter busy.
func work(t *testing.T, l *Limiter, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	newHiddenLimit(1e6, 1e6).poll(ctx, l, 10)
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		l := New(Options{Most: MaxRate, Store: store})
		l.Start()
		work(t, l, 8*time.Second)
		l.Report(account(1), "balance", Overloaded, time.Millisecond)
		l.Report(account(1), "balance", Blocked, time.Millisecond)
		stop(t, l)
		stop(t, l)
		learned := l.State()

		time.Sleep(time.Second)
		next := New(Options{Most: MaxRate, Store: store})
		next.Start()
		defer stop(t, next)
		synctest.Wait()
		got := next.State()
		if learned.Rate <= firstRate/2 || got.Rate != learned.Rate || got.Limit != learned.Limit || !got.CutAt.Equal(learned.CutAt) || !got.BannedUntil.Equal(learned.BannedUntil) {
			t.Errorf("learned %+v, known after the restart %+v", learned, got)
		}

		slower := New(Options{Most: 5, Store: store})
		slower.Start()
		defer stop(t, slower)
		synctest.Wait()
		if got := slower.State(); got.Rate != 5 {
			t.Errorf("%v calls a second, at most 5 are allowed now", got.Rate)
		}
	})
}

// Growth is written seldom, and nothing is written without a change.
func TestFewWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		l := New(Options{Most: MaxRate, Store: store})
		l.Start()
		work(t, l, 30*time.Second)
		written := store.written()
		if written < 2 || written > 6 {
			t.Errorf("%d writes in 30 s of growth", written)
		}
		time.Sleep(time.Hour)
		if more := store.written() - written; more > 1 {
			t.Errorf("%d writes in an hour without a call", more)
		}
		stop(t, l)
	})
}

// What one process learns, the others know a second later: refusals, pauses, growth.
func TestProcessesShareWhatTheyLearn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, pace := &memoryStore{}, &memoryPace{}
		var all [3]*Limiter
		for i := range all {
			all[i] = New(Options{Most: MaxRate, Pace: pace, Store: store})
			all[i].Start()
			defer stop(t, all[i])
		}
		work(t, all[0], 15*time.Second)
		time.Sleep(minWritePause + 2*syncPause)
		for i, l := range all {
			if got := l.State().Rate; got < 2*firstRate {
				t.Errorf("process %d: %v calls a second after another one worked", i, got)
			}
		}
		before := all[0].State().Rate
		all[1].Report(account(1), "balance", Overloaded, time.Millisecond)
		time.Sleep(2 * syncPause)
		all[2].Report(account(1), "balance", Blocked, time.Millisecond)
		time.Sleep(2 * syncPause)
		for i, l := range all {
			if got := l.State(); got.Rate > before/2+1 || got.Limit == 0 || !got.Banned(time.Now()) {
				t.Errorf("process %d: %+v, the rate before was %v", i, got, before)
			}
		}
	})
}

// A stored state that is damaged, absurd, or from a wrong clock does no harm.
func TestDamagedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, _ := json.Marshal(State{Rate: 1e9, Limit: -3, CutAt: time.Now().Add(24 * time.Hour), BannedUntil: time.Now().Add(1000 * time.Hour), BanPause: -1})
		for value, want := range map[string]State{
			`{`:                       {Rate: firstRate},
			`{"rate":"20"}`:           {Rate: firstRate},
			`{"rate":-5,"limit":-1}`:  {Rate: firstRate},
			`{"rate":40,"limit":50}`:  {Rate: 40, Limit: 50},
			`{"ban_pause":"a"}`:       {Rate: firstRate},
			strings.Repeat("[", 1000): {Rate: firstRate},
			string(far):               {Rate: MaxRate, BannedUntil: time.Now().Add(maxBan)},
		} {
			store := &memoryStore{value: value}
			l := New(Options{Most: MaxRate, Store: store})
			l.Start()
			synctest.Wait()
			if got := l.State(); got.Rate != want.Rate || got.Limit != want.Limit || !got.CutAt.Equal(want.CutAt) || !got.BannedUntil.Equal(want.BannedUntil) {
				t.Errorf("%.60s: %+v, want %+v", value, got, want)
			}
			l.Report(account(1), "balance", Overloaded, time.Millisecond)
			if got := l.State().Rate; got != want.Rate/2 {
				t.Errorf("%.60s: %v calls a second after a 503", value, got)
			}
			stop(t, l)
			if state, err := DecodeState(store.value); err != nil || state.Rate != want.Rate/2 {
				t.Errorf("%.60s: %v, stored %s", value, err, store.value)
			}
		}
	})
}

// While the database is away the limiter works on, and stores what it learned later.
func TestStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{err: errors.New("away")}
		l := New(Options{Most: MaxRate, Store: store})
		l.Start()
		l.Report(account(1), "balance", Overloaded, time.Millisecond)
		time.Sleep(time.Minute)
		store.mu.Lock()
		store.err = nil
		store.value = `{"rate":100,"limit":110}`
		store.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if got := l.State(); got.Rate > firstRate/2 {
			t.Errorf("%+v: the 503 is forgotten", got)
		}
		stop(t, l)
		if state, err := DecodeState(store.value); err != nil || state.Rate != l.State().Rate {
			t.Errorf("%v, stored %s", err, store.value)
		}
	})
}

// A limiter that was not started, or has stopped, does not need its store.
func TestStopWithoutStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := &memoryStore{err: errors.New("closed")}
		stop(t, New(Options{Most: 5, Store: away}))
		stop(t, New(Options{Most: 5}))
		store := &memoryStore{}
		l := New(Options{Most: 5, Store: store})
		l.Start()
		synctest.Wait()
		stop(t, l)
		store.err = errors.New("closed")
		stop(t, l)
	})
}
