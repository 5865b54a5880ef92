package locales

import (
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Args are the values of a message's placeholders by name. T and N escape
// strings; a value of type HTML is inserted unchanged. Integers are formatted by
// Number, other types by fmt.
type Args map[string]any

// HTML is text with markup, in which &, <, > and " are escaped (Bot API: "HTML
// style"), for instance the result of T.
type HTML string

// Localizer renders messages in one language. It never fails: a message that its
// file lacks is rendered in English, and for one that en.toml lacks as well the
// result is the id. It is safe for concurrent use.
type Localizer struct {
	code        string
	rightToLeft bool
	messages    map[string]*text
	plurals     *pluralRule
	numbers     numberRule
	regions     display.Namer
	english     *Localizer // nil in English itself
}

// Lang returns the code of the language in the marketplace's spelling: "zh",
// "pt-BR".
func (l *Localizer) Lang() string { return l.code }

// Has reports whether the language or English has a message with this id.
func (l *Localizer) Has(id string) bool {
	found, _ := l.find(id)
	return found != nil
}

// T returns a message as HTML.
func (l *Localizer) T(id string, args ...Args) string {
	found, _ := l.find(id)
	if found == nil {
		return Escape(id)
	}
	return l.render(found.form(other), args, true)
}

// N returns the plural form of a message for count, as HTML. The placeholder
// {{.Count}} is the count, formatted by Number.
func (l *Localizer) N(id string, count int64, args ...Args) string {
	form, args := l.plural(id, count, args)
	if form == nil {
		return Escape(id)
	}
	return l.render(form, args, true)
}

// Label returns a message as plain text, for texts without markup: buttons,
// toasts, and arguments of other messages.
func (l *Localizer) Label(id string, args ...Args) string {
	found, _ := l.find(id)
	if found == nil {
		return id
	}
	return l.render(found.form(other), args, false)
}

// LabelN returns the plural form of a message for count, as plain text.
func (l *Localizer) LabelN(id string, count int64, args ...Args) string {
	form, args := l.plural(id, count, args)
	if form == nil {
		return id
	}
	return l.render(form, args, false)
}

// Escape returns data with &, <, > and " escaped (Bot API: "HTML style" has the
// entities &lt; &gt; &amp; and &quot; only).
func Escape(data string) string { return escaper.Replace(data) }

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func newLocalizer(code string, tag language.Tag, messages map[string]*text, plurals *pluralRule) *Localizer {
	script, _ := tag.Script()
	return &Localizer{
		code:        code,
		rightToLeft: script.String() == "Arab",
		messages:    messages,
		plurals:     plurals,
		numbers:     numberRules[code],
		regions:     newRegions(tag),
	}
}

// find returns a message and the Localizer of the language that it is in.
func (l *Localizer) find(id string) (*text, *Localizer) {
	if found, ok := l.messages[id]; ok {
		return found, l
	}
	if l.english != nil {
		return l.english.find(id)
	}
	return nil, nil
}

func (l *Localizer) plural(id string, count int64, args []Args) (*template, []Args) {
	found, owner := l.find(id)
	if found == nil {
		return nil, nil
	}
	category := other
	if found.plurals != nil {
		category = owner.plurals.form(count)
	}
	return found.form(category), append(args[:len(args):len(args)], Args{"Count": count})
}
