package locales

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// text is a message with its plural forms, parsed once when it is loaded.
// go-i18n's Localize matches languages and runs text/template at each call,
// which takes seven times as long.
type text struct {
	other   template
	plurals *[other]template // nil in a message without plural forms
}

// template is one form of a message with its placeholders.
type template struct {
	parts []part // nil if the message lacks this form
	size  int    // of the literals, in bytes
}

// part is literal text followed by a placeholder.
type part struct {
	literal string
	name    string // "" in the last part of a template
}

// form is one of CLDR's plural categories.
type form int

const (
	zero form = iota
	one
	two
	few
	many
	other // the form that every language has
)

// forms are the names of the categories in message files.
var forms = [...]string{"zero", "one", "two", "few", "many", "other"}

// placeholder matches the only template syntax that message files may use.
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
	for category, source := range []string{source.Zero, source.One, source.Two, source.Few, source.Many} {
		if source == "" {
			continue
		}
		if result.plurals == nil {
			result.plurals = new([other]template)
		}
		if result.plurals[category], err = compileForm(source); err != nil {
			return nil, err
		}
	}
	return result, nil
}

func compileForm(source string) (template, error) {
	var result template
	from := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(source, -1) {
		result.parts = append(result.parts, part{literal: source[from:at[0]], name: source[at[2]:at[3]]})
		from = at[1]
	}
	result.parts = append(result.parts, part{literal: source[from:]})
	for _, p := range result.parts {
		if strings.Contains(p.literal, "{{") || strings.Contains(p.literal, "}}") {
			return template{}, fmt.Errorf("%q: placeholders must have the form {{.Name}}", p.literal)
		}
		result.size += len(p.literal)
	}
	return result, nil
}

// form returns the template of a plural category, or of "other" if the message
// lacks that category.
func (t *text) form(category form) *template {
	if category == other || t.plurals == nil || t.plurals[category].parts == nil {
		return &t.other
	}
	return &t.plurals[category]
}

// render replaces the placeholders by their arguments, escaped if asHTML. A later
// Args has priority over an earlier one. A placeholder without an argument
// remains as it is.
func (l *Localizer) render(t *template, args []Args, asHTML bool) string {
	if len(t.parts) == 1 {
		return t.parts[0].literal
	}
	var result strings.Builder
	result.Grow(t.size + 24*len(t.parts))
	for _, p := range t.parts {
		result.WriteString(p.literal)
		if p.name == "" {
			continue
		}
		switch value := argument(args, p.name).(type) {
		case nil:
			result.WriteString("{{." + p.name + "}}")
		case HTML:
			result.WriteString(string(value))
		case string:
			writeData(&result, value, asHTML)
		case int64:
			result.WriteString(l.Number(value))
		case int:
			result.WriteString(l.Number(int64(value)))
		default:
			writeData(&result, fmt.Sprint(value), asHTML)
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

func writeData(result *strings.Builder, data string, asHTML bool) {
	if asHTML {
		// Writes to a strings.Builder do not fail.
		_, _ = escaper.WriteString(result, data)
		return
	}
	result.WriteString(data)
}

// pluralRule maps a count to the plural category of a language. The rules are
// those of go-i18n, which does not export them, so pluralRule localizes a
// message whose forms are the names of the categories.
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

// form returns the category of count, which has a type that
// i18n.LocalizeConfig.PluralCount accepts.
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
