package bot

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
)

// echo says which handler got what.
func echo(what string) func(context.Context, *Request) (View, error) {
	return func(_ context.Context, req *Request) (View, error) {
		return View{Text: fmt.Sprintf("%s command=%q args=%q addressed=%v text=%q data=%q", what, req.Command, req.Args, req.Addressed, req.Text, req.Data)}, nil
	}
}

// Commands go to their handler, unknown ones and other text to Text.
func TestTypedOutsideOfDialogs(t *testing.T) {
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

// A dialog is stored by the update that opens it; the next text answers it;
// commands, taps and answers replace it, and Keep leaves it; it ends by itself.
func TestDialogs(t *testing.T) {
	type step struct {
		typed string // "tap" taps, "wait" lets an hour pass, "sticker" sends one
		want  string
	}
	const menu = `menu command="menu" args="" addressed=false text="/menu" data=""`
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"answered once", []step{{"/ask", "how many?"}, {"7", "took 7 for data"}, {"7", `text "7"`}}},
		{"bad answer asks again", []step{{"/ask", "how many?"}, {"bad", "not that"}, {"sticker", "not that"}, {"7", "took 7 for data"}}},
		{"one question after the other", []step{{"/ask", "how many?"}, {"more", "and now?"}, {"8", "took 8 for more data"}}},
		{"a command leaves it", []step{{"/ask", "how many?"}, {"/menu", menu}, {"7", `text "7"`}}},
		{"an unknown command leaves it", []step{{"/ask", "how many?"}, {"/none", `text "/none"`}, {"7", `text "7"`}}},
		{"a tap leaves it", []step{{"/ask", "how many?"}, {"tap", "tapped"}, {"7", `text "7"`}}},
		{"a tap opens one", []step{{"tap ask", "from a tap"}, {"7", "took 7 for tap data"}}},
		{"a tap keeps it", []step{{"/ask", "how many?"}, {"tap keep", "kept"}, {"7", "took 7 for data"}}},
		{"it ends", []step{{"/ask", "how many?"}, {"wait", ""}, {"7", `text "7"`}}},
		{"an error leaves it", []step{{"/ask", "how many?"}, {"fail", "error: no"}, {"7", `text "7"`}}},
		{"of another version", []step{{"/old", "old?"}, {"7", `text "7"`}, {"7", `text "7"`}}},
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

// In a group nothing happens but what the shop says to a command.
func TestGroup(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.hooks.Group = func(_ context.Context, req *Request) (View, bool) {
			return View{Text: "come to a private chat", Dialog: &Dialog{Step: "number", TTL: time.Hour}}, req.Addressed
		}
		greeted := 0
		w.hooks.Identify = func(context.Context, User, bool) (*locales.Localizer, error) { greeted++; return nil, nil }
		w.build()
		w.bot.Command("menu", echo("menu"))
		w.bot.Text(echo("text"))
		w.onTap(func(context.Context, *Request, numberArgs) (View, error) { return View{Text: "tapped"}, nil })
		w.start()
		group, ann := w.telegram.Group(-100, "Friends"), w.join(1)
		w.idle()
		greeted = 0
		group.Type(ann, "hello")
		group.Type(ann, "/menu")
		group.Type(ann, "/menu@sandbox_bot")
		group.Type(ann, "/menu@other_bot")
		w.idle()
		want := "#1 Ann: hello\n#2 Ann: /menu\n#3 Ann: /menu@sandbox_bot\n#4 Ann: /menu@other_bot\n#5 Bot: come to a private chat\n"
		if diff := cmp.Diff(want, group.Transcript()); diff != "" {
			t.Error(diff)
		}
		if greeted != 2 {
			t.Errorf("greeted %d times for two commands", greeted)
		}
		if n := len(w.inbox.rows); n != 2 {
			t.Errorf("%d updates stored for two commands", n)
		}
		if len(w.inbox.dialogs) != 0 {
			t.Errorf("dialogs %v", w.inbox.dialogs)
		}
	})
}

// Who is not allowed is neither greeted nor answered.
func TestNotAllowed(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.hooks.Allowed = func(u User) bool { return u.ID == 1 }
		w.hooks.Identify = func(_ context.Context, u User, _ bool) (*locales.Localizer, error) {
			if u.ID != 1 {
				t.Errorf("greeted %d", u.ID)
			}
			return nil, nil
		}
		w.build()
		w.bot.Text(func(context.Context, *Request) (View, error) { return View{Text: "hello"}, nil })
		w.start()
		ann, eve := w.join(1), w.join(2)
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

// A person who blocks the bot is unreachable, one who comes back is greeted.
func TestBlockAndUnblock(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		var log []string
		w.hooks.Unreachable = func(_ context.Context, id int64) { log = append(log, fmt.Sprint("unreachable ", id)) }
		w.hooks.Identify = func(_ context.Context, u User, _ bool) (*locales.Localizer, error) {
			log = append(log, fmt.Sprint("greet ", u.ID, " ", u.FirstName, " ", u.LanguageCode))
			return nil, nil
		}
		w.build()
		w.start()
		ann := w.join(1)
		ann.Block()
		w.idle()
		ann.Unblock()
		w.idle()
		if diff := cmp.Diff([]string{"unreachable 1", "greet 1 Ann en"}, log); diff != "" {
			t.Error(diff)
		}
	})
}

// Without a record of the person nothing is said, and the update is kept.
func TestGreetFails(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		broken := true
		w.hooks.Identify = func(context.Context, User, bool) (*locales.Localizer, error) {
			if broken {
				return nil, errInbox
			}
			return nil, nil
		}
		w.build()
		w.start()
		ann := w.join(1)
		ann.Type("hello")
		w.idle()
		if diff := cmp.Diff(map[string]int{"received": 1}, w.inbox.states()); diff != "" {
			t.Error(diff)
		}
		broken = false
		w.stop()
		w.build()
		w.bot.Text(echo("text"))
		w.start()
		w.idle()
		if !strings.Contains(ann.Last().Text, "hello") {
			t.Errorf("shows %q", ann.Last().Text)
		}
	})
}

// A key is deleted from the chat; that somebody was quicker is no error.
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
