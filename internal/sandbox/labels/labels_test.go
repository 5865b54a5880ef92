package labels

import (
	"strings"
	"testing"
)

// The widths are of the order that people see on a phone, and follow the letters.
func TestWidth(t *testing.T) {
	ruler, err := NewRuler()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		label    string
		min, max float64
	}{
		"nothing":             {"", 0, 0},
		"17 Latin letters":    {"Ordering overview", 110, 145},
		"14 Cyrillic letters": {"Мои заказы все", 95, 135},
		"8 Chinese letters":   {"我的订单我的订单", 8 * size, 8 * size},
		"an emoji":            {"🛍", size, size},
		"a variation":         {"⚠️", size, size},
		"joined Arabic":       {"طلباتي", 25, 60},
		"Devanagari":          {"मेरे ऑर्डर", 45, 90},
		"Bengali":             {"আমার অর্ডার", 50, 100},
		"an isolate":          {"\u2066\u2069", 0, 0},
	} {
		if got := ruler.Width(test.label); got < test.min || got > test.max {
			t.Errorf("%s: %q is %.0f points wide, want %.0f to %.0f", name, test.label, got, test.min, test.max)
		}
	}
	if narrow, wide := ruler.Width(strings.Repeat("i", 20)), ruler.Width(strings.Repeat("W", 20)); wide < 3*narrow {
		t.Errorf("twenty i are %.0f points wide, twenty W %.0f", narrow, wide)
	}
	if joined, apart := ruler.Width("لا"), ruler.Width("ل")+ruler.Width("ا"); joined >= apart {
		t.Errorf("a ligature is %.0f points wide, its letters %.0f", joined, apart)
	}
}
