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

// pictures is where the pictures of README.md go, see `make pictures`.
var pictures = flag.String("pictures", "", "write pictures of the demo into this `folder`")

// takePictures lets Anna buy and Bo look round, and looks at it on a phone and
// on a wide screen, light and dark.
func takePictures(t *testing.T, _ *running, p *tab) {
	p.open()
	anna := p.as("Anna")
	anna.says("/start")
	anna.sees("Hello, Anna!")
	anna.tap("🔑 API key")
	anna.sees("I have no API key of yours")
	anna.says(keyRich)
	anna.sees("saved")
	anna.taps(gmail...)
	anna.taps("2", "Skip")
	anna.sees("Please confirm")
	anna.tap("✅ Confirm")
	anna.sees("delivered")
	p.click("Two chats", `button(document, 'Two chats')`)
	bo := p.as("Bo")
	bo.taps("🛍 商品目录", "邮箱账号", "Gmail", "Gmail 账号 - 美国")
	bo.sees("单价：$1.25")

	for _, look := range []struct {
		name   string
		width  int64
		scheme string
	}{
		{"demo", 1280, "light"},
		{"demo-dark", 1280, "dark"},
		{"demo-phone", 390, "light"},
		{"demo-phone-dark", 390, "dark"},
	} {
		p.look(look.width, look.scheme)
		p.settle()
		p.fits(look.width)
		if look.width < 820 {
			p.click("Back room", `document.querySelector('#tab-room')`)
			p.fits(look.width)
			p.click("Chat", `document.querySelector('#tab-chat')`)
		}
		if p.dark() != (look.scheme == "dark") {
			t.Errorf("%s is not what the page shows", look.scheme)
		}
		p.picture(look.name + ".png")
	}

	// The system is dark, and a person may want it light.
	p.click("Theme", `button(document, 'Theme')`)
	if p.dark() {
		t.Error("still dark after Theme")
	}
}

// look makes the window so wide and the system light or dark.
func (p *tab) look(width int64, scheme string) {
	p.t.Helper()
	height, mobile := int64(800), false
	if width < 600 {
		height, mobile = 844, true
	}
	p.run("look at it", func(ctx context.Context, target *chromedp.Target) error {
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

// fits fails where something does not fit into the width of the window.
func (p *tab) fits(width int64) {
	p.t.Helper()
	if got := read[int64](p, `Math.max(innerWidth, document.documentElement.scrollWidth)`); got != width {
		p.t.Errorf("%d px wide, the page needs %d px", width, got)
	}
	outside := read[[]string](p, `[...document.querySelectorAll('button, input, textarea, select, .body')].filter((el) => {
		const box = el.getBoundingClientRect();
		return shown(el) && (box.left < -1 || box.right > innerWidth + 1);
	}).map(name)`)
	if len(outside) > 0 {
		p.t.Errorf("%d px wide, these do not fit: %q", width, outside)
	}
}

// settle waits until nothing moves and no toast is left.
func (p *tab) settle() {
	p.t.Helper()
	until[bool](p, "the page to come to rest", `!document.querySelector('.toast[role=status]:not(:empty)') && document.getAnimations().every((a) => a.playState !== 'running')`)
	read[bool](p, `(document.activeElement.blur(), document.fonts.ready.then(() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(() => next(true))))))`)
}

// picture writes what the tab shows into the folder of the flag.
func (p *tab) picture(name string) {
	p.t.Helper()
	if *pictures == "" {
		return
	}
	ctx, cancel := p.patient()
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(*pictures, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(*pictures, name), picture, 0o644)
	}
	if err != nil {
		p.t.Fatalf("a picture: %v", err)
	}
	p.t.Logf("%s: %d KB", name, len(picture)/1024)
}

// dark says whether the page has a dark background.
func (p *tab) dark() bool {
	p.t.Helper()
	background := read[string](p, `getComputedStyle(document.body).backgroundColor`)
	var r, g, b int
	if _, err := fmt.Sscanf(background, "rgb(%d, %d, %d)", &r, &g, &b); err != nil {
		p.t.Fatalf("the background is %q: %v", background, err)
	}
	return r+g+b < 3*128
}
