package bot

import (
	"context"
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
