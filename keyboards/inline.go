package keyboards

import (
	"strconv"

	"hstockbot/locales"
)

// CardKeyboard leads from a product card in any chat to the product in the
// private chat with the bot.
func CardKeyboard(l *locales.Localizer, username string, service int64) Rows {
	return Rows{{Button{Text: l.Label("inline_button_open"), URL: "https://t.me/" + username + "?start=p_" + strconv.FormatInt(service, 10)}}}
}
