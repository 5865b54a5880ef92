package storage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMaintenance(t *testing.T) {
	db := openTest(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	check := func(want Maintenance, entries int) {
		t.Helper()
		got, err := db.Maintenance(t.Context())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v%s", err, diff)
		}
		if _, total, err := db.AuditLog(t.Context(), 8, 0); err != nil || total != entries {
			t.Errorf("%d entries are recorded (%v), want %d", total, err, entries)
		}
	}
	set := func(since time.Time) {
		t.Helper()
		if err := db.SetMaintenance(t.Context(), since, AuditEntry{AdminID: 1, Action: "maintenance", At: now}); err != nil {
			t.Fatal(err)
		}
	}
	check(Maintenance{}, 0)
	set(time.Time{}) // so it is already
	check(Maintenance{}, 0)
	set(now)
	set(now.Add(time.Hour)) // the first counts
	check(Maintenance{Since: now}, 1)
	if err := db.SetMaintenanceText(t.Context(), "Back soon", AuditEntry{AdminID: 1, Action: "text", At: now}); err != nil {
		t.Fatal(err)
	}
	check(Maintenance{Since: now, Text: "Back soon"}, 2)
	set(time.Time{})
	check(Maintenance{Text: "Back soon"}, 3)
}
