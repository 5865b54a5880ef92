package handlers_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"hstockbot/internal/sandbox/telegram"
)

// TestAnnounce: every part of the profile is said once in every language, and
// again only where it is another.
func TestAnnounce(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		announced := func() (methods map[string]int) {
			w.T.Helper()
			before := len(w.Telegram.Calls())
			must(w.T, w.app.Announcer.Announce(w.T.Context()))
			methods = map[string]int{}
			for _, call := range w.Telegram.Calls()[before:] {
				methods[call.Method]++
			}
			return methods
		}
		want := len(w.bundle.Languages()) + 1 // and one for everybody else
		if w.bundle.Languages()[0].Code != "en" {
			w.T.Fatal("the first language is not English")
		}
		for _, language := range w.bundle.Languages() {
			if language.Code == "pt" { // Brazilian stands for both
				want--
			}
		}
		for method, n := range announced() {
			if n != want {
				w.T.Errorf("%s was called %d times, want %d", method, n, want)
			}
		}
		if got := announced(); len(got) != 0 {
			w.T.Errorf("said again: %v", got)
		}
		text, err := w.app.DB.Setting(w.T.Context(), "telegram_profile")
		must(w.T, err)
		var told map[string]string
		must(w.T, json.Unmarshal([]byte(text), &told))
		told["short zh"] = "that of an older version"
		changed, err := json.Marshal(told)
		must(w.T, err)
		must(w.T, w.app.DB.SetSetting(w.T.Context(), "telegram_profile", string(changed)))
		if got := announced(); !maps.Equal(got, map[string]int{"setMyShortDescription": 1}) {
			w.T.Errorf("said anew: %v", got)
		}

		must(w.T, w.app.DB.SetSetting(w.T.Context(), "telegram_profile", "what an older version kept"))
		w.Telegram.Fault(telegram.Fault{Method: "setMyDescription", Code: 500, Times: 2})
		if err := w.app.Announcer.Announce(w.T.Context()); err == nil {
			w.T.Error("a refusal is no error")
		}
		if got := announced(); !maps.Equal(got, map[string]int{"setMyDescription": 1}) {
			w.T.Errorf("after one failure: %v", got)
		}
		texts := map[string]bool{}
		for _, lang := range []string{"", "en", "zh"} {
			text, short := w.Telegram.Description(lang)
			texts[text], texts[short] = true, true
		}
		if l := w.bundle.Localizer("zh"); len(texts) != 4 || !texts[l.Label("profile_short")] || !texts[l.Label("profile_description")] {
			w.T.Errorf("Telegram shows %q", slices.Sorted(maps.Keys(texts)))
		}
	})
}

// TestACurrencyInWords: an account that is not in dollars.
func TestACurrencyInWords(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		inWorld(t, lang, func(w *world) {
			w.Market.AddKey("canary-key-euro-0123456789", "12.50", "EUR")
			w.Market.AddKey("canary-key-odd-01234567890", "12.50", "XTS")
			w.types("/key canary-key-euro-0123456789")
			w.types("/balance")
			w.says("12.50 EUR")
			w.says(w.l.Label("currency_eur"))
			w.types("/key canary-key-odd-01234567890")
			w.types("/balance")
			w.says("12.50 XTS")
		})
	}
}
