package locales

import (
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// sameAsEnglish are messages that a language says exactly as English does, with
// the reason: the word is its own, too.
var sameAsEnglish = map[string][]string{
	"orders_button_sms":        {"ar", "bn-BD", "de", "es", "fr", "hi", "ja", "ko", "pt", "pt-BR", "ru", "ur", "vi"}, // the same everywhere but in Chinese
	"menu_button_shops":        {"de"},                                                                               // Shops
	"order_state":              {"de", "pt-BR"},                                                                      // Status
	"export_state":             {"de", "pt-BR"},
	"export_name":              {"de"},                            // Name
	"order_button_accounts":    {"de"},                            // Accounts: of a service, other than Konten
	"number_button_code":       {"de", "fr"},                      // Code
	"confirm_total":            {"es", "pt", "pt-BR"},             // Total
	"elsewhere_button_no":      {"es"},                            // No
	"unknown_button_no":        {"es"},                            //
	"nav_button_menu":          {"fr", "pt", "pt-BR", "vi"},       // Menu
	"admin_button_maintenance": {"fr"},                            // Maintenance
	"currency_eur":             {"es", "fr", "pt", "pt-BR", "vi"}, // euro
}

// words are what a message says beside its placeholders and markup.
func words(message string) string {
	return tagPattern.ReplaceAllString(placeholder.ReplaceAllString(message, " "), " ")
}

// TestNoEnglishLeft: no message is the English one, but for those above and those
// that are signs and names only.
func TestNoEnglishLeft(t *testing.T) {
	all := readFiles(t)
	english := all[0]
	used := map[string][]string{}
	for _, f := range all[1:] {
		for id, forms := range f.messages {
			if forms["other"] != english.messages[id]["other"] || !strings.ContainsFunc(names.ReplaceAllString(words(forms["other"]), ""), unicode.IsLetter) && id != "orders_button_sms" {
				continue
			}
			if !slices.Contains(sameAsEnglish[id], f.code) {
				t.Errorf("%s: %s is said in English: %q", f.code, id, forms["other"])
			}
			used[id] = append(used[id], f.code)
		}
	}
	for id, codes := range sameAsEnglish {
		for _, code := range codes {
			if !slices.Contains(used[id], code) {
				t.Errorf("%s: %s is not the English one: take it off the list", code, id)
			}
		}
	}
}

// names are what is called so in every language: brands, settings, addresses,
// commands, and tags as examples.
var names = regexp.MustCompile(`&lt;.*?&gt;|&amp;lt;|[A-Z]+(_[A-Z]+)+|HStockPlus|hstockbot|Telegram|BotFather|Gmail|Instagram|Tether|API|SMS|SMM|CSV|UTC|ID|https?://[^\s<]*|https|instagram\.com\S*|name@example\.com|/[a-z]+|@[a-zA-Z]+|&(lt|gt|amp|quot);`)

// scripts are those that a language is written in.
var scripts = map[string][]*unicode.RangeTable{
	"zh": {unicode.Han}, "ja": {unicode.Han, unicode.Hiragana, unicode.Katakana}, "ko": {unicode.Hangul}, "ru": {unicode.Cyrillic},
	"ar": {unicode.Arabic}, "ur": {unicode.Arabic}, "hi": {unicode.Devanagari}, "bn-BD": {unicode.Bengali},
}

// TestScripts: every letter of a message is of its language's script, but for names
// and for the languages' own names.
func TestScripts(t *testing.T) {
	for _, f := range readFiles(t) {
		tables, ok := scripts[f.code]
		if !ok {
			tables = []*unicode.RangeTable{unicode.Latin}
		}
		// ー of Japanese and a few others belong to several scripts.
		tables = append(slices.Clone(tables), unicode.Common, unicode.Inherited)
		for id, forms := range f.messages {
			for form, message := range forms {
				for _, r := range names.ReplaceAllString(words(message), " ") {
					if unicode.IsLetter(r) && !unicode.In(r, tables...) {
						t.Errorf("%s: %s (%s): %q is of another script: %q", f.code, id, form, r, message)
						break
					}
				}
			}
		}
	}
}

// TestLettersOfArabicAndUrdu: the two share a script and differ in letters that look
// alike.
func TestLettersOfArabicAndUrdu(t *testing.T) {
	foreign := map[string]string{"ar": "ٹڈڑگچپژکیےہھں", "ur": "يكةىه"}
	for _, f := range readFiles(t) {
		for id, forms := range f.messages {
			for _, message := range forms {
				if i := strings.IndexAny(message, foreign[f.code]); foreign[f.code] != "" && i >= 0 {
					t.Errorf("%s: %s has a letter of the other language: %q", f.code, id, message)
				}
			}
		}
	}
}

// TestNoInvisibleCharacters: directions are the code's to mark, and what can't be
// seen can't be read by the next translator. Joiners belong to Indian scripts and Urdu.
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

// TestMemory: all languages together take less than 5 MB.
func TestMemory(t *testing.T) {
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
