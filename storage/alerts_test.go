package storage

import (
	"testing"
	"time"
)

// TestAlertIsNotifiedByOneProcess: two processes that have read the same alerts store
// one notification of its start and one of its end.
func TestAlertIsNotifiedByOneProcess(t *testing.T) {
	db := openWithUsers(t, 7)
	now := time.Now()
	apply := func(c AlertChanges) {
		t.Helper()
		if err := db.ApplyAlertChanges(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	pending := func(want int) {
		t.Helper()
		if n, err := db.CountPendingMessages(t.Context()); err != nil || n != want {
			t.Errorf("%d messages, want %d: %v", n, want, err)
		}
	}
	read := func() []Alert {
		t.Helper()
		alerts, err := db.Alerts(t.Context())
		if err != nil || len(alerts) != 2 {
			t.Fatalf("alerts %+v: %v", alerts, err)
		}
		return alerts
	}
	message := []Message{{UserID: 7, Kind: "alarm", CreatedAt: now}}

	apply(AlertChanges{Started: []Alert{{Name: "a", Since: now}, {Name: "b", Since: now}}})
	started := read()
	apply(AlertChanges{Notified: started, Messages: message})
	pending(1)
	apply(AlertChanges{Notified: started, Messages: message})
	pending(1)
	apply(AlertChanges{Deleted: started}) // had ended before it was notified, for a process that is late
	apply(AlertChanges{Ended: []Alert{{Name: "a", EndedAt: now}, {Name: "b", EndedAt: now}}})
	ended := read()

	apply(AlertChanges{Deleted: ended[:1], Messages: message})
	pending(2)
	apply(AlertChanges{Deleted: ended, Messages: message})
	pending(2)
	apply(AlertChanges{Resumed: ended[1:]})
	apply(AlertChanges{Deleted: ended[1:], Messages: message})
	pending(2)
	alerts, err := db.Alerts(t.Context())
	if err != nil || len(alerts) != 1 || alerts[0].Name != "b" {
		t.Errorf("left %+v: %v", alerts, err)
	}
}
