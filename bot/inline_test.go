package bot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
)

// echoInline returns one result that repeats the query.
func echoInline(_ context.Context, req *InlineRequest) (InlineAnswer, error) {
	return InlineAnswer{Results: []InlineResult{{
		ID: "1", Title: "You typed " + req.Query, Description: "from " + req.Offset, Picture: "https://a.example/x.png",
		Message: View{
			Text:     "<b>" + req.Query + "</b>",
			Keyboard: [][]models.InlineKeyboardButton{{{Text: "Open", URL: "https://t.me/sandbox_bot?start=p_1"}}},
		},
	}}, Next: req.Offset + "1", Cache: time.Minute, Button: &InlineButton{Text: "Private chat", Start: "inline"}}, nil
}

func TestInlineQuery(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.hooks.Inline = echoInline
		w.build()
		w.bot.Text(func(context.Context, *Request) (View, error) { return View{Text: "what?"}, nil })
		w.start()
		ann, friends := w.join(1), w.telegram.Group(-5, "Friends")
		ann.Inline("gmail")
		w.idle()
		if err := ann.InlineMore(); err != nil {
			t.Fatal(err)
		}
		w.idle()
		want := "Ann types @sandbox_bot gmail\n   [ Private chat ↗ /start inline ]\n   ▫ You typed gmail\n      (picture: https://a.example/x.png)\n      from \n   …\n" +
			"Ann types @sandbox_bot gmail … from 1\n   [ Private chat ↗ /start inline ]\n   ▫ You typed gmail\n      (picture: https://a.example/x.png)\n      from 1\n   …\n"
		if diff := cmp.Diff(want, ann.History()); diff != "" {
			t.Error(diff)
		}
		seen, _ := ann.InlineAnswer()
		if !seen.Personal || seen.CacheTime != time.Minute {
			t.Errorf("personal: %v, kept for %s", seen.Personal, seen.CacheTime)
		}
		// A posted result is not received as text, in the private chat either.
		for _, chat := range []*telegram.Group{friends, nil} {
			ann.Inline("gmail")
			w.idle()
			if err := ann.Choose("You typed gmail", chat); err != nil {
				t.Fatal(err)
			}
			w.idle()
		}
		posted := "#1 Ann via @sandbox_bot: *gmail*\n   [ Open ↗ https://t.me/sandbox_bot?start=p_1 ]\n"
		if friends.Transcript() != posted || ann.Transcript() != posted {
			t.Errorf("the group sees\n%sAnn sees\n%s", friends.Transcript(), ann.Transcript())
		}
		if n := w.inbox.states(); n["done"] != 2 || len(n) != 1 {
			t.Errorf("the inbox holds %v", n)
		}
	})
}

func TestInlineErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		inline func(context.Context, *InlineRequest) (InlineAnswer, error)
		denied bool // the person is not allowed
		broken bool // the person can't be identified
		fault  telegram.Fault
		calls  int
		shown  int // results; -1: no answer
		logged string
	}{
		{name: "no inline mode", shown: -1},
		{name: "not allowed", inline: echoInline, denied: true, shown: -1},
		{name: "not identified", inline: echoInline, broken: true, shown: -1, logged: "person not identified"},
		{name: "an error", inline: func(context.Context, *InlineRequest) (InlineAnswer, error) { return InlineAnswer{}, errors.New("down") }, calls: 1, logged: "down"},
		{name: "a panic", inline: func(context.Context, *InlineRequest) (InlineAnswer, error) { panic("oh") }, calls: 1, logged: "panicked"},
		{name: "too many", inline: func(context.Context, *InlineRequest) (a InlineAnswer, _ error) {
			for i := range 60 {
				a.Results = append(a.Results, InlineResult{ID: fmt.Sprint(i), Title: "t", Message: View{Text: "x"}})
			}
			return a, nil
		}, calls: 1, shown: 50},
		{name: "refused", inline: func(context.Context, *InlineRequest) (InlineAnswer, error) {
			return InlineAnswer{Results: []InlineResult{{ID: "1", Title: "t", Message: View{Text: "<b>x"}}}}, nil
		}, calls: 1, shown: -1, logged: "not answered"},
		{name: "lost", inline: echoInline, fault: telegram.Fault{Cut: true}, calls: 2, shown: 1},
		{name: "too old for Telegram", inline: echoInline, fault: telegram.Fault{Code: 400, Description: "Bad Request: query is too old and response timeout expired or query ID is invalid"}, calls: 1, shown: -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				w.hooks.Inline = test.inline
				w.hooks.Allowed = func(User) bool { return !test.denied }
				w.hooks.Identify = func(context.Context, User, bool) (*locales.Localizer, error) {
					if test.broken {
						return nil, errInbox
					}
					return nil, nil
				}
				w.build()
				w.start()
				if test.fault != (telegram.Fault{}) {
					test.fault.Method = "answerInlineQuery"
					w.telegram.Fault(test.fault)
				}
				ann := w.join(1)
				ann.Inline("gmail")
				w.idle()
				seen, answered := ann.InlineAnswer()
				if answered != (test.shown >= 0) || len(seen.Results) != max(test.shown, 0) {
					t.Errorf("answered: %v, with %d results", answered, len(seen.Results))
				}
				if n := len(w.calls("answerInlineQuery")); n != test.calls {
					t.Errorf("%d calls, want %d", n, test.calls)
				}
				if log := w.logs.String(); !strings.Contains(log, test.logged) || test.logged == "" && strings.Contains(log, "WARN") {
					t.Errorf("the log says %s", log)
				}
				if n := w.inbox.states(); n["received"] != 0 {
					t.Errorf("the inbox holds %v", n)
				}
			})
		})
	}
}

// After a restart only recent inline queries are answered.
func TestInlineAfterRestart(t *testing.T) {
	for _, test := range []struct {
		pause time.Duration
		calls int
	}{{inlineTTL - 2*time.Second, 1}, {inlineTTL, 0}} {
		inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
			w.hooks.Inline = echoInline
			w.inbox.failFinish = true
			w.build()
			w.start()
			ann := w.join(1)
			ann.Inline("gmail")
			synctest.Wait()
			w.stop()
			w.inbox.failFinish = false
			time.Sleep(test.pause)
			w.build()
			w.start()
			w.idle()
			if n := len(w.calls("answerInlineQuery")); n != 1+test.calls {
				t.Errorf("after %s: %d calls, want %d", test.pause, n, 1+test.calls)
			}
			if n := w.inbox.states(); n["done"] != 1 {
				t.Errorf("after %s the inbox holds %v", test.pause, n)
			}
			w.refuseWarning("not answered")
		})
	}
}

func (w *world) refuseWarning(text string) {
	w.t.Helper()
	if strings.Contains(w.logs.String(), text) {
		w.t.Errorf("the log says %s", w.logs.String())
	}
}

// A picture is a message of its own, also where a button was tapped, and the
// menu stays where it is.
func TestPhoto(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		var picture bytes.Buffer
		if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
			t.Fatal(err)
		}
		w.onTap(func(_ context.Context, _ *Request, args numberArgs) (View, error) {
			return View{Text: "<b>All</b> of it", Photo: &Document{Name: "chart.png", Data: picture.Bytes()}, Keyboard: [][]models.InlineKeyboardButton{{tapButton(args.N + 1)}}}, nil
		})
		w.start()
		ann := w.join(1)
		menu := w.showButtons(1, tapButton(1))
		w.telegram.Fault(telegram.Fault{Method: "sendPhoto", RetryAfter: 2})
		tapOn(t, ann, menu, "tap")
		w.idle()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		tapOn(t, ann, 2, "tap") // a photo can't be edited, so a new one is sent
		w.idle()
		want := "#1 Bot: choose\n   [ tap ]\n#2 Bot: 🖼 chart.png (40x30)\n   *All* of it\n   [ tap ]\n#3 Bot: 🖼 chart.png (40x30)\n   *All* of it\n   [ tap ]\n"
		if diff := cmp.Diff(want, ann.Transcript()); diff != "" {
			t.Error(diff)
		}
	})
}

// Of the inline queries of a person that wait, the newest is answered, and so are its
// further results.
func TestOnlyTheNewestInlineQueryIsAnswered(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		var handled []string
		w.hooks.Inline = func(_ context.Context, req *InlineRequest) (InlineAnswer, error) {
			handled = append(handled, req.Query+req.Offset)
			return InlineAnswer{}, nil
		}
		query := func(id int, query, offset string) string {
			return fmt.Sprintf(`{"update_id":%d,"inline_query":{"id":"%d","from":{"id":1,"first_name":"Ann"},"query":%q,"offset":%q}}`, id, id, query, offset)
		}
		w.feed(200, `{"ok":true,"result":[`+strings.Join([]string{
			query(1, "g", ""), query(2, "gm", ""), query(3, "gmail", ""), query(4, "gmail", "1"), query(5, "gmail", "1"),
		}, ",")+`]}`)
		w.start()
		w.idle()
		if diff := cmp.Diff([]string{"gmail", "gmail1"}, handled); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]int{"done": 5}, w.inbox.states()); diff != "" {
			t.Error(diff)
		}
	})
}
