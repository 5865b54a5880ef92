package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browsers are the programs that will do, the first one found is taken.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// window is a running browser.
type window struct {
	ctx       context.Context
	clipboard sync.Mutex // all tabs have one and the same
}

// startBrowser starts a browser that lives as long as the test. Where there is
// none on this machine the test is skipped, but not where CI is set.
func startBrowser(t *testing.T) *window {
	t.Helper()
	path := ""
	for _, name := range browsers {
		found, err := exec.LookPath(name)
		if err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no browser is installed, and CI is set: make browser")
		}
		t.Skip("no browser is installed: make browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("no-sandbox", true), // of containers and root; the only pages are our own
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.DisableGPU,
	)
	allocator, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Logf("the browser ended with %v", err)
		}
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return &window{ctx: ctx}
}

// tab is one window of the browser with the demo in it. When the test ends it
// must not have complained, and must have asked nobody but the demo.
type tab struct {
	t        *testing.T
	ctx      context.Context
	cancel   context.CancelFunc
	within   *window
	url      string // the page's origin
	patience time.Duration
	expected []string // what the browser may say
	allowed  string   // the one other origin that the tab may ask, "" for none

	mu       sync.Mutex
	requests []string // method and address
	statuses []int64  // of the answers
	trouble  []string // what the console and the network have to say
}

// newTab opens an empty tab for a page, with storage and permissions of its own.
// The caller closes it.
func newTab(t *testing.T, browser *window, url string) *tab {
	t.Helper()
	p := &tab{t: t, within: browser, url: url, patience: patience}
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	p.ctx = ctx
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	p.cancel = cancel
	// The whole tab is as if it had the focus, whatever other tabs do.
	p.run("set the tab up", func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
			return err
		}
		if _, err := cdp.Call(ctx, target, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "UTC"}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
		return err
	})
	for _, permission := range []string{"clipboard-read", "clipboard-write"} {
		_, err := chromedp.CallBrowser(ctx, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
			Permission: &cdpbrowser.PermissionDescriptor{Name: permission}, Setting: cdpbrowser.PermissionSettingGranted,
			Origin: url, BrowserContextID: chromedp.FromContext(ctx).BrowserContextID,
		})
		if err != nil {
			t.Fatalf("permit %s: %v", permission, err)
		}
	}
	return p
}

// close closes the tab, and the test fails for what the page should not have
// done. The demo must still run: a stream that breaks off is trouble too, so a
// test defers this and does not leave it to Cleanup.
func (p *tab) close() {
	p.t.Helper()
	if p.t.Failed() {
		p.keepPicture()
	}
	if err := chromedp.Cancel(p.ctx); err != nil {
		p.t.Errorf("close the tab: %v", err)
	}
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, said := range p.trouble {
		if !slices.ContainsFunc(p.expected, func(words string) bool { return strings.Contains(said, words) }) {
			p.t.Errorf("the browser says: %s", said)
		}
	}
	for _, request := range p.requests {
		_, address, _ := strings.Cut(request, " ")
		if !p.own(address) && (p.allowed == "" || !strings.HasPrefix(address, p.allowed+"/")) {
			p.t.Errorf("a request leaves the page's origin: %s", request)
		}
	}
}

// open goes to the page.
func (p *tab) open() {
	p.t.Helper()
	p.do("open the page", chromedp.Navigate(p.url+"/"))
}

// hear runs in the loop that reads what the browser says, so it only notes.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.Method+" "+e.Request.URL)
	case *network.EventResponseReceivedExtraInfo:
		p.statuses = append(p.statuses, e.StatusCode)
	case *network.EventWebSocketCreated:
		p.requests = append(p.requests, "WEBSOCKET "+e.URL)
	case *runtime.EventExceptionThrown:
		said := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			said += " " + e.ExceptionDetails.Exception.Description
		}
		p.trouble = append(p.trouble, "exception: "+said)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			var said []string
			for _, arg := range e.Args {
				said = append(said, string(arg.Value)+arg.Description)
			}
			p.trouble = append(p.trouble, fmt.Sprintf("console.%s: %s", e.Type, strings.Join(said, " ")))
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Level == cdplog.EntryLevelWarning {
			p.trouble = append(p.trouble, fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	}
}

func (p *tab) own(address string) bool {
	return address == p.url || strings.HasPrefix(address, p.url+"/") ||
		strings.HasPrefix(address, "data:") || strings.HasPrefix(address, "blob:"+p.url+"/") || address == "about:blank"
}

// asked returns how many requests the page has made.
func (p *tab) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// patient gives up where nothing comes of it.
func (p *tab) patient() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, p.patience)
}

func (p *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := p.patient()
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v\n%s", what, err, p.shown())
	}
}

func (p *tab) run(what string, step func(context.Context, *chromedp.Target) error) {
	p.t.Helper()
	p.do(what, chromedp.Func(step))
}

// prelude is what the expressions of the tests may use.
const prelude = `
	const fits = (text, label) => text === label || text.startsWith(label + ' · ');
	const words = (el) => (el?.innerText ?? '').replace(/[\s\u2066-\u2069]+/g, ' ').trim();
	const name = (el) => el?.getAttribute('aria-label') ?? (words(el) || el?.placeholder || '');
	const shown = (el) => Boolean(el?.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
	const chat = (id) => document.querySelector('section.chat[data-person="' + id + '"]');
	const messages = (id) => [...(chat(id)?.querySelectorAll('.message') ?? [])];
	const keys = (id, label) => messages(id).flatMap((m) => [...m.querySelectorAll('.keyboard button, .keyboard a')])
		.filter((key) => fits(words(key), label));
	const button = (within, label) => [...(within?.querySelectorAll('button, a, [role=button]') ?? [])]
		.find((b) => shown(b) && (name(b) === label || words(b) === label));
`

// js quotes a value for an expression.
func js(value any) string {
	quoted, err := json.Marshal(value)
	if err != nil {
		panic(err) // only strings and numbers are quoted
	}
	return string(quoted)
}

// until returns the value of a JavaScript expression as soon as it is truthy,
// tried anew with every frame that the browser draws.
//
// chromedp's own Poll makes its predicate with new Function, which the page's
// content policy forbids.
func until[T any](p *tab, what, expression string) T {
	p.t.Helper()
	ctx, cancel := p.patient()
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](`new Promise((done, fail) => {`+prelude+`
		const look = async () => {
			try {
				const value = (`+expression+`);
				if (value) done(value);
				else requestAnimationFrame(look);
			} catch (error) { fail(error); }
		};
		look();
	})`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("waiting for %s: %v\n%s", what, err, p.shown())
	}
	return value
}

// read returns the value of a JavaScript expression, or of its promise.
func read[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := p.patient()
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](`(async () => {`+prelude+`return (`+expression+`);})()`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// click clicks the middle of an element with the mouse, once it is to be seen
// there, stands still and can be used; again where it has moved just then.
func (p *tab) click(what, element string) {
	p.t.Helper()
	for range 5 {
		at := until[struct{ X, Y float64 }](p, what, `((el) => {
			if (!shown(el) || el.disabled) return false;
			el.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
			const box = el.getBoundingClientRect();
			const at = [box.x, box.y, box.width, box.height].join();
			const still = el.wasAt === at;
			el.wasAt = at;
			if (!still) return false;
			const X = box.x + box.width / 2, Y = box.y + box.height / 2;
			const top = document.elementFromPoint(X, Y);
			if (!top || !el.contains(top)) return false;
			globalThis.aim = { hit: false };
			el.addEventListener('click', ((aim) => () => { aim.hit = true; })(globalThis.aim), { capture: true, once: true });
			return { X, Y };
		})(`+element+`)`)
		p.do("click "+what, chromedp.MouseClickXY(at.X, at.Y))
		if read[bool](p, `aim.hit`) {
			return
		}
	}
	p.t.Fatalf("%s can't be clicked\n%s", what, p.shown())
}

// press presses a key, with modifiers.
func (p *tab) press(key string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.do("press a key", chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers...)))
}

// enter puts text where the focus is, as an input method does.
func (p *tab) enter(text string) {
	p.t.Helper()
	p.run("type "+text, func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// tabTo presses Tab until an element that fits has the focus. js says what fits,
// of the element el.
func (p *tab) tabTo(what, fits string) {
	p.t.Helper()
	var passed []string
	for range 300 {
		p.press(kb.Tab)
		if read[bool](p, `((el) => Boolean(el && el !== document.body && (`+fits+`)))(document.activeElement)`) {
			return
		}
		passed = append(passed, read[string](p, `name(document.activeElement)`))
	}
	p.t.Fatalf("Tab does not come to %s, but past %q", what, passed)
}

// toast waits for a toast that has these words.
func (p *tab) toast(said string) {
	p.t.Helper()
	until[bool](p, "the toast "+said, `[...document.querySelectorAll('.toast[role=status]')].some((el) => words(el).includes(`+js(said)+`))`)
}

// copies waits for what do copies to be in the clipboard.
func (p *tab) copies(want string, do func()) {
	p.t.Helper()
	p.within.clipboard.Lock()
	defer p.within.clipboard.Unlock()
	do()
	until[bool](p, want+" in the clipboard", `(await navigator.clipboard.readText()) === `+js(want))
}

// shown returns what is in the chats, for those who read why a test failed.
func (p *tab) shown() string {
	ctx, cancel := p.patient()
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`[...document.querySelectorAll('section.chat')].map((c) =>
		'chat of ' + c.dataset.person + ':\n' + [...c.querySelectorAll('.message')].slice(-6).map((m) =>
			'  #' + m.dataset.id + (m.classList.contains('own') ? ' own: ' : ': ') + m.innerText.replaceAll('\n', ' | ')).join('\n')).join('\n')
		|| document.body.innerText.slice(0, 2000)`))
	if err != nil {
		return err.Error()
	}
	return text
}

// keepPicture keeps what the tab shows where go test -artifacts keeps things.
func (p *tab) keepPicture() {
	ctx, cancel := p.patient()
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(p.t.ArtifactDir(), "failed.png"), picture, 0o600)
	}
	if err != nil {
		p.t.Logf("no picture of the failure: %v", err)
	}
}

// person is one of the pretend people, with their chat on the page.
type person struct {
	*tab
	name string
	id   string
}

// as shows the chat of a person and is them from then on.
func (p *tab) as(name string) *person {
	p.t.Helper()
	one := &person{tab: p, name: name}
	one.id = until[string](p, name+" among the people",
		`[...document.querySelectorAll('#people button[data-person]')].find((b) => words(b).includes(`+js(name)+`))?.dataset.person`)
	if !read[bool](p, `shown(chat(`+js(one.id)+`))`) {
		p.click(name, `document.querySelector('#people button[data-person=`+js(one.id)+`]')`)
	}
	until[bool](p, name+"'s chat", `shown(chat(`+js(one.id)+`))`)
	return one
}

// tap taps the last button of the chat with a label, or with a label that
// goes on after " · ".
func (one *person) tap(label string) {
	one.t.Helper()
	one.click(one.name+"'s button "+label, `keys(`+js(one.id)+`, `+js(label)+`).filter(shown).at(-1)`)
}

// taps taps one button after the other, each once the chat has changed by the
// one before: a button of the next screen may stand where another one stood.
func (one *person) taps(labels ...string) {
	one.t.Helper()
	all := `chat(` + js(one.id) + `).querySelector('.messages').textContent`
	for _, label := range labels {
		before := read[string](one.tab, all)
		one.tap(label)
		until[bool](one.tab, "what "+label+" leads to", all+` !== `+js(before))
	}
}

// says types into the text field and sends it.
func (one *person) says(text string) {
	one.t.Helper()
	one.click("the text field", `chat(`+js(one.id)+`)?.querySelector('[aria-label="Message"]')`)
	one.enter(text)
	one.click("Send", `button(chat(`+js(one.id)+`), 'Send')`)
	until[bool](one.tab, "the text field to be empty", `chat(`+js(one.id)+`).querySelector('[aria-label="Message"]').value === ''`)
}

// sees waits for a message of the bot's with these words, and returns its id.
func (one *person) sees(text string) string {
	one.t.Helper()
	return until[string](one.tab, one.name+"'s message "+text,
		`messages(`+js(one.id)+`).filter((m) => !m.classList.contains('own') && shown(m) && words(m).includes(`+js(text)+`)).at(-1)?.dataset.id`)
}

// goods returns the pieces in <code> of a message.
func (one *person) goods(message string) []string {
	one.t.Helper()
	return read[[]string](one.tab, `[...chat(`+js(one.id)+`).querySelectorAll('.message[data-id=`+js(message)+`] code')].map((c) => c.textContent)`)
}

// room clicks a button of the back room.
func (p *tab) room(within, label string) {
	p.t.Helper()
	p.click(label+" in the back room", `button(document.querySelector(`+js(within)+`), `+js(label)+`)`)
}

// downloads lets the tab keep files in a folder. The func it returns waits for
// the next one and returns its content.
func (p *tab) downloads(folder string) func() (name string, content []byte) {
	p.t.Helper()
	_, err := chromedp.CallBrowser(p.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllowAndName, DownloadPath: folder, EventsEnabled: new(true),
		BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
	})
	if err != nil {
		p.t.Fatalf("permit downloads: %v", err)
	}
	ctx, cancel := p.patient()
	p.t.Cleanup(cancel)
	began := chromedp.BrowserEvents(ctx, cdpbrowser.DownloadWillBegin)
	progress := chromedp.BrowserEvents(ctx, cdpbrowser.DownloadProgress)
	return func() (string, []byte) {
		p.t.Helper()
		id, name := "", ""
		for e, err := range began {
			if err != nil {
				p.t.Fatalf("no download began: %v\n%s", err, p.shown())
			}
			id, name = e.GUID, e.SuggestedFilename
			break
		}
		for e, err := range progress {
			if err != nil {
				p.t.Fatalf("the download does not end: %v", err)
			}
			if e.GUID == id && e.State == cdpbrowser.DownloadProgressStateCanceled {
				p.t.Fatal("the download was cancelled")
			}
			if e.GUID == id && e.State == cdpbrowser.DownloadProgressStateCompleted {
				break
			}
		}
		content, err := os.ReadFile(filepath.Join(folder, id))
		if err != nil {
			p.t.Fatal(err)
		}
		return name, content
	}
}

// realBot builds the program and returns the command that runs the bot.
func realBot(t *testing.T) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hstockbot")
	began := time.Now()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "hstockbot")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the bot: %v\n%s", err, output)
	}
	t.Logf("the bot was built in %v", time.Since(began).Round(time.Millisecond))
	return []string{path, "run"}
}
