package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/telegram"
)

func TestParseCommand(t *testing.T) {
	for _, test := range []struct {
		text, name, mention, args string
		ok                        bool
	}{
		{"/start", "start", "", "", true},
		{"/Start", "start", "", "", true},
		{"/start p_12", "start", "", "p_12", true},
		{"/start@shop_bot p_12", "start", "shop_bot", "p_12", true},
		{"/search\ntwo words ", "search", "", "two words", true},
		{"/search\u00a0mail", "search", "", "mail", true},
		{"/search@shop_bot 😀 mail", "search", "shop_bot", "😀 mail", true},
		{"/", "", "", "", false},
		{"/ start", "", "", "", false},
		{"//", "", "", "", false},
		{"/@shop_bot", "", "", "", false},
		{"/käse", "", "", "", false},
		{"/usr/bin", "", "", "", false},
		{"/" + strings.Repeat("a", 33), "", "", "", false},
		{"start", "", "", "", false},
		{" /start", "", "", "", false},
		{"", "", "", "", false},
	} {
		name, mention, args, ok := parseCommand(test.text)
		if name != test.name || mention != test.mention || args != test.args || ok != test.ok {
			t.Errorf("%q: %q %q %q %v", test.text, name, mention, args, ok)
		}
	}
}

func TestOpen(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.onTap(func(_ context.Context, _ *Request, args numberArgs) (View, error) {
			return View{Text: fmt.Sprint("screen ", args.N)}, nil
		})
		for data, want := range map[string]string{"t:7": "screen 7", "t:x x": "the menu", "gone": "the menu", "": "the menu"} {
			v, err := w.bot.open(t.Context(), &Request{}, data)
			if err != nil || v.Text != want {
				t.Errorf("%q: %q, %v", data, v.Text, err)
			}
		}
	})
}

// Taps are observed by the screen that the button leads to, and what a button may contain
// that leads nowhere is one value.
func TestObservesScreens(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.onTap(func(context.Context, *Request, numberArgs) (View, error) { return View{Redirect: "gone"}, nil })
		w.start()
		ann := w.join(1)
		id := w.showButtons(1, tapButton(1))
		for _, data := range []string{"t:7", "t:x x", "gone", "gone:1234567", "t:8"} {
			ann.TapData(id, data)
			w.idle()
		}
		ann.Type("hello")
		w.idle()
		if a, b, c := w.observed("tap t"), w.observed("tap outdated"), w.observed("text"); a != 3 || b != 2 || c != 1 {
			t.Errorf("observed %d, %d and %d", a, b, c)
		}
	})
}

func TestRegisteredTwice(t *testing.T) {
	b, err := New(Config{Token: canary, Inbox: newInbox()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Stop(t.Context()) }()
	screen := func(context.Context, *Request, numberArgs) (View, error) { return View{}, nil }
	for name, register := range map[string]func(){
		"route":   func() { Screen(b, tapRoute, screen) },
		"command": func() { b.Command("menu", echo("")) },
		"step":    func() { b.Step("number", echo("")) },
	} {
		register()
		if !panics(register) {
			t.Errorf("a second %s of the same name is accepted", name)
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// menuRoute leads to the screen that TestRedirects starts at; its redirects lead
// to screens of tapRoute.
var menuRoute = route.New[numberArgs]("m")

func TestRedirects(t *testing.T) {
	screen := func(n int64) string { return tapRoute.Data(numberArgs{N: n}) }
	for _, test := range []struct {
		name    string
		start   func() (View, error)
		screens func(n int64) (View, error) // of tapRoute
		want    string                      // the transcript after the tap
		toast   string
	}{
		{
			name:    "followed, with the toast",
			start:   func() (View, error) { return View{Redirect: screen(1), Toast: "Saved"}, nil },
			screens: func(n int64) (View, error) { return View{Text: fmt.Sprint("screen ", n)}, nil },
			want:    "#1 Bot (edited): screen 1\n", toast: "Saved",
		},
		{
			name:    "the toast of the screen wins",
			start:   func() (View, error) { return View{Redirect: screen(1), Toast: "Saved", Alert: true}, nil },
			screens: func(int64) (View, error) { return View{Text: "screen", Toast: "Welcome"}, nil },
			want:    "#1 Bot (edited): screen\n", toast: "Welcome",
		},
		{
			name:    "into a new message",
			start:   func() (View, error) { return View{Redirect: screen(1), AsNewMessage: true}, nil },
			screens: func(int64) (View, error) { return View{Text: "screen"}, nil },
			want:    "#1 Bot: choose\n   [ start ]\n#2 Bot: screen\n",
		},
		{
			name:  "several in a row",
			start: func() (View, error) { return View{Redirect: screen(1), Toast: "Saved"}, nil },
			screens: func(n int64) (View, error) {
				if n < maxRedirects {
					return RedirectTo(screen(n + 1)), nil
				}
				return View{Text: fmt.Sprint("screen ", n)}, nil
			},
			want: "#1 Bot (edited): screen 4\n", toast: "Saved",
		},
		{
			name:    "without an end",
			start:   func() (View, error) { return RedirectTo(screen(1)), nil },
			screens: func(n int64) (View, error) { return RedirectTo(screen(n)), nil },
			want:    "#1 Bot: choose\n   [ start ]\n#2 Bot: error: too many redirects, retry t:1\n",
		},
		{
			name:  "to a route that does not exist",
			start: func() (View, error) { return RedirectTo("gone"), nil },
			want:  "#1 Bot: choose\n   [ start ]\n#2 Bot: the menu\n", toast: "out of date",
		},
		{
			name:  "to arguments that can't be decoded",
			start: func() (View, error) { return RedirectTo("t:+1"), nil },
			want:  "#1 Bot: choose\n   [ start ]\n#2 Bot: the menu\n", toast: "out of date",
		},
		{
			name:    "an error is retried on the screen that failed",
			start:   func() (View, error) { return RedirectTo(screen(7)), nil },
			screens: func(int64) (View, error) { return View{}, errors.New("no luck") },
			want:    "#1 Bot: choose\n   [ start ]\n#2 Bot: error: no luck, retry t:7\n",
		},
		{
			name:  "ErrorAt names the screen of the retry",
			start: func() (View, error) { return View{}, fmt.Errorf("list: %w", ErrorAt(screen(5), errors.New("no luck"))) },
			want:  "#1 Bot: choose\n   [ start ]\n#2 Bot: error: list: no luck, retry t:5\n",
		},
		{
			name:    "ErrorAt of a redirected screen",
			start:   func() (View, error) { return RedirectTo(screen(1)), nil },
			screens: func(int64) (View, error) { return View{}, ErrorAt(screen(5), errors.New("no luck")) },
			want:    "#1 Bot: choose\n   [ start ]\n#2 Bot: error: no luck, retry t:5\n",
		},
		{
			name:  "ErrorAt without an error",
			start: func() (View, error) { return View{Text: "start"}, ErrorAt(screen(5), nil) },
			want:  "#1 Bot (edited): start\n",
		},
		{
			name:    "a panic",
			start:   func() (View, error) { return RedirectTo(screen(7)), nil },
			screens: func(int64) (View, error) { panic("oh") },
			want:    "#1 Bot: choose\n   [ start ]\n#2 Bot: panicked at t:7\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				w.hooks.Error = func(_ context.Context, req *Request, err error) View {
					return View{Text: fmt.Sprintf("error: %v, retry %s", err, req.RetryData()), AsNewMessage: true}
				}
				w.hooks.Panicked = func(req *Request, _ string) View {
					return View{Text: "panicked at " + req.CallbackData, AsNewMessage: true}
				}
				Action(w.bot, menuRoute, func(context.Context, *Request, numberArgs) (View, error) { return test.start() }, nil)
				w.onTap(func(_ context.Context, _ *Request, args numberArgs) (View, error) { return test.screens(args.N) })
				w.start()
				ann := w.join(1)
				tapOn(t, ann, w.showButtons(1, models.InlineKeyboardButton{Text: "start", CallbackData: menuRoute.Data(numberArgs{})}), "start")
				w.idle()
				if diff := cmp.Diff(test.want, ann.Transcript()); diff != "" {
					t.Error(diff)
				}
				toast := ""
				for _, shown := range ann.Toasts() {
					toast += shown.Text
					if shown.Alert {
						t.Error("the toast is an alert")
					}
				}
				if toast != test.toast {
					t.Errorf("toast %q, want %q", toast, test.toast)
				}
			})
		})
	}
}

// Typed text has no callback data, and a screen that it redirects to has.
func TestCommandRedirects(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.bot.Command("menu", func(_ context.Context, req *Request) (View, error) {
			if data := req.RetryData(); data != "" {
				t.Errorf("a command is retried with %q", data)
			}
			return RedirectTo(tapRoute.Data(numberArgs{N: 3})), nil
		})
		w.onTap(func(_ context.Context, req *Request, _ numberArgs) (View, error) {
			return View{Text: "screen, retry " + req.RetryData()}, nil
		})
		w.start()
		ann := w.join(1)
		ann.Type("/menu")
		w.idle()
		if got, want := ann.Last().Text, "screen, retry t:3"; got != want {
			t.Errorf("shows %q, want %q", got, want)
		}
	})
}

func TestRetryData(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		handler := func(context.Context, *Request, numberArgs) (View, error) { return View{}, nil }
		Screen(w.bot, route.New[numberArgs]("screen"), handler)
		Action(w.bot, route.New[numberArgs]("once"), handler, nil)
		Action(w.bot, route.New[numberArgs]("buy"), handler, func(args numberArgs) string {
			return tapRoute.Data(numberArgs{N: args.N + 1})
		})
		for data, want := range map[string]string{
			"screen:7": "screen:7", "screen:x x": "", "once:7": "", "buy:7": "t:8", "buy:": "", "gone:7": "", "": "",
		} {
			if got := (&Request{CallbackData: data, bot: w.bot}).RetryData(); got != want {
				t.Errorf("%q: retry with %q, want %q", data, got, want)
			}
		}
	})
}
