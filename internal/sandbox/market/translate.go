package market

import (
	"cmp"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// supported returns the code of a supported language, "" for any other
// (HStockPlus: lang; jp is an alias of ja).
func supported(code string) string {
	switch code {
	case "jp":
		return "ja"
	case "zh", "es", "fr", "de", "ja", "ko", "pt", "pt-BR", "ru", "ar", "hi", "vi", "ur", "bn-BD", "en":
		return code
	default:
		return ""
	}
}

// translate returns an English text in lang, or in English if lang has no
// translation of it.
func (w *world) translate(lang, english string) string {
	if lang == "en" {
		return english
	}
	return cmp.Or(w.texts(lang)[english], english)
}

// texts returns the translations of a language by their English text. They are
// loaded on first use.
func (w *world) texts(lang string) map[string]string {
	texts, ok := w.translations[lang]
	if !ok {
		texts = make(map[string]string)
		load("data/lang/"+lang+".toml", &texts)
		w.translations[lang] = texts
	}
	return texts
}

// isTranslation reports whether name is the translation of an English text in
// any language.
func (w *world) isTranslation(english, name string) bool {
	files, err := fs.Glob(data, "data/lang/*.toml")
	if err != nil {
		panic(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		lang := strings.TrimSuffix(strings.TrimPrefix(file, "data/lang/"), ".toml")
		return w.texts(lang)[english] == name
	})
}

// countryName returns the name of a country in lang: the one in data/sms.toml,
// else that of Unicode's CLDR.
func (w *world) countryName(lang string, c *country) string {
	if c.Name != "" {
		return w.translate(lang, c.Name)
	}
	// In CLDR, "pt" is the Portuguese of Brazil.
	tag := language.Make(map[string]string{"pt": "pt-PT", "pt-BR": "pt", "bn-BD": "bn"}[lang])
	if tag == language.Und {
		tag = language.Make(lang)
	}
	region := language.MustParseRegion(strings.ToUpper(c.Code))
	return cmp.Or(display.Regions(tag).Name(region), display.Regions(language.English).Name(region))
}
