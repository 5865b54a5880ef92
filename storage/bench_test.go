package storage

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

func BenchmarkStoreUpdates(b *testing.B) {
	payload := make([]byte, 600) // a tap on a button of a screen
	for _, n := range []int{1, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			db := openTest(b)
			ids, chats, payloads := make([]int64, n), make([]int64, n), make([][]byte, n)
			for i := range payloads {
				payloads[i] = payload
			}
			next := int64(0)
			for b.Loop() {
				for i := range ids {
					next++
					ids[i] = next
				}
				if _, _, err := db.StoreUpdates(b.Context(), me, ids, chats, payloads); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFinish finishes updates of 64 concurrent chats per core.
func BenchmarkFinish(b *testing.B) {
	db := openTest(b)
	ids := make([]int64, b.N)
	for i := range ids {
		ids[i] = int64(i + 1)
	}
	for from := 0; from < len(ids); from += 100 {
		batch := ids[from:min(from+100, len(ids))]
		if _, _, err := db.StoreUpdates(b.Context(), me, batch, batch, make([][]byte, len(batch))); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Int64
	b.SetParallelism(64)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := next.Add(1)
			if _, err := db.FinishWithDialog(b.Context(), me, id, id, id%1000, "", "", time.Time{}); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkTouchUser(b *testing.B) {
	db := openTest(b)
	for b.Loop() {
		if _, _, err := db.TouchUser(b.Context(), 7, "Ann", "en", true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDialog(b *testing.B) {
	db := openTest(b)
	for b.Loop() {
		if _, _, err := db.Dialog(b.Context(), 7); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEarlier looks for what a purchase collides with, of a person with n purchases.
func BenchmarkEarlier(b *testing.B) {
	for _, n := range []int{100, 20_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			db := openTest(b)
			_, err := db.transition(b.Context(), "fill", `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
				INSERT INTO purchases (id, user_id, key_id, key_fingerprint, kind, service, name, quantity, link_sealed, rate, rate_per, currency, stock, variants, balance, origin,
				    state, reason, refusal_sealed, lease_owner, lease_until, checks, next_check_at, verdict, created_at, expires_at, sent_at, settled_at, link_digest)
				SELECT n, 7, 1, 'print', 'smm', 1, 'Followers', 100, 'sealed', '0.5', 1000, 'USD', 1, 0, '9', '', 'placed', '', '', '', 0, 0, 0, '', n, n, n, n, 'link ' || n FROM numbers`, n)
			if err != nil {
				b.Fatal(err)
			}
			p := Purchase{ID: -1, UserID: 7, Service: 1, Quantity: 100, Link: "https://a.example", LinkDigest: "link 50"}
			for b.Loop() {
				if found, err := db.RunningOnLink(b.Context(), p); err != nil || found.Purchase != 0 {
					b.Fatal(found, err)
				}
				if found, err := db.RepeatedSince(b.Context(), p, time.UnixMilli(1)); err != nil || found.Purchase != 50 {
					b.Fatal(found, err)
				}
			}
		})
	}
}
