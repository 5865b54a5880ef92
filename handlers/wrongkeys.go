package handlers

import (
	"sync"
	"time"
)

const (
	maxWrongKeys    = 5 // of a person within wrongKeysPeriod
	wrongKeysPeriod = 10 * time.Minute
	// maxCountedPeople limits the memory.
	maxCountedPeople = 10_000
)

// wrongKeys counts the wrong API keys of each person, so that nobody can guess keys at
// the marketplace's expense. A right one in between changes nothing, since they may have one. It is
// safe for concurrent use.
type wrongKeys struct {
	mu    sync.Mutex
	times map[int64][]time.Time // of the last maxWrongKeys, the oldest first
}

// wait returns how long a person must wait before another key is checked.
func (w *wrongKeys) wait(userID int64) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	times := w.times[userID]
	if len(times) < maxWrongKeys {
		return 0
	}
	return max(wrongKeysPeriod-time.Since(times[0]), 0)
}

func (w *wrongKeys) add(userID int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	times := append(w.times[userID], time.Now())
	w.times[userID] = times[max(len(times)-maxWrongKeys, 0):]
	if len(w.times) <= maxCountedPeople {
		return
	}
	oldest := userID
	for id, times := range w.times {
		if last := times[len(times)-1]; last.Before(w.times[oldest][len(w.times[oldest])-1]) {
			oldest = id
		}
	}
	delete(w.times, oldest)
}
