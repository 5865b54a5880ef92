package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func checkRightToLeft(t *testing.T, _ *testDemo, p *tab) {
	amal := p.openAs("Amal")
	const greeting = "مرحبا! أريد أن أشتري حسابين جديدين للبريد الإلكتروني، وأن أعرف كم يكلفان وكم من الوقت يستغرق التسليم، من فضلك"
	field := `chat(` + js(amal.id) + `).querySelector('[aria-label="Message"]')`
	p.click("the text field", field)
	p.insertText(greeting)
	if got := eval[string](p, `getComputedStyle(`+field+`).direction`); got != "rtl" {
		t.Errorf("the direction of the Arabic input is %s", got)
	}
	p.press(kb.Enter)
	amal.awaitMessage(botMessage(t, "ar", "text_not_understood"))

	// linesOf measures the lines of a message's text.
	linesOf := func(message string) string {
		return `((m) => {
			const walk = document.createTreeWalker(m, NodeFilter.SHOW_TEXT);
			let node;
			while ((node = walk.nextNode())) if (node.data.trim().length > 10) break;
			const range = document.createRange();
			range.selectNodeContents(node);
			const lines = Map.groupBy(range.getClientRects(), (r) => Math.round(r.bottom)).values();
			return {
				Direction: getComputedStyle(node.parentElement).direction,
				Lines: [...lines].map((runs) => ({ Left: Math.min(...runs.map((r) => r.left)), Right: Math.max(...runs.map((r) => r.right)) })),
			};
		})(` + message + `)`
	}
	type measured struct {
		Direction string
		Lines     []struct{ Left, Right float64 }
	}
	own := `messages(` + js(amal.id) + `).find((m) => m.classList.contains('own'))`
	typed := eval[measured](p, linesOf(own))
	if typed.Direction != "rtl" || len(typed.Lines) < 2 {
		t.Fatalf("Amal's message is %+v, want at least two lines from right to left", typed)
	}
	for _, line := range typed.Lines {
		if d := line.Right - typed.Lines[0].Right; d > 1.5 || d < -1.5 {
			t.Errorf("lines end at %.1f and %.1f, want them flush right", line.Right, typed.Lines[0].Right)
		}
	}
	// Messages of the person and of the bot keep to different edges.
	type edges struct{ Left, Right float64 }
	edgesOf := func(message string) edges {
		return eval[edges](p, `((m) => {
			const log = chat(`+js(amal.id)+`).querySelector('[role=log]').getBoundingClientRect();
			const bubble = [...m.querySelectorAll('*')].map((el) => [el, getComputedStyle(el)]).find(([, style]) => style.backgroundColor !== 'rgba(0, 0, 0, 0)')?.[0] ?? m;
			const box = bubble.getBoundingClientRect();
			return { Left: box.left - log.left, Right: log.right - box.right };
		})(`+message+`)`)
	}
	person, bot := edgesOf(own), edgesOf(`messages(`+js(amal.id)+`).find((m) => !m.classList.contains('own'))`)
	if (person.Left < person.Right) == (bot.Left < bot.Right) || min(person.Left, person.Right, bot.Left, bot.Right) < 0 {
		t.Errorf("the distances to the edges are %+v for Amal's message, %+v for the bot's", person, bot)
	}

	// A right-to-left name does not reverse the left-to-right lines below it.
	anna := p.openChat("Anna")
	anna.send("/start p_10")
	card := anna.awaitMessage("حساب تيليجرام")
	for _, text := range []string{"Price: $", "In stock:", "How many?"} {
		at := eval[[]float64](p, `((m) => {
			const walk = document.createTreeWalker(m, NodeFilter.SHOW_TEXT);
			let node;
			while ((node = walk.nextNode())) if (node.data.includes(`+js(text)+`)) break;
			const from = node.data.indexOf(`+js(text)+`);
			return [...`+js(text)+`].map((_, i) => {
				const range = document.createRange();
				range.setStart(node, from + i);
				range.setEnd(node, from + i + 1);
				return range.getBoundingClientRect().left;
			});
		})(chat(`+js(anna.id)+`).querySelector('.message[data-id=`+js(card)+`]'))`)
		for i := 1; i < len(at); i++ {
			if at[i] <= at[i-1] {
				t.Errorf("%q is drawn backwards: %v", text, at)
				break
			}
		}
	}
	anna.tap("1")
	anna.awaitMessage(botMessage(t, "en", "key_needed"))
}

// keepScrollPosition receives a message while the chat is scrolled up.
func keepScrollPosition(t *testing.T, _ *testDemo, p *tab) {
	anna := openWithKey(p)
	anna.tapAll(gmailPath...)
	anna.tapAll("1", "Skip")
	anna.send("/balance")
	anna.awaitMessage("$500.00")
	p.run("reduce the height of the window", func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 1280, Height: 420, DeviceScaleFactor: 1})
		return err
	})
	anna.tap("✅ Confirm")
	anna.awaitMessage("placed")
	scroll := `chat(` + js(anna.id) + `).querySelector('.scroll')`
	p.do("scroll up", chromedp.Evaluate[chromedp.Void](`{`+prelude+scroll+`.scrollTop = 0; }`))
	anna.awaitMessage("delivered")
	if at := eval[float64](p, scroll+`.scrollTop`); at != 0 {
		t.Errorf("a new message scrolls the chat to %v px", at)
	}
	p.click("the button to the end", `button(chat(`+js(anna.id)+`), '1 new message')`)
	waitFor[bool](p, "the newest message", `((el) => el.scrollHeight - el.scrollTop - el.clientHeight < 2)(`+scroll+`)`)
}

func useKeyboardOnly(t *testing.T, _ *testDemo, p *tab) {
	anna := p.openAs("Anna")
	p.focusByTab("the people", `el.matches('#people button') && el.dataset.person === `+js(anna.id))
	p.press(kb.ArrowRight)
	waitFor[bool](p, "Bo's chat", `document.querySelector('section.chat').getAttribute('aria-label').includes('Bo')`)
	p.press(kb.ArrowLeft)
	waitFor[bool](p, "Anna's chat", `shown(chat(`+js(anna.id)+`))`)
	field := `el.matches('section.chat[data-person=` + js(anna.id) + `] [aria-label="Message"]')`
	write := func(text string) {
		t.Helper()
		p.focusByTab("the text field", field)
		p.insertText(text)
		p.press(kb.Enter)
	}
	tap := func(label string) {
		t.Helper()
		waitFor[bool](p, label, `keys(`+js(anna.id)+`, `+js(label)+`).some(shown)`)
		p.focusByTab(label, `el.matches('section.chat[data-person=`+js(anna.id)+`] .keyboard button') && matches(words(el), `+js(label)+`)`)
		if !eval[bool](p, `((el) => {
			const style = () => { const s = getComputedStyle(el); return [s.outline, s.boxShadow, s.border, s.backgroundColor].join(); };
			const focused = style();
			el.blur();
			const plain = style();
			el.focus();
			return focused !== plain;
		})(document.activeElement)`) {
			t.Errorf("the focus on %q is not visible", label)
		}
		p.press(kb.Enter)
	}
	write("/start")
	tap("🔑 API key")
	anna.awaitMessage(botMessage(t, "en", "key_none"))
	write(keyRich)
	anna.awaitMessage("saved")
	for _, label := range append(gmailPath, "1", "Skip") {
		tap(label)
	}
	anna.awaitMessage("Please confirm")
	tap("✅ Confirm")
	goods := anna.goods(anna.awaitMessage("delivered"))
	if len(goods) != 1 {
		t.Fatalf("bought one account, received %q", goods)
	}
	p.checkCopy(goods[0], func() { tap("📋 Copy") })

	p.focusByTab("Commands", `el.matches('section.chat[data-person=`+js(anna.id)+`] *') && name(el) === 'Commands'`)
	p.press(kb.Enter)
	waitFor[bool](p, "the menu", `document.activeElement.matches('[role=menuitem]') && shown(document.activeElement)`)
	p.press(kb.Escape)
	waitFor[bool](p, "the menu to close and the focus to return to the input", `!document.querySelector('[role=menuitem]').checkVisibility() && document.activeElement.matches('[aria-label="Message"]')`)
}

// attackFromAnotherSite sends requests to the demo from a page of another origin in the
// same browser.
func attackFromAnotherSite(t *testing.T, demo *testDemo, p *tab) {
	anna := p.openAs("Anna")
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!DOCTYPE html><link rel="icon" href="data:,"><title>another site</title>`)
	}))
	defer site.Close()
	other := newTab(t, p.browser, site.URL)
	defer other.close()
	other.allowed = demo.url
	other.expected = []string{demo.url, "chrome-error:"} // the console reports each refusal
	other.open()
	before := len(other.requestLog())
	for _, attempt := range []struct{ name, do string }{
		{"read the events", `fetch(demo + '/events').then((r) => r.text())`},
		{"read the page", `fetch(demo + '/').then((r) => r.text())`},
		{"type with a form", `fetch(demo + '/type', { method: 'POST', mode: 'no-cors', body: body }).then((r) => r.type === 'opaque' ? fail() : r.text())`},
		{"type with JSON", `fetch(demo + '/type', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: body }).then((r) => r.text())`},
		{"kill the bot", `fetch(demo + '/kill', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }).then((r) => r.text())`},
		{"subscribe to the events", `new Promise((yes, no) => { const s = new EventSource(demo + '/events'); s.onmessage = yes; s.onerror = () => { s.close(); no('refused'); }; })`},
		{"show it in a frame", `new Promise((yes, no) => { const f = document.createElement('iframe'); f.src = demo; f.onload = () => { try { f.contentDocument ? yes() : no('refused'); } catch { no('refused'); } }; document.body.append(f); })`},
		{"load its script", `new Promise((yes, no) => { const s = document.createElement('script'); s.src = demo + '/app.js'; s.onload = yes; s.onerror = () => no('refused'); document.body.append(s); })`},
		{"load its picture", `new Promise((yes, no) => { const i = new Image(); i.onload = yes; i.onerror = () => no('refused'); i.src = demo + '/icon.svg'; })`},
	} {
		body, err := json.Marshal(map[string]any{"person": json.Number(anna.id), "text": "/start canary"})
		if err != nil {
			t.Fatal(err)
		}
		got := eval[string](other, `(async () => {
			const demo = `+js(demo.url)+`, body = `+js(string(body))+`, fail = () => { throw new Error('refused'); };
			try { await (`+attempt.do+`); return 'done'; } catch { return 'refused'; }
		})()`)
		if got != "refused" {
			t.Errorf("another site can %s", attempt.name)
		}
	}
	if sent := len(other.requestLog()) - before; sent < 6 {
		t.Errorf("the other site sent only %d requests", sent)
	}
	other.mu.Lock()
	for _, status := range other.statuses[1:] {
		if status < 400 {
			t.Errorf("another site got the status %d", status)
		}
	}
	other.mu.Unlock()
	// The page itself still works, and the other site has sent no message.
	anna.send("/start")
	anna.awaitMessage("Hello, Anna!")
	if text := eval[string](p, `messages(`+js(anna.id)+`).map(words).join(' ')`); strings.Contains(text, "canary") {
		t.Errorf("another site has sent a message: %s", text)
	}
}

// makeNoRequestsWhileIdle advances the page's clock by an hour, so that all its timers
// fire.
func makeNoRequestsWhileIdle(t *testing.T, _ *testDemo, p *tab) {
	anna := p.openAs("Anna")
	anna.send("/start")
	anna.awaitMessage("Hello, Anna!")
	waitFor[bool](p, "the page to be loaded", `document.readyState === 'complete'`)
	advance := func() int {
		before := len(p.requestLog())
		p.run("advance the clock", func(ctx context.Context, target *chromedp.Target) error {
			expired := chromedp.Events(ctx, emulation.VirtualTimeBudgetExpired)
			_, err := cdp.Call(ctx, target, emulation.SetVirtualTimePolicy, emulation.SetVirtualTimePolicyParams{
				Policy: emulation.VirtualTimePolicyAdvance, Budget: new(float64(time.Hour.Milliseconds())),
			})
			if err != nil {
				return err
			}
			for _, err := range expired {
				return err
			}
			return ctx.Err()
		})
		return len(p.requestLog()) - before
	}
	if n := advance(); n != 0 {
		t.Errorf("an idle page makes %d requests in an hour: %q", n, p.requestLog())
	}
	// The test detects a page that polls.
	p.do("poll every ten minutes", chromedp.Evaluate[chromedp.Void](`setInterval(() => fetch('/'), 600_000)`))
	if n := advance(); n < 5 {
		t.Errorf("a polling page makes only %d requests in an hour", n)
	}
}

// showAlert shows an alert of the bot, and a text that looks like markup.
func showAlert(t *testing.T, _ *testDemo, p *tab) {
	anna := p.openAs("Anna")
	anna.send("/start")
	anna.awaitMessage("Hello <img src=x onerror=alert(1)> a&b")
	anna.tap("Tap me")
	box := `document.querySelector('[role=alertdialog]')`
	waitFor[bool](p, "the alert, with the focus on OK", `words(`+box+`).startsWith('Saved t1') && words(document.activeElement) === 'OK'`)
	p.press(kb.Enter)
	waitFor[bool](p, "the alert to close", `!shown(`+box+`)`)
	anna.awaitMessage("Tapped")
	if n := eval[int](p, `document.querySelectorAll('section.chat img').length`); n != 0 {
		t.Errorf("the text of a message created %d images", n)
	}
}

// showLocalTimes shows times in the zone of the browser; relative ones go on by
// themselves.
func showLocalTimes(t *testing.T, _ *testDemo, p *tab) {
	anna := p.openAs("Anna")
	p.run("move to India", func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kolkata"})
		return err
	})
	const unix = 1_793_966_700 // 2026-11-06 12:05:00 UTC
	tag := func(unix int64, format, text string) string {
		return fmt.Sprintf(`<tg-time unix="%d" format="%s">%s</tg-time>`, unix, format, text)
	}
	anna.send("at " + tag(unix, "t", "12:05 UTC") + " on " + tag(unix, "d", "6 Nov") + ", " + tag(unix, "wDT", "long") + " <b>" + tag(unix, "", "as it is") + "</b>")
	anna.awaitMessage("at 17:35 on 06/11/2026, Friday, 6 November 2026, 17:35:00 as it is")
	if title := eval[string](p, `messages(`+js(anna.id)+`).at(-1).querySelector('time').title`); title != "12:05 UTC" {
		t.Errorf("the title of the time is %q", title)
	}
	soon := time.Now().Unix()
	anna.send("code " + tag(soon+14*60, "r", "in 14 min") + ", " + tag(soon-3*3600, "r", "3 h ago") + ", " + tag(soon+72*3600, "r", "in 3 days"))
	anna.awaitMessage("code in 14 minutes, 3 hours ago, in 3 days")
	p.do("let ten minutes pass", chromedp.Evaluate[chromedp.Void](`{ const now = Date.now; Date.now = () => now() + 600_000; }`))
	anna.awaitMessage("code in 4 minutes, 3 hours ago, in 3 days")
}

// showColours shows the styles of buttons, readable in both themes.
func showColours(t *testing.T, _ *testDemo, p *tab) {
	anna := p.openAs("Anna")
	anna.send("/colours")
	anna.awaitMessage("/colours")
	seen := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		p.setViewport(390, scheme)
		for _, style := range []string{"primary", "success", "danger"} {
			for _, state := range []string{"", ":hover"} {
				// The colours are drawn on a canvas, because the computed ones have several notations.
				got := eval[struct {
					Background, Text string
					Contrast         float64
				}](p, `((label, state) => {
					const key = button(chat(`+js(anna.id)+`), label);
					const style = getComputedStyle(key);
					const paint = (colour) => {
						const canvas = new OffscreenCanvas(1, 1).getContext('2d');
						canvas.fillStyle = colour;
						canvas.fillRect(0, 0, 1, 1);
						return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
					};
					const light = (rgb) => {
						const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
						return 0.2126 * r + 0.7152 * g + 0.0722 * b;
					};
					if (state) key.style.backgroundColor = 'var(--key-hover)';
					const [background, text] = [paint(style.backgroundColor), paint(style.color)];
					key.style.backgroundColor = '';
					const [low, high] = [light(background), light(text)].sort((a, b) => a - b);
					return { Background: background.join(), Text: text.join(), Contrast: (high + 0.05) / (low + 0.05) };
				})(`+js(style)+`, `+js(state)+`)`)
				if got.Contrast < 4.5 {
					t.Errorf("%s%s in the %s theme: text %s on %s has a contrast of %.1f", style, state, scheme, got.Text, got.Background, got.Contrast)
				}
				if other := seen[scheme+got.Background]; state == "" && other != "" {
					t.Errorf("%s looks like %s in the %s theme", style, other, scheme)
				}
				seen[scheme+got.Background] = style
			}
		}
	}
}

// showThousandMessages fills a chat, half by the person and half by the bot, and logs
// the performance of the page.
func showThousandMessages(t *testing.T, demo *testDemo, p *tab) {
	p.timeout = 3 * timeout
	anna := p.openAs("Anna")
	p.do("watch for long tasks", chromedp.Evaluate[chromedp.Void](`
		window.longTasks = [];
		new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((e) => e.duration))).observe({ type: 'longtask' });
		undefined`))
	startedAt := time.Now()
	const count = 500
	for i := range count {
		body := fmt.Sprintf(`{"person":%s,"text":"message %d of many, long enough that it takes more than a line where the page is as narrow as a phone"}`, anna.id, i+1)
		if status, text := demo.post("/type", body); status != http.StatusNoContent {
			t.Fatalf("type: %d %s", status, text)
		}
	}
	waitFor[bool](p, "a thousand messages", `messages(`+js(anna.id)+`).length >= `+strconv.Itoa(2*count))
	t.Logf("showed %d messages after %v", 2*count, time.Since(startedAt).Round(time.Millisecond))

	if distance := eval[float64](p, `((log) => log.scrollHeight - log.scrollTop - log.clientHeight)(chat(`+js(anna.id)+`).querySelector('.scroll'))`); distance > 2 {
		t.Errorf("the chat is %.0f px away from its newest message", distance)
	}
	measured := eval[struct {
		Tasks          int
		Longest        float64
		Scroll, Append float64
		Worst          float64
	}](p, `(async () => {
		const log = chat(`+js(anna.id)+`).querySelector('.scroll');
		const frame = () => new Promise((next) => requestAnimationFrame(next));
		const Tasks = longTasks.length, Longest = Math.max(0, ...longTasks);
		let last = await frame(), Worst = 0;
		const began = last;
		for (let i = 0; i < 60; i++) {
			log.scrollTop = log.scrollHeight * (60 - i) / 60;
			const now = await frame();
			Worst = Math.max(Worst, now - last);
			last = now;
		}
		const Scroll = last - began;
		log.scrollTop = log.scrollHeight;
		await frame();
		const count = messages(`+js(anna.id)+`).length;
		const from = performance.now();
		await fetch('/type', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ person: Number(`+js(anna.id)+`), text: 'one more' }) });
		while (messages(`+js(anna.id)+`).length < count + 2) await frame();
		return { Tasks, Longest, Scroll, Worst, Append: performance.now() - from };
	})()`)
	t.Logf("long tasks: %d, the longest %.0f ms; scrolling through all in 60 frames: %.0f ms, the slowest frame %.0f ms; one more message and its answer: %.0f ms",
		measured.Tasks, measured.Longest, measured.Scroll, measured.Worst, measured.Append)
	t.Logf("the page's measurements: %s", eval[string](p, `JSON.stringify(window.demoTiming ?? null)`))
}
