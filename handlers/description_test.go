package handlers_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// foldedText is the part of a message that unfolds.
func foldedText(m telegram.Message) string {
	for _, e := range m.Entities {
		if e.Type == "expandable_blockquote" {
			return string(utf16.Decode(utf16.Encode([]rune(m.Text))[e.Offset : e.Offset+e.Length]))
		}
	}
	return ""
}

// TestLongDescriptionUnfolds: nothing of it is cut as long as the message has room, and
// what is cut is cut at a word. The price below it is always there.
func TestLongDescriptionUnfolds(t *testing.T) {
	const word = "mail & <box> "
	for _, test := range []struct {
		name        string
		description string
		folded, cut bool
	}{
		{"short", strings.Repeat("word ", 99), false, false},
		{"long", strings.Repeat(word, 60), true, false},
		{"many lines", strings.Repeat("line\n", 12), true, false},
		{"longer than before", strings.Repeat(word, 240), true, false},
		{"too long", strings.Repeat(word, 400), true, true},
		{"too long, emoji", strings.Repeat("🎁🎁🎁 ", 2000), true, true},
		{"too long, one word", strings.Repeat("字", 9000), true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.withKey(annaKey)
				must(w.T, w.Market.SetDescription(market.GmailUSA, test.description))
				w.open("2")
				m := w.chat.Last()
				whole := strings.TrimSpace(test.description)
				got := foldedText(m)
				switch {
				case !test.folded:
					if got != "" || !strings.Contains(m.Text, whole) {
						w.T.Errorf("%q", m.Text)
					}
				case !test.cut:
					if got != whole {
						w.T.Errorf("%q, want %q", got, whole)
					}
				default:
					kept, marked := strings.CutSuffix(got, "…")
					if next := strings.TrimPrefix(whole, kept); !marked || next == whole || strings.Contains(whole, " ") && !strings.HasPrefix(next, " ") {
						w.T.Errorf("it ends with %q", got[max(0, len(got)-60):])
					}
					if n := len(utf16.Encode([]rune(m.Text))); n > 4096 || n < 4070 {
						w.T.Errorf("the message has %d units", n)
					}
				}
				if !strings.Contains(m.Text, "Price: $1.25") || !strings.Contains(m.Text, "How many?") {
					w.T.Errorf("the price is gone: %q", m.Text)
				}
			})
		})
	}
}

// TestLongSMSUnfolds: a long SMS is folded and whole.
func TestLongSMSUnfolds(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.withKey(annaKey)
		w.rent("2")
		pass(30 * time.Second)
		long := "1234 " + strings.TrimSpace(strings.Repeat("is your code ", 200))
		must(w.T, w.Market.SendSMS(market.FirstOrder, "1234", long))
		pass(30 * time.Second)
		if got := foldedText(w.chat.Last()); got != long {
			w.T.Errorf("%q", w.chat.Last().Text)
		}
		must(w.T, w.Market.SendSMS(market.FirstOrder+1, "4321", "4321 is your code"))
		pass(30 * time.Second)
		if m := w.chat.Last(); foldedText(m) != "" || !strings.Contains(m.Text, "4321 is your code") {
			w.T.Errorf("%q", m.Text)
		}
	})
}
