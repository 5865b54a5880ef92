package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Routes of the shop's own greeting and links, one of each for a language.
var (
	Greetings           = route.New[struct{}]("Ag")
	GreetingShow        = route.New[LanguageArgs]("Agl")
	GreetingText        = route.New[LanguageArgs]("Agt")
	GreetingLinks       = route.New[LanguageArgs]("Agk")
	GreetingPreview     = route.New[LanguageArgs]("Agp")
	GreetingTextRemove  = route.New[LanguageArgs]("Agx")
	GreetingLinksRemove = route.New[LanguageArgs]("Agy")
)

// Link is a button that opens an address.
type Link struct{ Label, URL string }

// LinkRows returns links, two in a row.
func LinkRows(links []Link) Rows {
	var buttons []Button
	for _, link := range links {
		buttons = append(buttons, Button{Text: link.Label, URL: link.URL})
	}
	return inRows(2, buttons)
}

// GreetingLanguagesKeyboard lists the languages; those in written, by their codes, are
// ticked.
func GreetingLanguagesKeyboard(l *locales.Localizer, languages []locales.Language, written map[string]bool) Rows {
	var buttons []Button
	for _, language := range languages {
		name := language.Name
		if written[language.Code] {
			name = "✓ " + name
		}
		buttons = append(buttons, Tap(name, GreetingShow.Data(LanguageArgs{Lang: route.HashOf(language.Code)})))
	}
	return append(inRows(2, buttons), Foot(l, Admin.Data(struct{}{}))...)
}

// GreetingKeyboard goes with what a language has.
func GreetingKeyboard(l *locales.Localizer, args LanguageArgs) Rows {
	return append(Rows{
		{Tap(l.Label("greeting_button_text"), GreetingText.Data(args)), Tap(l.Label("greeting_button_links"), GreetingLinks.Data(args))},
		{Tap(l.Label("broadcast_button_preview"), GreetingPreview.Data(args))},
	}, Foot(l, Greetings.Data(struct{}{}))...)
}

// GreetingTextKeyboard goes with the question for a text; written says that there is one.
func GreetingTextKeyboard(l *locales.Localizer, args LanguageArgs, written bool) Rows {
	var rows Rows
	if written {
		rows = Rows{{danger(Tap(l.Label("broadcast_button_remove"), GreetingTextRemove.Data(args)))}}
	}
	return append(rows, Foot(l, GreetingShow.Data(args))...)
}

// GreetingLinksKeyboard goes with the question for links; written says that there are some.
func GreetingLinksKeyboard(l *locales.Localizer, args LanguageArgs, written bool) Rows {
	var rows Rows
	if written {
		rows = Rows{{danger(Tap(l.Label("greeting_button_remove_links"), GreetingLinksRemove.Data(args)))}}
	}
	return append(rows, Foot(l, GreetingShow.Data(args))...)
}
