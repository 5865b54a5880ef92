package locales

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	b, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 11, 51, 0, 0, time.UTC)
	tokyo := time.FixedZone("Tokyo", 9*3600)
	for _, tt := range []struct {
		lang   string
		offset time.Duration
		want   string
	}{
		{"en", 14 * time.Minute, "12:05 UTC (in 14 min)"},
		{"en", 14*time.Minute - time.Second, "12:04 UTC (in 14 min)"},
		{"en", -3 * time.Minute, "11:48 UTC (3 min ago)"},
		{"en", 0, "11:51 UTC (now)"},
		{"en", 29 * time.Second, "11:51 UTC (now)"},
		{"en", -time.Minute, "11:50 UTC (1 min ago)"},
		{"en", 119 * time.Minute, "13:50 UTC (in 119 min)"},
		{"en", 2 * time.Hour, "13:51 UTC (in 2 h)"},
		{"en", 12 * time.Hour, "23:51 UTC (in 12 h)"},
		{"en", 13 * time.Hour, "25 Nov, 00:51 UTC (in 13 h)"},
		{"en", -47 * time.Hour, "22 Nov, 12:51 UTC (47 h ago)"},
		{"en", -3 * 24 * time.Hour, "21 Nov, 11:51 UTC (3 days ago)"},
		{"en", 40 * 24 * time.Hour, "3 Jan 2027, 11:51 UTC (in 40 days)"},
		{"en", -365 * 24 * time.Hour, "24 Nov 2025, 11:51 UTC (365 days ago)"},
		{"zh", 14 * time.Minute, "12:05 UTC（14 分钟后）"},
		{"zh", -3 * 24 * time.Hour, "11月21日 11:51 UTC（3 天前）"},
		{"zh", 40 * 24 * time.Hour, "2027年1月3日 11:51 UTC（40 天后）"},
	} {
		if got := b.Localizer(tt.lang).Clock(now.Add(tt.offset).In(tokyo), now.In(tokyo)); got != tt.want {
			t.Errorf("%s: at an offset of %v: %q, want %q", tt.lang, tt.offset, got, tt.want)
		}
	}
}

func TestClockIsolates(t *testing.T) {
	b := mustLoadText(t, map[string]string{"en": `language_name = "x"`, "ur": "clock_today = \"{{.Relative}} {{.Time}}\"\nclock_now = \"now\""})
	at := time.Date(2026, 1, 2, 12, 5, 0, 0, time.UTC)
	if got, want := b.Localizer("ur").Clock(at, at), "now \u206612:05 UTC\u2069"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
