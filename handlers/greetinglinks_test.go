package handlers

import (
	"strings"
	"testing"
)

func TestAddressesOfButtons(t *testing.T) {
	for text, want := range map[string]string{
		"https://example.com":             "https://example.com",
		" https://example.com/a?b=c#d ":   "https://example.com/a?b=c#d",
		"example.com":                     "https://example.com",
		"t.me/example":                    "https://t.me/example",
		"https://t.me/+AbCdEf":            "https://t.me/+AbCdEf",
		"tg://resolve?domain=example":     "tg://resolve?domain=example",
		"tg://resolve?domain=a&start=x":   "",
		"tg://resolve?domain=":            "",
		"tg://resolve":                    "",
		"tg://user?id=1":                  "",
		"tg://a:b@resolve?domain=example": "",
		"tg://resolve?domain=example x":   "",
		"http://example.com":              "",
		"https://a:b@example.com":         "",
		"https://a@example.com":           "",
		"a:b@example.com":                 "",
		"javascript:alert(1)":             "",
		"ftp://example.com":               "",
		"https://localhost":               "",
		"https://127.0.0.1/":              "",
		"https://":                        "",
		"":                                "",
		"https://example.com/\nx":         "",
		"https://example.com/" + strings.Repeat("x", maxLinkLength): "",
	} {
		if got, ok := buttonAddress(text); ok != (want != "") || ok && got != want {
			t.Errorf("%q is read as %q, %v; want %q", text, got, ok, want)
		}
	}
}

func TestNamesInGreetings(t *testing.T) {
	for text, want := range map[string]string{
		"Hi {name}!": "Hi &lt;b&gt;&quot;'!",
		"<b>{name}</b> <a href=\"https://example.com/{name}\">{name}</a>": "<b>&lt;b&gt;&quot;'</b> <a href=\"https://example.com/{name}\">&lt;b&gt;&quot;'</a>",
		"<a href='https://example.com/>{name}'>x</a>":                     "<a href='https://example.com/>{name}'>x</a>",
		"no name": "no name",
	} {
		if got := withName(text, `<b>"'`); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
