package keyboards

import (
	"strconv"
	"strings"

	"hstockbot/locales"
)

// CardKeyboard leads from a product card in any chat to the product in the
// private chat with the bot.
func CardKeyboard(l *locales.Localizer, username string, service int64) Rows {
	return Rows{{Button{Text: l.Label("inline_button_open"), URL: "https://t.me/" + username + "?start=p_" + strconv.FormatInt(service, 10)}}}
}

// InlineProduct is the inline query that finds one product or SMM service.
func InlineProduct(service int64) string { return "#" + strconv.FormatInt(service, 10) }

// ParseInlineProduct returns the service of an InlineProduct, false for any other query.
func ParseInlineProduct(query string) (service int64, ok bool) {
	service, err := strconv.ParseInt(strings.TrimPrefix(query, "#"), 10, 64)
	return service, err == nil && service > 0 && query == InlineProduct(service)
}
