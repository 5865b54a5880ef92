package orders

import (
	"context"
	"path/filepath"
	"testing"

	"hstockbot/storage"
)

// withDatabase returns a Service that has a database and a queue, and nothing else.
func withDatabase(t *testing.T) *Service {
	t.Helper()
	keys, err := storage.ParseKeys("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	db, err := storage.Open(t.Context(), storage.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "orders.db"), Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return &Service{db: db, queue: queueWith(0), owner: "this process"}
}

// TestNothingToPoll: the loop sleeps for as long as it may.
func TestNothingToPoll(t *testing.T) {
	if pause, err := withDatabase(t).pollOnce(t.Context()); pause != idlePause || err != nil {
		t.Errorf("the next round is in %s, %v", pause, err)
	}
}

// TestPollsThatOthersMake: another process, or a Refresh, was quicker. The polls that were picked
// end without one, and so nothing more is in flight, and the key does not pause.
func TestPollsThatOthersMake(t *testing.T) {
	s := withDatabase(t)
	var due []storage.DuePoll
	for n := range int64(pollsPerAccount) {
		due = append(due, duePoll(n+1, 1, 0, 0)) // of orders that are no longer due
	}
	s.queue.add(due, start, start)
	picked, _ := s.queue.take(start)
	leased, err := s.leasePolls(t.Context(), picked, start)
	if err != nil || len(picked) != pollsPerAccount || len(leased) != 0 {
		t.Fatalf("%d picked, %d leased, %v", len(picked), len(leased), err)
	}
	s.queue.add(due, start, start)
	if picked, _ = s.queue.take(start); len(picked) != pollsPerAccount {
		t.Errorf("%d polls are picked after that, want %d", len(picked), pollsPerAccount)
	}
}
