package bot

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/telegram"
)

// Updates of a chat are handled in order, and chats in parallel: 20 commands in each of
// 50 chats take 20 seconds with a handler that takes a second.
func TestOrderPerChatAndChatsInParallel(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		var mu sync.Mutex
		got := map[int64][]string{}
		w.bot.Command("text", func(ctx context.Context, req *Request) (View, error) {
			if err := pause(ctx, time.Second); err != nil {
				return View{}, err
			}
			mu.Lock()
			defer mu.Unlock()
			got[req.Chat] = append(got[req.Chat], req.Text)
			return View{}, nil
		})
		want := map[int64][]string{}
		for i := range 20 {
			for chat := range int64(50) {
				text := fmt.Sprint("/text ", i)
				w.join(chat + 1).Type(text)
				want[chat+1] = append(want[chat+1], text)
			}
		}
		start := time.Now()
		w.start()
		w.idle()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("took %v", took)
		}
		if diff := cmp.Diff(map[string]int{"done": 1000}, w.inbox.states()); diff != "" {
			t.Error(diff)
		}
	})
}

// An update is acknowledged only after it was stored. One whose storing failed is
// handled once, also if it was stored all the same.
func TestAcknowledgedOnlyAfterStored(t *testing.T) {
	for _, storedAnyway := range []bool{false, true} {
		t.Run(fmt.Sprint("stored anyway: ", storedAnyway), func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				w.inbox.failStores, w.inbox.storeThenFail = 3, storedAnyway
				handled := make(chan string, 10)
				w.bot.Text(func(_ context.Context, req *Request) (View, error) {
					handled <- req.Text
					return View{}, nil
				})
				w.start()
				w.join(1).Type("hello")
				synctest.Wait()
				if w.telegram.Pending() != 1 || !storedAnyway && len(handled) != 0 {
					t.Errorf("acknowledged before it was stored: %d pending, %d handled", w.telegram.Pending(), len(handled))
				}
				time.Sleep(time.Minute)
				w.idle()
				if n := len(handled); n != 1 {
					t.Errorf("handled %d times", n)
				}
				if w.telegram.Pending() != 0 {
					t.Error("never acknowledged")
				}
			})
		})
	}
}

func TestRedeliveredUpdateIsHandledOnce(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		handled := 0
		w.bot.Command("do", func(context.Context, *Request) (View, error) { handled++; return View{}, nil })
		w.start()
		ann := w.join(1)
		ann.Type("/do one")
		ann.Type("/do two")
		w.idle()
		time.Sleep(time.Minute) // polls that acknowledge them
		if again := w.telegram.Redeliver(2); len(again) != 2 {
			t.Fatal("nothing to deliver again")
		}
		ann.Type("/do three")
		w.idle()
		if handled != 3 {
			t.Errorf("handled %d times", handled)
		}
	})
}

// feed makes the first polls return these bodies.
func (w *world) feed(status int, bodies ...string) {
	w.proxy = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/getUpdates") || len(bodies) == 0 {
			return false
		}
		rw.WriteHeader(status)
		_, _ = rw.Write([]byte(bodies[0]))
		bodies = bodies[1:]
		return true
	}
}

// Updates and responses that can't be decoded do not block later updates.
func TestUnreadableUpdatesDoNotBlock(t *testing.T) {
	good := `{"update_id":7,"message":{"message_id":1,"date":1,"chat":{"id":1,"type":"private"},"from":{"id":1,"first_name":"Ann"},"text":"good"}}`
	for _, test := range []struct {
		name   string
		status int
		bodies []string
		want   map[string]int
	}{
		{"wrong type", 200, []string{`{"ok":true,"result":[{"update_id":5,"message":5},{"update_id":6,"callback_query":{"id":true}},` + good + `]}`}, map[string]int{"dead_lettered": 2, "done": 2}},
		{"no id", 200, []string{`{"ok":true,"result":[{"message":{}},"x",` + good + `]}`}, map[string]int{"done": 2}},
		{"only without id", 200, []string{`{"ok":true,"result":[{"message":{}}]}`}, map[string]int{"done": 1}},
		{"unknown fields", 200, []string{`{"ok":true,"result":[{"update_id":3,"telepathy":{}},{"update_id":4,"message":{"message_id":2,"date":1,"chat":{"id":1,"type":"private"},"from":{"id":1,"first_name":"Ann"},"text":"new","forward_origin":{"type":"from the future"}}}]}`}, map[string]int{"done": 2}},
		{"channel, bot, service message", 200, []string{`{"ok":true,"result":[
			{"update_id":3,"message":{"message_id":2,"date":1,"chat":{"id":-1,"type":"channel"},"text":"post"}},
			{"update_id":4,"message":{"message_id":2,"date":1,"chat":{"id":1,"type":"private"},"from":{"id":9,"is_bot":true,"first_name":"B"},"text":"beep"}},
			{"update_id":5,"message":{"message_id":2,"date":1,"chat":{"id":1,"type":"private"},"from":{"id":1,"first_name":"Ann"},"pinned_message":{}}}]}`}, map[string]int{"done": 1}},
		{"not an array", 200, []string{`{"ok":true,"result":{}}`}, map[string]int{"done": 1}},
		{"cut off", 200, []string{`{"ok":true,"result":[{"upda`}, map[string]int{"done": 1}},
		{"gateway", 502, []string{"<html>bot" + canary + "</html>", "<html>", "<html>"}, map[string]int{"done": 1}},
		{"refusal", 500, []string{`{"ok":false,"error_code":500,"description":"Internal: ` + canary + `"}`}, map[string]int{"done": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				var handled []string
				w.bot.Text(func(_ context.Context, req *Request) (View, error) {
					handled = append(handled, req.Text)
					return View{}, nil
				})
				w.feed(test.status, test.bodies...)
				w.start()
				time.Sleep(10 * time.Second)
				w.join(1).Type("later")
				w.idle()
				if len(handled) == 0 || handled[len(handled)-1] != "later" {
					t.Errorf("blocked: handled %v", handled)
				}
				if diff := cmp.Diff(test.want, w.inbox.states()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Failing polls are logged once, and so is the recovery.
func TestPollErrorsAreLoggedOnce(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault telegram.Fault
		line  string
	}{
		{"conflict", telegram.Fault{Code: 409}, "another program receives this bot's updates"},
		{"unauthorized", telegram.Fault{Code: 401}, "telegram rejects the token"},
		{"gateway", telegram.Fault{HTML: true}, "telegram request failed, retrying\" request=getUpdates"},
		{"cut", telegram.Fault{Cut: true}, "telegram request failed, retrying\" request=getUpdates"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				handled := 0
				w.bot.Text(func(context.Context, *Request) (View, error) { handled++; return View{}, nil })
				test.fault.Method, test.fault.Times = "getUpdates", 20
				w.telegram.Fault(test.fault)
				w.join(1).Type("hello")
				w.start()
				time.Sleep(20 * time.Second)
				if w.bot.Ready() == nil {
					t.Error("ready while polls fail")
				}
				time.Sleep(time.Hour)
				w.idle()
				if handled != 1 || w.bot.Ready() != nil {
					t.Errorf("handled %d, ready %v", handled, w.bot.Ready())
				}
				logs := w.logs.String()
				if strings.Count(logs, test.line) != 1 || strings.Count(logs, "telegram request recovered") != 1 || strings.Count(logs, "\n") != 2 {
					t.Errorf("log:\n%s", logs)
				}
				if w.observed("poll_failed") != 20 {
					t.Errorf("observed %d", w.observed("poll_failed"))
				}
			})
		})
	}
}

func TestPollObeysRetryAfter(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.telegram.Fault(telegram.Fault{Method: "getUpdates", RetryAfter: 100})
		w.start()
		time.Sleep(99 * time.Second)
		if n := len(w.calls("getUpdates")); n != 1 {
			t.Errorf("%d polls within the pause", n)
		}
		time.Sleep(time.Minute)
		if n := len(w.calls("getUpdates")); n < 2 {
			t.Error("never polled again")
		}
	})
}

// When memory is full, receiving goes on, and no update is lost.
func TestMemoryIsBounded(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		var mu sync.Mutex
		got, want := map[int64][]string{}, map[int64][]string{}
		w.bot.dispatcher.workers, w.bot.dispatcher.places = 2, 10
		w.bot.Command("n", func(ctx context.Context, req *Request) (View, error) {
			mu.Lock()
			got[req.Chat] = append(got[req.Chat], req.Args)
			mu.Unlock()
			return View{}, pause(ctx, 100*time.Millisecond)
		})
		for i := range 300 {
			chat := int64(1 + i%3)
			w.join(chat).Type(fmt.Sprint("/n ", i))
			want[chat] = append(want[chat], fmt.Sprint(i))
		}
		w.start()
		if n := w.telegram.Pending(); n > 100 {
			t.Errorf("%d updates are not received", n)
		}
		for range 20 {
			w.bot.dispatcher.mu.Lock()
			if n := w.bot.dispatcher.pending; n > 10+2 {
				t.Errorf("%d in memory", n)
			}
			w.bot.dispatcher.mu.Unlock()
			time.Sleep(time.Second)
		}
		w.idle()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if n := len(w.bot.dispatcher.chats); n != 0 || w.bot.dispatcher.running != [classes]int{} {
			t.Errorf("%d chats and %d workers kept while idle", n, w.bot.dispatcher.running)
		}
	})
}

// A finished update is not handled again if storing its repetition fails once.
func TestFinishedUpdateIsNotHandledAgain(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		handled := 0
		w.bot.Text(func(context.Context, *Request) (View, error) { handled++; return View{}, nil })
		w.start()
		w.join(1).Type("hello")
		w.idle()
		time.Sleep(time.Minute)
		for range 2 {
			w.inbox.mu.Lock()
			w.inbox.failStores = 1
			w.inbox.mu.Unlock()
			w.telegram.Redeliver(1)
			time.Sleep(time.Minute)
			w.telegram.Redeliver(1)
			time.Sleep(time.Minute)
		}
		w.idle()
		if handled != 1 {
			t.Errorf("handled %d times", handled)
		}
	})
}

// Telegram may restart its ids after a quiet week, so the offset is dropped after an
// empty poll.
func TestOffsetIsDroppedAfterEmptyPoll(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.start()
		w.join(1).Type("hello")
		time.Sleep(5 * time.Minute)
		var offsets []string
		for _, call := range w.calls("getUpdates")[:4] {
			offsets = append(offsets, call.Fields["offset"])
		}
		if diff := cmp.Diff([]string{"", "100002", "", ""}, offsets); diff != "" {
			t.Error(diff)
		}
	})
}
