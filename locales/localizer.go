package locales

import (
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/message"
)

// Args are the values of a message's placeholders, by name. Strings are data:
// T and N escape them. An HTML is markup already and goes in as it is. Integers
// are written as Number writes them, anything else as fmt does.
type Args map[string]any

// HTML is text in which &, <, > and " are escaped and tags are meant (Bot API:
// "HTML style"), for instance what T has returned.
type HTML string

// Localizer speaks one language. It never fails: a message that its file lacks
// is said in English, and one that English lacks too is the id itself. It is
// safe for concurrent use.
type Localizer struct {
	code        string
	rightToLeft bool
	messages    map[string]*text
	plurals     *pluralRule
	printer     *message.Printer
	regions     display.Namer
	english     *Localizer // nil in English itself
}

// Lang returns the marketplace's code of the language: "zh", "pt-BR".
func (l *Localizer) Lang() string { return l.code }

// Has reports whether T would find a message of this id.
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

// N returns the form of a message that the language uses for count, as HTML.
// Its placeholder {{.Count}} is the count, written as Number does.
func (l *Localizer) N(id string, count int64, args ...Args) string {
	form, args := l.plural(id, count, args)
	if form == nil {
		return Escape(id)
	}
	return l.render(form, args, true)
}

// Label returns a message as plain text, for what takes no markup: buttons,
// toasts, and strings that are put into other messages.
func (l *Localizer) Label(id string, args ...Args) string {
	found, _ := l.find(id)
	if found == nil {
		return id
	}
	return l.render(found.form(other), args, false)
}

// LabelN returns the form of a message for count as plain text.
func (l *Localizer) LabelN(id string, count int64, args ...Args) string {
	form, args := l.plural(id, count, args)
	if form == nil {
		return id
	}
	return l.render(form, args, false)
}

// Escape returns data as it must stand in HTML (Bot API: "HTML style" knows
// the entities &lt; &gt; &amp; and &quot; only).
func Escape(data string) string { return escaper.Replace(data) }

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func newLocalizer(code string, tag language.Tag, messages map[string]*text, plurals *pluralRule) *Localizer {
	script, _ := tag.Script()
	return &Localizer{
		code:        code,
		rightToLeft: script.String() == "Arab",
		messages:    messages,
		plurals:     plurals,
		printer:     newPrinter(tag),
		regions:     newRegions(tag),
	}
}

// find returns a message and the language whose words it is in.
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
	found, speaker := l.find(id)
	if found == nil {
		return nil, nil
	}
	category := other
	if found.plurals != nil {
		category = speaker.plurals.form(count)
	}
	return found.form(category), append(args[:len(args):len(args)], Args{"Count": count})
}
