package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/sandbox/pgtest"
)

// Of claims at the same time that each want the last of an allowance exactly one gets it. Each
// purchase has another key, as it may after the operator's was changed.
func TestLastOfAnAllowanceIsTakenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	var processes []*DB
	for range 2 {
		db := openAt(t, path, testKeys(t, 1))
		if len(processes) == 0 {
			touch(t, db, 1, houseAdmin)
		}
		setOperator(t, db, houseSecret)
		processes = append(processes, db)
	}
	raceForTheLast(t, processes)
}

func raceForTheLast(t *testing.T, processes []*DB) {
	t.Helper()
	const taps = 8
	db := processes[0]
	rounds := 10
	if pgtest.Wanted() {
		rounds = 4
	}
	for round := range rounds {
		now := time.Now()
		if _, err := db.RemoveAllowance(t.Context(), 1, byAdmin("x", now)); err != nil {
			t.Fatal(err)
		}
		give(t, db, 1, "1.00", "10", round%2 == 0, now)
		var claimed, low atomic.Int64
		var functions []func()
		for i := range taps {
			p := houseDraft(t, db, 1, KindProduct, "0.60", 1, now)
			if _, err := db.writer.ExecContext(t.Context(), `UPDATE purchases SET key_fingerprint = ? WHERE id = ?`, fmt.Sprint(round, "-", i), p.ID); err != nil {
				t.Fatal(err)
			}
			functions = append(functions, func() {
				ok, err := processes[i%len(processes)].ClaimPurchase(t.Context(), 1, p.ID, "owner", now, now.Add(time.Minute))
				switch {
				case err == nil && ok:
					claimed.Add(1)
				case errors.Is(err, ErrAllowanceLow):
					low.Add(1)
				default:
					t.Errorf("claimed %v: %v", ok, err)
				}
			})
		}
		race(functions...)
		if claimed.Load() != 1 || low.Load() != taps-1 {
			t.Errorf("round %d: %d claimed, %d too low", round, claimed.Load(), low.Load())
		}
		equal(t, "available", "0.34", available(t, db, 1, now))
	}
}
