// Package locales owns all texts of the bot: one message file per language, the
// choice of a language for a person, and the formats of numbers, money, times,
// country names and text direction.
//
// # Message files
//
// A message file has the marketplace's code of its language as its name
// ("zh.toml", "pt-BR.toml") and is embedded. A language is added by adding its
// file. en.toml is the original: tests compare the other files with it, and a
// message that another file lacks is shown in English.
//
// Message ids are lower_snake and begin with their screen ("menu_title",
// "menu_button_catalog"). In code an id is a whole string literal, or a prefix
// that ends with an underscore ("clock_month_" + n), so that the tests of this
// package find ids that are missing or unused. Those tests also report wrong
// placeholders and plural forms, HTML that is escaped twice, English left in a
// translation, letters of another script, labels too wide for a phone, names without
// quotation marks, and buttons that a message calls by another name than theirs.
//
// terms.md has the words of the shop in each language, one for one thing. Words that it
// lists as wrong are found by a test.
//
// # Messages
//
// Arguments are escaped when they are put into HTML. Messages are rendered by
// this package: go-i18n reads the files and has the plural rules, but its
// rendering with text/template costs several times as much and escapes nothing.
// All 15 languages take about 2 MB of memory, and the texts of a screen 8 to 16
// µs (go test ./keyboards -run '^$' -bench Screen).
//
// # Languages
//
// Bundle.Match uses an explicit table (exact code, alias, the code without its
// last part, default). A general matcher returns "pt-BR" for "pt" depending on
// the order of loading.
//
// # Formats
//
// Money is exact and never rounded. Digits are 0-9 and the decimal mark is a
// point in every language; numberrules.go has what differs. In Arabic and Urdu,
// which are written from right to left, prices, numbers, ids and codes are
// isolated (Localizer.Isolate), names are isolated in their own direction
// (Localizer.Name), and lines that would run from left to right begin with a
// mark (Localizer.MarkLines). Flags and country
// names come from ISO 3166 and CLDR.
//
// The package contains nothing of Telegram but its HTML, and no shop logic.
package locales
