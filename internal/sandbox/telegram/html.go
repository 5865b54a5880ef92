package telegram

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ParseHTML returns the text of a message in HTML before it is trimmed, and its entities.
// The error is Telegram's: it sends no part of such a message.
func ParseHTML(text string) (string, []Entity, error) {
	return parseHTML(cleanText(text))
}

// parseHTML returns the plain text and the sorted entities of a text with tags (Bot
// API: "HTML style"). The error has Telegram's wording and byte offsets; it follows
// "can't parse entities: ".
func parseHTML(text string) (string, []Entity, error) {
	if !strings.ContainsAny(text, "<&") {
		return text, nil, nil
	}
	p := htmlParser{in: text}
	p.out.Grow(len(text))
	if err := p.run(); err != nil {
		return "", nil, err
	}
	return p.out.String(), normalizeEntities(p.entities), nil
}

type htmlParser struct {
	in       string
	pos      int
	out      strings.Builder
	units    int // UTF-16 units written to out
	open     []openTag
	entities []Entity
}

type openTag struct {
	name  string
	attrs map[string]string
	units int // offset in the plain text, in UTF-16 units
	bytes int // the same in bytes
}

// tagEntities maps tags to the types of their entities.
var tagEntities = map[string]string{
	"b": "bold", "strong": "bold", "i": "italic", "em": "italic",
	"u": "underline", "ins": "underline", "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough",
	"tg-spoiler": "spoiler", "span": "spoiler", "code": "code", "pre": "pre", "blockquote": "blockquote",
	"a": "text_link", "tg-emoji": "custom_emoji", "tg-time": "date_time",
}

// peek returns the byte at the position, 0 at the end.
func (p *htmlParser) peek() byte {
	if p.pos < len(p.in) {
		return p.in[p.pos]
	}
	return 0
}

func (p *htmlParser) run() error {
	for p.pos < len(p.in) {
		switch p.in[p.pos] {
		case '<':
			if err := p.tag(); err != nil {
				return err
			}
		case '&':
			if r, n := charReference(p.in[p.pos:]); n > 0 {
				p.write(r)
				p.pos += n
				continue
			}
			p.write('&')
			p.pos++
		default:
			r, n := utf8.DecodeRuneInString(p.in[p.pos:])
			p.write(r)
			p.pos += n
		}
	}
	if len(p.open) > 0 {
		return fmt.Errorf("Can't find end tag corresponding to start tag %q", p.open[len(p.open)-1].name) //nolint:staticcheck // Telegram's wording
	}
	return nil
}

func (p *htmlParser) write(r rune) {
	p.out.WriteRune(r)
	p.units += utf16.RuneLen(r)
}

// charReference reads the character reference at the start of s, which is n bytes
// long: a numeric one or one of the four names that Telegram knows. The semicolon is
// optional. n is 0 if s does not begin with a character reference.
func charReference(s string) (r rune, n int) {
	end := 1
	if len(s) > 1 && s[1] == '#' {
		end = 2
		base := rune(10)
		if len(s) > 2 && s[2] == 'x' {
			end, base = 3, 16
		}
		for start := end; end < len(s); end++ {
			d := digit(s[end], base)
			if d < 0 {
				break
			}
			if r = r*base + d; r >= utf8.MaxRune || end-start >= 10 {
				return 0, 0
			}
		}
		if r == 0 || !utf8.ValidRune(r) {
			return 0, 0
		}
	} else {
		for end < len(s) && isLetter(s[end]) {
			end++
		}
		switch s[1:end] {
		case "lt":
			r = '<'
		case "gt":
			r = '>'
		case "amp":
			r = '&'
		case "quot":
			r = '"'
		default:
			return 0, 0
		}
	}
	if end < len(s) && s[end] == ';' {
		end++
	}
	return r, end
}

// digit returns the value of a digit in base 10 or 16, -1 if c is not a digit.
func digit(c byte, base rune) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case base == 16 && 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f'
}

func (p *htmlParser) spaces() {
	for p.pos < len(p.in) && isSpace(p.in[p.pos]) {
		p.pos++
	}
}

// name reads up to a space or one of the bytes in ends.
func (p *htmlParser) name(ends string) string {
	start := p.pos
	for p.pos < len(p.in) && !isSpace(p.in[p.pos]) && strings.IndexByte(ends, p.in[p.pos]) < 0 {
		p.pos++
	}
	return p.in[start:p.pos]
}

// tag reads a start or end tag.
func (p *htmlParser) tag() error {
	begin := p.pos
	p.pos++
	if p.peek() == '/' {
		p.pos++
		return p.endTag(begin)
	}
	name := strings.ToLower(p.name(">"))
	if p.pos >= len(p.in) {
		return atOffset("Unclosed start tag", begin)
	}
	if tagEntities[name] == "" {
		return atOffset(fmt.Sprintf("Unsupported start tag %q", name), begin)
	}
	tag := openTag{name: name, units: p.units, bytes: p.out.Len()}
	for {
		p.spaces()
		if p.peek() == '>' {
			break
		}
		attr, value, err := p.attribute(name, begin)
		if err != nil {
			return err
		}
		if tag.attrs == nil {
			tag.attrs = map[string]string{}
		}
		tag.attrs[attr] = value
	}
	p.pos++
	if name == "span" && tag.attrs["class"] != "tg-spoiler" {
		return atOffset(`Tag "span" must have class "tg-spoiler"`, begin)
	}
	p.open = append(p.open, tag)
	return nil
}

// attribute reads name="value", name='value', name=token or, in <blockquote
// expandable>, a name alone.
func (p *htmlParser) attribute(tag string, begin int) (name, value string, err error) {
	name = strings.ToLower(p.name("=>"))
	if name == "" {
		if p.pos >= len(p.in) {
			return "", "", atOffset("Unclosed start tag", begin)
		}
		return "", "", atOffset(fmt.Sprintf("Empty attribute name in the tag %q", tag), begin)
	}
	p.spaces()
	if p.peek() != '=' {
		if p.pos >= len(p.in) {
			return "", "", atOffset(fmt.Sprintf("Unclosed start tag %q", tag), begin)
		}
		if tag == "blockquote" {
			return name, "", nil
		}
		return "", "", atOffset(fmt.Sprintf("Expected equal sign in declaration of an attribute of the tag %q", tag), begin)
	}
	p.pos++
	p.spaces()
	quote := p.peek()
	switch {
	case p.pos >= len(p.in):
		return "", "", atOffset(fmt.Sprintf("Unclosed start tag %q", tag), begin)
	case quote != '"' && quote != '\'':
		start := p.pos
		for c := p.peek(); isLetter(c) || ('0' <= c && c <= '9') || c == '.' || c == '-'; c = p.peek() {
			p.pos++
		}
		value = strings.ToLower(p.in[start:p.pos])
		if p.pos < len(p.in) && !isSpace(p.peek()) && p.peek() != '>' {
			return "", "", atOffset("Unexpected end of name token", start)
		}
	default:
		p.pos++
		var b strings.Builder
		for p.pos < len(p.in) && p.in[p.pos] != quote {
			if r, n := charReference(p.in[p.pos:]); p.in[p.pos] == '&' && n > 0 {
				b.WriteRune(r)
				p.pos += n
				continue
			}
			b.WriteByte(p.in[p.pos])
			p.pos++
		}
		p.pos = min(p.pos+1, len(p.in))
		value = b.String()
	}
	if p.pos >= len(p.in) {
		return "", "", atOffset("Unclosed start tag", begin)
	}
	return name, value, nil
}

func atOffset(text string, offset int) error {
	return fmt.Errorf("%s at byte offset %d", text, offset)
}

func (p *htmlParser) endTag(begin int) error {
	if len(p.open) == 0 {
		return atOffset("Unexpected end tag", begin)
	}
	name := strings.ToLower(p.name(">"))
	p.spaces()
	if p.peek() != '>' {
		return atOffset("Unclosed end tag", begin)
	}
	p.pos++
	tag := p.open[len(p.open)-1]
	if name != "" && name != tag.name {
		return fmt.Errorf(`Unmatched end tag at byte offset %d, expected "</%s>", found "</%s>"`, begin, tag.name, name) //nolint:staticcheck // Telegram's wording
	}
	p.open = p.open[:len(p.open)-1]
	return p.close(tag, begin)
}

// close adds the entity of a closed tag.
func (p *htmlParser) close(tag openTag, begin int) error {
	e := Entity{Type: tagEntities[tag.name], Offset: tag.units, Length: p.units - tag.units}
	if e.Length == 0 {
		return nil
	}
	switch tag.name {
	case "a":
		link := tag.attrs["href"]
		if link == "" {
			link = p.out.String()[tag.bytes:]
		}
		if e.URL = normalizeURL(link); e.URL == "" {
			return nil // Telegram shows an invalid link as text
		}
	case "tg-emoji":
		id := tag.attrs["emoji-id"]
		if n, err := strconv.ParseInt(id, 10, 64); err != nil || n == 0 {
			return fmt.Errorf("Invalid custom emoji identifier specified") //nolint:staticcheck // Telegram's wording
		}
		e.CustomEmojiID = id
	case "tg-time":
		unix, err := strconv.ParseInt(tag.attrs["unix"], 10, 32)
		if err != nil || unix <= 0 {
			return atOffset(`Tag "tg-time" must have a valid attribute "unix" (strict: Telegram shows plain text)`, begin)
		}
		if e.UnixTime, e.DateTimeFormat = unix, tag.attrs["format"]; !timeFormat.MatchString(e.DateTimeFormat) {
			return fmt.Errorf("Invalid date format used") //nolint:staticcheck // Telegram's wording
		}
	case "blockquote":
		if _, ok := tag.attrs["expandable"]; ok {
			e.Type = "expandable_blockquote"
		}
	case "code", "pre":
		// <pre><code class="language-go"> is one entity with a language.
		language, _ := strings.CutPrefix(tag.attrs["class"], "language-")
		if n := len(p.entities) - 1; tag.name == "pre" && n >= 0 && p.entities[n].Type == "code" &&
			p.entities[n].Offset == e.Offset && p.entities[n].Length == e.Length {
			language = p.entities[n].Language
			p.entities = p.entities[:n]
		}
		if language != tag.attrs["class"] || tag.name == "pre" {
			e.Language = language
		}
	}
	p.entities = append(p.entities, e)
	return nil
}

// timeFormat is what the attribute format of <tg-time> may be (Bot API: "Date-time
// entity formatting"). Telegram also accepts the letters in another order.
var timeFormat = regexp.MustCompile(`^(r|w?[dD]?[tT]?)$`)

// normalizeURL returns the link as Telegram stores it, "" if Telegram rejects it.
func normalizeURL(link string) string {
	if !strings.Contains(link, ":") {
		link = "http://" + link
	}
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		if u.Host == "" || (!strings.Contains(u.Host, ".") && u.Hostname() != "localhost") {
			return ""
		}
		if u.Path == "" && u.RawQuery == "" && u.Fragment == "" {
			link += "/"
		}
		return link
	case "tg", "ton", "mailto", "tel":
		return link
	}
	return ""
}

// normalizeEntities sorts entities by offset, longer ones first, and drops what
// Telegram drops: entities in code or pre, a quote in a quote, and the language of
// code without pre.
func normalizeEntities(entities []Entity) []Entity {
	slices.SortStableFunc(entities, func(a, b Entity) int {
		return cmp.Or(a.Offset-b.Offset, b.Length-a.Length)
	})
	kept := entities[:0]
	verbatim, quoted := -1, -1 // the ends of the last code and the last quote
	for _, e := range entities {
		if e.Offset < verbatim {
			continue
		}
		switch e.Type {
		case "code":
			e.Language = ""
			verbatim = e.Offset + e.Length
		case "pre":
			verbatim = e.Offset + e.Length
		case "blockquote", "expandable_blockquote":
			if e.Offset < quoted {
				continue
			}
			quoted = e.Offset + e.Length
		}
		kept = append(kept, e)
	}
	return kept
}
