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

// browsers are the supported programs. The first one that is installed is used.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// sharedBrowser is a running browser.
type sharedBrowser struct {
	ctx       context.Context
	clipboard sync.Mutex // shared by all tabs
}

// startBrowser starts a browser for the duration of the test. Without an installed
// browser it skips the test, or fails it if CI is set.
func startBrowser(t *testing.T) *sharedBrowser {
	t.Helper()
	i := slices.IndexFunc(browsers, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if i < 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("no browser is installed, and CI is set: make browser")
		}
		t.Skip("no browser is installed: make browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browsers[i]),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("no-sandbox", true), // the sandbox fails in containers and as root; all pages are our own
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
		t.Fatalf("start %s: %v", browsers[i], err)
	}
	return &sharedBrowser{ctx: ctx}
}

// tab is a browser tab with the demo's page. Closing it fails the test if the browser
// reported a problem or requested another origin.
type tab struct {
	t        *testing.T
	ctx      context.Context
	cancel   context.CancelFunc
	browser  *sharedBrowser
	url      string // the page's origin
	timeout  time.Duration
	expected []string // texts of problems that the test expects
	allowed  string   // another origin that the tab may request, "" for none

	mu       sync.Mutex
	requests []string // method and URL
	statuses []int64  // of the responses
	problems []string // reported by the console and the network
}

// newTab opens an empty tab with its own storage and permissions. The caller closes
// it.
func newTab(t *testing.T, browser *sharedBrowser, url string) *tab {
	t.Helper()
	p := &tab{t: t, browser: browser, url: url, timeout: timeout}
	ctx, cancel := chromedp.NewContext(browser.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.record))
	p.ctx = ctx
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	p.cancel = cancel
	// Every tab has the focus, since tests share the browser.
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
			t.Fatalf("allow %s: %v", permission, err)
		}
	}
	return p
}

// close closes the tab, and fails the test for problems and requests to other origins.
// Tests defer it rather than use Cleanup, because the demo must still run: a stream
// that breaks off is a problem too.
func (p *tab) close() {
	p.t.Helper()
	if p.t.Failed() {
		p.saveFailure()
	}
	if err := chromedp.Cancel(p.ctx); err != nil {
		p.t.Errorf("close the tab: %v", err)
	}
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, problem := range p.problems {
		if !slices.ContainsFunc(p.expected, func(text string) bool { return strings.Contains(problem, text) }) {
			p.t.Errorf("the browser reports: %s", problem)
		}
	}
	for _, request := range p.requests {
		_, address, _ := strings.Cut(request, " ")
		if !p.sameOrigin(address) && (p.allowed == "" || !strings.HasPrefix(address, p.allowed+"/")) {
			p.t.Errorf("request to another origin: %s", request)
		}
	}
}

// open loads the page.
func (p *tab) open() {
	p.t.Helper()
	p.do("open the page", chromedp.Navigate(p.url+"/"))
}

// record records an event. It must not block the loop that reads events.
func (p *tab) record(event any) {
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
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.problems = append(p.problems, "exception: "+text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			var args []string
			for _, arg := range e.Args {
				args = append(args, string(arg.Value)+arg.Description)
			}
			p.problems = append(p.problems, fmt.Sprintf("console.%s: %s", e.Type, strings.Join(args, " ")))
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Level == cdplog.EntryLevelWarning {
			p.problems = append(p.problems, fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	}
}

func (p *tab) sameOrigin(address string) bool {
	return address == p.url || strings.HasPrefix(address, p.url+"/") ||
		strings.HasPrefix(address, "data:") || strings.HasPrefix(address, "blob:"+p.url+"/") || address == "about:blank"
}

// requestLog returns the requests that the page has made.
func (p *tab) requestLog() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

func (p *tab) withTimeout() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, p.timeout)
}

func (p *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := p.withTimeout()
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v\n%s", what, err, p.chats())
	}
}

func (p *tab) run(what string, step func(context.Context, *chromedp.Target) error) {
	p.t.Helper()
	p.do(what, chromedp.Func(step))
}

// prelude defines functions for the tests' JavaScript expressions.
const prelude = `
	const matches = (text, label) => text === label || text.startsWith(label + ' · ');
	const words = (el) => (el?.innerText ?? '').replace(/[\s\u2066-\u2069]+/g, ' ').trim();
	const name = (el) => el?.getAttribute('aria-label') ?? (words(el) || el?.placeholder || '');
	const shown = (el) => Boolean(el?.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
	const chat = (id) => document.querySelector('section.chat[data-person="' + id + '"]');
	const messages = (id) => [...(chat(id)?.querySelectorAll('.message') ?? [])];
	const keys = (id, label) => messages(id).flatMap((m) => [...m.querySelectorAll('.keyboard button, .keyboard a')])
		.filter((key) => matches(words(key), label));
	const button = (within, label) => [...(within?.querySelectorAll('button, a, [role=button]') ?? [])]
		.find((b) => shown(b) && (name(b) === label || words(b) === label));
`

// js encodes a value for a JavaScript expression.
func js(value any) string {
	quoted, err := json.Marshal(value)
	if err != nil {
		panic(err) // tests encode only strings and numbers
	}
	return string(quoted)
}

// waitFor evaluates a JavaScript expression in every frame, and returns its value as
// soon as it is truthy.
//
// chromedp's own Poll uses new Function, which the page's content policy forbids.
func waitFor[T any](p *tab, what, expression string) T {
	p.t.Helper()
	ctx, cancel := p.withTimeout()
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](`new Promise((done, fail) => {`+prelude+`
		const check = async () => {
			try {
				const value = (`+expression+`);
				if (value) done(value);
				else requestAnimationFrame(check);
			} catch (error) { fail(error); }
		};
		check();
	})`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("wait for %s: %v\n%s", what, err, p.chats())
	}
	return value
}

// eval returns the value of a JavaScript expression. It awaits promises.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := p.withTimeout()
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](`(async () => {`+prelude+`return (`+expression+`);})()`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// click clicks the middle of an element with the mouse as soon as the element is
// visible, enabled and does not move. If the element moves away meanwhile, what lies
// there instead gets no click, and click tries again.
func (p *tab) click(what, element string) {
	p.t.Helper()
	for range 5 {
		at := waitFor[struct{ X, Y float64 }](p, what, `((el) => {
			if (!shown(el) || el.disabled) return false;
			el.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
			const box = el.getBoundingClientRect();
			const position = [box.x, box.y, box.width, box.height].join();
			const still = el.lastBox === position;
			el.lastBox = position;
			if (!still) return false;
			const X = box.x + box.width / 2, Y = box.y + box.height / 2;
			const top = document.elementFromPoint(X, Y);
			if (!top || !el.contains(top)) return false;
			const click = { hit: false };
			click.guard = (event) => {
				click.hit = el.contains(event.target);
				if (click.hit) return;
				event.stopImmediatePropagation();
				event.preventDefault();
			};
			click.end = () => {
				removeEventListener('click', click.guard, true);
				return click.hit;
			};
			addEventListener('click', click.guard, true);
			globalThis.click = click;
			return { X, Y };
		})(`+element+`)`)
		p.do("click "+what, chromedp.MouseClickXY(at.X, at.Y))
		if eval[bool](p, `click.end()`) {
			return
		}
	}
	p.t.Fatalf("%s is not clickable\n%s", what, p.chats())
}

// press presses a key with modifiers.
func (p *tab) press(key string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.do("press a key", chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers...)))
}

// insertText inserts text at the focus, as an input method does.
func (p *tab) insertText(text string) {
	p.t.Helper()
	p.run("type "+text, func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// focusByTab presses Tab until the JavaScript condition holds for the focused element
// el.
func (p *tab) focusByTab(what, condition string) {
	p.t.Helper()
	var passed []string
	for range 300 {
		p.press(kb.Tab)
		if eval[bool](p, `((el) => Boolean(el && el !== document.body && (`+condition+`)))(document.activeElement)`) {
			return
		}
		passed = append(passed, eval[string](p, `name(document.activeElement)`))
	}
	p.t.Fatalf("Tab does not reach %s, but %q", what, passed)
}

// awaitToast waits for a toast that contains a text.
func (p *tab) awaitToast(text string) {
	p.t.Helper()
	waitFor[bool](p, "the toast "+text, `[...document.querySelectorAll('.toast[role=status]')].some((el) => words(el).includes(`+js(text)+`))`)
}

// checkCopy calls do and waits until the clipboard contains want.
func (p *tab) checkCopy(want string, do func()) {
	p.t.Helper()
	p.browser.clipboard.Lock()
	defer p.browser.clipboard.Unlock()
	do()
	waitFor[bool](p, want+" in the clipboard", `(await navigator.clipboard.readText()) === `+js(want))
}

// chats returns the last messages of the open chats, for failure messages.
func (p *tab) chats() string {
	ctx, cancel := p.withTimeout()
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

// saveFailure saves a screenshot to the folder of go test -artifacts.
func (p *tab) saveFailure() {
	ctx, cancel := p.withTimeout()
	defer cancel()
	image, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(p.t.ArtifactDir(), "failed.png"), image, 0o600)
	}
	if err != nil {
		p.t.Logf("no screenshot of the failure: %v", err)
	}
}

// user is one of the pretend people with their chat on the page.
type user struct {
	*tab
	name string
	id   string
}

// openAs loads the page and shows the chat of a person.
func (p *tab) openAs(name string) *user {
	p.t.Helper()
	p.open()
	return p.openChat(name)
}

// openChat shows the chat of a person.
func (p *tab) openChat(name string) *user {
	p.t.Helper()
	u := &user{tab: p, name: name}
	u.id = waitFor[string](p, name+" among the people",
		`[...document.querySelectorAll('#people button[data-person]')].find((b) => words(b).includes(`+js(name)+`))?.dataset.person`)
	if !eval[bool](p, `shown(chat(`+js(u.id)+`))`) {
		p.click(name, `document.querySelector('#people button[data-person=`+js(u.id)+`]')`)
	}
	waitFor[bool](p, name+"'s chat", `shown(chat(`+js(u.id)+`))`)
	return u
}

// tap taps the last button of the chat with a label. The button's text may continue
// after " · ".
func (u *user) tap(label string) {
	u.t.Helper()
	u.click(u.name+"'s button "+label, u.lastKey(label))
}

func (u *user) lastKey(label string) string {
	return `keys(` + js(u.id) + `, ` + js(label) + `).filter(shown).at(-1)`
}

// tapAll taps buttons one after the other. It waits for the result of each, since two
// screens may have the same button.
func (u *user) tapAll(labels ...string) {
	u.t.Helper()
	for _, label := range labels {
		u.tapAndWait(u.name+"'s button "+label, u.lastKey(label))
	}
}

// tapAndWait taps a button of a message, and waits until that message changes or another
// one follows it. What happens to older messages meanwhile is no result of the tap: the bot
// may still be deleting one.
func (u *user) tapAndWait(what, element string) {
	u.t.Helper()
	before := waitFor[struct{ Tapped, Text, Last string }](u.tab, what, `((el) => {
		if (!shown(el)) return false;
		const tapped = el.closest('.message');
		return { Tapped: tapped.dataset.id, Text: tapped.textContent, Last: messages(`+js(u.id)+`).at(-1).dataset.id };
	})(`+element+`)`)
	u.click(what, element)
	waitFor[bool](u.tab, "the result of "+what, `((all) =>
		all.at(-1)?.dataset.id !== `+js(before.Last)+` ||
		all.find((m) => m.dataset.id === `+js(before.Tapped)+`)?.textContent !== `+js(before.Text)+`
	)(messages(`+js(u.id)+`))`)
}

// send types a text and sends it.
func (u *user) send(text string) {
	u.t.Helper()
	u.click("the text field", `chat(`+js(u.id)+`)?.querySelector('[aria-label="Message"]')`)
	u.insertText(text)
	u.click("Send", `button(chat(`+js(u.id)+`), 'Send')`)
	waitFor[bool](u.tab, "the text field to be empty", `chat(`+js(u.id)+`).querySelector('[aria-label="Message"]').value === ''`)
}

// awaitMessage waits for a message of the bot with a text, and returns its id.
func (u *user) awaitMessage(text string) string {
	u.t.Helper()
	return waitFor[string](u.tab, u.name+"'s message "+text,
		`messages(`+js(u.id)+`).filter((m) => !m.classList.contains('own') && shown(m) && words(m).includes(`+js(text)+`)).at(-1)?.dataset.id`)
}

// goods returns the contents of the <code> elements of a message.
func (u *user) goods(message string) []string {
	u.t.Helper()
	return eval[[]string](u.tab, `[...chat(`+js(u.id)+`).querySelectorAll('.message[data-id=`+js(message)+`] code')].map((c) => c.textContent)`)
}

// clickControl clicks a button of the back room.
func (p *tab) clickControl(within, label string) {
	p.t.Helper()
	p.click(label+" in the back room", `button(document.querySelector(`+js(within)+`), `+js(label)+`)`)
}

// downloads lets the tab save files to a folder. The returned function waits for the
// next file.
func (p *tab) downloads(folder string) func() (name string, content []byte) {
	p.t.Helper()
	_, err := chromedp.CallBrowser(p.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllowAndName, DownloadPath: folder, EventsEnabled: new(true),
		BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
	})
	if err != nil {
		p.t.Fatalf("allow downloads: %v", err)
	}
	ctx, cancel := p.withTimeout()
	p.t.Cleanup(cancel)
	begun := chromedp.BrowserEvents(ctx, cdpbrowser.DownloadWillBegin)
	progress := chromedp.BrowserEvents(ctx, cdpbrowser.DownloadProgress)
	return func() (string, []byte) {
		p.t.Helper()
		id, name := "", ""
		for e, err := range begun {
			if err != nil {
				p.t.Fatalf("no download starts: %v\n%s", err, p.chats())
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

// buildBot builds the program and returns the command that runs the bot.
func buildBot(t *testing.T) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hstockbot")
	began := time.Now()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "hstockbot")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the bot: %v\n%s", err, output)
	}
	t.Logf("built the bot in %v", time.Since(began).Round(time.Millisecond))
	return []string{path, "run"}
}
