package credentials

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"hstockbot/internal/redact"
)

// Limits of Split. An Excel cell has at most 32,767 UTF-16 units.
const (
	minParts   = 2
	maxParts   = 8
	maxRows    = 20_000
	maxBytes   = 8 << 20 // of all accounts
	maxPart    = 32_767  // UTF-16 units
	enoughRows = 3       // that agree on a part without a form of its own
)

// Kind says what the parts of a column are.
type Kind int

// Kinds of columns. Other is a part of which the meaning is not known.
const (
	Other Kind = iota
	Login
	Password
	Recovery // an e-mail beside the login
	Secret   // the shared secret of a second factor
)

// Table is accounts in parts: one row an account, all with as many parts as Kinds.
type Table struct {
	Kinds []Kind
	Rows  [][]redact.Secret
}

// Split splits accounts into their parts. ok is false if the split is not certain: unless
// every account is one line of 2-8 parts, as many as all others, that begins with an
// e-mail or a name and a password. A separator may also be a character of a password, so
// each further part must have a form of its own (e-mail, secret, link, cookies, …), or
// follow an e-mail as its password, or be a different one in at least three accounts.
//
// The separator is one of : | ; ---- and tab, or one of the others after a login and a
// password with a colon between them. Separators within links, JSON and cookies don't
// split. A line break at the end of an account is not a part of it.
func Split(accounts []redact.Secret) (table Table, ok bool) {
	lines := make([]string, 0, min(len(accounts), maxRows))
	size := 0
	for _, account := range accounts {
		line := withoutLineEnd(account.Reveal())
		if size += len(line); size > maxBytes || len(lines) == maxRows || !isPlain(line) {
			return Table{}, false
		}
		lines = append(lines, line)
	}
	// Of two possible forms, the one with more parts is right or none is: the parts
	// that the other one lacks are either there or characters of a password.
	var best [][]string
	for _, form := range forms {
		if rows := form.rows(lines); len(rows) > 0 && (best == nil || len(rows[0]) > len(best[0])) {
			best = rows
		}
	}
	if len(best) == 0 {
		return Table{}, false
	}
	kinds, certain := kindsOf(best)
	if !certain {
		return Table{}, false
	}
	table.Kinds = kinds
	for _, row := range best {
		parts := make([]redact.Secret, len(row))
		for i, part := range row {
			parts[i] = redact.Secret(part)
		}
		table.Rows = append(table.Rows, parts)
	}
	return table, true
}

func withoutLineEnd(account string) string {
	return strings.TrimSuffix(strings.TrimSuffix(account, "\n"), "\r")
}

// isPlain reports whether a line consists of characters that a cell and a copy button
// can hold unchanged.
func isPlain(line string) bool {
	return utf8.ValidString(line) && !strings.ContainsFunc(line, func(r rune) bool {
		return r != '\t' && unicode.IsControl(r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029' || r&0xFFFE == 0xFFFE
	})
}

// form is one way to write an account: parts between separators. With colonFirst the
// first of them is login:password.
type form struct {
	separator  string
	colonFirst bool
}

var (
	separators = []string{":", "|", ";", "----", "\t"}
	forms      = []form{
		{":", false},
		{"|", false},
		{";", false},
		{"----", false},
		{"\t", false},
		{"|", true},
		{";", true},
		{"----", true},
		{"\t", true},
	}
)

// rows splits all lines, nil if they don't have this form.
func (f form) rows(lines []string) [][]string {
	rows := make([][]string, 0, len(lines))
	for _, line := range lines {
		parts := splitLine(line, f.separator)
		if f.colonFirst && len(parts) > 1 {
			login, password, found := strings.Cut(parts[0], ":")
			if !found || strings.Contains(password, ":") {
				return nil
			}
			parts = slices.Insert(parts[1:], 0, login, password)
		}
		if len(parts) < minParts || len(parts) > maxParts || len(rows) > 0 && len(parts) != len(rows[0]) ||
			!isLogin(parts[0], parts[1]) || slices.ContainsFunc(parts, func(part string) bool {
			return part != strings.TrimSpace(part) || len(utf16.Encode([]rune(part))) > maxPart
		}) {
			return nil
		}
		rows = append(rows, parts)
	}
	return rows
}

// splitLine splits a line, nil if it has too many parts or it is not certain where one
// ends.
func splitLine(line, separator string) []string {
	if separator == "----" && strings.Contains(line, "-----") {
		return nil // one dash belongs to a part
	}
	var parts []string
	for len(parts) < maxParts {
		n, certain := entityLength(line, separator)
		if !certain {
			return nil
		}
		i := strings.Index(line[n:], separator)
		if i < 0 {
			return append(parts, line)
		}
		parts = append(parts, line[:n+i])
		line = line[n+i+len(separator):]
	}
	return nil
}

var (
	email   = regexp.MustCompile(`^[\p{L}\p{N}._%+\-]{1,64}@[\p{L}\p{N}](?:[\p{L}\p{N}.\-]*[\p{L}\p{N}])?\.\p{L}{2,}$`)
	name    = regexp.MustCompile(`^@?[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}._+]|-){0,63}$`)
	serial  = regexp.MustCompile(`^[A-Z0-9]{3,}(?:-[A-Z0-9]{3,})+$`)
	port    = regexp.MustCompile(`^[0-9]{2,5}$`)
	notName = []string{
		"2fa", "account", "backup", "card", "code", "codes", "cookie", "cookies", "e-mail", "email", "gmail", "http", "https", "id", "info",
		"key", "license", "link", "login", "mail", "name", "note", "number", "otp", "pass", "password", "phone", "pin", "pwd", "recovery",
		"secret", "serial", "token", "url", "user", "username", "voucher", "warning",
		"логин", "пароль", "почта", "ключ", "код", "账号", "密码", "邮箱",
	}
)

func isEmail(part string) bool { return email.MatchString(part) }

// isLogin reports whether a line begins with an e-mail or a name, and a password. A label
// ("Password:"), the number of a voucher, the host of a proxy and a sentence are neither.
func isLogin(login, password string) bool {
	switch {
	case password == "" || isEmail(password) || isJSONOrLink(password) || cookieStart.MatchString(password):
		return false
	case isEmail(login):
		return true
	}
	isHost := strings.Contains(login, ".") && port.MatchString(password)
	isSentence := strings.Contains(password, " ")
	return name.MatchString(login) && strings.ContainsFunc(login, unicode.IsLetter) && !strings.Contains(login, "--") &&
		!serial.MatchString(login) && !isHost && !isSentence && !slices.Contains(notName, strings.ToLower(login))
}

// kindsOf returns what each column is, and whether the split is certain.
func kindsOf(rows [][]string) (kinds []Kind, certain bool) {
	kinds = []Kind{Login, Password}
	if all(rows, 1, isSecret) {
		return nil, false // the secret of an account without a password?
	}
	passwordVaries := varies(rows, 1)
	settled := false // the column before has a form of its own
	afterEmail := false
	for i := 2; i < len(rows[0]); i++ {
		kind, formed := Other, settled && isEmpty(rows, i)
		wasAfterEmail := afterEmail
		afterEmail = false
		switch {
		case formed:
		case isEmpty(rows, i): // or the part before ends with the separator
			return nil, false
		case all(rows, i, isEmail):
			kind, formed, afterEmail = Other, true, true
			if !slices.Contains(kinds, Recovery) {
				kind = Recovery
			}
		case all(rows, i, isSecret):
			kind, formed = Other, true
			if !slices.Contains(kinds, Secret) {
				kind = Secret
			}
		case all(rows, i, hasForm):
			formed = true
		case wasAfterEmail: // its password
		case len(rows) >= enoughRows && passwordVaries && varies(rows, i):
		default:
			return nil, false
		}
		kinds, settled = append(kinds, kind), formed
	}
	for i, kind := range kinds {
		if kind == Password || kind == Other {
			if slices.ContainsFunc(rows, func(row []string) bool { return hidesParts(row[i]) }) {
				return nil, false
			}
		}
	}
	return kinds, true
}

// all reports whether a test holds for what is not empty in a column.
func all(rows [][]string, column int, test func(string) bool) bool {
	return !slices.ContainsFunc(rows, func(row []string) bool { return row[column] != "" && !test(row[column]) })
}

func isEmpty(rows [][]string, column int) bool {
	return all(rows, column, func(string) bool { return false })
}

// varies reports whether a column has a different value in each row.
func varies(rows [][]string, column int) bool {
	seen := make(map[string]bool, len(rows))
	for _, row := range rows {
		if row[column] == "" || seen[row[column]] {
			return false
		}
		seen[row[column]] = true
	}
	return true
}

// hidesParts reports whether a part contains an e-mail or a secret between separators:
// then another split may be right.
func hidesParts(part string) bool {
	if isJSONOrLink(part) {
		return false
	}
	for _, separator := range separators {
		part = strings.ReplaceAll(part, separator, "\n")
	}
	pieces := strings.Split(part, "\n")
	return len(pieces) > 1 && slices.ContainsFunc(pieces, func(piece string) bool {
		piece = strings.TrimSpace(piece)
		return isEmail(piece) || isSecret(piece)
	})
}
