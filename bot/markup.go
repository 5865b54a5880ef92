package bot

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"hstockbot/locales"
)

// MaxText is the maximum length of a message in UTF-16 units, without markup (Bot API:
// sendMessage).
const MaxText = 4096

// maxCaption is MaxText for the text of a message with a file (Bot API: sendDocument).
const maxCaption = 1024

// maxPiece is the maximum length of MarkupError.Piece in characters.
const maxPiece = 40

// MarkupFault is a kind of mistake in markup.
type MarkupFault int

// The kinds of mistakes.
const (
	FaultTag    MarkupFault = iota + 1 // an unsupported tag, or a "<" that begins none
	FaultOpen                          // a tag without an end tag
	FaultEnd                           // an end tag that does not match the last open tag
	FaultInside                        // a tag that Telegram would ignore there: in code, a quote in a quote, a link in a link
	FaultLink                          // an address that Telegram makes no link of
	FaultEmpty                         // no visible text
	FaultLong                          // longer than MaxText
)

// MarkupError is a mistake in markup.
type MarkupError struct {
	Fault MarkupFault
	Piece string // the tag or the address, at most 40 characters; "" for FaultEmpty and FaultLong
	Units int64  // for FaultLong: the length in UTF-16 units
}

func (e *MarkupError) Error() string { return "markup: " + e.Piece }

// CheckMarkup checks typed markup (Bot API: "HTML style"). The error is a
// *MarkupError. It accepts less than Telegram: what Telegram would silently ignore is
// a mistake too.
//
// The tags are b strong i em u ins s strike del tg-spoiler code pre blockquote,
// <span class="tg-spoiler">, <blockquote expandable>, <pre><code
// class="language-go">, and <a href="…">. A single & or > is text.
func CheckMarkup(text string) error {
	p := markupParser{rest: text}
	for p.rest != "" {
		if err := p.next(); err != nil {
			return err
		}
	}
	switch {
	case len(p.open) > 0:
		return &MarkupError{Fault: FaultOpen, Piece: p.open[len(p.open)-1].piece}
	case !p.visible:
		return &MarkupError{Fault: FaultEmpty}
	case p.units > MaxText:
		return &MarkupError{Fault: FaultLong, Units: p.units}
	}
	return nil
}

// Length returns the length of a message in UTF-16 units, as Telegram counts it against
// MaxText: without tags, and with character references decoded.
func Length(html string) int {
	units := 0
	for _, r := range decodeReferences(anyTag.ReplaceAllLiteralString(html, "")) {
		units += utf16.RuneLen(r)
	}
	return units
}

var anyTag = regexp.MustCompile(`<[^>]*>`)

type markupParser struct {
	rest    string
	open    []markupTag
	units   int64 // UTF-16 units of text
	visible bool  // the text has a visible character
}

type markupTag struct{ name, piece string }

// next parses a tag or a character.
func (p *markupParser) next() error {
	switch p.rest[0] {
	case '<':
		return p.tag()
	case '&':
		if r, n := charReference(p.rest); n > 0 {
			p.text(r)
			p.rest = p.rest[n:]
			return nil
		}
	}
	r, n := utf8.DecodeRuneInString(p.rest)
	p.text(r)
	p.rest = p.rest[n:]
	return nil
}

func (p *markupParser) text(r rune) {
	p.units++
	if r > 0xFFFF {
		p.units++
	}
	// Marks and joiners are not visible alone, and Telegram removes some of them.
	p.visible = p.visible || unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}

// tag parses a tag or an end tag.
func (p *markupParser) tag() error {
	end := tagEnd(p.rest)
	if end < 0 {
		return &MarkupError{Fault: FaultTag, Piece: locales.Shorten(p.rest, maxPiece)}
	}
	piece := p.rest[:end]
	p.rest = p.rest[end:]
	inner := piece[1 : len(piece)-1]
	if name, isEnd := strings.CutPrefix(inner, "/"); isEnd {
		return p.endTag(strings.ToLower(name), piece)
	}
	name, attribute, value, ok := splitTag(inner)
	if !ok || !tagSupported(name, attribute, value) {
		return &MarkupError{Fault: FaultTag, Piece: locales.Shorten(piece, maxPiece)}
	}
	for _, outer := range p.open {
		verbatim := outer.name == "code" || outer.name == "pre"
		language := outer.name == "pre" && name == "code" && outer == p.open[len(p.open)-1]
		if verbatim && !language || outer.name == name && (name == "a" || name == "blockquote") {
			return &MarkupError{Fault: FaultInside, Piece: locales.Shorten(piece, maxPiece)}
		}
	}
	if name == "a" && !isLink(value) {
		return &MarkupError{Fault: FaultLink, Piece: locales.Shorten(value, maxPiece)}
	}
	p.open = append(p.open, markupTag{name: name, piece: locales.Shorten(piece, maxPiece)})
	return nil
}

func (p *markupParser) endTag(name, piece string) error {
	last := len(p.open) - 1
	if last < 0 || p.open[last].name != name {
		return &MarkupError{Fault: FaultEnd, Piece: locales.Shorten(piece, maxPiece)}
	}
	p.open = p.open[:last]
	return nil
}

// tagEnd returns the length of the tag that text begins with; -1 if it has no end.
// A ">" in quotes does not end it.
func tagEnd(text string) int {
	quote := byte(0)
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			return -1
		case c == '>':
			return i + 1
		}
	}
	return -1
}

// splitTag reads `name`, `name attribute` or `name attribute="value"`.
func splitTag(inner string) (name, attribute, value string, ok bool) {
	name, rest, _ := strings.Cut(inner, " ")
	attribute, quoted, valued := strings.Cut(strings.TrimSpace(rest), "=")
	if valued {
		n := len(quoted)
		if n < 2 || quoted[0] != '"' && quoted[0] != '\'' || strings.IndexByte(quoted[1:], quoted[0]) != n-2 {
			return "", "", "", false
		}
		value = decodeReferences(quoted[1 : n-1])
	}
	return strings.ToLower(name), strings.ToLower(attribute), value, true
}

func tagSupported(name, attribute, value string) bool {
	switch name {
	case "b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "tg-spoiler", "pre":
		return attribute == ""
	case "span":
		return attribute == "class" && value == "tg-spoiler"
	case "code":
		return attribute == "" || attribute == "class" && strings.HasPrefix(value, "language-")
	case "blockquote":
		return attribute == "" || attribute == "expandable" && value == ""
	case "a":
		return attribute == "href"
	default:
		return false
	}
}

// isLink reports whether Telegram makes a link of an address.
func isLink(address string) bool {
	u, err := url.Parse(address)
	if err != nil || strings.ContainsFunc(address, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return false
	}
	switch u.Scheme {
	case "http", "https":
		host := u.Hostname()
		return strings.Contains(strings.Trim(host, "."), ".")
	case "tg":
		return u.Host != ""
	case "mailto", "tel":
		return u.Opaque != ""
	default:
		return false
	}
}

// charReference decodes the character reference that text begins with: a number, or
// one of Telegram's four names, with or without a semicolon. n is its length, 0 if
// there is none and the "&" is text.
func charReference(text string) (r rune, n int) {
	body := text[1:]
	if digits, ok := strings.CutPrefix(body, "#"); ok {
		base, head := rune(10), 2
		if hex, ok := strings.CutPrefix(digits, "x"); ok {
			digits, base, head = hex, 16, 3
		}
		count := 0
		for count < len(digits) {
			d := strings.IndexByte("0123456789abcdef"[:base], digits[count]|0x20)
			if digits[count] < 'A' {
				d = strings.IndexByte("0123456789", digits[count])
			}
			if d < 0 {
				break
			}
			if r = r*base + rune(d&0xF); r > unicode.MaxRune || count >= 10 {
				return 0, 0
			}
			count++
		}
		if r == 0 || !utf8.ValidRune(r) {
			return 0, 0
		}
		return r, head + count + semicolon(digits[count:])
	}
	end := strings.IndexFunc(body, func(r rune) bool { return r < 'A' || r > 'z' || 'Z' < r && r < 'a' })
	if end < 0 {
		end = len(body)
	}
	r, ok := map[string]rune{"lt": '<', "gt": '>', "amp": '&', "quot": '"'}[body[:end]]
	if !ok {
		return 0, 0
	}
	return r, 1 + end + semicolon(body[end:])
}

func semicolon(text string) int {
	if strings.HasPrefix(text, ";") {
		return 1
	}
	return 0
}

func decodeReferences(text string) string {
	var b strings.Builder
	for text != "" {
		if text[0] == '&' {
			if r, n := charReference(text); n > 0 {
				b.WriteRune(r)
				text = text[n:]
				continue
			}
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return b.String()
}
