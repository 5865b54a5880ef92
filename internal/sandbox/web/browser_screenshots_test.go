package web

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// pictures is the folder for the screenshots of README.md (`make pictures`).
var pictures = flag.String("pictures", "", "write screenshots of the demo into this `folder`")

// takeScreenshots lets Anna buy and Bo browse, and checks the page on a phone and on
// a wide screen, in the light and the dark theme.
func takeScreenshots(t *testing.T, _ *testDemo, p *tab) {
	anna := openKeyScreen(p)
	anna.send(keyRich)
	anna.awaitMessage("saved")
	anna.tapAll(gmailPath...)
	anna.tapAll("2", "Skip")
	anna.awaitMessage("Please confirm")
	anna.tap("✅ Confirm")
	anna.awaitMessage("delivered")
	p.click("Two chats", `button(document, 'Two chats')`)
	bo := p.openChat("Bo")
	bo.tapAll("🛍 商品目录", "邮箱账号", "Gmail", "Gmail 账号 - 美国")
	bo.awaitMessage("单价：$1.25")

	for _, view := range []struct {
		name   string
		width  int64
		scheme string
	}{
		{"demo", 1280, "light"},
		{"demo-dark", 1280, "dark"},
		{"demo-phone", 390, "light"},
		{"demo-phone-dark", 390, "dark"},
	} {
		p.setViewport(view.width, view.scheme)
		p.settle()
		p.checkWidth(view.width)
		if view.width < 820 {
			p.click("Back room", `document.querySelector('#tab-control')`)
			p.checkWidth(view.width)
			p.click("Chat", `document.querySelector('#tab-chat')`)
		}
		if p.dark() != (view.scheme == "dark") {
			t.Errorf("the page does not use the %s theme", view.scheme)
		}
		p.screenshot(view.name + ".png")
	}

	// The system is dark, and the button selects the light theme.
	p.click("Theme", `button(document, 'Theme')`)
	if p.dark() {
		t.Error("the page is dark in the light theme")
	}
}

// setViewport sets the width of the window and the color scheme of the system.
func (p *tab) setViewport(width int64, scheme string) {
	p.t.Helper()
	height, mobile := int64(800), false
	if width < 600 {
		height, mobile = 844, true
	}
	p.run("set the viewport", func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: height, DeviceScaleFactor: 1, Mobile: mobile,
		})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"},
			},
		})
		return err
	})
}

// checkWidth checks that everything fits into the width of the window.
func (p *tab) checkWidth(width int64) {
	p.t.Helper()
	if got := eval[int64](p, `Math.max(innerWidth, document.documentElement.scrollWidth)`); got != width {
		p.t.Errorf("in a window of %d px the page needs %d px", width, got)
	}
	outside := eval[[]string](p, `[...document.querySelectorAll('button, input, textarea, select, .body')].filter((el) => {
		const box = el.getBoundingClientRect();
		return shown(el) && (box.left < -1 || box.right > innerWidth + 1);
	}).map(name)`)
	if len(outside) > 0 {
		p.t.Errorf("in a window of %d px these do not fit: %q", width, outside)
	}
}

// settle waits until animations have ended and toasts are gone.
func (p *tab) settle() {
	p.t.Helper()
	waitFor[bool](p, "animations and toasts to end", `!document.querySelector('.toast[role=status]:not(:empty)') && document.getAnimations().every((a) => a.playState !== 'running')`)
	eval[bool](p, `(document.activeElement.blur(), document.fonts.ready.then(() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(() => next(true))))))`)
}

// screenshot writes a screenshot into the folder of the -pictures flag.
func (p *tab) screenshot(name string) {
	p.t.Helper()
	if *pictures == "" {
		return
	}
	ctx, cancel := p.withTimeout()
	defer cancel()
	image, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(*pictures, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(*pictures, name), image, 0o644)
	}
	if err != nil {
		p.t.Fatalf("take a screenshot: %v", err)
	}
	p.t.Logf("%s: %d KB", name, len(image)/1024)
}

// dark reports whether the page has a dark background.
func (p *tab) dark() bool {
	p.t.Helper()
	background := eval[string](p, `getComputedStyle(document.body).backgroundColor`)
	var r, g, b int
	if _, err := fmt.Sscanf(background, "rgb(%d, %d, %d)", &r, &g, &b); err != nil {
		p.t.Fatalf("the background is %q: %v", background, err)
	}
	return r+g+b < 3*128
}
