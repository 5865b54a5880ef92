package bot

import (
	"regexp"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/labels"
)

func TestFitRows(t *testing.T) {
	row := func(labels ...string) (row []models.InlineKeyboardButton) {
		for _, label := range labels {
			row = append(row, models.InlineKeyboardButton{Text: label})
		}
		return row
	}
	for name, test := range map[string]struct {
		row  []models.InlineKeyboardButton
		want [][]string
	}{
		"two that fit":            {row("‹ Back", "🏠 Menu"), [][]string{{"‹ Back", "🏠 Menu"}}},
		"one of two is too wide":  {row("‹ Back", "♻ The same number again"), [][]string{{"‹ Back"}, {"♻ The same number again"}}},
		"three, of which two fit": {row("🔄 Aktualisieren", "🔑 API-Schlüssel", "🏠 Menü"), [][]string{{"🔄 Aktualisieren", "🔑 API-Schlüssel"}, {"🏠 Menü"}}},
		"five numbers":            {row("1", "5", "10", "25", "100"), [][]string{{"1", "5", "10", "25", "100"}}},
		"one that is too wide":    {row("A label that is wider than any phone, and stays as it is"), [][]string{{"A label that is wider than any phone, and stays as it is"}}},
		"Chinese":                 {row("查看我的全部订单记录", "返回"), [][]string{{"查看我的全部订单记录"}, {"返回"}}},
	} {
		var got [][]string
		for _, row := range fitRows([][]models.InlineKeyboardButton{test.row}) {
			var labels []string
			for _, button := range row {
				labels = append(labels, button.Text)
			}
			got = append(got, labels)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// The estimated widths of the labels of all languages are near those of a phone's fonts.
func TestLabelWidth(t *testing.T) {
	ruler, err := labels.NewRuler()
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`_button`)
	for _, code := range []string{"ar", "bn-BD", "de", "en", "es", "fr", "hi", "ja", "ko", "pt", "pt-BR", "ru", "ur", "vi", "zh"} {
		var messages map[string]any
		if _, err := toml.DecodeFile("../locales/"+code+".toml", &messages); err != nil {
			t.Fatal(err)
		}
		checked := 0
		for id, text := range messages {
			label, ok := text.(string)
			if !ok || !names.MatchString(id) {
				continue
			}
			checked++
			if width, estimated := ruler.Width(label), labelWidth(label); estimated < 0.95*width-4 || estimated > 1.25*width+8 {
				t.Errorf("%s: %q is %.0f points wide, estimated as %.0f", code, label, width, estimated)
			}
		}
		if checked < 100 {
			t.Errorf("%s has %d labels", code, checked)
		}
	}
}

// Lines without a letter of an Arabic message run from right to left, unless the message is
// too long for the marks.
func TestLinesOfArabic(t *testing.T) {
	const mark, line = "\u200f", "مرحبا\n5"
	for name, test := range map[string]struct {
		view View
		want string
	}{
		"Arabic":            {View{Text: line}, "مرحبا\n" + mark + "5"},
		"English":           {View{Text: "Hello\n5"}, "Hello\n5"},
		"as long as may be": {View{Text: strings.Repeat("م", MaxText-3) + "\n5"}, strings.Repeat("م", MaxText-3) + "\n" + mark + "5"},
		"too long":          {View{Text: strings.Repeat("م", MaxText-2) + "\n5"}, strings.Repeat("م", MaxText-2) + "\n5"},
		"a long caption":    {View{Text: strings.Repeat("م", maxCaption-2) + "\n5", Document: &Document{}}, strings.Repeat("م", maxCaption-2) + "\n5"},
	} {
		if got := test.view.html(); got != test.want {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(test.want))
		}
	}
}
