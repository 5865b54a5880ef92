package telegram

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// utf16Len is the length of text as Telegram counts it.
func utf16Len(text string) int {
	n := 0
	for _, r := range text {
		n += units(r)
	}
	return n
}

// cleanText does what Telegram does to every text: control characters become
// spaces, carriage returns, direction overrides and combining vertical lines go.
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

// trim removes spaces and line breaks at both ends, at the front up to the first
// entity only, and moves the entities along.
func trim(text string, entities []Entity) (string, []Entity) {
	const blank = " \n"
	trimmed := strings.TrimRight(text, blank)
	front := len(trimmed) - len(strings.TrimLeft(trimmed, blank)) // bytes, and units as well
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

// formatted is the text of a call as Telegram keeps it: parsed or with the
// entities given, cleaned, trimmed and of at most limit UTF-16 units. what is
// "message" or "message caption", for the refusal.
func formatted(a args, textField, entitiesField string, limit int, what string) (text string, entities []Entity, refusal *apiError) {
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
		plain, found, err := parseHTML(cleanText(text))
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
		return "", nil, badRequest("%s is too long", what)
	}
	return text, entities, nil
}

// entityTypes are those that a bot may send by itself.
var entityTypes = map[string]bool{
	"bold": true, "italic": true, "underline": true, "strikethrough": true, "spoiler": true,
	"blockquote": true, "expandable_blockquote": true, "code": true, "pre": true, "text_link": true,
	"text_mention": true, "custom_emoji": true, "date_time": true,
	"mention": false, "hashtag": false, "cashtag": false, "bot_command": false, "url": false,
	"email": false, "phone_number": false, // Telegram finds these itself
}

// givenEntities reads the parameter entities, whose fields have been checked.
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
		sent, known := entityTypes[e.Type]
		switch {
		case !known:
			return nil, badRequest("can't parse MessageEntity: unsupported type specified")
		case e.Offset < 0 || e.Length <= 0:
			return nil, badRequest("entity beginning at UTF-16 offset %d has a wrong length", e.Offset)
		case e.Offset+e.Length > length:
			return nil, badRequest("entity beginning at UTF-16 offset %d ends after the end of the text at UTF-16 offset %d", e.Offset, e.Offset+e.Length)
		case sent:
			kept = append(kept, e)
		}
	}
	return normalizeEntities(kept), nil
}

// detect returns entities with those added that Telegram finds in the text by
// itself: commands, addresses, mentions and hashtags, outside of code and links.
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
		if kind, n := classify(word); n > 0 && !taken(entities, offset) {
			found = append(found, Entity{Type: kind, Offset: offset, Length: utf16Len(word[:n])})
		}
		start, offset = start+len(word), offset+utf16Len(word)
	}
	if found == nil {
		return entities
	}
	return normalizeEntities(append(append([]Entity(nil), entities...), found...))
}

// classify says what a word is, and how many of its bytes.
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

// taken says whether Telegram looks for nothing at that offset.
func taken(entities []Entity, offset int) bool {
	for _, e := range entities {
		inside := e.Offset <= offset && offset < e.Offset+e.Length
		if inside && (e.Type == "code" || e.Type == "pre" || e.Type == "text_link") {
			return true
		}
	}
	return false
}

// visibleToBot says whether a bot with privacy mode sees the message in a group.
func (s *Server) visibleToBot(m *Message) bool {
	if len(m.Entities) == 0 || m.Entities[0].Type != "bot_command" || m.Entities[0].Offset != 0 {
		return false
	}
	command := m.Text[:m.Entities[0].Length] // a command is ASCII
	_, bot, addressed := strings.Cut(command, "@")
	return !addressed || strings.EqualFold(bot, s.opts.Username)
}
