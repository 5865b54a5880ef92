package bot

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-telegram/bot/models"

	"hstockbot/internal/sandbox/telegram"
)

// The username is requested when it is needed, at most every 10 seconds while Telegram
// is down, and not again once it is known.
func TestUsername(t *testing.T) {
	inWorld(t, telegram.Options{Username: "shop_bot"}, func(t *testing.T, w *world) {
		w.telegram.Fault(telegram.Fault{Method: "getMe", HTML: true, Times: 2})
		name := func() string { return w.bot.Username(t.Context()) }
		for _, test := range []struct {
			want  string
			calls int
		}{{"", 1}, {"", 1}} {
			if got := name(); got != test.want || w.telegram.Count("getMe") != test.calls {
				t.Errorf("%q after %d calls", got, w.telegram.Count("getMe"))
			}
		}
		time.Sleep(usernamePause)
		_ = name()
		time.Sleep(usernamePause)
		for range 3 {
			go func() {
				if got := name(); got != "shop_bot" {
					t.Errorf("%q", got)
				}
			}()
		}
		synctest.Wait()
		if n := w.telegram.Count("getMe"); n != 3 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestProfileTexts(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.telegram.Fault(telegram.Fault{Method: "setMyCommands", RetryAfter: 3})
		w.join(7)
		commands := []models.BotCommand{{Command: "menu", Description: "Menü"}}
		if err := w.bot.SetCommands(t.Context(), "de", commands); err != nil {
			t.Error(err)
		}
		if err := w.bot.SetCommands(t.Context(), "", commands, &models.BotCommandScopeChat{ChatID: int64(7)}); err != nil {
			t.Error(err)
		}
		if err := errors.Join(w.bot.SetDescription(t.Context(), "de", "lang"), w.bot.SetShortDescription(t.Context(), "de", "kurz")); err != nil {
			t.Error(err)
		}
		if got := w.telegram.Commands("", "de"); len(got) != 1 || got[0].Description != "Menü" {
			t.Errorf("commands %v", got)
		}
		if calls := w.calls("setMyCommands"); len(calls) != 3 || calls[2].Fields["scope"] == "" {
			t.Errorf("calls %+v", calls)
		}
		if text, short := w.telegram.Description("de"); text != "lang" || short != "kurz" {
			t.Errorf("descriptions %q, %q", text, short)
		}
		w.telegram.Fault(telegram.Fault{Method: "setMyDescription", Code: 400, Description: "Bad Request: " + canary})
		err := w.bot.SetDescription(t.Context(), "", "a")
		if err == nil {
			t.Fatal("no error")
		}
		w.refuseCanary("the error", err.Error())
	})
}

// TestInlineMode: it is known from the start on, without a request that waits for it.
func TestInlineMode(t *testing.T) {
	for _, off := range []bool{false, true} {
		inWorld(t, telegram.Options{NoInline: off}, func(t *testing.T, w *world) {
			w.bot.Command("menu", func(_ context.Context, req *Request) (View, error) {
				return View{Text: fmt.Sprint("inline mode: ", req.InlineMode())}, nil
			})
			w.start()
			synctest.Wait()
			ann := w.join(1)
			ann.Type("/menu")
			time.Sleep(time.Second)
			synctest.Wait()
			if want := fmt.Sprint("inline mode: ", !off); ann.Last().Text != want || w.telegram.Count("getMe") != 1 {
				t.Errorf("%q after %d getMe, want %q", ann.Last().Text, w.telegram.Count("getMe"), want)
			}
			ann.Inline("gmail") // it has been turned on
			ann.Type("/menu")
			time.Sleep(time.Second)
			synctest.Wait()
			if ann.Last().Text != "inline mode: true" {
				t.Errorf("%q after a query", ann.Last().Text)
			}
		})
	}
}

// TestUsernameIsKnownAfterAStartWithoutTelegram: nothing else may ask for it for long, and
// whether inline mode is on decides which buttons screens have.
func TestUsernameIsKnownAfterAStartWithoutTelegram(t *testing.T) {
	inWorld(t, telegram.Options{Username: "shop_bot"}, func(t *testing.T, w *world) {
		w.telegram.Fault(telegram.Fault{Method: "getMe", Cut: true, Times: 2})
		w.start()
		if w.bot.profile.inline.Load() {
			t.Error("inline mode is on without an answer")
		}
		time.Sleep(time.Minute)
		if n := w.telegram.Count("getMe"); n != 3 || !w.bot.profile.inline.Load() {
			t.Errorf("asked %d times, inline mode is %v", n, w.bot.profile.inline.Load())
		}
	})
}
