package web

import (
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

var pageAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8090}

// newTestPage returns a page whose bot is down.
func newTestPage(t *testing.T) (*page, http.Handler) {
	t.Helper()
	marketServer, telegramServer := market.New(market.Options{}), telegram.New(telegram.Options{})
	t.Cleanup(func() {
		marketServer.Close()
		telegramServer.Close()
	})
	marketServer.AddKey(keyRich, "500.00", "USD")
	log := slog.New(slog.DiscardHandler)
	p := newPage(marketServer, telegramServer, newChild(nil, "", nil, log, nil), telegram.DefaultToken, log)
	return p, p.handler(pageAddr)
}

func serve(t *testing.T, h http.Handler, method, target, body string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestGuard(t *testing.T) {
	const origin = "http://127.0.0.1:8090"
	type header = map[string]string
	for _, test := range []struct {
		name   string
		method string
		target string
		header header
		want   int
	}{
		{"the page", "GET", origin + "/", nil, 200},
		{"localhost", "GET", "http://localhost:8090/", nil, 200},
		{"own script", "GET", origin + "/app.js", header{"Sec-Fetch-Site": "same-origin"}, 200},
		{"typed address", "GET", origin + "/", header{"Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"}, 200},
		{"link from another site", "GET", origin + "/", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, 200},
		{"own post", "POST", origin + "/type", header{"Origin": origin, "Sec-Fetch-Site": "same-origin"}, 204},
		{"own post, localhost", "POST", "http://localhost:8090/type", header{"Origin": "http://localhost:8090"}, 204},
		{"post of a tool", "POST", origin + "/type", nil, 204},

		{"DNS rebinding", "GET", "http://evil.example:8090/", nil, 421},
		{"DNS rebinding, post", "POST", "http://evil.example:8090/type", header{"Origin": "http://evil.example:8090"}, 421},
		{"Host with another port", "GET", "http://127.0.0.1:8091/", nil, 421},
		{"Host without a port", "GET", "http://127.0.0.1/", nil, 421},
		{"post of another site", "POST", origin + "/type", header{"Origin": "https://evil.example"}, 403},
		{"post of another port", "POST", origin + "/type", header{"Origin": "http://127.0.0.1:3000"}, 403},
		{"post of a local file", "POST", origin + "/type", header{"Origin": "null"}, 403},
		{"post from localhost to 127.0.0.1", "POST", origin + "/type", header{"Origin": "http://localhost:8090"}, 403},
		{"https", "POST", origin + "/type", header{"Origin": "https://127.0.0.1:8090"}, 403},
		{"post of another site without Origin", "POST", origin + "/type", header{"Sec-Fetch-Site": "cross-site"}, 403},
		{"post of another port without Origin", "POST", origin + "/type", header{"Sec-Fetch-Site": "same-site"}, 403},
		{"events for another site", "GET", origin + "/events", header{"Origin": "https://evil.example"}, 403},
		{"file as an image of another site", "GET", origin + "/file/7000001/1", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}, 403},
		{"link from another site to a file", "GET", origin + "/file/7000001/1", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, 403},
		{"frame of another site", "GET", origin + "/", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, 403},
		{"form", "POST", origin + "/type", header{"Content-Type": "application/x-www-form-urlencoded"}, 415},
		{"text", "POST", origin + "/type", header{"Content-Type": "text/plain"}, 415},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, handler := newTestPage(t)
			w := serve(t, handler, test.method, test.target, `{"person":7000001,"text":"hello"}`, test.header)
			if w.Code != test.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, test.want)
			}
			if sent := len(p.people[anna].Messages()) == 1; sent != (test.want == http.StatusNoContent) {
				t.Errorf("message sent: %v", sent)
			}
			if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'self';") || !strings.Contains(csp, "frame-ancestors 'none'") {
				t.Errorf("Content-Security-Policy: %q", csp)
			}
		})
	}
}

func TestRejectsInvalidPosts(t *testing.T) {
	for _, test := range []struct {
		name, path, body string
		want             int
	}{
		{"no JSON", "/type", `text=x`, 400},
		{"empty body", "/type", ``, 400},
		{"unknown field", "/type", `{"person":7000001,"text":"x","as":"admin"}`, 400},
		{"wrong type", "/type", `{"person":7000001,"text":1}`, 400},
		{"body too long", "/type", `{"person":7000001,"text":"` + strings.Repeat("x", maxBody) + `"}`, 400},
		{"text too long", "/type", `{"person":7000001,"text":"` + strings.Repeat("😀", maxMessage/2+1) + `"}`, 422},
		{"unknown person", "/type", `{"person":1,"text":"x"}`, 422},
		{"no person", "/type", `{"text":"x"}`, 422},
		{"sticker of an unknown person", "/sticker", `{"person":1}`, 422},
		{"tap of an unknown person", "/tap", `{"person":1,"message":1,"data":"x"}`, 422},
		{"longest text", "/type", `{"person":7000001,"text":"` + strings.Repeat("😀", maxMessage/2) + `"}`, 204},
		{"spaces", "/type", `{"person":7000001,"text":"  "}`, 422},
		{"inline query of an unknown person", "/inline", `{"person":1,"query":"x"}`, 422},
		{"inline query", "/inline", `{"person":7000001,"query":"x"}`, 204},
		{"next page of nothing", "/inline", `{"person":7000001,"more":true}`, 422},
		{"choice of nothing", "/inline/choose", `{"person":7000001,"result":"1","to":7000001}`, 422},
		{"choice for an unknown person", "/inline/choose", `{"person":7000001,"result":"1","to":1}`, 422},
		{"button of nothing", "/inline/button", `{"person":7000001}`, 422},
		{"text in an unknown room", "/room/type", `{"person":7000001,"room":1,"text":"x"}`, 422},
		{"text of an unknown person in a room", "/room/type", `{"person":1,"room":-1007000000001,"text":"x"}`, 422},
		{"text in the channel", "/room/type", `{"person":7000004,"room":-1007000000002,"text":"x"}`, 422},
		{"text too long for a room", "/room/type", `{"person":7000001,"room":-1007000000001,"text":"` + strings.Repeat("😀", maxMessage/2+1) + `"}`, 422},
		{"text in the group", "/room/type", `{"person":7000001,"room":-1007000000001,"text":"x"}`, 204},
		{"bot in an unknown room", "/room/bot", `{"room":7000001,"on":true}`, 422},
		{"bot in the channel", "/room/bot", `{"room":-1007000000002,"on":true}`, 204},
		{"choice of an unknown person", "/share", `{"person":1,"request":1,"kind":"chat","ids":[1]}`, 422},
		{"chat without a keyboard", "/share", `{"person":7000001,"request":1,"kind":"chat","ids":[-1007000000001]}`, 422},
		{"people without a keyboard", "/share", `{"person":7000001,"request":1,"kind":"people","ids":[7000001]}`, 422},
		{"no chat", "/share", `{"person":7000001,"request":1,"kind":"chat"}`, 422},
		{"two chats", "/share", `{"person":7000001,"request":1,"kind":"chat","ids":[1,2]}`, 422},
		{"tap in an unknown room", "/tap", `{"person":7000001,"room":1,"message":1,"data":"x"}`, 422},
		{"unknown message in a room", "/tap", `{"person":7000001,"room":-1007000000001,"message":1,"data":"x"}`, 422},
		{"unknown message", "/tap", `{"person":7000001,"message":9,"data":"x"}`, 422},
		{"no data", "/tap", `{"person":7000001,"message":1}`, 422},
		{"unknown order", "/order", `{"order":1,"do":"deliver"}`, 422},
		{"unknown order action", "/order", `{"order":1,"do":"steal"}`, 422},
		{"no quantity", "/order", `{"order":1,"do":"deliver"}`, 422},
		{"empty status", "/order", `{"order":1,"do":"status","word":" "}`, 422},
		{"unknown number", "/number", `{"number":1,"do":"code"}`, 422},
		{"unknown number action", "/number", `{"number":1,"do":"steal"}`, 422},
		{"SMS too long", "/number", `{"number":1,"do":"code","text":"` + strings.Repeat("x", 201) + `"}`, 422},
		{"unknown item", "/row", `{"service":-1,"stock":1}`, 422},
		{"negative stock", "/row", `{"service":1,"stock":-1}`, 422},
		{"zero price", "/row", `{"service":1,"rate":"0"}`, 422},
		{"huge price", "/row", `{"service":1,"rate":"1e999999999"}`, 422},
		{"unknown key", "/balance", `{"key":"x","balance":"1"}`, 422},
		{"invalid balance", "/balance", `{"key":"` + keyRich + `","balance":"much"}`, 422},
		{"negative balance", "/balance", `{"key":"` + keyRich + `","balance":"-1"}`, 422},
		{"huge balance", "/balance", `{"key":"` + keyRich + `","balance":"1e999999999"}`, 422},
		{"too many digits", "/balance", `{"key":"` + keyRich + `","balance":"1e-99"}`, 422},
		{"unknown fault", "/fault", `{"fault":"fire","on":true}`, 422},
		{"refusal too long", "/fault", `{"fault":"refuse","on":true,"text":"` + strings.Repeat("x", 201) + `"}`, 422},
		{"block by an unknown person", "/fault", `{"fault":"blocked","on":true,"person":1}`, 422},
		{"kill without a bot", "/kill", `{}`, 422},
		{"unknown path", "/nothing", `{}`, 405},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, handler := newTestPage(t)
			w := serve(t, handler, http.MethodPost, "http://127.0.0.1:8090"+test.path, test.body, nil)
			if w.Code != test.want || (w.Code != 204) == (w.Body.Len() == 0) {
				t.Errorf("got %d %q, want %d", w.Code, w.Body, test.want)
			}
		})
	}
}

func TestUnknownFiles(t *testing.T) {
	p, handler := newTestPage(t)
	p.people[anna].Type("no file")
	for _, name := range []string{"7000001/0", "7000001/1", "7000001/2", "7000001/-1", "7000001/x", "7000001/99999999999999999999", "1/1", "x/1", "-1007000000001/1", "-1007000000003/1"} {
		if w := serve(t, handler, http.MethodGet, "http://127.0.0.1:8090/file/"+name, "", nil); w.Code != http.StatusNotFound {
			t.Errorf("/file/%s: %d", name, w.Code)
		}
	}
}

func TestBlockedBotReceivesNothing(t *testing.T) {
	p, handler := newTestPage(t)
	p.people[anna].Type("hello")
	p.people[anna].Block()
	for target, body := range map[string]string{"/type": `{"person":7000001,"text":"x"}`, "/sticker": `{"person":7000001}`, "/tap": `{"person":7000001,"message":1,"data":"x"}`} {
		if w := serve(t, handler, http.MethodPost, "http://127.0.0.1:8090"+target, body, nil); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

// The page's scripts contain no code that turns text into HTML or code, and none that
// loads from other sites.
func TestStaticFilesAreInert(t *testing.T) {
	script := regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|createContextualFragment|DOMParser|srcdoc|\beval\b|\bFunction\(|javascript:|set(Timeout|Interval)\(['"\x60]|importScripts|WebSocket|sendBeacon|XMLHttpRequest`)
	markup := regexp.MustCompile(`(?i)<style|<script[^>]*>[^<]|\son[a-z]+=|\sstyle=|javascript:|<base|<iframe|<object|<embed|http-equiv`)
	otherSite := regexp.MustCompile(`(?i)(src|href|action|url\(|import|fetch\(|from)[\s=('"]*(https?:)?//`)
	files := 0
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		content, err := fs.ReadFile(static, name)
		if err != nil {
			return err
		}
		forbidden := markup
		if path.Ext(name) == ".js" {
			forbidden = script
		}
		for _, pattern := range []*regexp.Regexp{forbidden, otherSite} {
			if found := pattern.Find(content); found != nil {
				t.Errorf("%s contains %q", name, found)
			}
		}
		return nil
	})
	if err != nil || files < 8 {
		t.Errorf("%d files, %v", files, err)
	}
}
