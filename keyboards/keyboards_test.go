package keyboards

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"hstockbot/locales"
)

func english(t *testing.T) *locales.Localizer {
	t.Helper()
	bundle, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	return bundle.Localizer(locales.English)
}

// TestFit checks that a label fits on a phone, that rest is never cut, and that a
// name is cut only if it must be.
func TestFit(t *testing.T) {
	l := english(t)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		rest := rapid.StringN(0, 20, -1).Draw(t, "rest")
		label := fit(l, name, rest, labelLength)
		shown := strings.NewReplacer("\u2068", "", "\u2069", "").Replace(label) // isolates take no room
		if n := utf8.RuneCountInString(shown); n > labelLength {
			t.Fatalf("%q has %d characters", label, n)
		}
		if !strings.HasSuffix(label, rest) {
			t.Fatalf("%q lost %q", label, rest)
		}
		if utf8.RuneCountInString(name+rest) <= labelLength && label != l.Name(name)+rest {
			t.Fatalf("%q was cut without need", name)
		}
	})
}

func TestFitCutsAtAWord(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"Gmail", "Gmail · $1.25"},
		{"Gmail account with recovery e-mail and phone verified", "Gmail account with recovery e-mail and… · $1.25"},
		{strings.Repeat("x", 60), strings.Repeat("x", 39) + "… · $1.25"},
	} {
		if got := fit(english(t), test.name, " · $1.25", labelLength); got != test.want {
			t.Errorf("fit(%q) = %q, want %q", test.name, got, test.want)
		}
	}
}

// TestOneCountryIsNotSorted: an app in one country has no button that sorts.
func TestOneCountryIsNotSorted(t *testing.T) {
	for total, want := range map[int]bool{1: false, 2: true} {
		found := false
		for _, b := range slices.Concat(SMSAppKeyboard(english(t), SMSAppArgs{}, nil, total, false, "m")...) {
			found = found || b.Text == "✅ Success"
		}
		if found != want {
			t.Errorf("%d countries: sorted %v, want %v", total, found, want)
		}
	}
}

func TestPages(t *testing.T) {
	data := func(page uint16) string { return string(rune('a' + page)) }
	for _, test := range []struct {
		page  uint16
		total int
		want  []string
	}{
		{0, 0, nil},
		{0, 8, nil},
		{0, 9, []string{"1/2", "›"}},
		{1, 9, []string{"‹", "2/2"}},
		{1, 17, []string{"‹", "2/3", "›"}},
	} {
		var got []string
		for _, row := range Pages(test.page, test.total, data) {
			for _, b := range row {
				got = append(got, b.Text)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("page %d of %d entries: %q, want %q", test.page, test.total, got, test.want)
		}
	}
}

// TestPageBeyondTheEnd checks that the last page is shown if a list has become
// shorter.
func TestPageBeyondTheEnd(t *testing.T) {
	all := make([]int, 20)
	for i := range all {
		all[i] = i
	}
	if got := Page(all, 99); !slices.Equal(got, []int{16, 17, 18, 19}) {
		t.Errorf("got %v", got)
	}
	if got := Page(all[:0], 3); len(got) != 0 {
		t.Errorf("got %v of an empty list", got)
	}
}

func TestCopyLimits(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "a": true, strings.Repeat("a", 256): true, strings.Repeat("a", 257): false,
		strings.Repeat("😀", 128): true, strings.Repeat("😀", 129): false,
	} {
		if _, ok := Copy("label", text); ok != want {
			t.Errorf("%d bytes: %v, want %v", len(text), ok, want)
		}
	}
}

func TestQuantityChoices(t *testing.T) {
	for _, test := range []struct {
		lowest, highest int64
		want            []int64
	}{
		{1, 50, []int64{1, 2, 5, 10, 20, 50}},
		{1, 1, []int64{1}},
		{1, 3, []int64{1, 2}},
		{100, 10000, []int64{100, 200, 500, 1000, 2000, 5000, 10000}},
		{15, 40, []int64{15, 20}},
		{1, 0, []int64{1, 2, 5, 10, 20, 50, 100, 200}},
		{5, 2, nil},
	} {
		if got := QuantityChoices(test.lowest, test.highest); !slices.Equal(got, test.want) {
			t.Errorf("from %d to %d: %v, want %v", test.lowest, test.highest, got, test.want)
		}
	}
}
