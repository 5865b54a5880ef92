package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestBrowser is the page in a real browser, and behind it the real bot. Each
// scenario has a demo and a tab of its own. At the end of each the page must
// have asked nobody but the demo, and the browser must have had no complaint.
func TestBrowser(t *testing.T) {
	browser := startBrowser(t)
	bot := realBot(t)
	for _, scenario := range []struct {
		name string
		opts Options
		test func(*testing.T, *running, *tab)
	}{
		{"give a key", Options{}, giveKey},
		{"browse in Chinese", Options{}, browseInChinese},
		{"buy two accounts", Options{}, buyTwo},
		{"a file of twenty", Options{}, fileOfTwenty},
		{"followers for a link", Options{}, followers},
		{"a lost answer", Options{}, lostAnswer},
		{"an SMS of one's own", Options{}, ownSMS},
		{"twice and late", Options{}, twiceAndLate},
		{"never a code", Options{}, never},
		{"killed while an order is open", Options{}, killed},
		{"right to left", Options{}, rightToLeft},
		{"other scripts", Options{}, inLanguages},
		{"reading further up", Options{}, readingFurtherUp},
		{"keyboard only", Options{}, keyboardOnly},
		{"another site", Options{}, anotherSite},
		{"idle", Options{}, idle},
		{"an alert", Options{Command: self(t, "fake-bot")}, alert},
		{"a thousand messages", Options{Command: self(t, "fake-bot")}, thousandMessages},
		{"pictures", Options{}, takePictures},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel() // most of the time is the marketplace's
			began := time.Now()
			scenario.opts.Seed = 1
			if scenario.opts.Command == nil {
				scenario.opts.Command = bot
			}
			demo := launch(t, scenario.opts)
			p := newTab(t, browser, demo.url)
			defer p.close()
			p.look(1280, "light")
			scenario.test(t, demo, p)
			t.Logf("took %v", time.Since(began).Round(10*time.Millisecond))
		})
	}
}

// withKey opens the page as Anna, who has given the bot her key.
func withKey(p *tab) *person {
	p.t.Helper()
	p.open()
	anna := p.as("Anna")
	anna.says("/key " + keyRich)
	anna.sees("saved")
	return anna
}

var gmail = []string{"🛍 Catalog", "Email Accounts", "Gmail", "Gmail Account - USA"}

func giveKey(_ *testing.T, _ *running, p *tab) {
	p.open()
	anna := p.as("Anna")
	anna.says("/start")
	anna.sees("Hello, Anna!")
	anna.tap("🔑 API key")
	anna.sees("I have no API key of yours")

	// The key is copied in the back room and pasted into the chat.
	p.copies(keyRich, func() {
		p.click("Copy", `button([...document.querySelectorAll('#backroom li')].find((li) => li.querySelector('code')?.textContent === `+js(keyRich)+`), 'Copy')`)
	})
	anna.says(keyRich)
	anna.sees("Key ••••4f7a saved.")
	until[bool](p, "the message with the key to be gone", `!messages(`+js(anna.id)+`).some((m) => words(m).includes(`+js(keyRich)+`))`)

	anna.tap("💰 Balance")
	anna.sees("$500.00")
}

func browseInChinese(t *testing.T, _ *running, p *tab) {
	p.open()
	bo := p.as("Bo")
	bo.sees("你好")
	bo.sees("$50.00") // what the key has that Bo gave before
	bo.taps("🛍 商品目录", "›", "‹", "邮箱账号", "Gmail", "Gmail 账号 - 美国")
	bo.sees("单价：$1.25")
	bo.tap("🔄 刷新")
	p.toast("已是最新")
	bo.taps("‹ 返回", "‹ 返回", "🏠 菜单")
	bo.sees("想做点什么？")
	bo.tap("❓ 帮助")
	bo.sees("/catalog")
	p.menu(bo, func(menu string) {
		if !strings.Contains(menu, "/orders") || !regexp.MustCompile(`\p{Han}`).MatchString(menu) {
			t.Errorf("Bo's menu of commands is %q", menu)
		}
	})
}

// menu opens the menu of commands, has it read, and closes it.
func (p *tab) menu(one *person, read func(string)) {
	p.t.Helper()
	toggle := `button(chat(` + js(one.id) + `), 'Commands')`
	p.click("Commands", toggle)
	read(until[string](p, "the menu", `[...chat(`+js(one.id)+`).querySelectorAll('[role=menuitem]')].filter(shown).map(words).join('\n')`))
	p.press(kb.Escape)
	until[bool](p, "the menu to close", toggle+`.getAttribute('aria-expanded') === 'false'`)
}

func buyTwo(t *testing.T, _ *running, p *tab) {
	anna := withKey(p)
	anna.taps(gmail...)
	anna.sees("$1.25 each")
	anna.taps("2", "Skip")
	anna.sees("Total: $2.50")
	anna.tap("✅ Confirm")
	anna.sees("placed")
	message := anna.sees("delivered")
	goods := anna.goods(message)
	if len(goods) != 2 || !strings.HasSuffix(strings.SplitN(goods[0], ":", 2)[0], "@gmail.com") {
		t.Fatalf("two accounts were bought, and %q arrived", goods)
	}
	p.copies(goods[1], func() { anna.tap("📋 Copy 2") })
	p.toast("Copied")
	p.copies(goods[0], func() {
		p.click("the first account", `chat(`+js(anna.id)+`).querySelector('.message[data-id=`+js(message)+`] code')`)
	})

	anna.tap("📦 My orders")
	anna.sees("My orders")
	anna.tap("✅ #" + anna.number("Order") + " Gmail Account - USA ×2")
	anna.sees("Status: ✅ delivered")
}

func fileOfTwenty(t *testing.T, demo *running, p *tab) {
	anna := withKey(p)
	next := p.downloads(t.TempDir())
	anna.says("/start p_8")
	anna.taps("20", "Skip", "✅ Confirm")
	message := anna.sees("20 accounts in the file")
	link := `chat(` + js(anna.id) + `).querySelector('.message[data-id=` + js(message) + `] .document a[download]')`
	p.click("the file", link)
	name, content := next()

	if order := anna.number("Order"); name != "order-"+order+".txt" {
		t.Errorf("the file of order %s is called %q", order, name)
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	if len(lines) != 20 {
		t.Errorf("twenty accounts were bought, and the file has %d lines", len(lines))
	}
	for _, line := range lines {
		if account, password, ok := strings.Cut(line, ":"); !ok || !strings.HasSuffix(account, "@hotmail.com") || password == "" {
			t.Errorf("the file has the line %q", line)
		}
	}
	// What the message holds is what was saved, byte by byte.
	if kept := get(t, demo, read[string](p, link+`.href`)); kept != string(content) {
		t.Errorf("the message's file is\n%q, and what was saved\n%q", kept, content)
	}
	if shown := read[string](p, `words(`+link+`.closest('.document'))`); !strings.Contains(shown, strconv.Itoa(len(content))+" B") {
		t.Errorf("the file of %d bytes is shown as %q", len(content), shown)
	}
}

// number returns the number of the last order that the chat tells of.
func (one *person) number(word string) string {
	one.t.Helper()
	return until[string](one.tab, "a number after "+word,
		`messages(`+js(one.id)+`).map(words).join(' ').match(/`+word+` #(\d+)/g)?.at(-1).match(/\d+/)[0]`)
}

func get(t *testing.T, demo *running, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := demo.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d, %v", address, resp.StatusCode, err)
	}
	return string(body)
}

func followers(t *testing.T, _ *running, p *tab) {
	anna := withKey(p)
	anna.says("/start p_1")
	anna.sees("Instagram Followers")
	anna.tap("1,000")
	anna.sees("Send the link")
	anna.says("my page")
	anna.sees("That is not a link")
	anna.says("https://instagram.com/anna")
	anna.sees("Total (estimate): $0.50")
	anna.tap("✅ Confirm")
	anna.sees("placed")
	// The bot looks rarely at such an order, but when it is asked to: at most
	// every three seconds, else it says that this is all it knows.
	until[bool](p, "the marketplace to be done", `words(document.querySelector('#backroom [data-order="`+anna.number("Order")+`"]')).includes('1000 of 1000')`)
	done := `messages(` + js(anna.id) + `).some((m) => words(m).includes('Status: ✅ delivered'))`
	for until[bool](p, "no toast", `!document.querySelector('.toast')`); !read[bool](p, done); until[bool](p, "no toast", `!document.querySelector('.toast')`) {
		anna.tap("🔄 Refresh")
		until[bool](p, "an answer", `document.querySelector('.toast') !== null || `+done)
	}
	message := anna.sees("Status: ✅ delivered")
	// The link can be opened, and is not asked for anything before.
	link := read[struct{ Href, Rel, Target string }](p, `((a) => a && { Href: a.href, Rel: a.rel, Target: a.target })(chat(`+js(anna.id)+`).querySelector('.message[data-id=`+js(message)+`] a[href*=instagram]'))`)
	if link.Href != "https://instagram.com/anna" || !strings.Contains(link.Rel, "noopener") || link.Target != "_blank" {
		t.Errorf("the link is %+v", link)
	}
}

func lostAnswer(t *testing.T, _ *running, p *tab) {
	anna := withKey(p)
	anna.taps(gmail...)
	anna.taps("2", "Skip")
	anna.sees("Please confirm")
	p.click("the fault", `document.querySelector('#backroom [data-fault=lose]')`)
	anna.tap("✅ Confirm")
	anna.sees("may or may not have been placed")
	anna.sees("Do not order again before you know.") // the message after it

	order := until[string](p, "the order in the back room", `document.querySelector('#backroom [data-order]')?.dataset.order`)
	anna.tap("🔢 I have the order number")
	anna.sees("Send the order number")
	anna.says("999999")
	anna.sees("finds no order with this number")
	anna.says(order)
	anna.sees("Is this your order of Gmail Account - USA × 2?")
	anna.tap("✅ Yes, this is it")
	p.toast("Added to your orders")
	if goods := anna.goods(anna.sees("Order #" + order + " delivered")); len(goods) != 2 {
		t.Errorf("the order that was adopted brings %q", goods)
	}
	if orders := read[int](p, `document.querySelectorAll('#backroom [data-order]').length`); orders != 1 {
		t.Errorf("the marketplace has %d orders: it was bought again", orders)
	}
}

func killed(t *testing.T, _ *running, p *tab) {
	p.patience = 2 * patience // the next look at such an order may be half a minute away
	anna := withKey(p)
	anna.says("/start p_3") // delivered by hand
	anna.taps("1", "Skip", "✅ Confirm")
	anna.sees("placed")
	order := anna.number("Order")

	p.room("#backroom", "Kill the bot")
	p.room(`#backroom [data-order="`+order+`"]`, "Deliver")
	if goods := anna.goods(anna.sees("Order #" + order + " delivered")); len(goods) != 1 {
		t.Errorf("the order brings %q", goods)
	}
	until[bool](p, "the back room to tell", `words(document.querySelector('#backroom')).includes('killed once')`)
	anna.says("/orders")
	anna.sees("My orders")
}

func rightToLeft(t *testing.T, _ *running, p *tab) {
	p.open()
	amal := p.as("Amal")
	const greeting = "مرحبا! أريد أن أشتري حسابين جديدين للبريد الإلكتروني، وأن أعرف كم يكلفان وكم من الوقت يستغرق التسليم، من فضلك"
	field := `chat(` + js(amal.id) + `).querySelector('[aria-label="Message"]')`
	p.click("the text field", field)
	p.enter(greeting)
	if got := read[string](p, `getComputedStyle(`+field+`).direction`); got != "rtl" {
		t.Errorf("Arabic is typed %s", got)
	}
	p.press(kb.Enter)
	amal.sees(botSays(t, "ar", "text_not_understood"))

	// linesOf are the boxes of the lines of a message's text.
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
	type text struct {
		Direction string
		Lines     []struct{ Left, Right float64 }
	}
	own := `messages(` + js(amal.id) + `).find((m) => m.classList.contains('own'))`
	typed := read[text](p, linesOf(own))
	if typed.Direction != "rtl" || len(typed.Lines) < 2 {
		t.Fatalf("what Amal wrote is %+v, want lines from right to left", typed)
	}
	for _, line := range typed.Lines {
		if d := line.Right - typed.Lines[0].Right; d > 1.5 || d < -1.5 {
			t.Errorf("a line ends at %.1f, and another at %.1f: not flush right", line.Right, typed.Lines[0].Right)
		}
	}
	// The two sides of the talk are told apart by the edge that they keep to.
	type edges struct{ Left, Right float64 }
	edgesOf := func(message string) edges {
		return read[edges](p, `((m) => {
			const log = chat(`+js(amal.id)+`).querySelector('[role=log]').getBoundingClientRect();
			const bubble = [...m.querySelectorAll('*')].map((el) => [el, getComputedStyle(el)]).find(([, style]) => style.backgroundColor !== 'rgba(0, 0, 0, 0)')?.[0] ?? m;
			const box = bubble.getBoundingClientRect();
			return { Left: box.left - log.left, Right: log.right - box.right };
		})(`+message+`)`)
	}
	mine, theirs := edgesOf(own), edgesOf(`messages(`+js(amal.id)+`).find((m) => !m.classList.contains('own'))`)
	if (mine.Left < mine.Right) == (theirs.Left < theirs.Right) || min(mine.Left, mine.Right, theirs.Left, theirs.Right) < 0 {
		t.Errorf("Amal's bubble keeps %+v from the edges, the bot's %+v", mine, theirs)
	}

	// A name from right to left does not turn the lines below it in a language that
	// runs the other way.
	anna := p.as("Anna")
	anna.says("/start p_10")
	card := anna.sees("حساب تيليجرام")
	for _, word := range []string{"Price: $", "In stock:", "How many?"} {
		at := read[[]float64](p, `((m) => {
			const walk = document.createTreeWalker(m, NodeFilter.SHOW_TEXT);
			let node;
			while ((node = walk.nextNode())) if (node.data.includes(`+js(word)+`)) break;
			const from = node.data.indexOf(`+js(word)+`);
			return [...`+js(word)+`].map((_, i) => {
				const range = document.createRange();
				range.setStart(node, from + i);
				range.setEnd(node, from + i + 1);
				return range.getBoundingClientRect().left;
			});
		})(chat(`+js(anna.id)+`).querySelector('.message[data-id=`+js(card)+`]'))`)
		for i := 1; i < len(at); i++ {
			if at[i] <= at[i-1] {
				t.Errorf("%q is drawn backwards: %v", word, at)
				break
			}
		}
	}
	anna.tap("1")
	anna.sees("This needs your own API key")
}

// readingFurtherUp is who has scrolled up when something arrives.
func readingFurtherUp(t *testing.T, _ *running, p *tab) {
	anna := withKey(p)
	anna.taps(gmail...)
	anna.taps("1", "Skip")
	anna.says("/balance")
	anna.sees("$500.00")
	p.run("make the window low", func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 1280, Height: 420, DeviceScaleFactor: 1})
		return err
	})
	anna.tap("✅ Confirm")
	anna.sees("placed")
	scroll := `chat(` + js(anna.id) + `).querySelector('.scroll')`
	p.do("scroll up", chromedp.Evaluate[chromedp.Void](`{`+prelude+scroll+`.scrollTop = 0; }`))
	anna.sees("delivered")
	if at := read[float64](p, scroll+`.scrollTop`); at != 0 {
		t.Errorf("what arrives takes the reader %v px down", at)
	}
	p.click("the way down", `button(chat(`+js(anna.id)+`), '1 new message')`)
	until[bool](p, "the newest message", `((el) => el.scrollHeight - el.scrollTop - el.clientHeight < 2)(`+scroll+`)`)
}

func keyboardOnly(t *testing.T, _ *running, p *tab) {
	p.open()
	anna := p.as("Anna") // is there from the start
	// The arrow keys go from person to person.
	p.tabTo("the people", `el.matches('#people button') && el.dataset.person === `+js(anna.id))
	p.press(kb.ArrowRight)
	until[bool](p, "Bo's chat", `document.querySelector('section.chat').getAttribute('aria-label').includes('Bo')`)
	p.press(kb.ArrowLeft)
	until[bool](p, "Anna's chat", `shown(chat(`+js(anna.id)+`))`)
	field := `el.matches('section.chat[data-person=` + js(anna.id) + `] [aria-label="Message"]')`
	write := func(text string) {
		t.Helper()
		p.tabTo("the text field", field)
		p.enter(text)
		p.press(kb.Enter)
	}
	tap := func(label string) {
		t.Helper()
		until[bool](p, label, `keys(`+js(anna.id)+`, `+js(label)+`).some(shown)`)
		p.tabTo(label, `el.matches('section.chat[data-person=`+js(anna.id)+`] .keyboard button') && fits(words(el), `+js(label)+`)`)
		if !read[bool](p, `((el) => {
			const look = () => { const s = getComputedStyle(el); return [s.outline, s.boxShadow, s.border, s.backgroundColor].join(); };
			const focused = look();
			el.blur();
			const plain = look();
			el.focus();
			return focused !== plain;
		})(document.activeElement)`) {
			t.Errorf("%q has the focus, and nobody sees it", label)
		}
		p.press(kb.Enter)
	}
	write("/start")
	tap("🔑 API key")
	anna.sees("I have no API key of yours")
	write(keyRich)
	anna.sees("saved")
	for _, label := range append(gmail, "1", "Skip") {
		tap(label)
	}
	anna.sees("Please confirm")
	tap("✅ Confirm")
	goods := anna.goods(anna.sees("delivered"))
	if len(goods) != 1 {
		t.Fatalf("one account was bought, and %q arrived", goods)
	}
	p.copies(goods[0], func() { tap("📋 Copy") })

	// Esc closes the menu of commands, and gives the focus back.
	p.tabTo("Commands", `el.matches('section.chat[data-person=`+js(anna.id)+`] *') && name(el) === 'Commands'`)
	p.press(kb.Enter)
	until[bool](p, "the menu", `document.activeElement.matches('[role=menuitem]') && shown(document.activeElement)`)
	p.press(kb.Escape)
	until[bool](p, "the menu to close, and the focus where one writes", `!document.querySelector('[role=menuitem]').checkVisibility() && document.activeElement.matches('[aria-label="Message"]')`)
}

// anotherSite is a page of another origin in the same browser, which tries what
// a page can try.
func anotherSite(t *testing.T, demo *running, p *tab) {
	p.open()
	anna := p.as("Anna")
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!DOCTYPE html><link rel="icon" href="data:,"><title>elsewhere</title>`)
	}))
	defer site.Close()
	other := newTab(t, p.within, site.URL)
	defer other.close()
	other.allowed = demo.url
	other.expected = []string{demo.url, "chrome-error:"} // that it was refused stands in the console
	other.open()
	before := len(other.asked())
	for _, attempt := range []struct{ name, do string }{
		{"read what is to be seen", `fetch(demo + '/events').then((r) => r.text())`},
		{"read the page", `fetch(demo + '/').then((r) => r.text())`},
		{"type as a form can", `fetch(demo + '/type', { method: 'POST', mode: 'no-cors', body: body }).then((r) => r.type === 'opaque' ? fail() : r.text())`},
		{"type as JSON", `fetch(demo + '/type', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: body }).then((r) => r.text())`},
		{"kill the bot", `fetch(demo + '/kill', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }).then((r) => r.text())`},
		{"listen", `new Promise((yes, no) => { const s = new EventSource(demo + '/events'); s.onmessage = yes; s.onerror = () => { s.close(); no('refused'); }; })`},
		{"show it in a frame", `new Promise((yes, no) => { const f = document.createElement('iframe'); f.src = demo; f.onload = () => { try { f.contentDocument ? yes() : no('refused'); } catch { no('refused'); } }; document.body.append(f); })`},
		{"load its script", `new Promise((yes, no) => { const s = document.createElement('script'); s.src = demo + '/app.js'; s.onload = yes; s.onerror = () => no('refused'); document.body.append(s); })`},
		{"load its picture", `new Promise((yes, no) => { const i = new Image(); i.onload = yes; i.onerror = () => no('refused'); i.src = demo + '/icon.svg'; })`},
	} {
		body, err := json.Marshal(map[string]any{"person": json.Number(anna.id), "text": "/start canary"})
		if err != nil {
			t.Fatal(err)
		}
		got := read[string](other, `(async () => {
			const demo = `+js(demo.url)+`, body = `+js(string(body))+`, fail = () => { throw new Error('refused'); };
			try { await (`+attempt.do+`); return 'done'; } catch { return 'refused'; }
		})()`)
		if got != "refused" {
			t.Errorf("another site can %s", attempt.name)
		}
	}
	if asked := len(other.asked()) - before; asked < 6 {
		t.Errorf("only %d requests were tried", asked)
	}
	other.mu.Lock()
	for _, status := range other.statuses[1:] {
		if status < 400 {
			t.Errorf("another site was answered with %d", status)
		}
	}
	other.mu.Unlock()
	// The page itself can, and nothing came of the rest.
	anna.says("/start")
	anna.sees("Hello, Anna!")
	if said := read[string](p, `messages(`+js(anna.id)+`).map(words).join(' ')`); strings.Contains(said, "canary") {
		t.Errorf("another site has written into the chat: %s", said)
	}
}

// idle lets an hour of the page's time pass in a moment: every timer that the
// page has set fires.
func idle(t *testing.T, _ *running, p *tab) {
	p.open()
	anna := p.as("Anna")
	anna.says("/start")
	anna.sees("Hello, Anna!")
	until[bool](p, "the page to be loaded", `document.readyState === 'complete'`)
	pass := func() int {
		before := len(p.asked())
		p.run("let an hour pass", func(ctx context.Context, target *chromedp.Target) error {
			over := chromedp.Events(ctx, emulation.VirtualTimeBudgetExpired)
			_, err := cdp.Call(ctx, target, emulation.SetVirtualTimePolicy, emulation.SetVirtualTimePolicyParams{
				Policy: emulation.VirtualTimePolicyAdvance, Budget: new(float64(time.Hour.Milliseconds())),
			})
			if err != nil {
				return err
			}
			for _, err := range over {
				return err
			}
			return ctx.Err()
		})
		return len(p.asked()) - before
	}
	if n := pass(); n != 0 {
		t.Errorf("an idle page makes %d requests an hour: %q", n, p.asked())
	}
	// It would have been noticed.
	p.do("poll every ten minutes", chromedp.Evaluate[chromedp.Void](`setInterval(() => fetch('/'), 600_000)`))
	if n := pass(); n < 5 {
		t.Errorf("a page that polls makes %d requests in an hour: this test sees nothing", n)
	}
}

// alert is of a bot that answers a tap with a box, and whose text looks like
// markup.
func alert(t *testing.T, _ *running, p *tab) {
	p.open()
	anna := p.as("Anna")
	anna.says("/start")
	anna.sees("Hello <img src=x onerror=alert(1)> a&b")
	anna.tap("Tap me")
	box := `document.querySelector('[role=alertdialog]')`
	until[bool](p, "the alert, with the focus on OK", `words(`+box+`).startsWith('Saved t1') && words(document.activeElement) === 'OK'`)
	p.press(kb.Enter)
	until[bool](p, "the alert to close", `!shown(`+box+`)`)
	anna.sees("Tapped")
	if n := read[int](p, `document.querySelectorAll('section.chat img').length`); n != 0 {
		t.Errorf("the text of a message became %d pictures", n)
	}
}

// thousandMessages fills a chat, half of it by the person and half by a bot that
// answers at once, and tells how the page bears it.
func thousandMessages(t *testing.T, demo *running, p *tab) {
	p.patience = 3 * patience
	p.open()
	anna := p.as("Anna")
	p.do("watch for long tasks", chromedp.Evaluate[chromedp.Void](`
		window.longTasks = [];
		new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((e) => e.duration))).observe({ type: 'longtask' });
		undefined`))
	began := time.Now()
	const typed = 500
	for i := range typed {
		body := fmt.Sprintf(`{"person":%s,"text":"message %d of many, long enough that it takes more than a line where the page is as narrow as a phone"}`, anna.id, i+1)
		if status, said := demo.post("/type", body); status != http.StatusNoContent {
			t.Fatalf("typing: %d %s", status, said)
		}
	}
	until[bool](p, "a thousand messages", `messages(`+js(anna.id)+`).length >= `+strconv.Itoa(2*typed))
	t.Logf("%d messages were there after %v", 2*typed, time.Since(began).Round(time.Millisecond))

	at := read[struct{ Distance float64 }](p, `((log) => ({ Distance: log.scrollHeight - log.scrollTop - log.clientHeight }))(chat(`+js(anna.id)+`).querySelector('.scroll'))`)
	if at.Distance > 2 {
		t.Errorf("the chat is %.0f px away from its newest message", at.Distance)
	}
	spent := read[struct {
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
		spent.Tasks, spent.Longest, spent.Scroll, spent.Worst, spent.Append)
	t.Logf("the page's own timing: %s", read[string](p, `JSON.stringify(window.demoTiming ?? null)`))
}
