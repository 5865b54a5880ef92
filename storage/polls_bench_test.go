package storage

import (
	"testing"
	"time"
)

// BenchmarkTakePolls leases 1,024 orders and stores their results.
func BenchmarkTakePolls(b *testing.B) {
	db := openTest(b)
	if _, _, err := db.TouchUser(b.Context(), 1, "Ann", "en", true); err != nil {
		b.Fatal(err)
	}
	if _, err := db.SaveKey(b.Context(), 1, busyKey); err != nil {
		b.Fatal(err)
	}
	manyOrders(b, db, 20_000)
	for _, query := range []string{
		`UPDATE orders SET user_id = 1, key_id = (SELECT id FROM api_keys), closed_at = 0, next_poll_at = id, link_sealed = ''`,
		`UPDATE orders SET polls = 0`,
	} {
		if _, err := db.writer.ExecContext(b.Context(), query); err != nil {
			b.Fatal(err)
		}
	}
	now := time.Now()
	var results []PollResult
	for b.Loop() {
		due, err := db.DuePolls(b.Context(), "one", time.Time{}, now, 1024)
		if err != nil || len(due) != 1024 {
			b.Fatal(len(due), err)
		}
		orders, err := db.TakePolls(b.Context(), results, due, "one", now, now.Add(time.Minute))
		if err != nil {
			b.Fatal(err)
		}
		results = nil
		for _, o := range orders {
			results = append(results, PollResult{OrderID: o.ID, Polls: o.Polls, At: now, Succeeded: true, NextAt: now.Add(-time.Second)})
		}
	}
}
