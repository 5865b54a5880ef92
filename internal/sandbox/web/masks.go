package web

import (
	"html"
	"regexp"
	"strings"
	"sync"

	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
)

// masks keep secrets out of the log of calls: the bot's token and the keys, what
// was delivered, and codes. What stands where secrets do is hidden unseen, too.
type masks struct {
	token string

	mu       sync.Mutex
	made     int // pieces delivered and SMS received, for which redactor and codes are
	redactor *redact.Redactor
	codes    map[string]bool
}

func newMasks(token string) *masks {
	m := &masks{token: token, made: -1}
	m.learn(nil, nil)
	return m
}

// learn takes in what has been delivered since.
func (m *masks) learn(orders []market.Order, numbers []market.Number) {
	m.mu.Lock()
	defer m.mu.Unlock()
	made := 0
	for _, o := range orders {
		made += len(o.Accounts)
	}
	for _, n := range numbers {
		made += len(n.Received)
	}
	if made == m.made {
		return
	}
	m.made, m.codes = made, map[string]bool{}
	secrets := []redact.Secret{redact.Secret(m.token)}
	for _, p := range purses() {
		secrets = append(secrets, redact.Secret(p.key))
	}
	add := func(text string) {
		for _, one := range append(strings.Split(text, ":"), text) {
			secrets = append(secrets, redact.Secret(one), redact.Secret(html.EscapeString(one)), redact.Secret(lightEscape.Replace(one)))
		}
	}
	for _, o := range orders {
		for _, account := range o.Accounts {
			add(account)
		}
	}
	for _, n := range numbers {
		for _, sms := range n.Received { // an earlier one stands in the log, too
			add(sms.Content)
			if sms.Code != "" {
				m.codes[sms.Code] = true
			}
		}
	}
	m.redactor = redact.New(secrets...)
}

// lightEscape is what Telegram wants escaped in HTML, and no more.
var lightEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Where secrets stand: goods and codes are what people copy or open. The list of
// accounts is the last thing in its answer, which may be cut off.
var (
	markedPattern   = regexp.MustCompile(`(?s)<(code|pre|tg-spoiler)\b([^>]*)>.*?(</|$)`)
	accountsPattern = regexp.MustCompile(`(?s)"accounts":\[.*`)
	codePattern     = regexp.MustCompile(`"(code|sms_content)":"(?:[^"\\]|\\.)*"?`)
	digitsPattern   = regexp.MustCompile(`\d{4,8}`)
)

// clean returns a text without secrets.
func (m *masks) clean(text string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	text = markedPattern.ReplaceAllString(text, "<${1}${2}>••••${3}")
	text = accountsPattern.ReplaceAllString(text, `"accounts":[••••]}`)
	text = codePattern.ReplaceAllString(text, `"${1}":"••••"`)
	text = digitsPattern.ReplaceAllStringFunc(text, func(digits string) string {
		if m.codes[digits] {
			return "••••"
		}
		return digits
	})
	return m.redactor.String(text)
}
