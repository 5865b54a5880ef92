package credentials_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hstockbot/internal/credentials"
	"hstockbot/internal/redact"
)

const (
	secret  = "JBSWY3DPEHPK3PXP"
	cookies = `[{"domain":".example.com","name":"c_user","value":"a:b|c;d"}]`
)

func secrets(texts ...string) []redact.Secret {
	all := make([]redact.Secret, len(texts))
	for i, text := range texts {
		all[i] = redact.Secret(text)
	}
	return all
}

func reveal(rows [][]redact.Secret) [][]string {
	var all [][]string
	for _, row := range rows {
		var parts []string
		for _, part := range row {
			parts = append(parts, part.Reveal())
		}
		all = append(all, parts)
	}
	return all
}

func TestSplit(t *testing.T) {
	const (
		o = credentials.Other
		l = credentials.Login
		p = credentials.Password
		r = credentials.Recovery
		s = credentials.Secret
	)
	for name, test := range map[string]struct {
		accounts []string
		kinds    []credentials.Kind
		rows     [][]string
	}{
		"login and password":                 {[]string{"anna@mail.com:pass"}, []credentials.Kind{l, p}, [][]string{{"anna@mail.com", "pass"}}},
		"a name":                             {[]string{"anna_b.7|pass"}, []credentials.Kind{l, p}, [][]string{{"anna_b.7", "pass"}}},
		"a colon, then bars":                 {[]string{"anna@mail.com:pass|" + secret + "|rec@mail.com"}, []credentials.Kind{l, p, s, r}, [][]string{{"anna@mail.com", "pass", secret, "rec@mail.com"}}},
		"only colons":                        {[]string{"anna@mail.com:pass:" + secret + ":rec@mail.com"}, []credentials.Kind{l, p, s, r}, [][]string{{"anna@mail.com", "pass", secret, "rec@mail.com"}}},
		"semicolons":                         {[]string{"anna@mail.com;pass;rec@mail.com"}, []credentials.Kind{l, p, r}, [][]string{{"anna@mail.com", "pass", "rec@mail.com"}}},
		"dashes":                             {[]string{"anna-b@mail.com----pa-ss----rec@mail.com"}, []credentials.Kind{l, p, r}, [][]string{{"anna-b@mail.com", "pa-ss", "rec@mail.com"}}},
		"a colon after dashes":               {[]string{"anna----pass:x"}, []credentials.Kind{l, p}, [][]string{{"anna", "pass:x"}}},
		"tabs":                               {[]string{"anna\tpass\trec@mail.com"}, []credentials.Kind{l, p, r}, [][]string{{"anna", "pass", "rec@mail.com"}}},
		"CRLF":                               {[]string{"anna@mail.com:pass\r\n", "bob@mail.com:word\n"}, []credentials.Kind{l, p}, [][]string{{"anna@mail.com", "pass"}, {"bob@mail.com", "word"}}},
		"password with HTML":                 {[]string{"anna@mail.com:<i>& \"x d"}, []credentials.Kind{l, p}, [][]string{{"anna@mail.com", `<i>& "x d`}}},
		"other separators in it":             {[]string{"anna@mail.com|a:b;c|rec@mail.com"}, []credentials.Kind{l, p, r}, [][]string{{"anna@mail.com", "a:b;c", "rec@mail.com"}}},
		"the mailbox's password":             {[]string{"anna:pass:anna@mail.com:word"}, []credentials.Kind{l, p, r, o}, [][]string{{"anna", "pass", "anna@mail.com", "word"}}},
		"small letters in groups":            {[]string{"anna@mail.com:pass:jbsw y3dp ehpk 3pxp"}, []credentials.Kind{l, p, s}, [][]string{{"anna@mail.com", "pass", "jbsw y3dp ehpk 3pxp"}}},
		"a link":                             {[]string{"anna@mail.com:pass:https://example.com:8080/a"}, []credentials.Kind{l, p, o}, [][]string{{"anna@mail.com", "pass", "https://example.com:8080/a"}}},
		"an otpauth link":                    {[]string{"anna:pass:otpauth://totp/Ex:anna@mail.com?secret=" + secret + "&issuer=Ex"}, []credentials.Kind{l, p, s}, [][]string{{"anna", "pass", "otpauth://totp/Ex:anna@mail.com?secret=" + secret + "&issuer=Ex"}}},
		"JSON":                               {[]string{"anna:pass:" + cookies + ":rec@mail.com"}, []credentials.Kind{l, p, o, r}, [][]string{{"anna", "pass", cookies, "rec@mail.com"}}},
		"JSON between bars":                  {[]string{"anna|pass|" + cookies}, []credentials.Kind{l, p, o}, [][]string{{"anna", "pass", cookies}}},
		"a cookie header":                    {[]string{"anna:pass:c_user=1; xs=2:3"}, []credentials.Kind{l, p, o}, [][]string{{"anna", "pass", "c_user=1; xs=2:3"}}},
		"empty after a secret":               {[]string{"anna@mail.com:pass|" + secret + "|"}, []credentials.Kind{l, p, s, o}, [][]string{{"anna@mail.com", "pass", secret, ""}}},
		"empty in one account":               {[]string{"anna@mail.com:pass:", "bob@mail.com:word:rec@mail.com"}, []credentials.Kind{l, p, r}, [][]string{{"anna@mail.com", "pass", ""}, {"bob@mail.com", "word", "rec@mail.com"}}},
		"three that agree":                   {[]string{"anna@mail.com:p1:t1", "bob@mail.com:p2:t2", "cy@mail.com:p3:t3"}, []credentials.Kind{l, p, o}, [][]string{{"anna@mail.com", "p1", "t1"}, {"bob@mail.com", "p2", "t2"}, {"cy@mail.com", "p3", "t3"}}},
		"a token":                            {[]string{"anna@mail.com|pass|M.C5_" + strings.Repeat("aZ9!*", 8) + "|9e5f94bc-e8a4-4e73-b8be-63364c29d753"}, []credentials.Kind{l, p, o, o}, [][]string{{"anna@mail.com", "pass", "M.C5_" + strings.Repeat("aZ9!*", 8), "9e5f94bc-e8a4-4e73-b8be-63364c29d753"}}},
		"eight parts":                        {[]string{"anna:pass" + strings.Repeat(":rec@mail.com", 6)}, []credentials.Kind{l, p, r, o, o, o, o, o}, [][]string{{"anna", "pass", "rec@mail.com", "rec@mail.com", "rec@mail.com", "rec@mail.com", "rec@mail.com", "rec@mail.com"}}},
		"a semicolon in one password of two": {[]string{"anna@mail.com:pa;ss", "bob@mail.com:word"}, []credentials.Kind{l, p}, [][]string{{"anna@mail.com", "pa;ss"}, {"bob@mail.com", "word"}}},
	} {
		t.Run(name, func(t *testing.T) {
			table, ok := credentials.Split(secrets(test.accounts...))
			if diff := cmp.Diff(test.rows, reveal(table.Rows)); !ok || diff != "" {
				t.Errorf("certain: %v (-want +got):\n%s", ok, diff)
			}
			if !slices.Equal(table.Kinds, test.kinds) {
				t.Errorf("the kinds are %v, want %v", table.Kinds, test.kinds)
			}
		})
	}
}

// TestUncertain: only the whole account is certain.
func TestUncertain(t *testing.T) {
	for name, accounts := range map[string][]string{
		"nothing":                         {},
		"an empty account":                {""},
		"one part":                        {"anna@mail.com"},
		"nine parts":                      {"anna:pass" + strings.Repeat(":rec@mail.com", 7)},
		"the separator in the password":   {"anna@mail.com:pa:ss"},
		"it in one of two":                {"anna@mail.com:pa:ss", "bob@mail.com:word"},
		"it at the end of the password":   {"anna@mail.com:pass:"},
		"several at the end":              {"anna@mail.com:pass||"},
		"the same password with it":       {"anna@mail.com:Ab:12", "bob@mail.com:Ab:12", "cy@mail.com:Ab:12"},
		"the same beginning with it":      {"anna@mail.com:Ab:1", "bob@mail.com:Ab:2", "cy@mail.com:Ab:3"},
		"another separator in it":         {"anna@mail.com:pa;ss"},
		"two kinds of separators":         {"anna@mail.com:pass|rec@mail.com;x"},
		"two kinds, a secret":             {"anna@mail.com|pass:" + secret},
		"another number of parts":         {"anna@mail.com:pass:rec@mail.com", "bob@mail.com:word"},
		"no login":                        {":pass"},
		"no password":                     {"anna@mail.com:"},
		"no password in the middle":       {"anna@mail.com::rec@mail.com"},
		"a secret instead of a password":  {"anna@mail.com:" + secret},
		"an e-mail instead of a password": {"anna@mail.com:rec@mail.com"},
		"several lines an account":        {"anna@mail.com:pass\nbob@mail.com:word"},
		"labels":                          {"Login:anna"},
		"a label with a space":            {"Login: anna@mail.com"},
		"spaces around separators":        {"anna@mail.com | pass"},
		"a space before the password":     {"anna@mail.com: pass"},
		"a sentence":                      {"Hello:read the text below"},
		"JSON alone":                      {`{"login":"anna","password":"x"}`},
		"broken JSON":                     {`anna:pass:{"name":"x"`},
		"a link alone":                    {"https://example.com:8080/a"},
		"a link first":                    {"https://example.com:anna@mail.com:pass"},
		"a link and more after colons":    {"anna:pass:https://example.com:rec@mail.com"},
		"an otpauth link and more":        {"anna:pass:otpauth://totp/Ex?secret=" + secret + ":rec@mail.com"},
		"cookies and more after colons":   {"anna:pass:a=1; b=2:rec@mail.com"},
		"a proxy":                         {"203.0.113.7:8080:anna:pass"},
		"the host of a proxy":             {"gate.example.com:8080:anna:pass"},
		"a code":                          {"ABCDE-FGHIJ-KLMNO"},
		"a code with a PIN":               {"ABCD-EF12:1234"},
		"a number":                        {"6006491234567890:1234"},
		"five dashes":                     {"anna@mail.com-----pass"},
		"a control character":             {"anna@mail.com:pa\x00ss"},
		"invalid UTF-8":                   {"anna@mail.com:pa\xffss"},
		"too long for a cell":             {"anna@mail.com:" + strings.Repeat("x", 32_768)},
		"too many":                        slices.Repeat([]string{"anna@mail.com:pass"}, 20_001),
		"too much":                        slices.Repeat([]string{"anna@mail.com:" + strings.Repeat("x", 30_000)}, 300),
	} {
		t.Run(name, func(t *testing.T) {
			if table, ok := credentials.Split(secrets(accounts...)); ok || len(table.Rows) > 0 {
				t.Errorf("split into %d rows, the first is %q", len(table.Rows), reveal(table.Rows)[0])
			}
		})
	}
}

// TestSplitChangesNothing: the parts and what is between them are the account, whatever
// it is.
func TestSplitChangesNothing(t *testing.T) {
	found := false
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{
			"anna@mail.com", "anna", "pass", "p w", secret, "jbsw y3dp ehpk 3pxp", "rec@mail.com", "https://example.com/a:b", cookies, "a=1; b=2", "", "=1+1",
			":", "|", ";", "----", "\t", "-", "\r\n", "{", "[", "😀", "\xff", "_x0041_",
		})
		account := rapid.Map(rapid.SliceOfN(piece, 0, 6), func(rest []string) string { return "anna@mail.com:pass" + strings.Join(rest, "") })
		accounts := rapid.SliceOfN(rapid.OneOf(account, rapid.Map(rapid.SliceOfN(piece, 0, 12), func(s []string) string { return strings.Join(s, "") })), 1, 4).Draw(t, "accounts")
		if checkSplit(t, accounts) {
			found = true
		}
	})
	if !found {
		t.Error("none of the accounts was split")
	}
}

// TestSplitFindsItsParts: accounts that were joined from parts come apart again.
func TestSplitFindsItsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		separator := rapid.SampledFrom([]string{":", "|", ";", "----", "\t"}).Draw(t, "separator")
		var want [][]string
		var accounts []string
		for range rapid.IntRange(1, 10).Draw(t, "accounts") {
			parts := []string{
				rapid.StringMatching(`[a-z]{3,9}[0-9]{1,3}@[a-z]{3,8}\.com`).Draw(t, "login"), rapid.StringMatching(`[A-Za-z0-9!#%&*<>]{6,12}`).Draw(t, "password"),
				rapid.StringMatching(`[A-Z2-7]{16}|[A-Z2-7]{32}`).Draw(t, "secret"), rapid.StringMatching(`[a-z]{3,9}@[a-z]{3,8}\.org`).Draw(t, "recovery"),
			}
			want = append(want, parts)
			accounts = append(accounts, strings.Join(parts, separator))
		}
		table, ok := credentials.Split(secrets(accounts...))
		if diff := cmp.Diff(want, reveal(table.Rows)); !ok || diff != "" {
			t.Fatalf("certain: %v (-want +got):\n%s", ok, diff)
		}
	})
}

// checkSplit checks what holds for every split, and reports whether there is one.
func checkSplit(t interface{ Fatalf(string, ...any) }, accounts []string) bool {
	table, ok := credentials.Split(secrets(accounts...))
	if !ok {
		return false
	}
	if len(table.Rows) != len(accounts) || len(table.Kinds) < 2 || len(table.Kinds) > 8 {
		t.Fatalf("%q: %d rows, %d columns", accounts, len(table.Rows), len(table.Kinds))
	}
	for i, row := range reveal(table.Rows) {
		if len(row) != len(table.Kinds) {
			t.Fatalf("%q has %d parts, want %d", accounts[i], len(row), len(table.Kinds))
		}
		rest := accounts[i]
		for j, part := range row {
			if j > 0 {
				n := slices.IndexFunc([]string{"----", ":", "|", ";", "\t"}, func(s string) bool { return strings.HasPrefix(rest, s) })
				if n < 0 {
					t.Fatalf("%q: no separator before %q", accounts[i], rest)
				}
				rest = strings.TrimPrefix(rest, []string{"----", ":", "|", ";", "\t"}[n])
			}
			if !strings.HasPrefix(rest, part) {
				t.Fatalf("%q: %q is not at %q", accounts[i], part, rest)
			}
			rest = rest[len(part):]
		}
		if rest != "" && rest != "\n" && rest != "\r" && rest != "\r\n" {
			t.Fatalf("%q: lost %q", accounts[i], rest)
		}
	}
	return true
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		"anna@mail.com:pass|" + secret + "|rec@mail.com", "anna:pass:" + cookies, "anna----pass----rec@mail.com\nbob----word----b@mail.com",
		"anna@mail.com:pa:ss", "a:b\r\nc:d\r\n", "anna:pass:https://example.com:80/x", "anna:pass:otpauth://totp/E:a?secret=" + secret, "a|b|c=1; d=2|", "-----", "\xff:\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkSplit(t, []string{text})
		checkSplit(t, strings.SplitAfter(text, "\n"))
		credentials.ParseTOTP(redact.Secret(text))
	})
}
