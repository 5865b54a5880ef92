package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// ChannelDropArgs is from how many percent on price drops are posted.
type ChannelDropArgs struct{ Percent uint8 }

// ChannelCategoryArgs is a category of the list on a page, and whether its new goods are
// posted.
type ChannelCategoryArgs struct {
	Category route.Hash
	On       bool
	Page     uint16
}

// ChannelCategoriesArgs is a page of that list, and whether all are posted.
type ChannelCategoriesArgs struct {
	On   bool
	Page uint16
}

// Routes of the channel.
var (
	Channel              = route.New[struct{}]("Ac")
	ChannelChoose        = route.New[struct{}]("Ace")
	ChannelUnbind        = route.New[struct{}]("Acu")
	ChannelUnbindSure    = route.New[struct{}]("Acx")
	ChannelRestocks      = route.New[SwitchArgs]("Acr")
	ChannelDrops         = route.New[struct{}]("Acd")
	ChannelDrop          = route.New[ChannelDropArgs]("Acp")
	ChannelCategories    = route.New[PageArgs]("Acn")
	ChannelCategory      = route.New[ChannelCategoryArgs]("Acc")
	ChannelAllCategories = route.New[ChannelCategoriesArgs]("Aca")
)

// ChannelKeyboard shows what is posted. categories describes the categories whose new
// goods are.
func ChannelKeyboard(l *locales.Localizer, bound, restocks bool, drop int64, categories string) Rows {
	choose, restocksLabel := "channel_button_choose", "channel_button_restocks_off"
	if bound {
		choose = "channel_button_other"
	}
	if restocks {
		restocksLabel = "channel_button_restocks_on"
	}
	rows := Rows{
		{Tap(l.Label(choose), ChannelChoose.Data(struct{}{}))},
		{Tap(l.Label(restocksLabel), ChannelRestocks.Data(SwitchArgs{On: !restocks}))},
		{Tap(l.Label("channel_button_drop", locales.Args{"Percent": l.Number(drop)}), ChannelDrops.Data(struct{}{}))},
		{Tap(categories, ChannelCategories.Data(PageArgs{}))},
	}
	if bound {
		rows = append(rows, []Button{danger(Tap(l.Label("channel_button_unbind"), ChannelUnbind.Data(struct{}{})))})
	}
	return append(rows, Foot(l, Admin.Data(struct{}{}))...)
}

// ChannelUnbindKeyboard asks for confirmation.
func ChannelUnbindKeyboard(l *locales.Localizer) Rows {
	return Rows{{
		danger(Tap(l.Label("channel_button_unbind"), ChannelUnbindSure.Data(struct{}{}))),
		Tap(l.Label("room_button_keep"), Channel.Data(struct{}{})),
	}}
}

// ChannelDropsKeyboard offers some percentages.
func ChannelDropsKeyboard(l *locales.Localizer, choices []uint8) Rows {
	var buttons []Button
	for _, percent := range choices {
		buttons = append(buttons, Tap(l.Label("channel_button_percent", locales.Args{"Percent": l.Number(int64(percent))}), ChannelDrop.Data(ChannelDropArgs{Percent: percent})))
	}
	return append(inRows(3, buttons), Foot(l, Channel.Data(struct{}{}))...)
}

// ChannelCategoriesKeyboard lists one page of categories; the icons say which are posted.
func ChannelCategoriesKeyboard(l *locales.Localizer, page uint16, categories []Item, total int) Rows {
	rows := append(column(l, categories), Pages(page, total, func(page uint16) string { return ChannelCategories.Data(PageArgs{Page: page}) })...)
	rows = append(rows, []Button{
		Tap(l.Label("channel_button_all"), ChannelAllCategories.Data(ChannelCategoriesArgs{On: true, Page: page})),
		Tap(l.Label("channel_button_none"), ChannelAllCategories.Data(ChannelCategoriesArgs{Page: page})),
	})
	return append(rows, Foot(l, Channel.Data(struct{}{}))...)
}

// ChannelLostKeyboard goes with the message that the channel can't be posted to.
func ChannelLostKeyboard(l *locales.Localizer) Rows {
	return Rows{{Tap(l.Label("channel_button"), Channel.Data(struct{}{}))}}
}

// PostedProduct is a product of a post: its place there, "" if it is the only one, and the
// address that opens it.
type PostedProduct struct{ Place, URL string }

// PostKeyboard has a button for each product that can be bought.
func PostKeyboard(l *locales.Localizer, goods []PostedProduct) Rows {
	var buttons []Button
	for _, product := range goods {
		label := l.Label("channel_button_buy")
		if product.Place != "" {
			label += " " + product.Place
		}
		buttons = append(buttons, Button{Text: label, URL: product.URL})
	}
	return inRows(3, buttons)
}
