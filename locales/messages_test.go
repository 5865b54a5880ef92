package locales

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/BurntSushi/toml"
	"golang.org/x/text/language"

	"hstockbot/internal/sandbox/labels"
)

// maxToast limits toasts, in characters (Bot API: answerCallbackQuery, "0-200 characters").
const maxToast = 200

// ruler measures labels of buttons.
var ruler = sync.OnceValue(func() *labels.Ruler {
	ruler, err := labels.NewRuler()
	if err != nil {
		panic(err)
	}
	return ruler
})

// file is the content of a message file.
type file struct {
	code     string
	ids      []string                     // in the order of the file
	messages map[string]map[string]string // id → plural form → text
}

// readFiles reads all message files, English first. It does not use go-i18n, which
// accepts many mistakes.
func readFiles(t *testing.T) []file {
	t.Helper()
	names, err := fs.Glob(files, "*.toml")
	if err != nil {
		t.Fatal(err)
	}
	var all []file
	for _, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := readFile(strings.TrimSuffix(name, ".toml"), string(content))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b file) int { return slices.Index(codes, a.code) - slices.Index(codes, b.code) })
	return all
}

func readFile(code, content string) (file, error) {
	f := file{code: code, messages: map[string]map[string]string{}}
	var raw map[string]any
	keys, err := toml.Decode(content, &raw)
	if err != nil {
		return file{}, err
	}
	for _, key := range keys.Keys() {
		if id := key[0]; len(f.ids) == 0 || !slices.Contains(f.ids, id) {
			f.ids = append(f.ids, id)
		}
	}
	for id, value := range raw {
		switch value := value.(type) {
		case string:
			f.messages[id] = map[string]string{"other": value}
		case map[string]any:
			f.messages[id] = map[string]string{}
			for form, value := range value {
				text, ok := value.(string)
				if !ok || !slices.Contains(forms[:], form) {
					return file{}, fmt.Errorf("%s.%s is not a plural form", id, form)
				}
				f.messages[id][form] = text
			}
		default:
			return file{}, fmt.Errorf("%s is a %T", id, value)
		}
	}
	return f, nil
}

func TestMessageFiles(t *testing.T) {
	code := scanProject(t)
	all := readFiles(t)
	english := all[0]
	for _, f := range all {
		t.Run(f.code, func(t *testing.T) {
			for _, fault := range checkFile(f, english, categoriesOf(t, f.code), code.labels) {
				t.Error(fault)
			}
		})
	}
}

// idPattern matches message ids: the screen, then the message on it.
var idPattern = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)+$`)

// checkFile returns the faults of a message file compared with the English one.
// categories are the plural forms of its language, each with the number of sampled
// counts that have it; labels are the ids that the code uses as plain text.
func checkFile(f, english file, categories map[string]int, labels map[string]bool) []string {
	var faults []string
	report := func(id, format string, args ...any) {
		faults = append(faults, id+": "+fmt.Sprintf(format, args...))
	}
	for _, id := range english.ids {
		if f.messages[id] == nil {
			report(id, "missing")
		}
	}
	got := slices.DeleteFunc(slices.Clone(f.ids), func(id string) bool { return english.messages[id] == nil })
	if want := slices.DeleteFunc(slices.Clone(english.ids), func(id string) bool { return f.messages[id] == nil }); !slices.Equal(got, want) {
		for i := range want {
			if want[i] != got[i] {
				report(got[i], "is at the position where en.toml has %s", want[i])
				break
			}
		}
	}
	for _, id := range f.ids {
		original, ok := english.messages[id]
		if !ok {
			report(id, "not in en.toml")
			continue
		}
		if !idPattern.MatchString(id) {
			report(id, "ids must be lower_snake and begin with their screen")
		}
		got, want := slices.Sorted(maps.Keys(f.messages[id])), []string{"other"}
		if isPlural(original) {
			want = slices.Sorted(maps.Keys(categories))
		}
		if !slices.Equal(got, want) {
			report(id, "has the plural forms %v, want %v", got, want)
		}
		for form, text := range f.messages[id] {
			checkText(id, text, labels[id], func(format string, args ...any) {
				report(id, form+": "+format, args...)
			})
			wantNames, names := placeholders(original["other"]), placeholders(text)
			if isPlural(original) && !slices.Contains(names, "Count") && form != "other" && categories[form] == 1 {
				wantNames = slices.DeleteFunc(wantNames, func(name string) bool { return name == "Count" })
			}
			if !slices.Equal(names, wantNames) {
				report(id, "%s: has the placeholders %v, want %v", form, names, wantNames)
			}
		}
	}
	return faults
}

func isPlural(forms map[string]string) bool { return len(forms) > 1 }

// placeholders returns the names of the placeholders in a text, sorted, without
// duplicates.
func placeholders(text string) []string {
	var names []string
	for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// checkText reports the faults of one form of a message.
func checkText(id, text string, label bool, report func(string, ...any)) {
	if text != strings.TrimSpace(text) || text == "" {
		report("empty, or begins or ends with a space: %q", text)
	}
	if label {
		if regexp.MustCompile(`[<>]|&\w+;`).MatchString(text) {
			report("a label must be plain text: %q", text)
		}
		if strings.Contains(text, "\n") {
			report("a label must be one line: %q", text)
		}
	} else if err := checkHTML(text); err != nil {
		report("%v: %q", err, text)
	}
	switch {
	case strings.Contains(id, "_button_"):
		if width := ruler().Width(placeholder.ReplaceAllString(text, "123")); width > labels.Whole {
			report("%.0f points wide, more than the %d of a button that has its row: %q", width, labels.Whole, text)
		}
	case strings.HasSuffix(id, "_toast"):
		if length := visibleLength(text); length > maxToast {
			report("%d characters, more than the %d of a toast", length, maxToast)
		}
	}
}

// visibleLength counts characters without combining marks, joiners and variation
// selectors. A placeholder counts as three characters.
func visibleLength(text string) int {
	n := 0
	for _, r := range placeholder.ReplaceAllString(text, "123") {
		if !unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
			n++
		}
	}
	return n
}

var (
	tagPattern    = regexp.MustCompile(`<[^<>]*>`)
	entityPattern = regexp.MustCompile(`&(lt|gt|amp|quot);`)
	openPattern   = regexp.MustCompile(`^<(b|i|u|s|code|pre|blockquote|blockquote expandable|a href="[^"<>]+")>$`)
	closePattern  = regexp.MustCompile(`^</(b|i|u|s|code|pre|blockquote|a)>$`)
)

// checkHTML returns an error if Telegram may reject a message with some arguments.
// Arguments are escaped strings or complete markup, so a placeholder is allowed
// in the text or in the address of a link.
func checkHTML(text string) error {
	var open []string
	for _, tag := range tagPattern.FindAllString(text, -1) {
		if match := closePattern.FindStringSubmatch(tag); match != nil {
			if len(open) == 0 || open[len(open)-1] != match[1] {
				return fmt.Errorf("%s without an opening tag", tag)
			}
			open = open[:len(open)-1]
			continue
		}
		match := openPattern.FindStringSubmatch(tag)
		if match == nil {
			return fmt.Errorf("%s is not an allowed tag", tag)
		}
		name, _, _ := strings.Cut(match[1], " ")
		if slices.Contains(open, name) || slices.Contains(open, "code") || slices.Contains(open, "pre") {
			return fmt.Errorf("%s inside %v", tag, open)
		}
		open = append(open, name)
	}
	if len(open) > 0 {
		return fmt.Errorf("%v is not closed", open)
	}
	rest := entityPattern.ReplaceAllString(tagPattern.ReplaceAllString(text, ""), "")
	if strings.ContainsAny(rest, "<>&") {
		return errors.New("an unescaped < > or &")
	}
	return nil
}

// categoriesOf returns the plural categories of a language according to go-i18n,
// each with the number of sampled counts that have it.
func categoriesOf(t *testing.T, code string) map[string]int {
	t.Helper()
	rule, err := newPluralRule(language.MustParse(cmp.Or(regionalTags[code], code)))
	if err != nil {
		t.Fatal(err)
	}
	categories := map[string]int{}
	for n := range int64(1000) {
		categories[forms[rule.form(n)]]++
	}
	// es, fr and pt have "many" for millions, ru has "other" for fractions only.
	for _, rare := range []any{int64(1_000_000), int64(2_000_000), "1.5", "2.5"} {
		categories[forms[rule.form(rare)]]++
	}
	return categories
}

func TestPluralCategories(t *testing.T) {
	want := map[string]string{"ru": "few many one other", "ar": "few many one other two zero"}
	for _, code := range []string{"zh", "ja", "ko"} {
		want[code] = "other"
	}
	for _, code := range []string{"en", "de", "hi", "ur", "bn-BD", "vi"} {
		want[code] = "one other"
	}
	for _, code := range []string{"es", "fr", "pt", "pt-BR"} {
		want[code] = "many one other"
	}
	for _, code := range codes {
		if got := strings.Join(slices.Sorted(maps.Keys(categoriesOf(t, code))), " "); got != want[code] {
			t.Errorf("%s has %q, want %q: correct the comment for translators in en.toml", code, got, want[code])
		}
	}
}

func TestCheckHTML(t *testing.T) {
	for text, valid := range map[string]bool{
		"plain {{.Name}}, it's \"x\"":                            true,
		"<b>{{.Name}}</b> &amp; <i>x <u>y</u></i>":               true,
		`<a href="https://t.me/{{.Name}}?a=1&amp;b=2">x</a>`:     true,
		"<blockquote expandable>x</blockquote> &lt;x&gt; &quot;": true,
		"<b>x":                          false,
		"x</b>":                         false,
		"<b><i>x</b></i>":               false,
		"<b>x</b":                       false,
		"<p>x</p>":                      false,
		"<B>x</B>":                      false,
		"<br>":                          false,
		"<{{.Tag}}>x":                   false,
		"<b {{.Name}}>x</b>":            false,
		"<a>x</a>":                      false,
		`<a href="">x</a>`:              false,
		"<code><b>x</b></code>":         false,
		"<b>x <b>y</b></b>":             false,
		"a & b":                         false,
		"a &nbsp; b":                    false,
		"1 < 2":                         false,
		"2 > 1":                         false,
		"&apos;":                        false,
		"{{.Name}} <code>{{.X}}</code>": true,
	} {
		if err := checkHTML(text); (err == nil) != valid {
			t.Errorf("%q: got error %v", text, err)
		}
	}
}

func TestCheckFile(t *testing.T) {
	const original = `
list_button_all = "📦 All & more"
list_removed_toast = "Removed"
list_text = "<b>{{.Name}}</b>"
list_left.one = "{{.Count}} thing of {{.Name}}"
list_left.other = "{{.Count}} things of {{.Name}}"
`
	labels := map[string]bool{"list_button_all": true, "list_removed_toast": true}
	change := func(old, replacement string) string {
		if !strings.Contains(original, old) {
			t.Fatalf("the original lacks %q", old)
		}
		return strings.Replace(original, old, replacement, 1)
	}
	for _, tt := range []struct{ name, code, content, want string }{
		{"no change", "de", original, ""},
		{"form one without count, which has only 1", "de", change("{{.Count}} thing of", "a thing of"), ""},
		{"form one without count, which has 0 as well", "hi", change("{{.Count}} thing of", "a thing of"), "list_left: one: has the placeholders [Name]"},
		{"form other without count", "de", change("{{.Count}} things", "things"), "list_left: other: has the placeholders [Name]"},
		{"message missing", "de", change(`list_removed_toast = "Removed"`, ""), "list_removed_toast: missing"},
		{"additional message", "de", original + `list_more = "x"`, "list_more: not in en.toml"},
		{"different order", "de", change(`list_removed_toast = "Removed"`, "") + `list_removed_toast = "Removed"`, "list_text: is at the position where"},
		{"placeholder missing", "de", change("<b>{{.Name}}</b>", "x"), "list_text: other: has the placeholders []"},
		{"placeholder renamed", "de", change("<b>{{.Name}}</b>", "{{.Nom}}"), "list_text: other: has the placeholders [Nom]"},
		{"form missing", "fr", original, "list_left: has the plural forms [one other], want [many one other]"},
		{"additional form", "de", original + `list_left.few = "{{.Count}} {{.Name}}"`, "list_left: has the plural forms [few one other]"},
		{"forms where English has none", "de", change(`list_text =`, `list_text.one = "{{.Name}}"`+"\nlist_text.other ="), "list_text: has the plural forms [one other]"},
		{"bad markup", "de", change("</b>", ""), "list_text: other: [b] is not closed"},
		{"markup in a label", "de", change("& more", "<b>&</b>"), "list_button_all: other: a label must be plain"},
		{"entity in a label", "de", change("& more", "&amp; more"), "list_button_all: other: a label must be plain"},
		{"long button", "de", change("All", strings.Repeat("ü", 40)), "list_button_all: other: 404 points wide"},
		{"long toast", "de", change("Removed", strings.Repeat("ü", 201)), "list_removed_toast: other: 201 characters"},
		{"space at the end", "de", change("Removed", "Removed "), "list_removed_toast: other: empty, or begins"},
		{"empty", "de", change("Removed", ""), "list_removed_toast: other: empty, or begins"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			english, err := readFile("en", original)
			if err != nil {
				t.Fatal(err)
			}
			f, err := readFile(tt.code, tt.content)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(checkFile(f, english, categoriesOf(t, tt.code), labels), "\n")
			if tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
