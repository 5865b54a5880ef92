package handlers

import "strings"

// pastedLine is a line "service | link | quantity" of a text.
type pastedLine struct {
	place    int64 // among the lines that are not empty, from 1
	text     string
	service  int64
	link     string // or an e-mail address, "" for none
	quantity int64
	bad      string // the message that says why it is none, "" if it is one
}

// parseLines parses a text of lines, with digits of any script and bars of any width. It
// reports false unless a line begins with a number and a bar: then the text is none.
func parseLines(text string) (lines []pastedLine, ok bool) {
	for raw := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029", r) }) {
		raw = strings.TrimSpace(raw)
		if raw == "" {
			continue
		}
		line := parseLine(raw)
		line.place = int64(len(lines)) + 1
		ok = ok || line.service > 0
		lines = append(lines, line)
	}
	return lines, ok
}

// bars are the characters that people type or paste for a bar.
var bars = strings.NewReplacer("｜", "|", "│", "|", "¦", "|", "ǀ", "|")

func parseLine(raw string) pastedLine {
	line := pastedLine{text: raw}
	parts := strings.Split(bars.Replace(raw), "|")
	service, isNumber := parseAmount(parts[0])
	if len(parts) > 1 && isNumber && service > 0 {
		line.service = service
	}
	if len(parts) != 3 || line.service == 0 {
		line.bad = "basket_bad_parts"
		return line
	}
	var ok bool
	if link := strings.TrimSpace(parts[1]); link != "" {
		if line.link, ok = parseLink(link); !ok {
			line.link, ok = link, isEmail(link)
		}
		if !ok {
			line.link, line.bad = "", "basket_bad_link"
			return line
		}
	}
	if line.quantity, ok = parseAmount(parts[2]); !ok || line.quantity == 0 {
		line.bad = "basket_bad_quantity"
	}
	return line
}
