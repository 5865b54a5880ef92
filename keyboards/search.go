package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// FoundArgs is a page of the results of one of the person's searches.
type FoundArgs struct {
	Search int64
	Page   uint16
}

// Routes of the search. Search asks for words, Found shows the results.
var (
	Search = route.New[struct{}]("se")
	Found  = route.New[FoundArgs]("sr")
)

// KeyHintKeyboard goes with the answer to text that looks like an API key.
func KeyHintKeyboard(l *locales.Localizer) Rows {
	return append(Rows{{Primary(Tap(l.Label("menu_button_key"), Key.Data(struct{}{})))}}, Foot(l, "")...)
}
