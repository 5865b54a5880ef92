package bot

import (
	"testing"

	"github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"
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
