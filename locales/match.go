package locales

import "strings"

// codes are the marketplace's languages in its spelling (HStockPlus: lang), in
// the order in which they are offered.
var codes = []string{"en", "zh", "es", "fr", "de", "ja", "ko", "pt", "pt-BR", "ru", "ar", "hi", "vi", "ur", "bn-BD"}

// canonical leads from a code in lower case to the marketplace's spelling.
var canonical = func() map[string]string {
	spellings := make(map[string]string, len(codes))
	for _, code := range codes {
		spellings[strings.ToLower(code)] = code
	}
	return spellings
}()

// aliases are what apps say for a language that the marketplace spells
// otherwise: the bare code of one that it names with a region, old codes, and
// countries taken for languages.
var aliases = map[string]string{
	"bn":  "bn-BD",
	"br":  "pt-BR",
	"cmn": "zh",
	"cn":  "zh",
	"jp":  "ja",
	"kr":  "ko",
	"vn":  "vi",
	"yue": "zh",
}

// Match returns the language to speak with a person whose app says code (Bot
// API: User.language_code, an IETF tag; in life also "pt_BR", "jp", nothing at
// all): the very code, else its alias, else the same without its last part
// ("zh-hans-cn", "zh-hans", "zh"), else fallback, else English.
//
// An explicit table rather than a matcher of languages, which finds Breton
// close to French and answers by the order of loading.
func (b *Bundle) Match(code, fallback string) string {
	for _, wanted := range []string{code, fallback} {
		if found := b.match(wanted); found != "" {
			return found
		}
	}
	return English
}

func (b *Bundle) match(code string) string {
	code = strings.ToLower(strings.TrimSpace(strings.ReplaceAll(code, "_", "-")))
	for code != "" {
		for _, found := range []string{canonical[code], aliases[code]} {
			if _, ok := b.localizers[found]; ok {
				return found
			}
		}
		code = code[:max(strings.LastIndexByte(code, '-'), 0)]
	}
	return ""
}
