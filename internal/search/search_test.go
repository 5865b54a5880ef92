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
		"ガーナ":                  "ガーナ",    // the marks of kana are letters
		"한국":                   "한국",     // not left in its parts
		"हिन्दी":               "हिन्दी", // so are the signs of Hindi,
		"বাংলাদেশ":             "বাংলাদেশ",
		"ไทย":                  "ไทย",
		"مُحَمَّد":             "محمد",
		"رحمٰن":                "رحمن",
		"أمريكا":               "امريكا",
		"٠١٢٣٤٥٦٧٨٩ ۴۴ ४४ ৪৪":                    "0123456789 44 44 44",
		"𝟘𝟡 𞥐𞥙":                                  "09 09",
		"so\u00adft \u200eb\ufe0f \u2066c\u2069": "soft b c",
		"1\ufe0f\u20e3 🇺🇸 ✅":                     "1",
		"\u0947a":                                "a", // a sign that belongs to no letter
		"":                                       "",
		" -&🎉 ":                                  "",
	} {
		if got := Fold(text); got != want {
			t.Errorf("Fold(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestDigits: what plain takes for granted of Unicode.
func TestDigits(t *testing.T) {
	for _, row := range unicode.Nd.R16 {
		if row.Stride != 1 || (row.Hi-row.Lo+1)%10 != 0 {
			t.Errorf("%U to %U are not rows of ten", row.Lo, row.Hi)
		}
	}
	for _, row := range unicode.Nd.R32 {
		if row.Stride != 1 || (row.Hi-row.Lo+1)%10 != 0 {
			t.Errorf("%U to %U are not rows of ten", row.Lo, row.Hi)
		}
	}
}

// TestFoldProperties: what is folded stays as it is, and is words.
func TestFoldProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		folded := Fold(text)
		if again := Fold(folded); again != folded {
			t.Errorf("Fold(%q) = %q, and that folds to %q", text, folded, again)
		}
		if words := strings.Join(strings.Fields(folded), " "); words != folded {
			t.Errorf("Fold(%q) = %q", text, folded)
		}
	})
}

func itself(text string) []string { return []string{text} }

// TestFind gives the finds in their order.
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
			"Côte d’Ivoire", "US Virgin Islands", // where words start
			"Russia", "United Kingdom", "United States", "São Tomé & Príncipe",
		}},
		{"美国", []string{"美国"}},
		{"国", []string{"美国", "中国"}},
		{"РОССИЯ", []string{"Россия"}},
		{"भा", []string{"भारत"}},
		{"भो", nil}, // another vowel
		{"", nil},
		{" ' ", nil},
		{"🇺🇸", nil},
		{"atlantis", nil},
	} {
		if diff := cmp.Diff(tt.want, Find(countries, tt.query, itself)); diff != "" {
			t.Errorf("Find(%q) (-want +got):\n%s", tt.query, diff)
		}
	}
}

// TestFindInSeveralTexts: the words of a query may stand in several texts of an
// entry, and the best text counts.
func TestFindInSeveralTexts(t *testing.T) {
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

// TestFoundByName: whatever something is called, it is found by that, among the
// first.
func TestFoundByName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.String(), 1, 10).Draw(t, "names")
		name := rapid.SampledFrom(names).Draw(t, "name")
		found := Find(names, name, itself)
		if Fold(name) == "" {
			if found != nil {
				t.Errorf("%q has found %q", name, found)
			}
			return
		}
		if len(found) == 0 || Fold(found[0]) != Fold(name) {
			t.Errorf("%q has found %q", name, found)
		}
	})
}

// TestLettersAndDigitsCount: a name with one can be found.
func TestLettersAndDigitsCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letter := rapid.RuneFrom(nil, unicode.L, unicode.Nd).Draw(t, "letter")
		if 0xFB50 <= letter && letter < 0xFFF0 {
			t.Skip("some forms of Arabic and kana marks by themselves are called letters")
		}
		name := rapid.String().Draw(t, "before") + string(letter) + rapid.String().Draw(t, "after")
		if Fold(name) == "" {
			t.Errorf("nothing is left of %q", name)
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
