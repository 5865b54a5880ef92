package bot

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/telegram"
)

// onTap registers the screen of tapRoute.
func (w *world) onTap(h func(context.Context, *Request, numberArgs) (View, error)) {
	Screen(w.bot, tapRoute, h)
}

// A tap is answered once, half a second after its receipt, also while it waits in its
// chat's queue.
func TestTapIsAnsweredWhileItWaits(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		Action(w.bot, tapRoute, func(ctx context.Context, _ *Request, _ numberArgs) (View, error) {
			return View{Text: "done", Toast: "late"}, pause(ctx, 10*time.Second)
		}, nil)
		w.start()
		ann := w.join(1)
		id := w.showButtons(1, tapButton(1))
		start := time.Now()
		for range 3 {
			tapOn(t, ann, id, "tap")
		}
		w.idle()
		var at []time.Duration
		for _, answer := range ann.Answers() {
			at = append(at, answer.At.Sub(start))
		}
		half := 500 * time.Millisecond
		if diff := cmp.Diff([]time.Duration{half, half, half}, at); diff != "" {
			t.Error(diff)
		}
		if n := len(w.calls("answerCallbackQuery")); n != 3 {
			t.Errorf("%d answers to 3 taps", n)
		}
		if len(ann.Toasts()) != 0 {
			t.Errorf("a toast came after the answer: %v", ann.Toasts())
		}
	})
}

// The toast and the edit are sent in parallel when the handler has returned.
func TestToastInParallelToEdit(t *testing.T) {
	for _, slow := range []string{"answerCallbackQuery", "editMessageText"} {
		t.Run("slow "+slow, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				w.onTap(func(ctx context.Context, _ *Request, _ numberArgs) (View, error) {
					return View{Text: "saved", Toast: "Saved", Alert: true}, pause(ctx, 100*time.Millisecond)
				})
				w.start()
				ann := w.join(1)
				id := w.showButtons(1, tapButton(1))
				w.telegram.Fault(telegram.Fault{Method: slow, Delay: 3 * time.Second})
				start := time.Now()
				tapOn(t, ann, id, "tap")
				w.idle()
				for _, method := range []string{"answerCallbackQuery", "editMessageText"} {
					calls := w.calls(method)
					if len(calls) != 1 || calls[0].At.Sub(start) != 100*time.Millisecond {
						t.Errorf("%s: %+v", method, calls)
					}
				}
				if toasts := ann.Toasts(); len(toasts) != 1 || toasts[0].Text != "Saved" || !toasts[0].Alert {
					t.Errorf("toasts %+v", toasts)
				}
				if ann.Last().Text != "saved" {
					t.Errorf("shows %q", ann.Last().Text)
				}
			})
		})
	}
}

// If the tap was answered before, an alert, or a toast without a view, is sent as a
// message.
func TestLateToastBecomesMessage(t *testing.T) {
	for _, test := range []struct {
		name string
		view View
		want string
	}{
		{"toast with a view", View{Text: "new text", Toast: "Saved"}, "#1 Bot (edited): new text\n"},
		{"alert with a view", View{Text: "new text", Toast: "a < b", Alert: true}, "#1 Bot (edited): new text\n#2 Bot: a < b\n"},
		{"toast alone", View{Toast: "a & b"}, "#1 Bot: choose\n   [ tap ]\n#2 Bot: a & b\n"},
		{"nothing", View{}, "#1 Bot: choose\n   [ tap ]\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				w.onTap(func(ctx context.Context, _ *Request, _ numberArgs) (View, error) {
					return test.view, pause(ctx, time.Second)
				})
				w.start()
				ann := w.join(1)
				tapOn(t, ann, w.showButtons(1, tapButton(1)), "tap")
				w.idle()
				if diff := cmp.Diff(test.want, ann.Transcript()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A person whose view can't be drawn is told so: in the answer to the tap, or in a message where
// the tap was answered before. Not where Telegram can't reach them, or the view had a toast.
func TestViewThatIsNotDrawn(t *testing.T) {
	for _, test := range []struct {
		name    string
		view    View
		slow    time.Duration
		fault   telegram.Fault
		answer  string
		message bool
	}{
		{"at once", View{Text: "new text"}, 0, telegram.Fault{Code: 401}, "not drawn", false},
		{"late", View{Text: "new text"}, time.Second, telegram.Fault{Code: 401}, "", true},
		{"after a flood", View{Text: "new text"}, 0, telegram.Fault{RetryAfter: 3}, "", true},
		{"with a toast", View{Text: "new text", Toast: "Saved"}, 0, telegram.Fault{Code: 401}, "Saved", false},
		{"unreachable", View{Text: "new text"}, 0, telegram.Fault{Code: 403}, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				w.onTap(func(ctx context.Context, _ *Request, _ numberArgs) (View, error) {
					return test.view, pause(ctx, test.slow)
				})
				w.start()
				ann := w.join(1)
				id := w.showButtons(1, tapButton(1))
				test.fault.Method, test.fault.Times = "editMessageText", telegram.Always
				w.telegram.Fault(test.fault)
				tapOn(t, ann, id, "tap")
				w.idle()
				answers := ann.Answers()
				if len(answers) != 1 || answers[0].Text != test.answer || answers[0].Alert != (test.answer == "not drawn") {
					t.Errorf("the tap was answered %+v", answers)
				}
				if got := ann.Last().Text == "not drawn"; got != test.message {
					t.Errorf("the person sees\n%s", ann.Transcript())
				}
			})
		})
	}
}

// A view is drawn in the tapped message if that can be edited, else in a new one.
func TestMessageOfView(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(w *world, ann *telegram.Client, id int) (tapped int)
		handler func(context.Context, *Request, numberArgs) (View, error)
		want    string
	}{
		{
			name: "edited",
			want: "#1 Bot (edited): screen\n",
		},
		{
			name: "new",
			handler: func(context.Context, *Request, numberArgs) (View, error) {
				return View{Text: "screen", AsNewMessage: true}, nil
			},
			want: "#1 Bot: choose\n   [ tap ]\n#2 Bot: screen\n",
		},
		{
			name:    "not modified",
			handler: func(context.Context, *Request, numberArgs) (View, error) { return chooseAgain(), nil },
			want:    "#1 Bot: choose\n   [ tap ]\n",
		},
		{
			name: "a document is not edited",
			prepare: func(w *world, _ *telegram.Client, _ int) int {
				id, err := w.bot.Send(w.t.Context(), 1, outbox.PriorityGoods, View{
					Text: "goods", Document: &Document{Name: "a.txt", Data: []byte("x\n")},
					Keyboard: [][]models.InlineKeyboardButton{{tapButton(1)}},
				})
				if err != nil {
					w.t.Error(err)
				}
				return id
			},
			want: "#1 Bot: choose\n   [ tap ]\n#2 Bot: 📄 a.txt (2 bytes, text/plain)\n   | x\n   goods\n   [ tap ]\n#3 Bot: screen\n",
		},
		{
			name: "deleted before the tap",
			prepare: func(w *world, ann *telegram.Client, id int) int {
				if err := ann.Delete(id); err != nil {
					w.t.Error(err)
				}
				return id
			},
			want: "#2 Bot: screen\n",
		},
		{
			name: "too old to be edited",
			prepare: func(w *world, _ *telegram.Client, id int) int {
				w.telegram.Fault(telegram.Fault{Method: "editMessageText", Code: 400, Description: "Bad Request: message can't be edited"})
				return id
			},
			want: "#1 Bot: choose\n   [ tap ]\n#2 Bot: screen\n",
		},
		{
			name: "shown before",
			handler: func(ctx context.Context, req *Request, _ numberArgs) (View, error) {
				return View{Text: "screen"}, req.Show(ctx, View{Text: "placing"})
			},
			want: "#1 Bot (edited): screen\n",
		},
		{
			name: "shown before in a new message",
			handler: func(ctx context.Context, req *Request, _ numberArgs) (View, error) {
				return View{Text: "screen"}, req.Show(ctx, View{Text: "placing", AsNewMessage: true})
			},
			want: "#1 Bot: choose\n   [ tap ]\n#2 Bot (edited): screen\n",
		},
		{
			name: "shown before, and a new message",
			handler: func(ctx context.Context, req *Request, _ numberArgs) (View, error) {
				return View{Text: "screen", AsNewMessage: true}, req.Show(ctx, View{Text: "placing"})
			},
			want: "#1 Bot (edited): placing\n#2 Bot: screen\n",
		},
		{
			name: "an error",
			handler: func(context.Context, *Request, numberArgs) (View, error) {
				return View{Text: "half"}, errors.New("no luck")
			},
			want: "#1 Bot: choose\n   [ tap ]\n#2 Bot: error: no luck\n",
		},
		{
			name: "too long",
			handler: func(context.Context, *Request, numberArgs) (View, error) {
				return View{Text: strings.Repeat("x", 4097)}, nil
			},
			want: "#1 Bot: choose\n   [ tap ]\n#2 Bot: error: telegram: editMessageText: 400: Bad Request: message is too long\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				if test.handler == nil {
					test.handler = func(context.Context, *Request, numberArgs) (View, error) { return View{Text: "screen"}, nil }
				}
				w.onTap(test.handler)
				w.start()
				ann := w.join(1)
				id := w.showButtons(1, tapButton(1))
				if test.prepare != nil {
					id = test.prepare(w, ann, id)
				}
				ann.TapData(id, tapRoute.Data(numberArgs{N: 1}))
				w.idle()
				if diff := cmp.Diff(test.want, ann.Transcript()); diff != "" {
					t.Error(diff)
				}
				if n := len(ann.Answers()); n != 1 {
					t.Errorf("%d answers", n)
				}
				if w.inbox.states()["done"] != 1 {
					t.Errorf("inbox %v", w.inbox.states())
				}
			})
		})
	}
}

func chooseAgain() View {
	return View{Text: "choose", Keyboard: [][]models.InlineKeyboardButton{{tapButton(1)}}}
}

// Buttons with unknown routes and invalid arguments are outdated.
func TestOutdatedButtons(t *testing.T) {
	for _, data := range []string{"t", "t:", "t:zzzzzzzzzzzzzzzzzzzz", "t:1.2", "nothing", ":", "t:+1", "\x00"} {
		t.Run(data, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				w.onTap(func(context.Context, *Request, numberArgs) (View, error) {
					t.Error("opened")
					return View{}, nil
				})
				w.start()
				ann := w.join(1)
				ann.TapData(w.showButtons(1, tapButton(1)), data)
				w.idle()
				if diff := cmp.Diff("#1 Bot: choose\n   [ tap ]\n#2 Bot: the menu\n", ann.Transcript()); diff != "" {
					t.Error(diff)
				}
				if toasts := ann.Toasts(); len(toasts) != 1 || toasts[0].Text != "out of date" {
					t.Errorf("toasts %v", toasts)
				}
			})
		})
	}
}

// A tap that is too old to be answered, or whose answer was lost, is drawn, and
// nothing is logged.
func TestUnansweredTapIsDrawn(t *testing.T) {
	for _, fault := range []telegram.Fault{
		{Code: 400, Description: "Bad Request: query is too old and response timeout expired or query ID is invalid"},
		{LoseAnswer: true},
		{HTML: true},
		{Cut: true},
		{RetryAfter: 1},
	} {
		inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
			w.onTap(func(context.Context, *Request, numberArgs) (View, error) {
				return View{Text: "screen", Toast: "Saved"}, nil
			})
			w.start()
			ann := w.join(1)
			id := w.showButtons(1, tapButton(1))
			fault.Method = "answerCallbackQuery"
			w.telegram.Fault(fault)
			tapOn(t, ann, id, "tap")
			w.idle()
			if ann.Last().Text != "screen" || w.logs.String() != "" {
				t.Errorf("%+v: shows %q, log %s", fault, ann.Last().Text, w.logs)
			}
		})
	}
}

// After a panic the person is shown the reference that is in the log, and the bot
// continues.
func TestPanicInHandler(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.onTap(func(_ context.Context, _ *Request, args numberArgs) (View, error) {
			if args.N == 1 {
				panic("at the disco with " + canary)
			}
			return View{Text: "alive"}, nil
		})
		w.start()
		ann := w.join(1)
		id := w.showButtons(1, tapButton(1))
		tapOn(t, ann, id, "tap")
		w.idle()
		reference, ok := strings.CutPrefix(ann.Last().Text, "panic ")
		if !ok || len(reference) != 8 || !strings.Contains(w.logs.String(), "reference="+reference) {
			t.Errorf("shows %q, log\n%s", ann.Last().Text, w.logs)
		}
		if !strings.Contains(w.logs.String(), "at the disco with [redacted]") || !strings.Contains(w.logs.String(), "tap_test.go") {
			t.Errorf("log\n%s", w.logs)
		}
		ann.TapData(id, tapRoute.Data(numberArgs{N: 2}))
		w.idle()
		if first, _ := ann.Message(id); first.Text != "alive" {
			t.Errorf("shows %q after the panic", first.Text)
		}
		if w.observed("panic") != 1 || len(ann.Answers()) != 2 || w.inbox.states()["done"] != 2 {
			t.Errorf("panics %d, answers %d, inbox %v", w.observed("panic"), len(ann.Answers()), w.inbox.states())
		}
	})
}

// A tap that is found after a restart is answered and drawn.
func TestTapAfterRestart(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		crash := true
		handler := func(ctx context.Context, _ *Request, _ numberArgs) (View, error) {
			if crash {
				<-ctx.Done()
				return View{}, ctx.Err()
			}
			return View{Text: "screen", Toast: "Saved"}, nil
		}
		w.onTap(handler)
		w.start()
		ann := w.join(1)
		tapOn(t, ann, w.showButtons(1, tapButton(1)), "tap")
		synctest.Wait()
		w.stop()
		crash = false
		w.build()
		w.onTap(handler)
		w.start()
		w.idle()
		if diff := cmp.Diff("#1 Bot (edited): screen\n", ann.Transcript()); diff != "" {
			t.Error(diff)
		}
	})
}

// A tap is answered exactly once, also if the handler returns at the moment of the
// empty answer.
func TestAnsweredExactlyOnce(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.onTap(func(ctx context.Context, _ *Request, args numberArgs) (View, error) {
			return View{Toast: "Saved"}, pause(ctx, answerDelay+time.Duration(args.N-10)*time.Nanosecond)
		})
		w.start()
		const taps = 21
		for n := range int64(taps) {
			ann := w.join(n + 1)
			ann.TapData(w.showButtons(n+1, tapButton(n)), tapRoute.Data(numberArgs{N: n}))
		}
		w.idle()
		for n := range int64(taps) {
			if answers := w.join(n + 1).Answers(); len(answers) != 1 {
				t.Errorf("tap %d: %v", n, answers)
			}
		}
		if n := w.telegram.Count("answerCallbackQuery"); n != taps {
			t.Errorf("%d answers", n)
		}
	})
}

// A toast of Show answers the tap.
func TestShowAnswersTap(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.onTap(func(ctx context.Context, req *Request, _ numberArgs) (View, error) {
			if err := req.Show(ctx, View{Toast: "One moment"}); err != nil {
				return View{}, err
			}
			return View{Text: "screen", Toast: "Done"}, pause(ctx, time.Second)
		})
		w.start()
		ann := w.join(1)
		tapOn(t, ann, w.showButtons(1, tapButton(1)), "tap")
		w.idle()
		if toasts := ann.Toasts(); len(toasts) != 1 || toasts[0].Text != "One moment" {
			t.Errorf("toasts %v", toasts)
		}
	})
}

// After a minute the context of a handler is done, and its error is shown.
func TestHandlerTimeout(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.bot.Text(func(ctx context.Context, _ *Request) (View, error) {
			<-ctx.Done()
			return View{}, ctx.Err()
		})
		w.start()
		ann := w.join(1)
		start := time.Now()
		ann.Type("hello")
		w.idle()
		if ann.Last().Text != "error: context deadline exceeded" || time.Since(start) != handlerTimeout {
			t.Errorf("after %v:\n%s", time.Since(start), ann.Transcript())
		}
	})
}

// A panic in the hooks affects only its update.
func TestPanicInHooks(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.hooks.Error = func(context.Context, *Request, error) View { panic("error") }
		w.hooks.Panicked = func(*Request, string) View { panic("panicked") }
		w.build()
		w.bot.Text(func(_ context.Context, req *Request) (View, error) {
			if req.Text == "fail" {
				return View{}, errors.New("no")
			}
			return View{Text: "alive"}, nil
		})
		w.start()
		ann := w.join(1)
		ann.Type("fail")
		ann.Type("hello")
		w.idle()
		if ann.Last().Text != "alive" {
			t.Errorf("chat\n%s", ann.Transcript())
		}
	})
}
