package bot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/telegram"
)

// Each failure of Send is one of the outbox package's errors or transient.
func TestSendErrors(t *testing.T) {
	for _, test := range []struct {
		name      string
		fault     telegram.Fault
		kind      error // nil: sent or transient
		transient bool
		sent      int // messages in the chat
		calls     int
	}{
		{name: "well", sent: 1, calls: 1},
		{name: "forbidden", fault: telegram.Fault{Code: 403, Description: "Forbidden: bot was blocked by the user"}, kind: outbox.ErrUnreachable, calls: 1},
		{name: "chat not found", fault: telegram.Fault{Code: 400, Description: "Bad Request: chat not found"}, kind: outbox.ErrUnreachable, calls: 1},
		{name: "unparsable", fault: telegram.Fault{Code: 400, Description: "Bad Request: can't parse entities"}, kind: outbox.ErrRejected, calls: 1},
		{name: "too large", fault: telegram.Fault{Code: 413, Description: "Request Entity Too Large"}, kind: outbox.ErrRejected, calls: 1},
		{name: "lost answer", fault: telegram.Fault{LoseAnswer: true}, kind: outbox.ErrUncertain, sent: 1, calls: 1},
		{name: "cut", fault: telegram.Fault{Cut: true}, kind: outbox.ErrUncertain, calls: 1},
		{name: "gateway", fault: telegram.Fault{HTML: true}, kind: outbox.ErrUncertain, calls: 1},
		{name: "server error", fault: telegram.Fault{Code: 500, Description: "Internal Server Error"}, kind: outbox.ErrUncertain, calls: 1},
		{name: "revoked token", fault: telegram.Fault{Code: 401, Description: "Unauthorized"}, transient: true, calls: 1},
		{name: "flood, short", fault: telegram.Fault{RetryAfter: 4}, sent: 1, calls: 2},
		{name: "flood, long", fault: telegram.Fault{RetryAfter: 60}, transient: true, calls: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				ann := w.join(1)
				if test.fault != (telegram.Fault{}) {
					test.fault.Method = "sendMessage"
					w.telegram.Fault(test.fault)
				}
				id, err := w.bot.Send(t.Context(), 1, outbox.PriorityGoods, View{Text: "goods"})
				if (err == nil) != (id != 0) || (err == nil) != (test.kind == nil && !test.transient) {
					t.Fatalf("message %d, error %v", id, err)
				}
				for _, kind := range []error{outbox.ErrUnreachable, outbox.ErrRejected, outbox.ErrUncertain} {
					if got := errors.Is(err, kind); got != errors.Is(test.kind, kind) {
						t.Errorf("%v: errors.Is %v: %v", err, kind, got)
					}
				}
				if err != nil {
					w.refuseCanary("the error", err.Error())
				}
				if strings.HasPrefix(test.name, "flood, long") && retryAfter(err) != time.Minute {
					t.Errorf("retry after %v", retryAfter(err))
				}
				if n := len(ann.Messages()); n != test.sent {
					t.Errorf("%d messages", n)
				}
				if n := len(w.calls("sendMessage")); n != test.calls {
					t.Errorf("%d calls", n)
				}
			})
		})
	}
}

// Without a connection nothing was sent, so the call is repeated.
func TestSendRepeatsAfterDialFailed(t *testing.T) {
	for _, fails := range []int{2, 3} {
		inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
			left, dial := fails, w.cfg.Dial
			w.cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if left > 0 {
					left--
					return nil, errors.New("no route to http://telegram/bot" + canary)
				}
				return dial(ctx, network, addr)
			}
			w.build()
			ann := w.join(1)
			_, err := w.bot.Send(t.Context(), 1, outbox.PriorityGoods, View{Text: "goods"})
			if got, want := err == nil, fails < maxAttempts; got != want {
				t.Errorf("after %d failures: %v", fails, err)
			}
			if err != nil {
				w.refuseCanary("the error", err.Error())
				if errors.Is(err, outbox.ErrUncertain) || len(ann.Messages()) != 0 {
					t.Errorf("counts as sent: %v", err)
				}
			}
		})
	}
}

// A value in the response that the library does not know does not make a sent message
// an error.
func TestResponseWithUnknownValues(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.proxy = func(rw http.ResponseWriter, _ *http.Request) bool {
			_, _ = rw.Write([]byte(`{"ok":true,"result":{"message_id":77,"date":1,"chat":{"id":1,"type":"private"},"forward_origin":{"type":"from the future"}}}`))
			return true
		}
		id, err := w.bot.Send(t.Context(), 1, outbox.PriorityGoods, View{Text: "goods"})
		if id != 77 || err != nil {
			t.Errorf("message %d, %v", id, err)
		}
	})
}

func TestEdit(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  telegram.Fault
		text   string
		delete bool
		kind   error
		want   string
	}{
		{name: "well", text: "b", want: "b"},
		{name: "not modified", text: "a", want: "a"},
		{name: "lost answer", text: "b", fault: telegram.Fault{LoseAnswer: true}, want: "b"},
		{name: "gateway", text: "b", fault: telegram.Fault{HTML: true}, want: "b"},
		{name: "gateway twice", text: "b", fault: telegram.Fault{HTML: true, Times: 2}, kind: outbox.ErrUncertain, want: "a"},
		{name: "flood", text: "b", fault: telegram.Fault{RetryAfter: 3}, want: "b"},
		{name: "gone", text: "b", delete: true, kind: outbox.ErrRejected},
		{name: "blocked", text: "b", fault: telegram.Fault{Code: 403}, kind: outbox.ErrUnreachable, want: "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				ann := w.join(1)
				id, err := w.bot.Send(t.Context(), 1, outbox.PriorityStatus, View{Text: "a"})
				if err != nil {
					t.Fatal(err)
				}
				if test.delete {
					if err := ann.Delete(id); err != nil {
						t.Fatal(err)
					}
				}
				if test.fault != (telegram.Fault{}) {
					test.fault.Method = "editMessageText"
					w.telegram.Fault(test.fault)
				}
				err = w.bot.Edit(t.Context(), 1, id, View{Text: test.text})
				if (err == nil) != (test.kind == nil) || (err != nil && !errors.Is(err, test.kind)) {
					t.Errorf("error %v", err)
				}
				if got := ann.Last().Text; got != test.want {
					t.Errorf("shows %q", got)
				}
			})
		})
	}
}

// A view has these parameters in the call.
func TestParametersOfView(t *testing.T) {
	keyboard := [][]models.InlineKeyboardButton{{{Text: "a", CallbackData: "a"}}}
	// The pretend Telegram sorts the names in a JSON body, but not in a form.
	const (
		markup       = `{"inline_keyboard":[[{"callback_data":"a","text":"a"}]]}`
		markupInForm = `{"inline_keyboard":[[{"text":"a","callback_data":"a"}]]}`
	)
	for _, test := range []struct {
		method string
		view   View
		want   map[string]string
	}{
		{"sendMessage", View{Text: "<b>x</b>"}, map[string]string{
			"chat_id": "1", "text": "<b>x</b>", "parse_mode": "HTML", "link_preview_options": `{"is_disabled":true}`,
		}},
		{"sendMessage", View{Text: "x", Picture: "https://example.com/a.png", Keyboard: keyboard}, map[string]string{
			"chat_id": "1", "text": "x", "parse_mode": "HTML", "reply_markup": markup,
			"link_preview_options": `{"prefer_large_media":true,"show_above_text":true,"url":"https://example.com/a.png"}`,
		}},
		{"sendDocument", View{Text: "<i>x</i>", Document: &Document{Name: "a.txt", Data: []byte("1\r\n2")}, Keyboard: keyboard}, map[string]string{
			"chat_id": "1", "caption": "<i>x</i>", "parse_mode": "HTML", "reply_markup": markupInForm,
			"document": "a.txt (4 bytes)", "disable_content_type_detection": "true",
		}},
	} {
		inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
			w.join(1)
			if _, err := w.bot.Send(t.Context(), 1, outbox.PriorityGoods, test.view); err != nil {
				t.Fatal(err)
			}
			calls := w.calls(test.method)
			if len(calls) != 1 {
				t.Fatalf("calls %+v", w.telegram.Calls())
			}
			if diff := cmp.Diff(test.want, calls[0].Fields); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestToastIsCut(t *testing.T) {
	for _, test := range []struct{ toast, want string }{
		{strings.Repeat("a", 200), strings.Repeat("a", 200)},
		{strings.Repeat("a", 201), strings.Repeat("a", 199) + "…"},
		{strings.Repeat("ж", 200), strings.Repeat("ж", 200)},
		{strings.Repeat("😀", 100), strings.Repeat("😀", 100)},
		{strings.Repeat("😀", 101), strings.Repeat("😀", 99) + "…"},
	} {
		if got := (View{Toast: test.toast}).toast(); got != test.want {
			t.Errorf("%q", got)
		}
	}
}

// Telegram's limits are never exceeded, the most urgent messages go first, and the rate
// is used.
func TestPacingOfSend(t *testing.T) {
	inWorld(t, telegram.Options{Flood: true}, func(t *testing.T, w *world) {
		w.cfg.Rate = 30
		w.build()
		const each = 60
		for chat := range int64(each) {
			w.join(chat + 1)
		}
		group := w.telegram.Group(-5, "Friends")
		start := time.Now()
		for _, priority := range []outbox.Priority{outbox.PriorityNews, outbox.PriorityStatus, outbox.PriorityReply, outbox.PriorityGoods, outbox.PriorityCode} {
			for chat := range int64(each) {
				go func() {
					if _, err := w.bot.Send(t.Context(), chat+1, priority, View{Text: fmt.Sprint(int(priority))}); err != nil {
						t.Error(err)
					}
				}()
			}
		}
		for range 30 {
			go func() {
				if _, err := w.bot.Send(t.Context(), group.ChatID(), outbox.PriorityCode, View{Text: "group"}); err != nil {
					t.Error(err)
				}
			}()
		}
		synctest.Wait()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		order, last := "", map[string]time.Duration{}
		for _, call := range w.calls("sendMessage") {
			if !call.OK {
				t.Fatalf("refused: %+v", call)
			}
			text := call.Fields["text"]
			if text != "group" && !strings.HasSuffix(order, text) {
				order += text
			}
			last[text] = call.At.Sub(start)
		}
		// The first message was sent before the others waited.
		if order != "01234" && order[1:] != "01234" {
			t.Errorf("priorities went in the order %s", order)
		}
		if last["0"] > 4*time.Second || last["4"] > 12*time.Second {
			t.Errorf("the rate is not used: %v", last)
		}
		if n := len(group.Messages()); n != 30 {
			t.Errorf("%d messages in the group", n)
		}
		if first := last["group"]; first < time.Minute {
			t.Errorf("30 messages in a group within %v", first)
		}
	})
}

// A retry_after of sendMessage delays messages to that chat only, and no edits.
func TestRetryAfterIsPerChat(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.join(1)
		w.join(2)
		id := w.showButtons(1, tapButton(1))
		w.telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: 1, RetryAfter: 20})
		send := func(chat int64) error {
			_, err := w.bot.Send(t.Context(), chat, outbox.PriorityGoods, View{Text: "goods"})
			return err
		}
		start := time.Now()
		if err := send(1); retryAfter(err) != 20*time.Second {
			t.Errorf("chat 1: %v", err)
		}
		if err := send(1); retryAfter(err) != 20*time.Second || len(w.calls("sendMessage")) != 2 {
			t.Errorf("chat 1 again: %v, %d calls", err, len(w.calls("sendMessage")))
		}
		if err := send(2); err != nil {
			t.Errorf("chat 2: %v", err)
		}
		if err := w.bot.Edit(t.Context(), 1, id, View{Text: "edited"}); err != nil {
			t.Errorf("edit: %v", err)
		}
		if time.Since(start) != 0 {
			t.Errorf("the calls waited %v", time.Since(start))
		}
		time.Sleep(16 * time.Second)
		if err := send(1); err != nil || time.Since(start) != 20*time.Second {
			t.Errorf("after the pause: %v at %v", err, time.Since(start))
		}
	})
}

// A reply waits out a retry_after of up to half a minute.
func TestReplyWaitsOutRetryAfter(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.bot.Text(func(context.Context, *Request) (View, error) { return View{Text: "hello"}, nil })
		w.start()
		ann := w.join(1)
		w.telegram.Fault(telegram.Fault{Method: "sendMessage", RetryAfter: 20})
		start := time.Now()
		ann.Type("hi")
		w.idle()
		if ann.Last().Text != "hello" || time.Since(start) != 20*time.Second {
			t.Errorf("after %v:\n%s", time.Since(start), ann.Transcript())
		}
		w.telegram.Fault(telegram.Fault{Method: "sendMessage", RetryAfter: 40})
		start = time.Now()
		ann.Type("hi again")
		w.idle()
		if ann.Last().Text != "hi again" || time.Since(start) != 0 {
			t.Errorf("after %v:\n%s", time.Since(start), ann.Transcript())
		}
		if !strings.Contains(w.logs.String(), "screen not drawn") {
			t.Errorf("log\n%s", w.logs)
		}
	})
}

// The end of its context ends the wait of a broadcast's message for the pacer, and does
// not cancel an in-flight call.
func TestBroadcastInFlightIsNotCancelled(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		ann, bob := w.join(1), w.join(2)
		w.telegram.Fault(telegram.Fault{Method: "sendMessage", Delay: 5 * time.Second})
		w.bot.pacer.interval = time.Minute
		ctx, stop := context.WithCancel(t.Context())
		inFlight, waiting := make(chan error, 1), make(chan error, 1)
		send := func(chat int64, done chan<- error) {
			_, err := w.bot.Send(ctx, chat, outbox.PriorityNews, View{Text: "to all"})
			done <- err
		}
		go send(1, inFlight)
		synctest.Wait()
		go send(2, waiting)
		synctest.Wait()
		stop()
		if err := <-waiting; !errors.Is(err, context.Canceled) || errors.Is(err, outbox.ErrUncertain) || len(bob.Messages()) != 0 {
			t.Errorf("the waiting message: %v", err)
		}
		if err := <-inFlight; err != nil || len(ann.Messages()) != 1 {
			t.Errorf("the in-flight message: %v, %d messages", err, len(ann.Messages()))
		}
	})
}

// Hooks.Unreachable is called for replies and other messages.
func TestUnreachableHook(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		var unreachable []int64
		w.hooks.Unreachable = func(_ context.Context, id int64) { unreachable = append(unreachable, id) }
		w.build()
		w.bot.Text(func(context.Context, *Request) (View, error) { return View{Text: "hello"}, nil })
		w.start()
		ann := w.join(7)
		w.telegram.Fault(telegram.Fault{Method: "sendMessage", Code: 403, Times: 2})
		ann.Type("hi")
		w.idle()
		if _, err := w.bot.Send(t.Context(), 7, outbox.PriorityGoods, View{Text: "goods"}); !errors.Is(err, outbox.ErrUnreachable) {
			t.Error(err)
		}
		if diff := cmp.Diff([]int64{7, 7}, unreachable); diff != "" {
			t.Error(diff)
		}
		if w.logs.String() != "" {
			t.Errorf("log\n%s", w.logs)
		}
	})
}
