package bot

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hstockbot/internal/sandbox/telegram"
)

func TestCheckMarkup(t *testing.T) {
	for text, want := range map[string]MarkupFault{
		"plain":                            0,
		"a & b > c; &nbsp; &amp;lt;":       0,
		"<b>bold</b> <i>it<u>al</u>ic</i>": 0,
		"<B>bold</b>":                      0,
		"<strong>x</strong><em>x</em><ins>x</ins><s>x</s><strike>x</strike><del>x</del>": 0,
		`<tg-spoiler>x</tg-spoiler> <span class="tg-spoiler">x</span>`:                   0,
		"<code>a &lt;b&gt;</code>":                                        0,
		`<pre><code class="language-go">x := 1</code></pre>`:              0,
		"<blockquote>x</blockquote><blockquote expandable>x</blockquote>": 0,
		`<a href="https://example.com/?a=1&amp;b=2">x</a>`:                0,
		`<a href='https://example.com'>x</a>`:                             0,
		`<a href="tg://resolve?domain=shop">x</a>`:                        0,
		`<a href="mailto:anna@example.com">x</a>`:                         0,
		strings.Repeat("😀", MaxText/2):                                    0,
		"<b>" + strings.Repeat("x", MaxText) + "</b>":                     0,
		strings.Repeat("&amp;", MaxText):                                  0,

		"1 < 2":                        FaultTag,
		"<3":                           FaultTag,
		"<":                            FaultTag,
		"x <b":                         FaultTag,
		"<p>x</p>":                     FaultTag,
		"x<br>y":                       FaultTag,
		"<h1>x</h1>":                   FaultTag,
		`<b class="x">x</b>`:           FaultTag,
		`<span class="x">x</span>`:     FaultTag,
		"<span>x</span>":               FaultTag,
		"<a>x</a>":                     FaultTag,
		`<a href=https://x.org>x</a>`:  FaultTag,
		`<a href="https://x.org>x</a>`: FaultTag,
		`<a href="https://x.org" href="https://x.org">x</a>`: FaultTag,
		"<!-- x -->":                            FaultTag,
		"<tg-emoji emoji-id=\"1\">x</tg-emoji>": FaultTag,
		"<b>x":                                  FaultOpen,
		"<b><i>x</i>":                           FaultOpen,
		"x</b>":                                 FaultEnd,
		"<b>x</i></b>":                          FaultEnd,
		"<b><i>x</b></i>":                       FaultEnd,
		"<b>x</ b>":                             FaultEnd,
		"<b>x</>":                               FaultEnd,
		"<code><b>x</b></code>":                 FaultInside,
		"<pre>x<b>y</b></pre>":                  FaultInside,
		"<pre><code><i>x</i></code></pre>":      FaultInside,
		"<blockquote><b><blockquote>x</blockquote></b></blockquote>": FaultInside,
		`<a href="https://x.org"><a href="https://y.org">x</a></a>`:  FaultInside,
		`<a href="">x</a>`:                     FaultLink,
		`<a href="example">x</a>`:              FaultLink,
		`<a href="https://example">x</a>`:      FaultLink,
		`<a href="https://exa mple.com">x</a>`: FaultLink,
		`<a href="javascript:alert(1)">x</a>`:  FaultLink,
		"":                                     FaultEmpty,
		" \n ":                                 FaultEmpty,
		"<b></b>":                              FaultEmpty,
		"&#32;&#10 \u202e\u0301":               FaultEmpty,
		strings.Repeat("x", MaxText+1):         FaultLong,
		strings.Repeat("😀", MaxText/2) + "x":   FaultLong,
	} {
		err := CheckMarkup(text)
		var fault *MarkupError
		if want == 0 && err != nil || want != 0 && (!errors.As(err, &fault) || fault.Fault != want) {
			t.Errorf("%.60q: got %+v, want %d", text, fault, want)
		}
	}
}

// Telegram accepts all markup that CheckMarkup accepts.
func TestCheckedMarkupIsAccepted(t *testing.T) {
	server := telegram.New(telegram.Options{})
	defer server.Close()
	person := server.Join(telegram.Person{ID: 7, FirstName: "Ann"})
	sent := func(text string) (ok bool, answer string) {
		body := strings.NewReader(url.Values{"chat_id": {"7"}, "parse_mode": {"HTML"}, "text": {text}}.Encode())
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/bot"+telegram.DefaultToken+"/sendMessage", body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		return w.Code == http.StatusOK, w.Body.String()
	}
	pieces := []string{
		"x", " ", "\n", "😀", "&", "&amp;", "&lt", "&#32;", "&#x20", "&#0;", "&#1114112;", "&#55296;", "&nbsp;", ">", "<", "\u202e", "\u0301",
		"<b>", "</b>", "<i>", "</i>", "<B>", "</>", "<code>", "</code>", "<pre>", "</pre>", `<code class="language-go">`,
		"<blockquote>", "<blockquote expandable>", "</blockquote>", `<span class="tg-spoiler">`, "</span>", "<tg-spoiler>", "</tg-spoiler>",
		`<a href="https://example.com/?a=1&b=2">`, `<a href='tg://x'>`, `<a href="x">`, `<a href="https://a.b&quot;">`, "</a>", `"`, "'", "=", "<b >", "<b\n>", "</b >",
	}
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 12).Draw(t, "pieces"), "")
		if CheckMarkup(text) != nil {
			return
		}
		accepted++
		if ok, answer := sent(text); !ok {
			t.Fatalf("%q was accepted by CheckMarkup and not by Telegram: %s", text, answer)
		}
	})
	// Well-formed markup, which random pieces hardly ever are.
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		for _, tag := range rapid.SliceOfN(rapid.SampledFrom([]string{"b", "i", "u", "s", "code", "pre", "tg-spoiler", "blockquote", "a"}), 0, 4).Draw(t, "tags") {
			open := "<" + tag + ">"
			if tag == "a" {
				open = `<a href="` + rapid.SampledFrom([]string{"https://example.com", "http://1.2/x#y", "x"}).Draw(t, "href") + `">`
			}
			text = open + text + "</" + tag + ">"
		}
		if CheckMarkup(text) != nil {
			return
		}
		accepted++
		before := len(person.Messages())
		if ok, answer := sent(text); !ok || len(person.Messages()) != before+1 {
			t.Fatalf("%q was accepted by CheckMarkup and not by Telegram: %s", text, answer)
		}
	})
	if accepted < 20 {
		t.Errorf("CheckMarkup accepted only %d texts", accepted)
	}
}

func TestLength(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "<b>a</b>": 1, "😀 &lt;&amp;": 5, `<tg-time unix="5" format="t">12:05 UTC</tg-time>`: 9, "a & b": 5,
	} {
		if got := Length(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
