package telegram

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// utf16Len returns the length of text in UTF-16 units, as Telegram counts it.
func utf16Len(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// cleanText cleans text as Telegram does. Control characters become spaces; carriage
// returns, direction overrides and three combining characters are removed.
func cleanText(text string) string {
	return strings.Map(cleanRune, strings.ToValidUTF8(text, "�"))
}

func cleanRune(r rune) rune {
	switch {
	case r == '\n':
		return r
	case r == '\r', 0x2028 <= r && r <= 0x202e, r == 0x333, r == 0x33f, r == 0x30a:
		return -1
	case r < ' ':
		return ' '
	}
	return r
}

// trim removes spaces and line breaks at both ends, but at the front none that is
// part of an entity, and shifts the entities.
func trim(text string, entities []Entity) (string, []Entity) {
	const blank = " \n"
	trimmed := strings.TrimRight(text, blank)
	front := len(trimmed) - len(strings.TrimLeft(trimmed, blank)) // in bytes and, because blanks are ASCII, in UTF-16 units
	for _, e := range entities {
		front = min(front, e.Offset)
	}
	trimmed = trimmed[front:]
	if len(trimmed) == len(text) || len(entities) == 0 {
		return trimmed, entities
	}
	length := utf16Len(trimmed)
	kept := make([]Entity, 0, len(entities))
	for _, e := range entities {
		e.Offset -= front
		if e.Length = min(e.Length, length-e.Offset); e.Length > 0 {
			kept = append(kept, e)
		}
	}
	return trimmed, kept
}

// formatted returns a text with its entities, parsed or as given, cleaned and
// trimmed. A text over limit (UTF-16 units) is refused as "<name> is too long".
func formatted(a args, textField, entitiesField string, limit int, name string) (text string, entities []Entity, refusal *apiError) {
	text = a.str(textField)
	if !utf8.ValidString(text) {
		return "", nil, badRequest("strings must be encoded in UTF-8")
	}
	switch mode := a.str("parse_mode"); strings.ToLower(mode) {
	case "":
		text = cleanText(text)
		var err *apiError
		if entities, err = givenEntities(a[entitiesField], utf16Len(text)); err != nil {
			return "", nil, err
		}
	case "html":
		plain, found, err := ParseHTML(text)
		if err != nil {
			return "", nil, badRequest("can't parse entities: %v", err)
		}
		text, entities = plain, found
	case "markdown", "markdownv2":
		return "", nil, badRequest("parse_mode %s is not implemented in the sandbox", mode)
	default:
		return "", nil, badRequest("unsupported parse_mode")
	}
	text, entities = trim(text, entities)
	if utf16Len(text) > limit {
		return "", nil, badRequest("%s is too long", name)
	}
	for _, e := range entities {
		if e.Type == "date_time" && time.Unix(e.UnixTime, 0).After(time.Now().AddDate(3, 0, 0)) {
			return "", nil, badRequest("ENTITY_DATE_INVALID")
		}
	}
	return text, entities, nil
}

// entityTypes maps the types of entities to whether bots can send them.
var entityTypes = map[string]bool{
	"bold": true, "italic": true, "underline": true, "strikethrough": true, "spoiler": true,
	"blockquote": true, "expandable_blockquote": true, "code": true, "pre": true, "text_link": true,
	"text_mention": true, "custom_emoji": true, "date_time": true,
	"mention": false, "hashtag": false, "cashtag": false, "bot_command": false, "url": false,
	"email": false, "phone_number": false, // Telegram detects these
}

// givenEntities reads the checked parameter entities.
func givenEntities(v value, length int) ([]Entity, *apiError) {
	if v.node == nil {
		return nil, nil
	}
	var given []Entity
	if err := json.Unmarshal(canonicalJSON(v.node), &given); err != nil {
		return nil, badRequest("can't parse entities: %v", err)
	}
	var kept []Entity
	for _, e := range given {
		allowed, known := entityTypes[e.Type]
		switch {
		case !known:
			return nil, badRequest("can't parse MessageEntity: unsupported type specified")
		case e.Offset < 0 || e.Length <= 0:
			return nil, badRequest("entity beginning at UTF-16 offset %d has a wrong length", e.Offset)
		case e.Offset+e.Length > length:
			return nil, badRequest("entity beginning at UTF-16 offset %d ends after the end of the text at UTF-16 offset %d", e.Offset, e.Offset+e.Length)
		case e.Type == "date_time" && e.UnixTime <= 0:
			return nil, badRequest("Invalid date specified")
		case e.Type == "date_time" && !timeFormat.MatchString(e.DateTimeFormat):
			return nil, badRequest("Invalid date format used")
		case allowed:
			kept = append(kept, e)
		}
	}
	return normalizeEntities(kept), nil
}

// detectEntities adds the entities that Telegram detects in the text: commands, URLs,
// e-mail addresses, mentions and hashtags, outside of code and links.
func detectEntities(text string, entities []Entity) []Entity {
	if !strings.ContainsAny(text, "/@#") {
		return entities
	}
	var found []Entity
	offset := 0 // UTF-16 units before word
	for start := 0; start < len(text); {
		r, size := utf8.DecodeRuneInString(text[start:])
		if r == ' ' || r == '\n' {
			start, offset = start+size, offset+1
			continue
		}
		word := text[start:]
		if end := strings.IndexAny(word, " \n"); end >= 0 {
			word = word[:end]
		}
		if kind, n := classify(word); n > 0 && !inVerbatim(entities, offset) {
			found = append(found, Entity{Type: kind, Offset: offset, Length: utf16Len(word[:n])})
		}
		start, offset = start+len(word), offset+utf16Len(word)
	}
	if found == nil {
		return entities
	}
	return normalizeEntities(slices.Concat(entities, found))
}

// classify returns the entity type that a word begins with, and its length in bytes.
func classify(word string) (kind string, n int) {
	identifier := func(from int) int {
		n := from
		for n < len(word) && (isLetter(word[n]) || ('0' <= word[n] && word[n] <= '9') || word[n] == '_') {
			n++
		}
		return n
	}
	trimmed := strings.TrimRight(word, ".,;:!?)'\"")
	switch {
	case word[0] == '/':
		n = identifier(1)
		if n == 1 || n > 33 {
			return "", 0
		}
		if n < len(word) && word[n] == '@' && identifier(n+1) > n+1 {
			n = identifier(n + 1)
		}
		if n < len(word) && (word[n] == '/' || word[n] == '@') {
			return "", 0 // a path
		}
		return "bot_command", n
	case word[0] == '@' && identifier(1) > 3:
		return "mention", identifier(1)
	case word[0] == '#' && identifier(1) > 1:
		return "hashtag", identifier(1)
	case strings.HasPrefix(word, "https://"), strings.HasPrefix(word, "http://"):
		if host := trimmed[strings.Index(trimmed, "//")+2:]; strings.Contains(host, ".") {
			return "url", len(trimmed)
		}
	default:
		name, host, ok := strings.Cut(trimmed, "@")
		if ok && name != "" && strings.Contains(host, ".") && !strings.ContainsAny(trimmed, "/:<>") {
			return "email", len(trimmed)
		}
	}
	return "", 0
}

// inVerbatim reports whether offset is in code or a link, where Telegram detects
// nothing.
func inVerbatim(entities []Entity, offset int) bool {
	for _, e := range entities {
		inside := e.Offset <= offset && offset < e.Offset+e.Length
		if inside && (e.Type == "code" || e.Type == "pre" || e.Type == "text_link") {
			return true
		}
	}
	return false
}

// visibleToBot reports whether a bot with privacy mode gets the message of a group.
func (s *Server) visibleToBot(m *Message) bool {
	if len(m.Entities) == 0 || m.Entities[0].Type != "bot_command" || m.Entities[0].Offset != 0 {
		return false
	}
	command := m.Text[:m.Entities[0].Length] // a command is ASCII
	_, bot, addressed := strings.Cut(command, "@")
	return !addressed || strings.EqualFold(bot, s.opts.Username)
}
