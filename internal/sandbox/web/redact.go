package web

import (
	"html"
	"regexp"
	"strings"
	"sync"

	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
)

// secrets redacts the log of calls: the bot's token, API keys, delivered goods and
// SMS codes. Places that usually hold secrets are redacted whatever they contain.
type secrets struct {
	token string

	mu       sync.Mutex
	count    int // delivered pieces and received SMS that redactor and codes cover
	redactor *redact.Redactor
	codes    map[string]bool
}

func newSecrets(token string) *secrets {
	s := &secrets{token: token, count: -1}
	s.update(nil, nil)
	return s
}

// update adds what the marketplace has delivered since the last update.
func (s *secrets) update(orders []market.Order, numbers []market.Number) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, o := range orders {
		count += len(o.Accounts)
	}
	for _, n := range numbers {
		count += len(n.Received)
	}
	if count == s.count {
		return
	}
	s.count, s.codes = count, map[string]bool{}
	values := []redact.Secret{redact.Secret(s.token)}
	for _, k := range demoKeys() {
		values = append(values, redact.Secret(k.key))
	}
	add := func(text string) {
		for _, part := range append(strings.FieldsFunc(text, func(r rune) bool { return r == ':' || r == '|' }), text) {
			values = append(values, redact.Secret(part), redact.Secret(html.EscapeString(part)), redact.Secret(telegramEscape.Replace(part)))
		}
	}
	for _, o := range orders {
		for _, account := range o.Accounts {
			add(account)
		}
	}
	for _, n := range numbers {
		for _, sms := range n.Received { // all, because the log contains earlier ones too
			add(sms.Content)
			if sms.Code != "" {
				s.codes[sms.Code] = true
			}
		}
	}
	s.redactor = redact.New(values...)
}

// telegramEscape escapes the characters that Telegram's HTML requires.
var telegramEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Places that hold secrets: goods and codes are text to copy or to reveal. The list
// of accounts ends its answer, which may be cut off.
var (
	markedPattern   = regexp.MustCompile(`(?s)<(code|pre|tg-spoiler)\b([^>]*)>.*?(</|$)`)
	accountsPattern = regexp.MustCompile(`(?s)"accounts":\[.*`)
	codePattern     = regexp.MustCompile(`"(code|sms_content)":"(?:[^"\\]|\\.)*"?`)
	digitsPattern   = regexp.MustCompile(`\d{4,8}`)
)

// redact returns text without secrets.
func (s *secrets) redact(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text = markedPattern.ReplaceAllString(text, "<${1}${2}>••••${3}")
	text = accountsPattern.ReplaceAllString(text, `"accounts":[••••]}`)
	text = codePattern.ReplaceAllString(text, `"${1}":"••••"`)
	text = digitsPattern.ReplaceAllStringFunc(text, func(digits string) string {
		if s.codes[digits] {
			return "••••"
		}
		return digits
	})
	return s.redactor.String(text)
}
