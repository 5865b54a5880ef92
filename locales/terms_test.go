package locales

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// quotes are the quotation marks of each language.
var quotes = map[string][2]string{
	"ar": {"«", "»"}, "bn-BD": {"“", "”"}, "de": {"„", "“"}, "en": {"“", "”"}, "es": {"«", "»"},
	"fr": {"«\u00a0", "\u00a0»"}, "hi": {"“", "”"}, "ja": {"「", "」"}, "ko": {"“", "”"}, "pt": {"«", "»"},
	"pt-BR": {"“", "”"}, "ru": {"«", "»"}, "ur": {"“", "”"}, "vi": {"“", "”"}, "zh": {"“", "”"},
}

var quoted = regexp.MustCompile(`“\{\{\.([A-Za-z]+)\}\}”`)

// A name or words from outside that English quotes are quoted in every language, with its
// own marks, so that any name fits into the sentence.
func TestQuotedNames(t *testing.T) {
	all := readFiles(t)
	others, code := regexp.MustCompile(`[“”„«»「」『』"]`), regexp.MustCompile(`<code>.*?</code>|<[^>]*>`)
	found := 0
	for _, f := range all {
		open, end := quotes[f.code][0], quotes[f.code][1]
		if open == "" {
			t.Errorf("%s has no quotation marks", f.code)
		}
		for _, id := range f.ids {
			names := quoted.FindAllStringSubmatch(all[0].messages[id][forms[other]], -1)
			for form, text := range f.messages[id] {
				for _, name := range names {
					found++
					if want := open + "{{." + name[1] + "}}" + end; !strings.Contains(text, want) {
						t.Errorf("%s: %s.%s has no %s", f.code, id, form, want)
					}
				}
				for _, mark := range others.FindAllString(code.ReplaceAllString(text, ""), -1) {
					if !strings.Contains(open+end, mark) {
						t.Errorf("%s: %s.%s has the mark %s, not one of %s and %s", f.code, id, form, mark, open, end)
					}
				}
			}
		}
	}
	if found < 20*len(all) {
		t.Errorf("only %d names are quoted", found)
	}
}

// A message that names a button says what stands on the button.
func TestNamedButtons(t *testing.T) {
	all := readFiles(t)
	english := all[0]
	labels := map[string][]string{} // ids by the English label
	for _, id := range english.ids {
		label := english.messages[id][forms[other]]
		if strings.Contains(id, "_button") && len(english.messages[id]) == 1 && !strings.Contains(label, "{{") && len([]rune(label)) > 4 && label[0] > 127 {
			labels[label] = append(labels[label], id)
		}
	}
	named := 0
	for _, id := range english.ids {
		for label, ids := range labels {
			text := english.messages[id][forms[other]]
			if strings.Contains(id, "_button") || strings.Index(text, label) <= 0 || strings.Contains(text, label+":") {
				continue // a line that only begins like the label
			}
			named++
			for _, f := range all[1:] {
				for form, text := range f.messages[id] {
					if !slices.ContainsFunc(ids, func(button string) bool { return strings.Contains(text, f.messages[button][forms[other]]) }) {
						t.Errorf("%s: %s.%s does not name the button %s = %q", f.code, id, form, ids[0], f.messages[ids[0]][forms[other]])
					}
				}
			}
		}
	}
	if named < 10 {
		t.Errorf("English names %d buttons", named)
	}
}

// term is a row of terms.md: a word of the shop in one language.
type term struct {
	english, word string
	wrong         []string
}

// readTerms reads the tables of terms.md: by language, each row "| English | word | wrong, wrong |".
func readTerms(t *testing.T) map[string][]term {
	t.Helper()
	content, err := os.ReadFile("terms.md")
	if err != nil {
		t.Fatal(err)
	}
	terms, code := map[string][]term{}, ""
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "## "); ok {
			code = name
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") || strings.HasPrefix(line, "| English") {
			continue
		}
		if len(cells) != 3 {
			t.Fatalf("%s: %q has %d cells, want 3", code, line, len(cells))
		}
		row := term{english: strings.TrimSpace(cells[0]), word: strings.TrimSpace(cells[1])}
		for wrong := range strings.SplitSeq(cells[2], ",") {
			if wrong = strings.TrimSpace(wrong); wrong != "" {
				row.wrong = append(row.wrong, wrong)
			}
		}
		terms[code] = append(terms[code], row)
	}
	return terms
}

// wrongWords returns where messages have a word that terms.md lists as wrong. A word of
// letters is found as a whole word, or as its beginning if it ends with *; one in a script
// without spaces is found anywhere.
func wrongWords(f file, terms []term) (faults []string) {
	for _, id := range f.ids {
		for form, text := range f.messages[id] {
			text = strings.ToLower(placeholder.ReplaceAllString(text, "{}"))
			for _, term := range terms {
				for _, wrong := range term.wrong {
					if hasWord(f.code, text, strings.ToLower(wrong)) {
						faults = append(faults, fmt.Sprintf("%s.%s says %q for %q, which is %q", id, form, wrong, term.english, term.word))
					}
				}
			}
		}
	}
	return faults
}

func hasWord(code, text, word string) bool {
	stem, isStem := strings.CutSuffix(word, "*")
	isLetter := func(r rune) bool { return unicode.In(r, unicode.L, unicode.M) }
	for from := 0; ; {
		at := strings.Index(text[from:], stem)
		if at < 0 {
			return false
		}
		from += at + len(stem)
		before, _ := utf8.DecodeLastRuneInString(text[:from-len(stem)])
		after, _ := utf8.DecodeRuneInString(text[from:])
		if code == "ja" || code == "zh" || !isLetter(before) && (isStem || !isLetter(after)) {
			return true
		}
	}
}

// One word for one thing: terms.md has the same terms for each language, and no message
// has a word that it lists as wrong.
func TestTerms(t *testing.T) {
	all, terms := readFiles(t), readTerms(t)
	names := func(terms []term) (names []string) {
		for _, term := range terms {
			names = append(names, term.english)
		}
		return names
	}
	if len(terms) != len(all) || len(terms[English]) < 40 {
		t.Errorf("terms.md has %d languages and %d terms, want %d and some 40", len(terms), len(terms[English]), len(all))
	}
	for _, f := range all {
		if got, want := names(terms[f.code]), names(terms[English]); !slices.Equal(got, want) {
			t.Errorf("%s has the terms %q, want %q", f.code, got, want)
		}
		for _, term := range terms[f.code] {
			if term.word == "" {
				t.Errorf("%s has no word for %q", f.code, term.english)
			}
		}
		for _, fault := range wrongWords(f, terms[f.code]) {
			t.Errorf("%s: %s", f.code, fault)
		}
	}
}

func TestWrongWords(t *testing.T) {
	f, err := readFile("de", "a_text = \"Der Dienst.\"\nb_text = \"Dienstag, {{.Dienst}}\"\nc_text = \"Dienste\"")
	if err != nil {
		t.Fatal(err)
	}
	for wrong, want := range map[string]int{"Dienst": 1, "dienst*": 3, "ienst": 0, "Markt": 0} {
		if got := wrongWords(f, []term{{english: "service", word: "Service", wrong: []string{wrong}}}); len(got) != want {
			t.Errorf("%q is found %d times, want %d: %q", wrong, len(got), want, got)
		}
	}
}
