package locales

import (
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// sameAsEnglish lists messages whose translation equals the English text, because
// the language has the same word.
var sameAsEnglish = map[string][]string{
	"orders_button_sms":        {"ar", "bn-BD", "de", "es", "fr", "hi", "ja", "ko", "pt", "pt-BR", "ru", "ur", "vi"}, // an abbreviation, the same in all but Chinese
	"menu_button_sellers":      {"de"},                                                                               // Shops
	"order_state":              {"de", "pt-BR"},                                                                      // Status
	"export_state":             {"de", "pt-BR"},
	"export_name":              {"de"},                            // Name
	"order_button_accounts":    {"de"},                            // Accounts of a service are not "Konten"
	"phone_button_code":        {"de", "fr"},                      // Code
	"confirm_total":            {"es", "pt", "pt-BR"},             // Total
	"external_button_no":       {"es"},                            // No
	"unresolved_button_no":     {"es"},                            //
	"nav_button_menu":          {"fr", "pt", "pt-BR", "vi"},       // Menu
	"admin_button_maintenance": {"fr"},                            // Maintenance
	"greeting_button_text":     {"de"},                            // Text
	"list_per_thousand":        {"fr", "vi"},                      // k is usual
	"currency_eur":             {"es", "fr", "pt", "pt-BR", "vi"}, // euro
	"sms_seconds":              {"de", "es", "fr", "pt", "pt-BR"}, // symbols of units
	"sms_minutes":              {"es", "fr", "pt", "pt-BR"},
	"sms_hours":                {"es", "fr", "pt", "pt-BR"},
}

// prose returns a message without its placeholders and markup.
func prose(message string) string {
	return tagPattern.ReplaceAllString(placeholder.ReplaceAllString(message, " "), " ")
}

// TestTranslationsDifferFromEnglish makes an exception for sameAsEnglish and for
// messages of names and symbols only.
func TestTranslationsDifferFromEnglish(t *testing.T) {
	all := readFiles(t)
	english := all[0]
	used := map[string][]string{}
	for _, f := range all[1:] {
		for id, forms := range f.messages {
			if forms["other"] != english.messages[id]["other"] || !strings.ContainsFunc(names.ReplaceAllString(prose(forms["other"]), ""), unicode.IsLetter) && id != "orders_button_sms" {
				continue
			}
			if !slices.Contains(sameAsEnglish[id], f.code) {
				t.Errorf("%s: %s is not translated: %q", f.code, id, forms["other"])
			}
			used[id] = append(used[id], f.code)
		}
	}
	for id, codes := range sameAsEnglish {
		for _, code := range codes {
			if !slices.Contains(used[id], code) {
				t.Errorf("%s: %s differs from English: remove it from sameAsEnglish", code, id)
			}
		}
	}
}

// names matches what is the same in every language: brands, settings, addresses,
// commands, and tags as examples.
var names = regexp.MustCompile(`&lt;.*?&gt;|&amp;lt;|[A-Z]+(_[A-Z]+)+(=[a-z-]+)?|HStockPlus|hstockbot|Telegram|BotFather|Gmail|Instagram|Tether|API|2FA|SMS|SMM|CSV|UTC|ID|https?://[^\s<]*|https|instagram\.com\S*|t\.me|\{name\}|name@example\.com|/[a-z]+|@[a-zA-Z]+|&(lt|gt|amp|quot);`)

// scripts are the scripts of the languages that are not written in Latin.
var scripts = map[string][]*unicode.RangeTable{
	"zh": {unicode.Han}, "ja": {unicode.Han, unicode.Hiragana, unicode.Katakana}, "ko": {unicode.Hangul}, "ru": {unicode.Cyrillic},
	"ar": {unicode.Arabic}, "ur": {unicode.Arabic}, "hi": {unicode.Devanagari}, "bn-BD": {unicode.Bengali},
}

func TestLettersBelongToScriptOfLanguage(t *testing.T) {
	for _, f := range readFiles(t) {
		tables, ok := scripts[f.code]
		if !ok {
			tables = []*unicode.RangeTable{unicode.Latin}
		}
		// Some letters, such as the Japanese ー, belong to several scripts.
		tables = append(slices.Clone(tables), unicode.Common, unicode.Inherited)
		for id, forms := range f.messages {
			for form, message := range forms {
				for _, r := range names.ReplaceAllString(prose(message), " ") {
					if unicode.IsLetter(r) && !unicode.In(r, tables...) {
						t.Errorf("%s: %s (%s): %q belongs to another script: %q", f.code, id, form, r, message)
						break
					}
				}
			}
		}
	}
}

// Arabic and Urdu share a script, but have different letters that look alike.
func TestLettersOfArabicAndUrdu(t *testing.T) {
	letters := map[string]string{"ar": "ٹڈڑگچپژکیےہھں", "ur": "يكةىه"}
	for _, f := range readFiles(t) {
		for id, forms := range f.messages {
			for _, message := range forms {
				if i := strings.IndexAny(message, letters[f.code]); letters[f.code] != "" && i >= 0 {
					t.Errorf("%s: %s has a letter of the other language: %q", f.code, id, message)
				}
			}
		}
	}
}

// TestNoInvisibleCharacters makes an exception for the joiners of emoji, Indian
// scripts and Urdu. The code marks directions, and translators can't see such
// characters.
func TestNoInvisibleCharacters(t *testing.T) {
	for _, f := range readFiles(t) {
		for id, forms := range f.messages {
			for _, message := range forms {
				for _, r := range message {
					joiner := (r == '\u200c' || r == '\u200d') && slices.Contains([]string{"hi", "bn-BD", "ur"}, f.code)
					emoji := r == '\u200d' || r == '\ufe0f'
					if unicode.Is(unicode.Cf, r) && !joiner && !emoji || unicode.Is(unicode.Bidi_Control, r) {
						t.Errorf("%s: %s has %U: %q", f.code, id, r, message)
					}
				}
			}
		}
	}
}

// TestPunctuationStaysWithItsWord: where a language has a space before a mark, it is one
// that does not break, so that no line begins with the mark.
func TestPunctuationStaysWithItsWord(t *testing.T) {
	apart := regexp.MustCompile(` [:;?!»…]|« |}} %`)
	for _, f := range readFiles(t) {
		for id, forms := range f.messages {
			for _, message := range forms {
				if mark := apart.FindString(message); mark != "" {
					t.Errorf("%s: %s has a space that breaks in %q: %q", f.code, id, mark, message)
				}
			}
		}
	}
}

func TestAllLanguagesTakeLessThan5MB(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	b, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	after := heap()
	t.Logf("%d languages take %d KiB", len(b.Languages()), (int64(after)-int64(before))>>10)
	if after > before && after-before > 5<<20 {
		t.Errorf("%d languages take %d bytes", len(b.Languages()), after-before)
	}
	runtime.KeepAlive(b)
}
