package search

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFold(t *testing.T) {
	for text, want := range map[string]string{
		"United States":        "united states",
		"  a \t b\n":           "a b",
		"OpenAI / ChatGPT":     "openai chatgpt",
		"X (Twitter)":          "x twitter",
		"C++":                  "c",
		"São Tomé & Príncipe":  "sao tome principe",
		"Côte d’Ivoire":        "cote d ivoire",
		"COTE d'ivoire":        "cote d ivoire",
		"Cote\u0301":           "cote",
		"STRASSE straße ẞ":     "strasse strasse ss",
		"İzmir":                "izmir",
		"Đan Mạch Łódź Ørsted": "dan mach lodz orsted",
		"ＵＳ　１":                 "us 1",
		"ﬁx ² Ⅳ":               "fix 2 iv",
		"РОССИЯ Ёлка":          "россия елка",
		"ΣΊΣΥΦΟΣ":              "σισυφοσ",
		"美国":                   "美国",
		"ｱﾒﾘｶ":                 "アメリカ",
		"ガーナ":                  "ガーナ",    // kana marks are letters
		"한국":                   "한국",     // composed again
		"हिन्दी":               "हिन्दी", // vowel signs are letters
		"বাংলাদেশ":             "বাংলাদেশ",
		"ไทย":                  "ไทย",
		"مُحَمَّد":             "محمد",
		"رحمٰن":                "رحمن",
		"أمريكا":               "امريكا",
		"٠١٢٣٤٥٦٧٨٩ ۴۴ ४४ ৪৪":                    "0123456789 44 44 44",
		"𝟘𝟡 𞥐𞥙":                                  "09 09",
		"so\u00adft \u200eb\ufe0f \u2066c\u2069": "soft b c",
		"1\ufe0f\u20e3 🇺🇸 ✅":                     "1",
		"\u0947a":                                "a", // a vowel sign without a letter
		"":                                       "",
		" -&🎉 ":                                  "",
	} {
		if got := Fold(text); got != want {
			t.Errorf("Fold(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestUnicodeDigitsComeInTens checks what foldLetter assumes about Unicode.
func TestUnicodeDigitsComeInTens(t *testing.T) {
	for _, row := range unicode.Nd.R16 {
		if row.Stride != 1 || (row.Hi-row.Lo+1)%10 != 0 {
			t.Errorf("%U to %U are not blocks of ten digits", row.Lo, row.Hi)
		}
	}
	for _, row := range unicode.Nd.R32 {
		if row.Stride != 1 || (row.Hi-row.Lo+1)%10 != 0 {
			t.Errorf("%U to %U are not blocks of ten digits", row.Lo, row.Hi)
		}
	}
}

// TestFoldProperties checks that Fold is idempotent and returns words separated by
// single spaces.
func TestFoldProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		folded := Fold(text)
		if again := Fold(folded); again != folded {
			t.Errorf("Fold(%q) = %q, which folds to %q", text, folded, again)
		}
		if words := strings.Join(strings.Fields(folded), " "); words != folded {
			t.Errorf("Fold(%q) = %q", text, folded)
		}
	})
}

func textOf(text string) []string { return []string{text} }

// TestFind checks the results and their order.
func TestFind(t *testing.T) {
	countries := []string{
		"Belarus", "Russia", "United Kingdom", "United States", "Côte d’Ivoire", "São Tomé & Príncipe",
		"US Virgin Islands", "美国", "中国", "Россия", "भारत", "us",
	}
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"us", []string{"us", "US Virgin Islands", "Belarus", "Russia"}},
		{"ｕｓ", []string{"us", "US Virgin Islands", "Belarus", "Russia"}},
		{"united", []string{"United Kingdom", "United States"}},
		{"UNITED st", []string{"United States"}},
		{"states united", []string{"United States"}},
		{"ted ates", []string{"United States"}},
		{"united russia", nil},
		{"sao tome", []string{"São Tomé & Príncipe"}},
		{"tomé príncipe", []string{"São Tomé & Príncipe"}},
		{"COTE d'ivoire", []string{"Côte d’Ivoire"}},
		{"ivoire", []string{"Côte d’Ivoire"}},
		{"i", []string{
			"Côte d’Ivoire", "US Virgin Islands", // word prefixes first
			"Russia", "United Kingdom", "United States", "São Tomé & Príncipe",
		}},
		{"美国", []string{"美国"}},
		{"国", []string{"美国", "中国"}},
		{"РОССИЯ", []string{"Россия"}},
		{"भा", []string{"भारत"}},
		{"भो", nil}, // a different vowel sign
		{"", nil},
		{" ' ", nil},
		{"🇺🇸", nil},
		{"atlantis", nil},
	} {
		if diff := cmp.Diff(tt.want, Find(countries, tt.query, textOf)); diff != "" {
			t.Errorf("Find(%q) (-want +got):\n%s", tt.query, diff)
		}
	}
}

// TestFindAcrossTexts checks that the words of a query may be in different texts of an
// entry, and that the best text decides the rank.
func TestFindAcrossTexts(t *testing.T) {
	entries := [][]string{
		{"美国代理", "US proxy"},
		{"美国", "United States"},
		{"谷歌", "Google US"},
		{"", ""},
		nil,
	}
	for query, want := range map[string][][]string{
		"美国":        {entries[1], entries[0]},
		"us":        {entries[0], entries[2]},
		"谷歌 us":     {entries[2]},
		"美国 united": {entries[1]},
		"谷歌 states": nil,
	} {
		got := Find(entries, query, func(entry []string) []string { return entry })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Find(%q) (-want +got):\n%s", query, diff)
		}
	}
}

// TestFindFindsEveryName checks that each entry is found by its name, in first place.
func TestFindFindsEveryName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.String(), 1, 10).Draw(t, "names")
		name := rapid.SampledFrom(names).Draw(t, "name")
		found := Find(names, name, textOf)
		if Fold(name) == "" {
			if found != nil {
				t.Errorf("Find(%q) = %q", name, found)
			}
			return
		}
		if len(found) == 0 || Fold(found[0]) != Fold(name) {
			t.Errorf("Find(%q) = %q", name, found)
		}
	})
}

// TestFoldKeepsLettersAndDigits checks that a name with a letter or digit can be found.
func TestFoldKeepsLettersAndDigits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letter := rapid.RuneFrom(nil, unicode.L, unicode.Nd).Draw(t, "letter")
		if 0xFB50 <= letter && letter < 0xFFF0 {
			t.Skip("Unicode calls some isolated Arabic forms and kana marks letters")
		}
		name := rapid.String().Draw(t, "before") + string(letter) + rapid.String().Draw(t, "after")
		if Fold(name) == "" {
			t.Errorf("Fold(%q) is empty", name)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	type entry struct{ name, english string }
	all := make([]entry, 1000)
	for i := range all {
		all[i] = entry{fmt.Sprintf("Аккаунты Côte d’Ivoire %d", i), fmt.Sprintf("Accounts of Ivory Coast %d", i)}
	}
	b.ReportAllocs()
	for b.Loop() {
		if found := Find(all, "ivory 99", func(e entry) []string { return []string{e.name, e.english} }); len(found) != 19 {
			b.Fatalf("%d found", len(found))
		}
	}
}
