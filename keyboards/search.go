package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// FoundArgs is a page of what a search of the person's has found.
type FoundArgs struct {
	Search int64
	Page   uint16
}

// Routes of the search: Search asks for words, Found shows what they find.
var (
	Search = route.New[struct{}]("se")
	Found  = route.New[FoundArgs]("sr")
)

// FoundKeyboard lists one page of the goods that were found.
func FoundKeyboard(l *locales.Localizer, args FoundArgs, entries []GoodsEntry, total int) Rows {
	from := ProductArgs{From: FromSearch, Search: args.Search, Page: args.Page}
	return append(goodsRows(l, from, entries, total), Foot(l, Search.Data(struct{}{}))...)
}

// KeyHintKeyboard leads to where a key belongs.
func KeyHintKeyboard(l *locales.Localizer) Rows {
	return append(Rows{{Tap(l.Label("menu_button_key"), Key.Data(struct{}{}))}}, Foot(l, "")...)
}
