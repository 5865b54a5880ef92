package ops_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/ops"
)

func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p ops.CallStats
		began := time.Now()
		check := func(when string, want ops.Snapshot) {
			t.Helper()
			if diff := cmp.Diff(want, p.Snapshot()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		check("at first", ops.Snapshot{})
		for range 5 {
			p.Observe("balance: ok", false)
		}
		for range 3 {
			p.Observe("balance: unreachable", true)
		}
		check("three failures in a moment", ops.Snapshot{Calls: 8, Errors: 3, LastError: "balance: unreachable", LastErrorAt: began})
		time.Sleep(time.Minute)
		check("and nothing for a minute", ops.Snapshot{Calls: 8, Errors: 3, LastError: "balance: unreachable", LastErrorAt: began, DownSince: began})
		p.Observe("balance: ok", false)
		check("it answers", ops.Snapshot{Answers: true, Calls: 9, Errors: 3, LastError: "balance: unreachable", LastErrorAt: began})
		time.Sleep(59 * time.Minute)
		check("an hour after the first", ops.Snapshot{Answers: true, Calls: 1, LastError: "balance: unreachable", LastErrorAt: began})
		time.Sleep(time.Minute)
		later := time.Now()
		p.Observe("add: outcome_unknown", true)
		time.Sleep(time.Hour)
		p.Observe("add: outcome_unknown", true)
		check("two failures in an hour prove nothing", ops.Snapshot{Calls: 1, Errors: 1, LastError: "add: outcome_unknown", LastErrorAt: later.Add(time.Hour)})
	})
}
