package monitor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/monitor"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestAlertIsNotifiedOnceAtItsStartAndItsEnd(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga, oleg)
		w.down.start()
		testworld.Pass(5 * time.Minute)
		w.want(olga, monitor.MarketDown)
		w.want(oleg, monitor.MarketDown)
		w.restart()
		testworld.Pass(time.Hour)
		w.want(olga)
		w.down.end()
		w.restart()
		testworld.Pass(time.Minute)
		w.want(olga, "+"+monitor.MarketDown)
		w.want(oleg, "+"+monitor.MarketDown)
		testworld.Pass(time.Hour)
		w.want(olga)
	})
}

func TestOneReportPerMinuteOmitsWhatEndedBefore(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		w.down.start()
		testworld.Pass(15 * time.Second)
		w.want(olga, monitor.MarketDown)
		w.conflict.set(time.Now().Add(-time.Minute), true)
		testworld.Pass(15 * time.Second) // the alert is stored
		w.want(olga)
		w.down.end()
		testworld.Pass(15 * time.Second)
		w.conflict.end()
		testworld.Pass(15 * time.Second)
		w.want(olga)
		testworld.Pass(time.Minute)
		w.want(olga, "+"+monitor.MarketDown)

		for range 10 { // an alert that flaps
			w.down.start()
			testworld.Pass(20 * time.Second)
			w.down.end()
			testworld.Pass(20 * time.Second)
		}
		if n := len(w.reports(olga)); n > 7 {
			w.T.Errorf("%d reports in 400 seconds, want at most 7", n)
		}
	})
}

func TestAlertsWaitForAReachableAdmin(t *testing.T) {
	run(t, func(w *world) {
		w.down.start()
		testworld.Pass(time.Hour)
		w.join(olga)
		testworld.Pass(time.Minute)
		w.want(olga, monitor.MarketDown)
		w.must(w.db.SetUnreachable(w.T.Context(), olga))
		w.join(oleg)
		w.down.end()
		testworld.Pass(2 * time.Minute)
		w.want(oleg, "+"+monitor.MarketDown)
		w.want(olga)
	})
}

// Support gets only the alerts about purchases, and an admin who is support gets all of
// them once.
func TestSupportGetsAlertsAboutPurchases(t *testing.T) {
	run(t, func(w *world) {
		w.join(sam)
		w.down.start()
		w.addUnresolvedPurchase(1)
		testworld.Pass(2 * time.Minute)
		w.want(sam, monitor.OutcomeUnknown)
		w.join(oleg) // who gets what waited
		testworld.Pass(2 * time.Minute)
		w.want(oleg, monitor.MarketDown)
		w.addUnresolvedPurchase(2)
		w.conflict.start()
		testworld.Pass(2 * time.Minute)
		w.want(oleg, monitor.PollConflict+" "+monitor.OutcomeUnknown)
		w.want(sam, monitor.OutcomeUnknown)
		w.down.end()
		testworld.Pass(2 * time.Minute)
		w.want(oleg, "+"+monitor.MarketDown)
		w.want(sam)
	})
}

// TestAlertsAboutPurchases lists for each kind whether support gets it.
func TestAlertsAboutPurchases(t *testing.T) {
	for kind, want := range map[string]bool{
		monitor.MarketDown: false, monitor.MarketBlocked: false, monitor.KeyRefused: false, monitor.BalanceLow: false, monitor.SMMRate: false,
		monitor.PollConflict: false, monitor.WebhookConflict: false, monitor.DatabaseUnsafe: false, monitor.DatabaseRestored: false,
		monitor.BackupRestored: false, monitor.BackupFailed: false,
		monitor.OutcomeUnknown: true, monitor.OutboxStuck: true, monitor.UpdatesDeadLettered: true,
	} {
		alert := monitor.Alert{Kind: kind}
		report := monitor.Report{Alerts: []monitor.Alert{{Kind: monitor.OutcomeUnknown}, alert}}
		if alert.AboutPurchase() != want || report.AboutPurchases() != want {
			t.Errorf("%s is about a purchase: %v, and in a report: %v, want %v", kind, alert.AboutPurchase(), report.AboutPurchases(), want)
		}
	}
}

// A new process can't tell yet whether there is a problem.
func TestRestartNeitherEndsNorRepeatsAlerts(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		started := time.Now()
		w.down.start()
		w.conflict.start()
		testworld.Pass(time.Minute)
		w.want(olga, monitor.MarketDown+" "+monitor.PollConflict)
		w.down.set(time.Time{}, false)
		w.conflict.set(time.Time{}, false)
		w.restart()
		testworld.Pass(2 * time.Minute)
		w.down.set(started.Add(time.Minute), true)
		w.conflict.set(started.Add(time.Minute), true)
		testworld.Pass(2 * time.Minute)
		w.want(olga)
		w.down.end()
		w.conflict.end()
		testworld.Pass(2 * time.Minute)
		w.want(olga, "+"+monitor.MarketDown+" +"+monitor.PollConflict)
	})
}

// TestReportCountsTheAlertsThatDoNotFit: those about purchases do not, as one about the whole
// shop comes first, also if it is newer.
func TestReportCountsTheAlertsThatDoNotFit(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		for i := range int64(30) {
			w.addUnresolvedPurchase(1000 + i)
		}
		testworld.Pass(time.Millisecond)
		w.backup.start()
		testworld.Pass(time.Minute)
		w.want(olga, monitor.BackupFailed+" "+strings.Repeat(monitor.OutcomeUnknown+" ", 19)+"and 11")
		if active := w.active(); len(active) != 31 || active[0].Kind != monitor.BackupFailed {
			t.Errorf("active are %+v", active)
		}
		testworld.Pass(time.Hour)
		w.want(olga)
	})
}

// TestObservedProblems: admins are told when one begins and when it ends.
func TestObservedProblems(t *testing.T) {
	for kind, of := range map[string]func(w *world) *condition{
		monitor.WebhookConflict: func(w *world) *condition { return &w.webhook },
		monitor.MarketBlocked:   func(w *world) *condition { return &w.firewall },
		monitor.BackupFailed:    func(w *world) *condition { return &w.backup },
	} {
		t.Run(kind, func(t *testing.T) {
			run(t, func(w *world) {
				w.join(olga)
				of(w).start()
				testworld.Pass(time.Minute)
				w.want(olga, kind)
				of(w).end()
				testworld.Pass(2 * time.Minute)
				w.want(olga, "+"+kind)
			})
		})
	}
}

// TestRestoredBackup: it is another alert than that of a failover, until an admin has looked.
func TestRestoredBackup(t *testing.T) {
	run(t, func(w *world) {
		w.join(olga)
		at := time.Now()
		w.set("restored", fmt.Sprint(at.Add(-time.Hour).UnixMilli(), " ", at.UnixMilli(), " backup"))
		testworld.Pass(time.Minute)
		w.want(olga, monitor.BackupRestored)
		w.must(w.db.EndRestoration(w.T.Context(), at, storage.AuditEntry{AdminID: olga, Action: "restored", At: at}))
		testworld.Pass(2 * time.Minute)
		w.want(olga, "+"+monitor.BackupRestored)
	})
}
