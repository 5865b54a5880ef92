package bot

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText is how long a message may be, in UTF-16 units of what is seen of it (Bot
// API: sendMessage).
const MaxText = 4096

// MarkupFault is what is wrong with typed markup.
type MarkupFault int

// What may be wrong.
const (
	FaultTag    MarkupFault = iota + 1 // no tag that can be sent; perhaps a lone "<"
	FaultOpen                          // a tag without its end
	FaultEnd                           // an end without its tag, or of another one
	FaultInside                        // a tag where Telegram would drop it: in code, a quote in a quote, a link in a link
	FaultLink                          // a link that leads nowhere
	FaultEmpty                         // nothing to be seen
	FaultLong                          // longer than MaxText
)

// MarkupError says what is wrong with markup, and where.
type MarkupError struct {
	Fault MarkupFault
	Piece string // the tag or the link; "" for FaultEmpty and FaultLong
	Units int64  // of FaultLong: how long it is
}

func (e *MarkupError) Error() string { return "markup: " + e.Piece }

// CheckMarkup reports why a text that somebody has typed can't be sent as it is
// meant (Bot API: "HTML style"), as a *MarkupError. It takes less than Telegram
// does: whatever Telegram would silently leave out is refused, too, since nobody
// has typed it for that.
//
// Taken are b strong i em u ins s strike del tg-spoiler code pre blockquote, also
// <span class="tg-spoiler">, <blockquote expandable>, <pre><code
// class="language-go">, and <a href="…">. A lone & or > is text.
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
	case !p.seen:
		return &MarkupError{Fault: FaultEmpty}
	case p.units > MaxText:
		return &MarkupError{Fault: FaultLong, Units: p.units}
	}
	return nil
}

type markupParser struct {
	rest  string
	open  []markupTag
	units int64 // of text, UTF-16
	seen  bool  // there is something to be seen
}

type markupTag struct{ name, piece string }

// next takes a tag or a character.
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
	// Marks and what joins characters shows nothing by itself, and Telegram drops some.
	p.seen = p.seen || unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}

// tag takes what begins with "<".
func (p *markupParser) tag() error {
	end := tagEnd(p.rest)
	if end < 0 {
		return &MarkupError{Fault: FaultTag, Piece: excerpt(p.rest)}
	}
	piece := p.rest[:end]
	p.rest = p.rest[end:]
	inner := piece[1 : len(piece)-1]
	if name, isEnd := strings.CutPrefix(inner, "/"); isEnd {
		return p.endTag(strings.ToLower(name), piece)
	}
	name, attribute, value, ok := splitTag(inner)
	if !ok || !tagTaken(name, attribute, value) {
		return &MarkupError{Fault: FaultTag, Piece: excerpt(piece)}
	}
	for _, outer := range p.open {
		verbatim := outer.name == "code" || outer.name == "pre"
		language := outer.name == "pre" && name == "code" && outer == p.open[len(p.open)-1]
		if verbatim && !language || outer.name == name && (name == "a" || name == "blockquote") {
			return &MarkupError{Fault: FaultInside, Piece: excerpt(piece)}
		}
	}
	if name == "a" && !leadsSomewhere(value) {
		return &MarkupError{Fault: FaultLink, Piece: excerpt(value)}
	}
	p.open = append(p.open, markupTag{name: name, piece: excerpt(piece)})
	return nil
}

func (p *markupParser) endTag(name, piece string) error {
	last := len(p.open) - 1
	if last < 0 || p.open[last].name != name {
		return &MarkupError{Fault: FaultEnd, Piece: excerpt(piece)}
	}
	p.open = p.open[:last]
	return nil
}

// tagEnd returns where a tag is over, quotes taken into account; -1: nowhere.
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

func tagTaken(name, attribute, value string) bool {
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

// leadsSomewhere reports whether Telegram makes a link of an address.
func leadsSomewhere(address string) bool {
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

// charReference reads the character reference that text begins with: a number, or
// one of the four names that Telegram knows, with or without its semicolon. n is 0
// where it is none and stays text.
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

// excerpt is the beginning of a piece, enough to find it by.
func excerpt(piece string) string {
	const most = 40
	runes := []rune(piece)
	if len(runes) <= most {
		return piece
	}
	return string(runes[:most-1]) + "…"
}
