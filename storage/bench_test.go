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
				if _, err := db.StoreUpdates(b.Context(), ids, chats, payloads); err != nil {
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
		if _, err := db.StoreUpdates(b.Context(), batch, make([]int64, len(batch)), make([][]byte, len(batch))); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Int64
	b.SetParallelism(64)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := next.Add(1)
			if err := db.FinishWithDialog(b.Context(), id, id%1000, "", "", time.Time{}); err != nil {
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
