package bot

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
)

// echo returns a handler that shows its name and its request.
func echo(name string) func(context.Context, *Request) (View, error) {
	return func(_ context.Context, req *Request) (View, error) {
		return View{Text: fmt.Sprintf("%s command=%q args=%q addressed=%v text=%q data=%q", name, req.Command, req.Args, req.Addressed, req.Text, req.Data)}, nil
	}
}

// Commands go to their handlers, unknown commands and other text to Text.
func TestTextOutsideDialogs(t *testing.T) {
	for text, want := range map[string]string{
		"/menu":               `menu command="menu" args="" addressed=false text="/menu" data=""`,
		"/menu@sandbox_bot x": `menu command="menu" args="x" addressed=true text="/menu@sandbox_bot x" data=""`,
		"/menu@SANDBOX_BOT":   `menu command="menu" args="" addressed=true text="/menu@SANDBOX_BOT" data=""`,
		"/menu@other_bot":     `text command="" args="" addressed=false text="/menu@other_bot" data=""`,
		"/none x":             `text command="none" args="x" addressed=false text="/none x" data=""`,
		"hello":               `text command="" args="" addressed=false text="hello" data=""`,
		"":                    `text command="" args="" addressed=false text="" data=""`,
	} {
		t.Run(text, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				w.bot.Command("menu", echo("menu"))
				w.bot.Text(echo("text"))
				w.start()
				ann := w.join(1)
				if text == "" {
					ann.Sticker()
				} else {
					ann.Type(text)
				}
				w.idle()
				if diff := cmp.Diff(want, ann.Last().Text); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// The next text answers a dialog. Commands, taps and answers replace it, KeepDialog
// keeps it, and it expires.
func TestDialogs(t *testing.T) {
	type step struct {
		typed string // or an action: "tap", "tap ask", "tap keep", "wait" (an hour), "sticker"
		want  string
	}
	const menu = `menu command="menu" args="" addressed=false text="/menu" data=""`
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"answered once", []step{{"/ask", "how many?"}, {"7", "took 7 for data"}, {"7", `text "7"`}}},
		{"bad answer asks again", []step{{"/ask", "how many?"}, {"bad", "not that"}, {"sticker", "not that"}, {"7", "took 7 for data"}}},
		{"an answer opens the next dialog", []step{{"/ask", "how many?"}, {"more", "and now?"}, {"8", "took 8 for more data"}}},
		{"a command ends it", []step{{"/ask", "how many?"}, {"/menu", menu}, {"7", `text "7"`}}},
		{"an unknown command ends it", []step{{"/ask", "how many?"}, {"/none", `text "/none"`}, {"7", `text "7"`}}},
		{"a tap ends it", []step{{"/ask", "how many?"}, {"tap", "tapped"}, {"7", `text "7"`}}},
		{"a tap opens one", []step{{"tap ask", "from a tap"}, {"7", "took 7 for tap data"}}},
		{"a tap keeps it", []step{{"/ask", "how many?"}, {"tap keep", "kept"}, {"7", "took 7 for data"}}},
		{"it expires", []step{{"/ask", "how many?"}, {"wait", ""}, {"7", `text "7"`}}},
		{"an error ends it", []step{{"/ask", "how many?"}, {"fail", "error: no"}, {"7", `text "7"`}}},
		{"a step that does not exist", []step{{"/old", "old?"}, {"7", `text "7"`}, {"7", `text "7"`}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				dialog := func(data string) *Dialog { return &Dialog{Step: "number", Data: data, TTL: time.Hour} }
				w.bot.Command("menu", echo("menu"))
				w.bot.Command("ask", func(context.Context, *Request) (View, error) {
					return View{Text: "how many?", Dialog: dialog("data")}, nil
				})
				w.bot.Command("old", func(context.Context, *Request) (View, error) {
					return View{Text: "old?", Dialog: &Dialog{Step: "gone", TTL: time.Hour}}, nil
				})
				w.bot.Step("number", func(_ context.Context, req *Request) (View, error) {
					switch req.Text {
					case "bad", "":
						return View{Text: "not that", KeepDialog: true}, nil
					case "more":
						return View{Text: "and now?", Dialog: dialog("more data")}, nil
					case "fail":
						return View{}, fmt.Errorf("no")
					}
					return View{Text: "took " + req.Text + " for " + req.Data}, nil
				})
				w.bot.Text(func(_ context.Context, req *Request) (View, error) {
					return View{Text: fmt.Sprintf("text %q", req.Text)}, nil
				})
				w.onTap(func(_ context.Context, _ *Request, args numberArgs) (View, error) {
					switch args.N {
					case 1:
						return View{Text: "from a tap", AsNewMessage: true, Dialog: dialog("tap data")}, nil
					case 2:
						return View{Text: "kept", AsNewMessage: true, KeepDialog: true}, nil
					}
					return View{Text: "tapped", AsNewMessage: true}, nil
				})
				w.start()
				ann := w.join(1)
				message := w.showButtons(1, tapButton(0))
				for _, step := range test.steps {
					switch step.typed {
					case "tap":
						tapOn(t, ann, message, "tap")
					case "tap ask":
						ann.TapData(message, tapRoute.Data(numberArgs{N: 1}))
					case "tap keep":
						ann.TapData(message, tapRoute.Data(numberArgs{N: 2}))
					case "wait":
						time.Sleep(time.Hour)
						continue
					case "sticker":
						ann.Sticker()
					default:
						ann.Type(step.typed)
					}
					w.idle()
					if got := ann.Last().Text; got != step.want {
						t.Fatalf("after %q: %q, want %q", step.typed, got, step.want)
					}
				}
			})
		})
	}
}

// In a group only commands that may be meant for this bot are handled, by Hooks.Group.
func TestGroupCommands(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.hooks.Group = func(_ context.Context, req *Request) (View, bool) {
			return View{Text: "write in private", Dialog: &Dialog{Step: "number", TTL: time.Hour}}, req.Addressed
		}
		identified := 0
		w.hooks.Identify = func(context.Context, User, bool) (*locales.Localizer, error) { identified++; return nil, nil }
		w.build()
		w.bot.Command("menu", echo("menu"))
		w.bot.Text(echo("text"))
		w.onTap(func(context.Context, *Request, numberArgs) (View, error) { return View{Text: "tapped"}, nil })
		w.start()
		group, ann := w.telegram.Group(-100, "Friends"), w.join(1)
		w.idle()
		identified = 0
		group.Type(ann, "hello")
		group.Type(ann, "/menu")
		group.Type(ann, "/menu@sandbox_bot")
		group.Type(ann, "/menu@other_bot")
		w.idle()
		want := "#1 Ann: hello\n#2 Ann: /menu\n#3 Ann: /menu@sandbox_bot\n#4 Ann: /menu@other_bot\n#5 Bot: write in private\n"
		if diff := cmp.Diff(want, group.Transcript()); diff != "" {
			t.Error(diff)
		}
		if identified != 1 {
			t.Errorf("%d people recorded for one command that names the bot", identified)
		}
		if n := len(w.inbox.rows); n != 2 {
			t.Errorf("%d updates stored for two commands", n)
		}
		if len(w.inbox.dialogs) != 0 {
			t.Errorf("dialogs %v", w.inbox.dialogs)
		}
	})
}

// A person who is not allowed is neither identified nor answered.
func TestNotAllowedPersonIsIgnored(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.hooks.Allowed = func(u User) bool { return u.ID == 1 }
		w.hooks.Identify = func(_ context.Context, u User, _ bool) (*locales.Localizer, error) {
			if u.ID != 1 {
				t.Errorf("identified %d", u.ID)
			}
			return nil, nil
		}
		w.hooks.Inline = echoInline
		w.hooks.Group = func(context.Context, *Request) (View, bool) { return View{Text: "hello"}, true }
		w.build()
		w.bot.Text(func(context.Context, *Request) (View, error) { return View{Text: "hello"}, nil })
		w.start()
		ann, eve, group := w.join(1), w.join(2), w.telegram.Group(-100, "Friends")
		group.Type(eve, "/start@sandbox_bot")
		eve.Inline("gmail")
		w.idle()
		if _, answered := eve.InlineAnswer(); answered || group.Last().FromBot {
			t.Errorf("Eve is answered inline (%v) or in the group:\n%s", answered, group.Transcript())
		}
		ann.Type("hi")
		eve.Type("hi")
		eve.TapData(1, "t:1")
		eve.Block()
		eve.Unblock()
		w.idle()
		if len(ann.Messages()) != 2 || len(eve.Messages()) != 1 {
			t.Errorf("Ann sees\n%sEve sees\n%s", ann.Transcript(), eve.Transcript())
		}
	})
}

// Blocking the bot calls Hooks.Unreachable, unblocking it calls Hooks.Identify.
func TestBlockAndUnblock(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		var log []string
		w.hooks.Unreachable = func(_ context.Context, id int64) { log = append(log, fmt.Sprint("unreachable ", id)) }
		w.hooks.Identify = func(_ context.Context, u User, _ bool) (*locales.Localizer, error) {
			log = append(log, fmt.Sprint("identified ", u.ID, " ", u.FirstName, " ", u.LanguageCode))
			return nil, nil
		}
		w.build()
		w.start()
		ann := w.join(1)
		ann.Block()
		w.idle()
		ann.Unblock()
		w.idle()
		if diff := cmp.Diff([]string{"unreachable 1", "identified 1 Ann en"}, log); diff != "" {
			t.Error(diff)
		}
	})
}

// If the person can't be identified, the update is handled again in a while, before the
// next ones of the chat, or by the next process.
func TestIdentifyFails(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
			var broken atomic.Bool
			broken.Store(true)
			w.hooks.Identify = func(context.Context, User, bool) (*locales.Localizer, error) {
				if broken.Load() {
					return nil, errInbox
				}
				return nil, nil
			}
			w.build()
			w.bot.Text(echo("text"))
			w.bot.Command("second", echo("command"))
			w.start()
			ann := w.join(1)
			ann.Type("hello")
			ann.Type("/second")
			time.Sleep(time.Minute)
			if diff := cmp.Diff(map[string]int{"received": 2}, w.inbox.states()); diff != "" {
				t.Error(diff)
			}
			if restarted {
				w.stop()
				w.build()
				w.bot.Text(echo("text"))
				w.bot.Command("second", echo("command"))
				w.start()
			}
			broken.Store(false)
			w.idle()
			said := ann.Transcript()
			if first, second := strings.Index(said, "Bot: text"), strings.Index(said, "Bot: command"); first < 0 || second < first {
				t.Errorf("restarted %v: the person saw %q", restarted, said)
			}
			if diff := cmp.Diff(map[string]int{"done": 2}, w.inbox.states()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Deleting a message that was deleted before is no error.
func TestDelete(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.bot.Text(func(ctx context.Context, req *Request) (View, error) {
			for range 2 {
				if err := req.Delete(ctx); err != nil {
					return View{}, err
				}
			}
			return View{Text: "gone"}, nil
		})
		w.telegram.Fault(telegram.Fault{Method: "deleteMessage", LoseAnswer: true})
		w.start()
		ann := w.join(1)
		ann.Type("my key")
		w.idle()
		if diff := cmp.Diff("#2 Bot: gone\n", ann.Transcript()); diff != "" {
			t.Error(diff)
		}
	})
}
