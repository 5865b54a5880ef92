package bot

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
)

// Commands of anonymous admins are answered. Nobody is recorded for them, nor for a
// command that does not name the bot, and unknown commands are not read.
func TestGroupsRecordOnlyWhoNamesTheBot(t *testing.T) {
	for _, test := range []struct {
		name      string
		sent      telegram.Message
		recorded  int
		localized int
	}{
		{"names the bot", telegram.Message{Text: "/menu@sandbox_bot"}, 1, 0},
		{"names no bot", telegram.Message{Text: "/menu"}, 0, 1},
		{"unknown, names no bot", telegram.Message{Text: "/anything"}, 0, 0},
		{"anonymous", telegram.Message{Text: "/menu@sandbox_bot", Anonymous: true}, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				recorded, localized := 0, 0
				w.hooks.Identify = func(context.Context, User, bool) (*locales.Localizer, error) { recorded++; return nil, nil }
				w.hooks.Localize = func(context.Context, User) (*locales.Localizer, error) { localized++; return nil, nil }
				w.hooks.Group = func(context.Context, *Request) (View, bool) { return View{Text: "write in private"}, true }
				w.build()
				w.bot.Command("menu", echo("menu"))
				w.start()
				group, ann := w.telegram.Group(-100, "Friends"), w.join(1)
				group.Send(ann, test.sent)
				w.idle()
				if recorded != test.recorded || localized != test.localized {
					t.Errorf("recorded %d, localized %d", recorded, localized)
				}
				if got := group.Last().Text == "write in private"; got != (recorded+localized > 0) {
					t.Errorf("answered: %v", got)
				}
			})
		})
	}
}

// A bot that was renamed obeys commands with its new name.
func TestRenamedBot(t *testing.T) {
	inWorld(t, telegram.Options{Username: "old_bot"}, func(t *testing.T, w *world) {
		w.bot.Command("menu", echo("menu"))
		w.bot.Text(echo("text"))
		w.start()
		ann := w.join(1)
		ann.Type("/menu@old_bot")
		w.idle()
		time.Sleep(2 * time.Minute)
		w.telegram.Rename("new_bot")
		ann.Type("/menu@new_bot")
		w.idle()
		if got := w.bot.Username(t.Context()); got != "new_bot" || ann.Last().Text[:4] != "menu" {
			t.Errorf("username %q, answer %q", got, ann.Last().Text)
		}
		for range 100 {
			ann.Type("/menu@another_bot")
		}
		w.idle()
		if n := len(w.calls("getMe")); n > 3 {
			t.Errorf("asked %d times", n)
		}
		w.telegram.Rename("newest_bot")
		time.Sleep(usernameTTL)
		if got := w.bot.Username(t.Context()); got != "newest_bot" {
			t.Errorf("after an hour the username is %q", got)
		}
	})
}

// An album is answered once, in and outside of a dialog, also if its pictures come apart.
func TestAlbumIsAnsweredOnce(t *testing.T) {
	for _, dialog := range []bool{false, true} {
		for _, apart := range []time.Duration{0, time.Second} {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				var handled []string
				w.bot.Text(func(context.Context, *Request) (View, error) {
					handled = append(handled, "text")
					return View{}, nil
				})
				again := &Dialog{Step: "answer", TTL: time.Hour}
				w.bot.Step("answer", func(context.Context, *Request) (View, error) {
					handled = append(handled, "step")
					return View{Dialog: again}, nil
				})
				w.bot.Command("ask", func(context.Context, *Request) (View, error) { return View{Dialog: again}, nil })
				w.start()
				ann := w.join(1)
				want := []string{"text", "text"}
				if dialog {
					want = []string{"step", "step"}
					ann.Type("/ask")
				}
				for _, album := range []string{"first", "second"} {
					for range 10 {
						ann.Send(telegram.Message{Photo: &telegram.Document{Name: "a.png"}, Album: album})
						time.Sleep(apart)
					}
					w.idle()
				}
				if diff := cmp.Diff(want, handled); diff != "" {
					t.Errorf("dialog %v, %v apart: %s", dialog, apart, diff)
				}
			})
		}
	}
}
