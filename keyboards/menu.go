package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Menu is the route of the menu.
var Menu = route.New[struct{}]("m")

// MenuKeyboard leads to every part of the bot.
func MenuKeyboard(l *locales.Localizer) Rows {
	none := struct{}{}
	return Rows{
		{
			Tap(l.Label("menu_button_catalog"), Catalog.Data(PageArgs{})),
			Tap(l.Label("menu_button_search"), Search.Data(none)),
		},
		{
			Tap(l.Label("menu_button_recommended"), Recommended.Data(PageArgs{})),
			Tap(l.Label("menu_button_sellers"), Sellers.Data(PageArgs{})),
		},
		{Tap(l.Label("menu_button_sms"), SMSCountries.Data(SMSCountriesArgs{}))},
		{
			Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{})),
			Tap(l.Label("menu_button_balance"), Balance.Data(BalanceArgs{})),
		},
		{
			Tap(l.Label("menu_button_key"), Key.Data(none)),
			Tap(l.Label("menu_button_language"), Language.Data(none)),
			Tap(l.Label("menu_button_help"), Help.Data(none)),
		},
	}
}

// PrivateChatKeyboard leads from a group to the private chat with the bot.
func PrivateChatKeyboard(l *locales.Localizer, username string) Rows {
	return Rows{{Button{Text: l.Label("group_button_open"), URL: "https://t.me/" + username}}}
}
