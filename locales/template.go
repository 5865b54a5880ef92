package locales

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// text is a message with its plural forms, taken apart once when it is loaded:
// go-i18n's Localize matches languages at each call and runs text/template,
// which together cost seven times as much.
type text struct {
	other   template
	plurals *[other]template // nil in a message without plural forms
}

// template is a message's words with its placeholders.
type template struct {
	parts []part // nil where the language has no such form
	size  int    // of the words, in bytes
}

// part is words followed by a placeholder; the last part of a template has none.
type part struct {
	words string
	name  string
}

// form is one of CLDR's plural categories.
type form int

const (
	zero form = iota
	one
	two
	few
	many
	other // the one that every language has
)

// forms spells the categories as message files do.
var forms = [...]string{"zero", "one", "two", "few", "many", "other"}

// placeholder is all of the template syntax that message files may use.
var placeholder = regexp.MustCompile(`\{\{\.([A-Z][A-Za-z0-9]*)\}\}`)

func compile(source *i18n.Message) (*text, error) {
	if source.Other == "" {
		return nil, errors.New(`has no form "other"`)
	}
	result := &text{}
	var err error
	if result.other, err = compileForm(source.Other); err != nil {
		return nil, err
	}
	for category, words := range []string{source.Zero, source.One, source.Two, source.Few, source.Many} {
		if words == "" {
			continue
		}
		if result.plurals == nil {
			result.plurals = new([other]template)
		}
		if result.plurals[category], err = compileForm(words); err != nil {
			return nil, err
		}
	}
	return result, nil
}

func compileForm(source string) (template, error) {
	var result template
	from := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(source, -1) {
		result.parts = append(result.parts, part{words: source[from:at[0]], name: source[at[2]:at[3]]})
		from = at[1]
	}
	result.parts = append(result.parts, part{words: source[from:]})
	for _, p := range result.parts {
		if strings.Contains(p.words, "{{") || strings.Contains(p.words, "}}") {
			return template{}, fmt.Errorf("%q: a placeholder is written {{.Name}}, nothing else", p.words)
		}
		result.size += len(p.words)
	}
	return result, nil
}

// form returns the template of a plural category, or of "other" where the
// message has none of its own.
func (t *text) form(category form) *template {
	if category == other || t.plurals == nil || t.plurals[category].parts == nil {
		return &t.other
	}
	return &t.plurals[category]
}

// render puts the arguments in, escaped where the result is HTML. A later Args
// wins over an earlier one. A placeholder without an argument stays as it is
// written, which harms no markup and is seen.
func (l *Localizer) render(t *template, args []Args, markup bool) string {
	if len(t.parts) == 1 {
		return t.parts[0].words
	}
	var result strings.Builder
	result.Grow(t.size + 24*len(t.parts))
	for _, p := range t.parts {
		result.WriteString(p.words)
		if p.name == "" {
			continue
		}
		switch value := argument(args, p.name).(type) {
		case nil:
			result.WriteString("{{." + p.name + "}}")
		case HTML:
			result.WriteString(string(value))
		case string:
			writeData(&result, value, markup)
		case int64:
			result.WriteString(l.Number(value))
		case int:
			result.WriteString(l.Number(int64(value)))
		default:
			writeData(&result, fmt.Sprint(value), markup)
		}
	}
	return result.String()
}

func argument(args []Args, name string) any {
	for i := len(args) - 1; i >= 0; i-- {
		if value, ok := args[i][name]; ok {
			return value
		}
	}
	return nil
}

func writeData(result *strings.Builder, data string, markup bool) {
	if markup {
		// A strings.Builder takes everything.
		_, _ = escaper.WriteString(result, data)
		return
	}
	result.WriteString(data)
}

// pluralRule knows which plural category a language uses for a count. The
// rules are go-i18n's, which keeps them to itself: they are asked for by
// localizing a message whose every form is the name of that form.
type pluralRule struct {
	localizer *i18n.Localizer
}

// ruleMessage is the id of that message.
const ruleMessage = "rule"

func newPluralRule(tag language.Tag) (*pluralRule, error) {
	bundle := i18n.NewBundle(tag)
	err := bundle.AddMessages(tag, &i18n.Message{
		ID:   ruleMessage,
		Zero: forms[zero], One: forms[one], Two: forms[two], Few: forms[few], Many: forms[many], Other: forms[other],
	})
	if err != nil {
		return nil, fmt.Errorf("plural rule: %w", err)
	}
	return &pluralRule{localizer: i18n.NewLocalizer(bundle, tag.String())}, nil
}

// form returns the category of count, which may be any of those that
// i18n.LocalizeConfig.PluralCount takes.
func (r *pluralRule) form(count any) form {
	name, err := r.localizer.Localize(&i18n.LocalizeConfig{MessageID: ruleMessage, PluralCount: count})
	if err != nil {
		return other
	}
	for category, spelling := range forms {
		if spelling == name {
			return form(category)
		}
	}
	return other
}
