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

var pageAt = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8090}

// quiet returns a page whose bot never runs.
func quiet(t *testing.T) (*page, http.Handler) {
	t.Helper()
	goods, chats := market.New(market.Options{}), telegram.New(telegram.Options{})
	t.Cleanup(func() {
		goods.Close()
		chats.Close()
	})
	goods.AddKey(keyRich, "500.00", "USD")
	log := slog.New(slog.DiscardHandler)
	p := newPage(goods, chats, newChild(nil, "", nil, log, nil), telegram.DefaultToken, log)
	return p, p.handler(pageAt)
}

func ask(t *testing.T, h http.Handler, method, target, body string, header map[string]string) *httptest.ResponseRecorder {
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
	const here = "http://127.0.0.1:8090"
	type header = map[string]string
	for _, test := range []struct {
		name   string
		method string
		target string
		header header
		want   int
	}{
		{"the page", "GET", here + "/", nil, 200},
		{"under localhost", "GET", "http://localhost:8090/", nil, 200},
		{"its script", "GET", here + "/app.js", header{"Sec-Fetch-Site": "same-origin"}, 200},
		{"opened by hand", "GET", here + "/", header{"Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"}, 200},
		{"opened from a link", "GET", here + "/", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, 200},
		{"its post", "POST", here + "/type", header{"Origin": here, "Sec-Fetch-Site": "same-origin"}, 204},
		{"its post under localhost", "POST", "http://localhost:8090/type", header{"Origin": "http://localhost:8090"}, 204},
		{"a tool's post", "POST", here + "/type", nil, 204},

		{"a rebound name", "GET", "http://evil.example:8090/", nil, 421},
		{"a rebound name, posting", "POST", "http://evil.example:8090/type", header{"Origin": "http://evil.example:8090"}, 421},
		{"another port's name", "GET", "http://127.0.0.1:8091/", nil, 421},
		{"no port", "GET", "http://127.0.0.1/", nil, 421},
		{"another site's post", "POST", here + "/type", header{"Origin": "https://evil.example"}, 403},
		{"another port's post", "POST", here + "/type", header{"Origin": "http://127.0.0.1:3000"}, 403},
		{"a file's post", "POST", here + "/type", header{"Origin": "null"}, 403},
		{"one name's page to the other", "POST", here + "/type", header{"Origin": "http://localhost:8090"}, 403},
		{"https", "POST", here + "/type", header{"Origin": "https://127.0.0.1:8090"}, 403},
		{"another site without Origin", "POST", here + "/type", header{"Sec-Fetch-Site": "cross-site"}, 403},
		{"another port without Origin", "POST", here + "/type", header{"Sec-Fetch-Site": "same-site"}, 403},
		{"another site's stream", "GET", here + "/events", header{"Origin": "https://evil.example"}, 403},
		{"another site's picture", "GET", here + "/file/7000001/1", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}, 403},
		{"another site's link to a file", "GET", here + "/file/7000001/1", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, 403},
		{"in another site's frame", "GET", here + "/", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, 403},
		{"a form", "POST", here + "/type", header{"Content-Type": "application/x-www-form-urlencoded"}, 415},
		{"text", "POST", here + "/type", header{"Content-Type": "text/plain"}, 415},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, handler := quiet(t)
			w := ask(t, handler, test.method, test.target, `{"person":7000001,"text":"hello"}`, test.header)
			if w.Code != test.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, test.want)
			}
			if typed := len(p.people[anna].Messages()) == 1; typed != (test.want == http.StatusNoContent) {
				t.Errorf("typed: %v", typed)
			}
			if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'self';") || !strings.Contains(csp, "frame-ancestors 'none'") {
				t.Errorf("Content-Security-Policy: %q", csp)
			}
		})
	}
}

func TestWrongPosts(t *testing.T) {
	for _, test := range []struct {
		name, path, body string
		want             int
	}{
		{"no JSON", "/type", `text=x`, 400},
		{"nothing", "/type", ``, 400},
		{"another field", "/type", `{"person":7000001,"text":"x","as":"admin"}`, 400},
		{"another type", "/type", `{"person":7000001,"text":1}`, 400},
		{"far too long", "/type", `{"person":7000001,"text":"` + strings.Repeat("x", maxBody) + `"}`, 400},
		{"too long", "/type", `{"person":7000001,"text":"` + strings.Repeat("😀", maxTyped/2+1) + `"}`, 422},
		{"nobody", "/type", `{"person":1,"text":"x"}`, 422},
		{"nobody at all", "/type", `{"text":"x"}`, 422},
		{"nobody's sticker", "/sticker", `{"person":1}`, 422},
		{"nobody's tap", "/tap", `{"person":1,"message":1,"data":"x"}`, 422},
		{"just fits", "/type", `{"person":7000001,"text":"` + strings.Repeat("😀", maxTyped/2) + `"}`, 204},
		{"spaces", "/type", `{"person":7000001,"text":"  "}`, 422},
		{"no such message", "/tap", `{"person":7000001,"message":9,"data":"x"}`, 422},
		{"no data", "/tap", `{"person":7000001,"message":1}`, 422},
		{"no such order", "/order", `{"order":1,"do":"deliver"}`, 422},
		{"no such deed", "/order", `{"order":1,"do":"steal"}`, 422},
		{"no part", "/order", `{"order":1,"do":"deliver"}`, 422},
		{"no word", "/order", `{"order":1,"do":"status","word":" "}`, 422},
		{"no such number", "/number", `{"number":1,"do":"code"}`, 422},
		{"nothing for a number", "/number", `{"number":1,"do":"steal"}`, 422},
		{"a long SMS", "/number", `{"number":1,"do":"code","text":"` + strings.Repeat("x", 201) + `"}`, 422},
		{"no such row", "/row", `{"service":-1,"stock":1}`, 422},
		{"less than nothing", "/row", `{"service":1,"stock":-1}`, 422},
		{"no price", "/row", `{"service":1,"rate":"0"}`, 422},
		{"an endless price", "/row", `{"service":1,"rate":"1e999999999"}`, 422},
		{"no such key", "/balance", `{"key":"x","balance":"1"}`, 422},
		{"no balance", "/balance", `{"key":"` + keyRich + `","balance":"much"}`, 422},
		{"a debt", "/balance", `{"key":"` + keyRich + `","balance":"-1"}`, 422},
		{"endless money", "/balance", `{"key":"` + keyRich + `","balance":"1e999999999"}`, 422},
		{"endless digits", "/balance", `{"key":"` + keyRich + `","balance":"1e-99"}`, 422},
		{"no such fault", "/fault", `{"fault":"fire","on":true}`, 422},
		{"a long refusal", "/fault", `{"fault":"refuse","on":true,"text":"` + strings.Repeat("x", 201) + `"}`, 422},
		{"nobody to block", "/fault", `{"fault":"blocked","on":true,"person":1}`, 422},
		{"no bot to kill", "/kill", `{}`, 422},
		{"no such path", "/nothing", `{}`, 405},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, handler := quiet(t)
			w := ask(t, handler, http.MethodPost, "http://127.0.0.1:8090"+test.path, test.body, nil)
			if w.Code != test.want || (w.Code != 204) == (w.Body.Len() == 0) {
				t.Errorf("got %d %q, want %d", w.Code, w.Body, test.want)
			}
		})
	}
}

func TestNoSuchFile(t *testing.T) {
	p, handler := quiet(t)
	p.people[anna].Type("no file in here")
	for _, name := range []string{"7000001/0", "7000001/1", "7000001/2", "7000001/-1", "7000001/x", "7000001/99999999999999999999", "1/1", "x/1"} {
		if w := ask(t, handler, http.MethodGet, "http://127.0.0.1:8090/file/"+name, "", nil); w.Code != http.StatusNotFound {
			t.Errorf("/file/%s: %d", name, w.Code)
		}
	}
}

// A blocked bot gets neither words nor taps.
func TestBlocked(t *testing.T) {
	p, handler := quiet(t)
	p.people[anna].Type("hello")
	p.people[anna].Block()
	for target, body := range map[string]string{"/type": `{"person":7000001,"text":"x"}`, "/sticker": `{"person":7000001}`, "/tap": `{"person":7000001,"message":1,"data":"x"}`} {
		if w := ask(t, handler, http.MethodPost, "http://127.0.0.1:8090"+target, body, nil); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

// Nothing from the chat may become HTML or code, and nothing is asked of other
// sites: the page's scripts have no means for it.
func TestStaticFilesAreInert(t *testing.T) {
	script := regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|createContextualFragment|DOMParser|srcdoc|\beval\b|\bFunction\(|javascript:|set(Timeout|Interval)\(['"\x60]|importScripts|WebSocket|sendBeacon|XMLHttpRequest`)
	markup := regexp.MustCompile(`(?i)<style|<script[^>]*>[^<]|\son[a-z]+=|\sstyle=|javascript:|<base|<iframe|<object|<embed|http-equiv`)
	elsewhere := regexp.MustCompile(`(?i)(src|href|action|url\(|import|fetch\(|from)[\s=('"]*(https?:)?//`)
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
		for _, pattern := range []*regexp.Regexp{forbidden, elsewhere} {
			if found := pattern.Find(content); found != nil {
				t.Errorf("%s has %q", name, found)
			}
		}
		return nil
	})
	if err != nil || files < 8 {
		t.Errorf("%d files, %v", files, err)
	}
}
