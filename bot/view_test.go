package bot

import (
	"strings"
	"testing"

	"hstockbot/locales"
)

// Lines without a letter of an Arabic message run from right to left, unless the message is
// too long for the marks.
func TestLinesOfArabic(t *testing.T) {
	const mark, line = "\u200f", "مرحبا\n5"
	languages, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	arabic := languages.Localizer("ar")
	for name, test := range map[string]struct {
		view View
		want string
	}{
		"Arabic":            {View{L: arabic, Text: line}, "مرحبا\n" + mark + "5"},
		"another language":  {View{L: languages.Localizer("en"), Text: line}, line},
		"as long as may be": {View{L: arabic, Text: strings.Repeat("م", MaxText-3) + "\n5"}, strings.Repeat("م", MaxText-3) + "\n" + mark + "5"},
		"too long":          {View{L: arabic, Text: strings.Repeat("م", MaxText-2) + "\n5"}, strings.Repeat("م", MaxText-2) + "\n5"},
		"a long caption":    {View{L: arabic, Text: strings.Repeat("م", maxCaption-2) + "\n5", Document: &Document{}}, strings.Repeat("م", maxCaption-2) + "\n5"},
	} {
		if got := test.view.html(); got != test.want {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(test.want))
		}
	}
}
