package ops_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/ops"
)

func TestCallStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stats ops.CallStats
		started := time.Now()
		check := func(when string, want ops.Snapshot) {
			t.Helper()
			if diff := cmp.Diff(want, stats.Snapshot()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		check("before the first call", ops.Snapshot{})
		for range 5 {
			stats.Observe("balance: ok", false)
		}
		for range 3 {
			stats.Observe("balance: unreachable", true)
		}
		check("three failures within a second", ops.Snapshot{Calls: 8, Errors: 3, LastError: "balance: unreachable", LastErrorAt: started})
		time.Sleep(time.Minute)
		check("a minute later", ops.Snapshot{Calls: 8, Errors: 3, LastError: "balance: unreachable", LastErrorAt: started, DownSince: started})
		stats.Observe("balance: ok", false)
		check("after an answer", ops.Snapshot{Answers: true, Calls: 9, Errors: 3, LastError: "balance: unreachable", LastErrorAt: started})
		time.Sleep(59 * time.Minute)
		check("an hour after the first call", ops.Snapshot{Answers: true, Calls: 1, LastError: "balance: unreachable", LastErrorAt: started})
		time.Sleep(time.Minute)
		later := time.Now()
		stats.Observe("add: outcome_unknown", true)
		time.Sleep(time.Hour)
		stats.Observe("add: outcome_unknown", true)
		check("two failures in an hour", ops.Snapshot{Calls: 1, Errors: 1, LastError: "add: outcome_unknown", LastErrorAt: later.Add(time.Hour)})
	})
}
