package locales

import "strings"

// codes are the languages of the marketplace in its spelling (HStockPlus: lang),
// in the order of the menu.
var codes = []string{"en", "zh", "es", "fr", "de", "ja", "ko", "pt", "pt-BR", "ru", "ar", "hi", "vi", "ur", "bn-BD"}

// canonical maps a code in lower case to the marketplace's spelling.
var canonical = func() map[string]string {
	spellings := make(map[string]string, len(codes))
	for _, code := range codes {
		spellings[strings.ToLower(code)] = code
	}
	return spellings
}()

// aliases maps codes that apps send to the marketplace's spelling: a language
// without its region, an old code, or the code of a country.
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

// Match returns the language for a person whose app has the language code (Bot
// API: User.language_code, an IETF tag; apps also send "pt_BR", "jp" or nothing).
// It is the language with that code, else the one with that alias, else the same
// for the code without its last part ("zh-hans-cn", "zh-hans", "zh"), else
// fallback, else English.
//
// The table is explicit because a general matcher considers Breton close to
// French, and its results depend on the order of loading.
func (b *Bundle) Match(code, fallback string) string {
	for _, candidate := range []string{code, fallback} {
		if found := b.match(candidate); found != "" {
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
