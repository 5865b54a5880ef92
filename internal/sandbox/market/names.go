package market

import (
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// langOf returns the code that the marketplace knows, "" for any other
// (HStockPlus: lang; jp is the alias of ja).
func langOf(code string) string {
	switch code {
	case "jp":
		return "ja"
	case "zh", "es", "fr", "de", "ja", "ko", "pt", "pt-BR", "ru", "ar", "hi", "vi", "ur", "bn-BD", "en":
		return code
	default:
		return ""
	}
}

// tr translates an English text, or returns it as it is.
func (w *world) tr(lang, english string) string {
	if lang == "en" {
		return english
	}
	if local := w.lang(lang)[english]; local != "" {
		return local
	}
	return english
}

// lang returns the texts of a language, reading them when first asked.
func (w *world) lang(lang string) map[string]string {
	texts, ok := w.names[lang]
	if !ok {
		texts = make(map[string]string)
		load("data/lang/"+lang+".toml", &texts)
		w.names[lang] = texts
	}
	return texts
}

// translated says whether name is what some language calls the English text.
func (w *world) translated(english, name string) bool {
	files, err := fs.Glob(data, "data/lang/*.toml")
	if err != nil {
		panic(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		lang := strings.TrimSuffix(strings.TrimPrefix(file, "data/lang/"), ".toml")
		return w.lang(lang)[english] == name
	})
}

// countryName names a country as Unicode's CLDR does, a few in plainer words.
func (w *world) countryName(lang string, c *country) string {
	if c.Name != "" {
		return w.tr(lang, c.Name)
	}
	// CLDR's own Portuguese is that of Brazil.
	tag := language.Make(map[string]string{"pt": "pt-PT", "pt-BR": "pt", "bn-BD": "bn"}[lang])
	if tag == language.Und {
		tag = language.Make(lang)
	}
	region := language.MustParseRegion(strings.ToUpper(c.Code))
	if name := display.Regions(tag).Name(region); name != "" {
		return name
	}
	return display.Regions(language.English).Name(region)
}
