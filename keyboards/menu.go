package keyboards

import (
	"strings"

	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Menu is the route of the menu.
var Menu = route.New[struct{}]("m")

// MenuParts are the parts of the menu that are there only where they lead to something.
type MenuParts struct{ Basket, News bool }

// MenuKeyboard leads to every part of the bot.
func MenuKeyboard(l *locales.Localizer, parts MenuParts) Rows {
	none := struct{}{}
	ordersRow := []Button{Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{}))}
	balance := Tap(l.Label("menu_button_balance"), Balance.Data(BalanceArgs{}))
	if parts.Basket {
		ordersRow = append(ordersRow, Tap(l.Label("menu_button_basket"), Basket.Data(none)))
	} else {
		ordersRow = append(ordersRow, balance)
	}
	rows := Rows{
		{
			Primary(Tap(l.Label("menu_button_catalog"), Catalog.Data(PageArgs{}))),
			Tap(l.Label("menu_button_search"), Search.Data(none)),
		},
	}
	if parts.News {
		rows = append(rows, []Button{Tap(l.Label("menu_button_news"), News.Data(NewsArgs{}))})
	}
	rows = append(rows, Rows{
		{
			Tap(l.Label("menu_button_recommended"), Recommended.Data(PageArgs{})),
			Tap(l.Label("menu_button_sellers"), Sellers.Data(PageArgs{})),
		},
		{Tap(l.Label("menu_button_sms"), SMSApps.Data(SMSAppsArgs{}))},
		ordersRow,
	}...)
	if parts.Basket {
		rows = append(rows, []Button{balance})
	}
	return append(rows, []Button{
		Tap(l.Label("menu_button_key"), Key.Data(none)),
		Tap(l.Label("menu_button_language"), Language.Data(none)),
		Tap(l.Label("menu_button_help"), Help.Data(none)),
	})
}

// MenuData returns the callback data of the menu's button with a label, or of the button
// that leads to the menu; "" if text is no such label.
func MenuData(l *locales.Localizer, text string) string {
	for _, row := range append(MenuKeyboard(l, MenuParts{Basket: true, News: true}), Foot(l, "")...) {
		for _, button := range row {
			if sameLabel(button.Text, text) {
				return button.CallbackData
			}
		}
	}
	return ""
}

// sameLabel compares two labels. The case, and the character that asks for a coloured
// emoji, depend on who typed them.
func sameLabel(a, b string) bool {
	const emojiPresentation = "\ufe0f"
	return strings.EqualFold(strings.ReplaceAll(a, emojiPresentation, ""), strings.ReplaceAll(strings.TrimSpace(b), emojiPresentation, ""))
}

// PrivateChatKeyboard leads from a group to the private chat with the bot.
func PrivateChatKeyboard(l *locales.Localizer, username string) Rows {
	return Rows{{Button{Text: l.Label("group_button_open"), URL: "https://t.me/" + username}}}
}
