package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// LanguageArgs is a language, as the Hash of its code.
type LanguageArgs struct{ Lang route.Hash }

// Routes of the language screen.
var (
	Language    = route.New[struct{}]("g")
	SetLanguage = route.New[LanguageArgs]("gs")
)

// LanguageKeyboard lists the languages by their own names; the current one is
// ticked.
func LanguageKeyboard(l *locales.Localizer, languages []locales.Language) Rows {
	buttons := make([]Button, 0, len(languages))
	for _, language := range languages {
		name := language.Name
		if language.Code == l.Lang() {
			name = "✓ " + name
		}
		buttons = append(buttons, Tap(name, SetLanguage.Data(LanguageArgs{Lang: route.HashOf(language.Code)})))
	}
	return append(inRows(2, buttons), Foot(l, "")...)
}
