package bot

import (
	"github.com/go-telegram/bot/models"

	"hstockbot/internal/labelwidth"
)

// fitRows splits rows whose labels a phone would cut off: in one language two buttons fit
// beside each other, in another one they do not. Labels in a row of their own may be cut.
func fitRows(rows [][]models.InlineKeyboardButton) (fitting [][]models.InlineKeyboardButton) {
	for _, row := range rows {
		from := 0
		var labels []string
		for i, button := range row {
			labels = append(labels, button.Text)
			if !labelwidth.Fit(labels...) {
				fitting = append(fitting, row[from:i:i])
				from, labels = i, []string{button.Text}
			}
		}
		fitting = append(fitting, row[from:])
	}
	return fitting
}
