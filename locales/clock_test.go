package locales

import (
	"regexp"
	"strconv"
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
		{"en", 0, "11:51 UTC (just now)"},
		{"en", -29 * time.Second, "11:50 UTC (just now)"},
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

func TestLocalClock(t *testing.T) {
	b, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 11, 51, 0, 0, time.UTC)
	unix := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	tag := func(t time.Time, format, text string) string {
		return `<tg-time unix="` + unix(t) + `" format="` + format + `">` + text + "</tg-time>"
	}
	soon, before := now.Add(14*time.Minute), now.Add(-72*time.Hour)
	for _, tt := range []struct {
		lang string
		at   time.Time
		want string
	}{
		{"en", soon, tag(soon, "t", "12:05 UTC") + " (" + tag(soon, "r", "in 14 min") + ")"},
		{"en", soon.Add(59 * time.Second).In(time.FixedZone("Tokyo", 9*3600)), tag(soon, "t", "12:05 UTC") + " (" + tag(soon, "r", "in 15 min") + ")"},
		{"en", before, tag(before, "d", "21 Nov") + ", " + tag(before, "t", "11:51 UTC") + " (" + tag(before, "r", "3 days ago") + ")"},
		{"fr", before, tag(before, "d", "21 nov.") + " à " + tag(before, "t", "11:51 UTC") + " (" + tag(before, "r", "il y a 3 jours") + ")"},
		{"ar", soon, "\u2066" + tag(soon, "t", "12:05 UTC") + "\u2069 (" + tag(soon, "r", "بعد 14 دقيقة") + ")"},
		{"en", now.AddDate(0, 11, 0), tag(now.AddDate(0, 11, 0), "d", "24 Oct 2027") + ", " + tag(now.AddDate(0, 11, 0), "t", "11:51 UTC") + " (" + tag(now.AddDate(0, 11, 0), "r", "in 334 days") + ")"},
		// Telegram would refuse the whole message.
		{"en", now.AddDate(4, 0, 0), "24 Nov 2030, 11:51 UTC (in 1,461 days)"},
		{"en", time.Unix(0, 0), "1 Jan 1970, 00:00 UTC (20,781 days ago)"},
		{"en", time.Time{}, "1 Jan 1, 00:00 UTC (106,751 days ago)"},
	} {
		if got := string(b.Localizer(tt.lang).LocalClock(tt.at, now)); got != tt.want {
			t.Errorf("%s: %v: %q, want %q", tt.lang, tt.at, got, tt.want)
		}
	}
}

// TestLocalClockHasTheTextOfClock compares the two in every language.
func TestLocalClockHasTheTextOfClock(t *testing.T) {
	b, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	tags := regexp.MustCompile(`</?tg-time[^>]*>`)
	now := time.Date(2026, 11, 24, 11, 51, 0, 0, time.UTC)
	for _, language := range b.Languages() {
		l := b.Localizer(language.Code)
		for _, offset := range []time.Duration{0, time.Minute, -time.Hour, 30 * time.Hour, -72 * time.Hour, 300 * 24 * time.Hour} {
			marked := string(l.LocalClock(now.Add(offset), now))
			if got, want := tags.ReplaceAllString(marked, ""), l.Clock(now.Add(offset), now); got != want || got == marked {
				t.Errorf("%s: %q, want %q with tags", language.Code, marked, want)
			}
			if regexp.MustCompile(`<tg-time[^>]*>[^<]*[\x{2066}-\x{2069}]`).MatchString(marked) {
				t.Errorf("%s: an isolate in a tag: %q", language.Code, marked)
			}
		}
	}
}

func TestClockIsolates(t *testing.T) {
	b := mustLoadText(t, map[string]string{"en": `language_name = "x"`, "ur": "clock_today = \"{{.Relative}} {{.Time}}\"\nclock_just_now = \"now\""})
	at := time.Date(2026, 1, 2, 12, 5, 0, 0, time.UTC)
	if got, want := b.Localizer("ur").Clock(at, at), "now \u206612:05 UTC\u2069"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
