package storage

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"hstockbot/internal/sandbox/pgtest"
)

// sealAll gives each order of a largeShop a link and a phone of its own, and returns how
// many values there are.
func sealAll(b *testing.B, url string) (values int64) {
	b.Helper()
	db, err := openExisting(b.Context(), url, testKeys(b, 1))
	if err != nil {
		b.Fatal(err)
	}
	defer mustClose(b, db)
	for _, column := range sealedColumns {
		if column.table != "orders" {
			continue
		}
		for after, n := int64(-1), rotateRows; n == rotateRows; {
			rows, err := db.sealedValues(b.Context(), column, after)
			if err != nil {
				b.Fatal(err)
			}
			if n = len(rows); n == 0 {
				break
			}
			after = rows[n-1].Position
			err = db.submit(b.Context(), func(tx *sqlx.Tx) error {
				for _, row := range rows {
					sealed := db.seal(column.sealTable, column.sealColumn, row.Row, []byte("anna@example.com and something more"))
					if _, err := tx.ExecContext(b.Context(), `UPDATE orders SET `+column.column+` = ? WHERE id = ?`, sealed, row.Row); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			values += int64(n)
		}
	}
	return values
}

// BenchmarkRotate rotates 100,000 values, or a million, of half as many orders, and measures
// how long small writes of another process wait meanwhile:
//
//	go test ./storage -run '^$' -bench Rotate/100000$ -benchtime 1x -timeout 30m
//	TEST_DATABASE=postgres .ci/postgres go test ./storage -run '^$' -bench Rotate/100000$ -benchtime 1x -timeout 30m
func BenchmarkRotate(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkRotate(b, n/2) })
	}
}

func benchmarkRotate(b *testing.B, orders int) {
	b.Helper()
	url := largeShop(b, orders)
	if pgtest.Wanted() {
		file := url
		url = pgtest.Empty(b)
		if err := moveTo(b, file, url); err != nil {
			b.Fatal(err)
		}
	}
	values := sealAll(b, url)
	for key := byte(1); b.Loop(); key++ {
		bot, err := Open(b.Context(), Options{URL: url, Keys: testKeys(b, key)})
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan struct{})
		var waits []time.Duration
		var writing sync.WaitGroup
		writing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				case <-time.After(20 * time.Millisecond):
				}
				began := time.Now()
				if err := bot.SetSetting(b.Context(), "bench", fmt.Sprint(n)); err != nil {
					b.Error(err)
				}
				waits = append(waits, time.Since(began))
			}
		})
		result, err := Rotate(b.Context(), rotateOptions(url, testKeys(b, key+1, key)))
		close(done)
		writing.Wait()
		mustClose(b, bot)
		if err != nil || result.Sealed != values+1 {
			b.Fatalf("got %+v, %v, want %d values", result, err, values)
		}
		slices.Sort(waits)
		for name, share := range map[string]int{"p50": 50, "p99": 99, "max": 100} {
			b.ReportMetric(float64(waits[min(len(waits)-1, len(waits)*share/100)].Microseconds())/1000, name+"-write-ms")
		}
		b.ReportMetric(float64(len(waits)), "writes")
	}
}
