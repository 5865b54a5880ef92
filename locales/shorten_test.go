package locales

import (
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestShorten(t *testing.T) {
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 1, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"abcd", 1, "…"},
		{strings.Repeat("я", 60), 60, strings.Repeat("я", 60)},
		{strings.Repeat("я", 61), 60, strings.Repeat("я", 59) + "…"},
	} {
		if got := Shorten(test.text, test.limit); got != test.want {
			t.Errorf("Shorten(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}

func TestCutAtWord(t *testing.T) {
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 0, ""},
		{"abc", 3, "abc"},
		{"abc", 1, ""},
		{"abc", -5, ""},
		{"abc", 2, "a…"},
		{"one two three", 13, "one two three"},
		{"one two three", 12, "one two…"},
		{"one two three", 8, "one two…"},
		{"one two three", 7, "one…"},
		{"one two\nthree", 9, "one two…"},
		{"a bcdefghijk", 11, "a bcdefghi…"}, // the only space is too far to the left
		{"一二三四五", 4, "一二三…"},
		{"😀😀😀", 5, "😀😀…"},
		{"😀😀😀", 4, "😀…"},
	} {
		if got := CutAtWord(test.text, test.limit); got != test.want {
			t.Errorf("CutAtWord(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 60, -1).Draw(t, "text")
		limit := rapid.IntRange(2, 70).Draw(t, "limit")
		got := CutAtWord(text, limit)
		units := len(utf16.Encode([]rune(got)))
		if units > limit || !utf8.ValidString(got) {
			t.Fatalf("%q has %d units", got, units)
		}
		if kept, cut := strings.CutSuffix(got, "…"); got != text && (!cut || !strings.HasPrefix(text, kept)) {
			t.Fatalf("%q is no beginning of %q", got, text)
		}
	})
}
