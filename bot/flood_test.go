package bot

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/telegram"
)

const floodAdmin = 99

var (
	deedRoute = route.New[struct{}]("deed")
	fileRoute = route.New[struct{}]("file")
)

// floods are what one account or one group may send 10,000 times.
var floods = map[string]func(w *world, n int){
	"texts":    func(w *world, n int) { w.join(1).Type(fmt.Sprint("hello ", n)) },
	"commands": func(w *world, _ int) { w.join(1).Type("/menu") },
	"taps of one message": func(w *world, n int) {
		w.join(1).TapData(1, tapRoute.Data(numberArgs{N: int64(n)}))
	},
	"taps of many messages": func(w *world, n int) {
		w.join(1).TapData(1+n%1000, tapRoute.Data(numberArgs{N: int64(n)}))
	},
	"deeds":               func(w *world, _ int) { w.join(1).TapData(1, "deed") },
	"commands in a group": func(w *world, _ int) { w.telegram.Group(-100, "Friends").Type(w.join(1), "/menu@sandbox_bot") },
}

// inFlood runs a test with a bot whose calls to Telegram take 60 ms.
func inFlood(t *testing.T, test func(t *testing.T, w *world)) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.cfg.Rate = 30
		w.hooks.Urgent = func(user int64) bool { return user == floodAdmin }
		w.hooks.Group = func(context.Context, *Request) (View, bool) { return View{Text: "write in private"}, true }
		w.buildShop()
		w.telegram.Fault(telegram.Fault{Times: telegram.Always, Delay: 60 * time.Millisecond})
		test(t, w)
	})
}

// buildShop creates a bot with a screen, a deed, a command and texts.
func (w *world) buildShop() {
	w.build()
	w.onTap(func(_ context.Context, _ *Request, args numberArgs) (View, error) {
		return View{Text: fmt.Sprint("screen ", args.N)}, nil
	})
	Action(w.bot, deedRoute, func(context.Context, *Request, struct{}) (View, error) {
		w.observe("deed")
		return View{Toast: "done"}, nil
	}, nil)
	w.bot.Command("menu", echo("menu"))
	w.bot.Text(echo("text"))
}

// checkServed fails the test unless the taps of another person and the commands of an
// admin are answered within a second.
func (w *world) checkServed(when string) {
	w.t.Helper()
	ann, admin := w.join(2), w.join(floodAdmin)
	message := w.showButtons(2, tapButton(1), tapButton(2))
	for n := range int64(20) {
		ann.TapData(message, tapRoute.Data(numberArgs{N: n}))
		admin.Type("/menu")
		before := len(admin.Messages())
		time.Sleep(time.Second)
		synctest.Wait()
		if m, _ := ann.Message(message); m.Text != fmt.Sprint("screen ", n) {
			w.t.Errorf("%s: a tap of another person is not drawn after a second: %q", when, m.Text)
			return
		}
		if len(admin.Messages()) == before {
			w.t.Errorf("%s: a command of an admin is not answered after a second", when)
			return
		}
		time.Sleep(time.Second)
	}
}

// One account or one group that sends 10,000 updates does not delay other people, while
// it sends, afterwards, and after a restart.
func TestFloodDoesNotDelayOthers(t *testing.T) {
	for name, flood := range floods {
		t.Run(name, func(t *testing.T) {
			inFlood(t, func(t *testing.T, w *world) {
				w.start()
				for n := range 10_000 {
					flood(w, n)
				}
				w.checkServed("during the flood")
				w.bot.dispatcher.mu.Lock()
				if n := w.bot.dispatcher.pending; n > maxChatPending+4 {
					t.Errorf("%d updates of one chat are in memory", n)
				}
				w.bot.dispatcher.mu.Unlock()
				for n := range 10_000 {
					flood(w, n)
				}
				synctest.Wait()
				w.stop()
				w.buildShop()
				w.start()
				w.checkServed("after a restart")
			})
		})
	}
}

// A flood of 3,000 accounts that send three commands each before the start does not delay
// a new person.
func TestNewChatsAreServedBeforeTheBacklog(t *testing.T) {
	inFlood(t, func(t *testing.T, w *world) {
		for n := range int64(9000) {
			w.join(1000 + n%3000).Type("/menu")
		}
		w.start()
		time.Sleep(100 * time.Millisecond)
		w.stop()
		w.buildShop()
		w.start()
		if n := w.inbox.states()["received"]; n < 8000 {
			t.Fatalf("the backlog is only %d", n)
		}
		ann := w.join(2)
		message := w.showButtons(2, tapButton(1))
		time.Sleep(time.Second)
		ann.TapData(message, tapRoute.Data(numberArgs{N: 7}))
		time.Sleep(time.Second)
		synctest.Wait()
		if m, _ := ann.Message(message); m.Text != "screen 7" {
			t.Error("a tap is not drawn after a second")
		}
	})
}

// People who wait for a hanging marketplace do not take the workers of the others.
func TestHangingHandlersDoNotTakeAllWorkers(t *testing.T) {
	inFlood(t, func(t *testing.T, w *world) {
		w.bot.Command("hang", func(ctx context.Context, _ *Request) (View, error) {
			return View{}, pause(ctx, 15*time.Second)
		})
		w.start()
		time.Sleep(time.Second)
		for n := range int64(600) {
			w.join(1000 + n).Type("/hang")
		}
		synctest.Wait()
		ann := w.join(2)
		ann.Type("/menu")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !strings.HasPrefix(ann.Last().Text, "menu") {
			t.Errorf("a command is not answered after two seconds: %s", ann.Transcript())
		}
	})
}

// Of the taps of one message that only draw, the newest is handled; every tap is
// answered and done. A deed is never skipped.
func TestOnlyTheNewestTapOfAMessageIsHandled(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		var handled []string
		w.onTap(func(_ context.Context, req *Request, _ numberArgs) (View, error) {
			handled = append(handled, fmt.Sprint(req.MessageID, " ", req.CallbackData))
			return View{}, nil
		})
		MessageScreen(w.bot, fileRoute, func(_ context.Context, req *Request, _ struct{}) (View, error) {
			handled = append(handled, fmt.Sprint(req.MessageID, " ", req.CallbackData))
			return View{}, nil
		})
		Action(w.bot, deedRoute, func(_ context.Context, req *Request, _ struct{}) (View, error) {
			handled = append(handled, fmt.Sprint(req.MessageID, " ", req.CallbackData))
			return View{}, nil
		}, nil)
		w.bot.Command("menu", func(context.Context, *Request) (View, error) {
			handled = append(handled, "/menu")
			return View{}, nil
		})
		ann := w.join(1)
		first, second := w.showButtons(1, tapButton(1)), w.showButtons(1, tapButton(1))
		tap := func(message int, data string) { ann.TapData(message, data) }
		tap(first, "t:1")
		ann.Type("/menu")
		tap(first, "t:2")
		tap(first, "deed")
		tap(second, "t:3")
		tap(first, "file")
		tap(first, "deed")
		tap(first, "t:4")
		tap(second, "t:5")
		tap(first, "t:6")
		tap(first, "file")
		w.start()
		w.idle()
		want := []string{"1 t:1", "/menu", "1 deed", "1 file", "1 deed", "2 t:5", "1 t:6", "1 file"}
		if diff := cmp.Diff(want, handled); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]int{"done": 11}, w.inbox.states()); diff != "" {
			t.Error(diff)
		}
		if n := len(ann.Answers()); n != 10 {
			t.Errorf("%d of 10 taps are answered", n)
		}
	})
}

// Of sixty forwarded texts the last is answered. Commands, answers in a dialog and what
// Hooks.Keep names are never skipped, in memory or in the inbox.
func TestOnlyTheLastOfConsecutiveTextsIsAnswered(t *testing.T) {
	for _, test := range []struct {
		name  string
		texts []string
		want  []string
	}{
		{"texts", []string{"a", "b", "c"}, []string{"c"}},
		{"sixty", strings.Fields(strings.Repeat("a ", 59) + "last"), []string{"last"}},
		{"hundreds", strings.Fields(strings.Repeat("a ", 999) + "last"), []string{"last"}},
		{"a command between", []string{"a", "b", "/menu", "c", "d"}, []string{"b", "/menu", "d"}},
		{"commands", []string{"/menu", "/menu"}, []string{"/menu", "/menu"}},
		{"a dialog", []string{"/ask", "a", "b", "c"}, []string{"/ask", "answer a", "c"}},
		{"a dialog behind texts", []string{"x", "y", "/ask", "a", "/menu"}, []string{"y", "/ask", "answer a", "/menu"}},
		{"kept", []string{"a", "secret 1", "secret 2", "b", "c"}, []string{"a", "secret 1", "secret 2", "c"}},
	} {
		for _, places := range []int{maxPending, 2} {
			t.Run(fmt.Sprint(test.name, " with ", places, " places"), func(t *testing.T) {
				inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
					w.hooks.Keep = func(text string) bool { return strings.HasPrefix(text, "secret") }
					w.build()
					w.bot.dispatcher.places = places
					var handled []string
					note := func(_ context.Context, req *Request) (View, error) {
						handled = append(handled, req.Text)
						return View{}, nil
					}
					w.bot.Text(note)
					w.bot.Command("menu", note)
					w.bot.Command("ask", func(_ context.Context, req *Request) (View, error) {
						handled = append(handled, req.Text)
						return View{Dialog: &Dialog{Step: "answer", TTL: time.Hour}}, nil
					})
					w.bot.Step("answer", func(_ context.Context, req *Request) (View, error) {
						handled = append(handled, "answer "+req.Text)
						return View{}, nil
					})
					for _, text := range test.texts {
						w.join(1).Type(text)
					}
					// The first batch is stored in one piece, as after a restart.
					w.start()
					w.idle()
					if len(test.texts) > pollLimit { // the first text of the first batch may be answered
						handled = handled[len(handled)-1:]
					}
					if diff := cmp.Diff(test.want, handled); diff != "" {
						t.Error(diff)
					}
					if diff := cmp.Diff(map[string]int{"done": len(test.texts)}, w.inbox.states()); diff != "" {
						t.Error(diff)
					}
				})
			})
		}
	}
}

// Order holds within each chat when its updates are in memory, in the inbox, and left by
// an earlier process, also if reading the inbox fails.
func TestOrderHoldsInTheBacklog(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		var mu sync.Mutex
		got, want := map[int64][]string{}, map[int64][]string{}
		run := func() {
			w.build()
			w.bot.dispatcher.places, w.bot.dispatcher.workers = 40, 5
			w.bot.Command("n", func(ctx context.Context, req *Request) (View, error) {
				if err := pause(ctx, 10*time.Millisecond); err != nil {
					return View{}, err
				}
				mu.Lock()
				defer mu.Unlock()
				got[req.Chat] = append(got[req.Chat], req.Args)
				return View{}, nil
			})
			w.start()
		}
		send := func(from, to int) {
			for i := from; i < to; i++ {
				for chat := range int64(12) {
					w.join(chat + 1).Type(fmt.Sprint("/n ", i))
					want[chat+1] = append(want[chat+1], fmt.Sprint(i))
				}
			}
		}
		run()
		send(0, 50)
		time.Sleep(100 * time.Millisecond)
		w.stop()
		send(50, 100)
		w.inbox.failReads = 3
		run()
		time.Sleep(time.Second)
		send(100, 150)
		w.idle()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// Of a group's commands only so many are answered in a minute; the others are done.
func TestGroupCommandsAreLimited(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		answered := 0
		w.hooks.Group = func(context.Context, *Request) (View, bool) { answered++; return View{}, false }
		w.start()
		for range 200 {
			w.telegram.Group(-100, "Friends").Type(w.join(1), "/menu@sandbox_bot")
		}
		w.idle()
		if answered != groupCommands || w.inbox.states()["done"] != 200 {
			t.Errorf("%d answered, %v", answered, w.inbox.states())
		}
		time.Sleep(time.Minute)
		w.telegram.Group(-100, "Friends").Type(w.join(1), "/menu@sandbox_bot")
		w.idle()
		if answered != groupCommands+1 {
			t.Error("no command is answered in the next minute")
		}
	})
}
