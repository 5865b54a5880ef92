package web

import (
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	p := newPage(goods, chats, newChild(nil, "", nil, log, nil), log)
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
		{"another site's picture", "GET", here + "/file/1", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}, 403},
		{"another site's link to a file", "GET", here + "/file/1", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, 403},
		{"in another site's frame", "GET", here + "/", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, 403},
		{"a form", "POST", here + "/type", header{"Content-Type": "application/x-www-form-urlencoded"}, 415},
		{"text", "POST", here + "/type", header{"Content-Type": "text/plain"}, 415},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, handler := quiet(t)
			w := ask(t, handler, test.method, test.target, `{"text":"hello"}`, test.header)
			if w.Code != test.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, test.want)
			}
			if typed := len(p.person.Messages()) == 1; typed != (test.want == http.StatusNoContent) {
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
		{"another field", "/type", `{"text":"x","as":"admin"}`, 400},
		{"another type", "/type", `{"text":1}`, 400},
		{"far too long", "/type", `{"text":"` + strings.Repeat("x", maxBody) + `"}`, 400},
		{"too long", "/type", `{"text":"` + strings.Repeat("😀", maxTyped/2+1) + `"}`, 422},
		{"just fits", "/type", `{"text":"` + strings.Repeat("😀", maxTyped/2) + `"}`, 204},
		{"spaces", "/type", `{"text":"  "}`, 422},
		{"no such message", "/tap", `{"message":9,"data":"x"}`, 422},
		{"no data", "/tap", `{"message":1}`, 422},
		{"no such order", "/order", `{"order":1,"do":"deliver"}`, 422},
		{"no such deed", "/order", `{"order":1,"do":"steal"}`, 422},
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
	p.person.Type("no file in here")
	for _, name := range []string{"0", "1", "2", "-1", "x", "99999999999999999999"} {
		if w := ask(t, handler, http.MethodGet, "http://127.0.0.1:8090/file/"+name, "", nil); w.Code != http.StatusNotFound {
			t.Errorf("/file/%s: %d", name, w.Code)
		}
	}
}

// A blocked bot gets neither words nor taps.
func TestBlocked(t *testing.T) {
	p, handler := quiet(t)
	p.person.Type("hello")
	p.person.Block()
	for target, body := range map[string]string{"/type": `{"text":"x"}`, "/sticker": `{}`, "/tap": `{"message":1,"data":"x"}`} {
		if w := ask(t, handler, http.MethodPost, "http://127.0.0.1:8090"+target, body, nil); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestBackRoom(t *testing.T) {
	p, handler := quiet(t)
	form := url.Values{"key": {keyRich}, "action": {"add"}, "service": {"3"}, "quantity": {"3"}, "link": {"me@mail.example"}}
	for range 2 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://market.test/api/v2", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		p.goods.ServeHTTP(httptest.NewRecorder(), r)
	}
	first, second := market.FirstOrder, market.FirstOrder+1
	do := func(path, body string) {
		t.Helper()
		if w := ask(t, handler, http.MethodPost, "http://127.0.0.1:8090"+path, body, nil); w.Code != http.StatusNoContent {
			t.Fatalf("%s %s: %d %s", path, body, w.Code, w.Body)
		}
	}
	check := func(what string, want ...orderView) {
		t.Helper()
		got := p.viewRoom().Orders
		for i, w := range want {
			w.Name, w.Quantity, w.Charge = got[i].Name, 3, "2.40 USD"
			if got[i] != w {
				t.Errorf("%s: got %+v, want %+v", what, got[i], w)
			}
		}
	}
	check("new", orderView{Number: second, Status: "Pending", Left: true}, orderView{Number: first, Status: "Pending", Left: true})
	do("/order", `{"order":23501,"do":"deliver"}`)
	do("/order", `{"order":23502,"do":"fail"}`)
	check("one delivered, the other failed",
		orderView{Number: second, Status: "Fail", Left: true},
		orderView{Number: first, Delivered: 1, Status: "In progress", Left: true})
	do("/order", `{"order":23501,"do":"finish"}`)
	do("/order", `{"order":23502,"do":"refund"}`)
	check("all delivered, the other refunded",
		orderView{Number: second, Status: "Refunded", Refunded: true},
		orderView{Number: first, Delivered: 3, Status: "Completed"})

	do("/lose", `{}`)
	if n := p.viewRoom().Faults; n != 1 {
		t.Errorf("%d faults are ordered", n)
	}
	if keys := p.viewRoom().Keys; len(keys) != 1 || keys[0].Balance != "497.60 USD" {
		t.Errorf("the money: %+v", keys)
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
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}
