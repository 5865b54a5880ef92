package credentials

import (
	"encoding/json"
	"regexp"
	"strings"
)

var (
	link      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.\-]*://[^\s]+$`)
	linkStart = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.\-]*://`)
	linkPort  = regexp.MustCompile(`^[^/?#:]+:[0-9]{1,5}(?:[/?#][^:]*)?$`)
	uuid      = regexp.MustCompile(`^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	phone     = regexp.MustCompile(`^\+[0-9]{7,15}$`)
	token     = regexp.MustCompile(`^[^\s:;|]{32,}$`)
	// At least two name=value pairs, as in the header Cookie (RFC 6265).
	cookieStart = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.\-]*=[^;|\t]*; ?[A-Za-z_][A-Za-z0-9_.\-]*=`)
)

// entityLength returns how much of the beginning of a line is JSON, a link or cookies, 0
// for nothing. certain is false if the separator does not tell where it ends.
func entityLength(line, separator string) (n int, certain bool) {
	switch {
	case line == "":
		return 0, true
	case line[0] == '{' || line[0] == '[':
		if n := jsonLength(line); n == len(line) || strings.HasPrefix(line[n:], separator) {
			return n, true
		}
		return 0, true
	case linkStart.MatchString(line):
		return linkLength(line, separator)
	case cookieStart.MatchString(line):
		if separator == ":" || separator == ";" {
			return len(line), true
		}
	}
	return 0, true
}

// jsonLength returns the length of the JSON value that a line begins with, 0 for none.
func jsonLength(line string) int {
	decoder := json.NewDecoder(strings.NewReader(line))
	var value json.RawMessage
	if decoder.Decode(&value) != nil {
		return 0
	}
	return int(decoder.InputOffset())
}

// linkLength returns the length of the link that a line begins with. Between colons only
// the last part may be a link, because a link may contain more of them.
func linkLength(line, separator string) (n int, certain bool) {
	if separator != ":" {
		return 0, true
	}
	rest := line[strings.Index(line, "://")+len("://"):]
	if strings.HasPrefix(line, otpauth) {
		path, query, _ := strings.Cut(rest, "?")
		return len(line), path != "" && !strings.Contains(query, ":")
	}
	return len(line), !strings.Contains(rest, ":") || linkPort.MatchString(rest)
}

// isJSONOrLink reports whether all of a part is JSON or a link.
func isJSONOrLink(part string) bool {
	return part != "" && (part[0] == '{' || part[0] == '[') && jsonLength(part) == len(part) || link.MatchString(part)
}

// hasForm reports whether a part is certainly not the end of a password: JSON, a link,
// cookies, a UUID, a phone, or a token, which is longer than passwords.
func hasForm(part string) bool {
	return isJSONOrLink(part) || cookieStart.MatchString(part) || uuid.MatchString(part) || phone.MatchString(part) || token.MatchString(part) && !strings.Contains(part, "----")
}
