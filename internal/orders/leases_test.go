package orders

import (
	"path/filepath"
	"testing"

	"hstockbot/storage"
)

// TestPollsThatOthersMake: another process, or a Refresh, was quicker. The polls that were picked
// end without one, and so nothing more is in flight, and the key does not pause.
func TestPollsThatOthersMake(t *testing.T) {
	keys, err := storage.ParseKeys("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	db, err := storage.Open(t.Context(), storage.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "orders.db"), Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	s := &Service{db: db, queue: queueWith(0), owner: "this process"}
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
