package bot

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/telegram"
)

// An update whose answer was cut off by the deadline of drawing, as after the process was
// stopped for a while, is handled again, but not for ever: Telegram may be slow.
func TestCutOffAnswerIsDrawnAgain(t *testing.T) {
	for _, test := range []struct {
		name    string
		method  string
		failing int // calls of the method to which Telegram does not respond in time
		act     func(ann *telegram.Client, message int)
		handled int
		drawn   bool
	}{
		{"edit", "editMessageText", 2, func(ann *telegram.Client, message int) { ann.TapData(message, tapRoute.Data(numberArgs{})) }, 2, true},
		{"edit, always", "editMessageText", telegram.Always, func(ann *telegram.Client, message int) { ann.TapData(message, tapRoute.Data(numberArgs{})) }, 3, false},
		{"message that may have arrived", "sendMessage", 1, func(ann *telegram.Client, _ int) { ann.Type("hello") }, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				handled := 0
				w.bot.Text(func(context.Context, *Request) (View, error) { handled++; return View{Text: "answer"}, nil })
				w.onTap(func(context.Context, *Request, numberArgs) (View, error) { handled++; return View{Text: "answer"}, nil })
				w.start()
				ann := w.join(1)
				message := w.showButtons(1, tapButton(0))
				w.telegram.Fault(telegram.Fault{Method: test.method, Times: test.failing, Delay: 2 * callTimeout})
				test.act(ann, message)
				w.idle()
				if handled != test.handled {
					t.Errorf("handled %d times, want %d", handled, test.handled)
				}
				if strings.Contains(ann.Transcript(), ": answer") != test.drawn {
					t.Errorf("the person sees\n%s", ann.Transcript())
				}
				if diff := cmp.Diff(map[string]int{"done": 1}, w.inbox.states()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A message that has waited for the pacer until its deadline was not sent: the update is
// handled again. That a picture of an album is answered does not count before.
func TestUnsentAnswerIsDrawnAgain(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.bot.Text(echo("text"))
		w.start()
		ann := w.join(1)
		w.bot.pacer.interval = replyTimeout + 10*time.Second
		w.showButtons(1, tapButton(0))
		ann.Send(telegram.Message{Photo: &telegram.Document{Name: "a.png"}, Album: "album"})
		w.idle()
		if !strings.HasPrefix(ann.Last().Text, "text ") {
			t.Errorf("the person sees\n%s", ann.Transcript())
		}
	})
}

// So is it if the response to an edit was lost and no time is left to repeat the edit.
func TestEditWithoutTimeToRepeatIsDrawnAgain(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.onTap(func(context.Context, *Request, numberArgs) (View, error) { return View{Text: "answer"}, nil })
		w.start()
		ann := w.join(1)
		message := w.showButtons(1, tapButton(0))
		w.bot.pacer.holdEdits(1, replyTimeout-retryPause/2)
		w.telegram.Fault(telegram.Fault{Method: "editMessageText", Cut: true})
		ann.TapData(message, tapRoute.Data(numberArgs{}))
		w.idle()
		if diff := cmp.Diff("#1 Bot (edited): answer\n", ann.Transcript()); diff != "" {
			t.Error(diff)
		}
	})
}
