package config_test

import (
	"testing"
	"time"

	"hstockbot/internal/config"
)

func TestHours(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		hours string
		zone  *time.Location
		at    string // UTC
		want  bool
	}{
		{"22-7", time.UTC, "2026-11-25T21:59:59Z", false},
		{"22-7", time.UTC, "2026-11-25T22:00:00Z", true},
		{"22-7", time.UTC, "2026-11-26T00:00:00Z", true},
		{"22-7", time.UTC, "2026-11-26T06:59:59Z", true},
		{"22-7", time.UTC, "2026-11-26T07:00:00Z", false},
		{"22-7", berlin, "2026-11-25T21:30:00Z", true}, // 22:30
		{"22-7", berlin, "2026-07-25T20:30:00Z", true}, // 22:30 in summer
		{"22-7", berlin, "2026-07-26T05:30:00Z", false},
		{" 1:30 - 05:45 ", time.UTC, "2026-11-25T01:29:00Z", false},
		{" 1:30 - 05:45 ", time.UTC, "2026-11-25T01:30:00Z", true},
		{" 1:30 - 05:45 ", time.UTC, "2026-11-25T05:45:00Z", false},
		{"", time.UTC, "2026-11-25T00:00:00Z", false},
	} {
		var hours config.Hours
		if err := hours.Decode(c.hours); err != nil {
			t.Fatalf("%q: %v", c.hours, err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := hours.Contain(at, c.zone); got != c.want {
			t.Errorf("%q at %s in %s: %t", c.hours, c.at, c.zone, got)
		}
	}
}
