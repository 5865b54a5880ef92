package bot

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-telegram/bot/models"

	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/telegram"
)

// Replies go to the topic in which a person wrote or tapped, and to the chat without one
// if the topic no longer exists.
func TestRepliesGoToTheTopic(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.hooks.Group = func(context.Context, *Request) (View, bool) { return View{Text: "write in private"}, true }
		w.build()
		w.bot.Command("menu", func(context.Context, *Request) (View, error) {
			return View{Text: "menu", Keyboard: [][]models.InlineKeyboardButton{{tapButton(1)}}}, nil
		})
		w.bot.Command("file", func(context.Context, *Request) (View, error) {
			return View{Text: "file", Document: &Document{Name: "a.txt", Data: []byte("a")}}, nil
		})
		MessageScreen(w.bot, tapRoute, func(context.Context, *Request, numberArgs) (View, error) {
			return View{Text: "beside", AsNewMessage: true}, nil
		})
		w.start()
		ann, group := w.join(1), w.telegram.Group(-100, "Friends")
		check := func(what string, m telegram.Message, text string, thread int) {
			t.Helper()
			if m.Text != text || m.Thread != thread {
				t.Errorf("%s: %q in topic %d", what, m.Text, m.Thread)
			}
		}
		ann.Send(telegram.Message{Text: "/menu", Thread: 7})
		w.idle()
		check("a command", ann.Last(), "menu", 7)
		tapOn(t, ann, ann.Last().ID, "tap")
		w.idle()
		check("a tap", ann.Last(), "beside", 7)
		ann.Send(telegram.Message{Text: "/file", Thread: 7})
		w.idle()
		check("a file", ann.Last(), "file", 7)
		ann.Type("/menu")
		w.idle()
		check("a command outside topics", ann.Last(), "menu", 0)
		ann.Send(telegram.Message{Text: "/menu", Thread: 8})
		ann.DeleteTopic(8)
		w.idle()
		check("a command in a topic that was deleted", ann.Last(), "menu", 0)
		group.Send(ann, telegram.Message{Text: "/menu@sandbox_bot", Thread: 9})
		w.idle()
		check("a command in a group", group.Last(), "write in private", 9)
	})
}

// A Bot API server that refuses copy buttons gets keyboards without them, from the second
// call on at once. Other refusals are not repeated.
func TestCopyButtonsAreLeftOutIfRefused(t *testing.T) {
	inWorld(t, telegram.Options{NoCopyButtons: true}, func(t *testing.T, w *world) {
		ann := w.join(1)
		view := View{Text: "code 1234", Keyboard: [][]models.InlineKeyboardButton{
			{{Text: "Copy", CopyText: &models.CopyTextButton{Text: "1234"}}}, {tapButton(1)},
		}}
		send := func(v View) (int, error) { return w.bot.Send(t.Context(), 1, outbox.PriorityCode, v) }
		id, err := send(view)
		if err != nil || len(ann.Last().Keyboard) != 1 || ann.Last().Keyboard[0][0].Text != "tap" {
			t.Fatalf("%v, keyboard %v", err, ann.Last().Keyboard)
		}
		view.Text = "code 5678"
		if err := w.bot.Edit(t.Context(), 1, id, view); err != nil || ann.Last().Text != "code 5678" {
			t.Errorf("edit: %v", err)
		}
		if _, err := send(view); err != nil {
			t.Error(err)
		}
		if n := len(w.calls("sendMessage")) + len(w.calls("editMessageText")); n != 4 {
			t.Errorf("%d calls for three messages", n)
		}
		if n := strings.Count(w.logs.String(), "telegram refuses copy buttons"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.join(1)
		_, err := w.bot.Send(t.Context(), 1, outbox.PriorityCode, View{Text: "<b>open", Keyboard: [][]models.InlineKeyboardButton{
			{{Text: "Copy", CopyText: &models.CopyTextButton{Text: "1234"}}},
		}})
		if n := len(w.calls("sendMessage")); err == nil || n != 1 || w.bot.noCopyButtons.Load() {
			t.Errorf("%v after %d calls", err, n)
		}
	})
}

// A Bot API server that does not know <tg-time> gets times as text in UTC, from the second
// call on at once, also where it refuses copy buttons too.
func TestLocalTimesAreTextIfRefused(t *testing.T) {
	const text = `until <tg-time unix="946685100" format="t">12:05 UTC</tg-time> (<tg-time unix="946685100" format="r">in 14 min</tg-time>) `
	for name, buttons := range map[string]bool{"with copy buttons": true, "without copy buttons": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, telegram.Options{NoLocalTimes: true, NoCopyButtons: buttons}, func(t *testing.T, w *world) {
				ann := w.join(1)
				view := View{Keyboard: [][]models.InlineKeyboardButton{
					{{Text: "Copy", CopyText: &models.CopyTextButton{Text: "1234"}}}, {tapButton(1)},
				}}
				view.Text = text + "one"
				id, err := w.bot.Send(t.Context(), 1, outbox.PriorityCode, view)
				if want := "until 12:05 UTC (in 14 min) one"; err != nil || ann.Last().Text != want {
					t.Fatalf("%v, %q, want %q", err, ann.Last().Text, want)
				}
				first := len(w.calls("sendMessage"))
				view.Text = text + "two"
				if err := w.bot.Edit(t.Context(), 1, id, view); err != nil || ann.Last().Text != "until 12:05 UTC (in 14 min) two" {
					t.Errorf("edit: %v, %q", err, ann.Last().Text)
				}
				if _, err := w.bot.Send(t.Context(), 1, outbox.PriorityCode, view); err != nil {
					t.Error(err)
				}
				if n := len(w.calls("sendMessage")) - first + len(w.calls("editMessageText")); n != 2 {
					t.Errorf("%d calls for the second and third message", n)
				}
				if n := strings.Count(w.logs.String(), "telegram refuses local times"); n != 1 {
					t.Errorf("logged %d times", n)
				}
			})
		})
	}
}

// A message is not lost because Telegram refuses the time in it; the next one has local
// times again. Other refusals are not repeated.
func TestTimeThatTelegramRefuses(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		ann := w.join(1)
		send := func(text string) error {
			_, err := w.bot.Send(t.Context(), 1, outbox.PriorityCode, View{Text: text})
			return err
		}
		ahead := strconv.FormatInt(time.Now().AddDate(4, 0, 0).Unix(), 10)
		if err := send(`far <tg-time unix="` + ahead + `" format="t">12:05 UTC</tg-time>`); err != nil || ann.Last().Text != "far 12:05 UTC" || len(ann.Last().Entities) != 0 {
			t.Errorf("%v, %q with %v", err, ann.Last().Text, ann.Last().Entities)
		}
		if err := send(`<tg-time unix="946685100" format="t">12:05 UTC</tg-time>`); err != nil || len(ann.Last().Entities) != 1 {
			t.Errorf("%v, %v", err, ann.Last().Entities)
		}
		before := len(w.calls("sendMessage"))
		err := send(`<b><tg-time unix="946685100" format="t">12:05 UTC</tg-time>`)
		if n := len(w.calls("sendMessage")) - before; err == nil || n != 1 || w.bot.noLocalTimes.Load() {
			t.Errorf("%v after %d calls", err, n)
		}
	})
}

// A caption keeps the text in UTC.
func TestCaptionHasNoLocalTimes(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		ann := w.join(1)
		_, err := w.bot.Send(t.Context(), 1, outbox.PriorityGoods, View{
			Text: `at <tg-time unix="946685100" format="t">12:05 UTC</tg-time>`, Document: &Document{Name: "a.txt", Data: []byte("a")},
		})
		if err != nil || ann.Last().Text != "at 12:05 UTC" || len(ann.Last().Entities) != 0 {
			t.Errorf("%v, %q with %v", err, ann.Last().Text, ann.Last().Entities)
		}
	})
}

// A person who taps without end causes at most one edit and one answer a second; the
// newest tap is drawn and answered.
func TestEditsAndAnswersArePacedPerChat(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.cfg.Rate = 30
		w.build()
		w.onTap(func(_ context.Context, req *Request, _ numberArgs) (View, error) {
			return View{Text: "screen " + req.CallbackData}, nil
		})
		w.start()
		ann := w.join(1)
		id := w.showButtons(1, tapButton(1))
		for n := range int64(600) {
			ann.TapData(id, tapRoute.Data(numberArgs{N: n}))
			time.Sleep(50 * time.Millisecond)
		}
		edits, answers := len(w.calls("editMessageText")), len(w.calls("answerCallbackQuery"))
		if edits > 30+drawBurst || answers > 30+drawBurst || edits < 30 || answers < 30 {
			t.Errorf("%d edits and %d answers in 30 s", edits, answers)
		}
		w.idle()
		if m, _ := ann.Message(id); m.Text != "screen "+tapRoute.Data(numberArgs{N: 599}) {
			t.Errorf("the newest tap is not drawn: %q", m.Text)
		}
		answered := ann.Answers()
		if last := answered[len(answered)-1]; last.Data != tapRoute.Data(numberArgs{N: 599}) {
			t.Errorf("the newest tap is not answered: %q", last.Data)
		}
	})
}

// A message effect that Telegram refuses is left out from then on, and the message is
// not lost.
func TestEffectThatTelegramRefuses(t *testing.T) {
	inWorld(t, telegram.Options{NoEffects: true}, func(t *testing.T, w *world) {
		ann := w.join(1)
		for i, view := range []View{{Text: "one", Party: true}, {Text: "two", Party: true, Document: &Document{Name: "a.txt", Data: []byte("a")}}} {
			id, err := w.bot.Send(t.Context(), 1, outbox.PriorityGoods, view)
			if err != nil || ann.Last().ID != id || ann.Last().Text != view.Text {
				t.Errorf("message %d: %v, %q", i, err, ann.Last().Text)
			}
		}
		if n := len(w.calls("sendMessage")) + len(w.calls("sendDocument")); n != 3 {
			t.Errorf("%d calls for two messages", n)
		}
		if n := strings.Count(w.logs.String(), "telegram refuses message effects"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}

// A reply, its effect and its silence reach Telegram with a text and with files.
func TestRepliesOfAllKinds(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		ann := w.join(1)
		first, err := w.bot.Send(t.Context(), 1, outbox.PriorityCode, View{Text: "first"})
		if err != nil {
			t.Fatal(err)
		}
		var picture bytes.Buffer
		if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
			t.Fatal(err)
		}
		file := &Document{Name: "a.png", Data: picture.Bytes()}
		for name, view := range map[string]View{"text": {Text: "reply"}, "document": {Document: file}, "photo": {Photo: file}} {
			view.ReplyTo, view.Party, view.Silent = int64(first), true, true
			if _, err := w.bot.Send(t.Context(), 1, outbox.PriorityCode, view); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := ann.Last(); got.ReplyTo != first || got.Effect != "🎉" || !got.Silent {
				t.Errorf("%s: reply to %d, effect %q, silent %t", name, got.ReplyTo, got.Effect, got.Silent)
			}
			view.ReplyTo = 999
			if _, err := w.bot.Send(t.Context(), 1, outbox.PriorityCode, view); err != nil || ann.Last().ReplyTo != 0 {
				t.Errorf("%s in reply to nothing: %v", name, err)
			}
		}
	})
}
