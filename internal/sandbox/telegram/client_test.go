package telegram

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func TestHistoryAndTranscript(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	defer s.Close()
	ann := s.Join(Person{ID: annID, FirstName: "Ann"})
	tap := func(label, answer string, alert bool) {
		t.Helper()
		if err := ann.Tap(label); err != nil {
			t.Fatal(err)
		}
		must(t, s, "answerCallbackQuery", params{"callback_query_id": queryID(t, s, "callback_query"), "text": answer, "show_alert": alert})
	}
	ann.Type("/start")
	must(t, s, "sendMessage", params{
		"chat_id": annID, "parse_mode": "HTML",
		"text":                 "<b>Shop</b>\n\n<blockquote>Say\n<i>what</i></blockquote>\n<a href='https://a.example/x'>here</a> <tg-spoiler>s</tg-spoiler> <u>u</u> <s>d</s> <code>a@b.c</code>\n<pre>x</pre>",
		"link_preview_options": params{"show_above_text": true},
		"reply_markup": inlineKeyboard(
			row(callbackButton("🛍 Catalog", "c"), callbackButton("☆ Save", "s")),
			row(params{"text": "Copy", "copy_text": params{"text": "a\nb"}}, params{"text": "Site", "url": "https://a.example"}),
			row(params{"text": "Deep", "url": "https://t.me/sandbox_bot?start=p_5"}, params{"text": "App", "web_app": params{"url": "https://a.example"}}),
		),
	})
	tap("☆ Save", "Saved", false)
	tap("🛍 Catalog", "", false)
	must(t, s, "sendChatAction", params{"chat_id": annID, "action": "typing"})
	must(t, s, "sendChatAction", params{"chat_id": annID, "action": "typing"})
	for _, label := range []string{"Copy", "Site", "Deep"} {
		if err := ann.Tap(label); err != nil {
			t.Error(err)
		}
	}
	must(t, s, "editMessageText", params{"chat_id": annID, "message_id": 2, "text": "Closed", "reply_markup": inlineKeyboard(row(callbackButton("Buy", "b")))})
	tap("Buy", "No\nmoney", true)
	if err := ann.RepeatTap(); err != nil {
		t.Error(err)
	}
	ann.TapData(2, "x:1")
	ann.Sticker()
	got := serve(s, multipartRequest(t, "sendDocument", map[string]string{"chat_id": "7", "caption": "All 7"}, map[string][]byte{"document": []byte("1\n2\n3\n4\n5\n6\n7\n")}))
	if !got.OK {
		t.Error(got.Description)
	}
	must(t, s, "deleteMessage", params{"chat_id": annID, "message_id": 1})
	if err := ann.Delete(3); err != nil {
		t.Error(err)
	}
	ann.Block()
	ann.Unblock()

	const want = `#1 Ann: /start
#2 Bot: (preview: https://a.example/x)
   *Shop*

   > Say
   > _what_
   [here](https://a.example/x) ||s|| __u__ ~d~ ` + "`a@b.c`" + `
   ` + "```" + `
   x
   ` + "```" + `
   [ 🛍 Catalog ] [ ☆ Save ]
   [ Copy ⧉ a⏎b ] [ Site ↗ https://a.example ]
   [ Deep ↗ https://t.me/sandbox_bot?start=p_5 ] [ App (web_app) ]
Ann taps [ ☆ Save ] on #2 → toast: Saved
Ann taps [ 🛍 Catalog ] on #2
Bot … typing
Ann copies "a\nb"
Ann opens https://a.example
#3 Ann: /start p_5
#2 Bot edits: Closed
   [ Buy ]
Ann taps [ Buy ] on #2 → alert: No
   money
Ann sends the tap again on #2
Ann forges "x:1" on #2
#4 Ann: sticker 👋
#5 Bot: 📄 document.txt (14 bytes, text/plain)
   | 1
   | 2
   | 3
   | 4
   | 5
   | … 2 more
   All 7
Bot deletes #1
Ann deletes #3
Ann blocks the bot
Ann unblocks the bot
`
	if got := ann.History(); got != want {
		t.Errorf("history\n%s\nwant\n%s", got, want)
	}
	const now = `#2 Bot (edited): Closed
   [ Buy ]
#4 Ann: sticker 👋
#5 Bot: 📄 document.txt (14 bytes, text/plain)
   | 1
   | 2
   | 3
   | 4
   | 5
   | … 2 more
   All 7
`
	if got := ann.Transcript(); got != now {
		t.Errorf("transcript\n%s\nwant\n%s", got, now)
	}
	if got := ann.Toasts(); len(got) != 2 || got[0].Text != "Saved" || !got[1].Alert || len(ann.Answers()) != 3 {
		t.Errorf("toasts %+v of %+v", got, ann.Answers())
	}
}

func TestTapUpdates(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	if err := ann.Tap("Stop"); err == nil || !strings.Contains(err.Error(), `the newest buttons are "Go"`) {
		t.Errorf("tapped an unknown button: %v", err)
	}
	for _, err := range []error{ann.TapOn(3, "Go"), ann.TapOn(99, "Go"), ann.RepeatTap()} {
		if err == nil {
			t.Error("tapped an unknown button")
		}
	}
	getUpdates(t, s, params{"offset": firstUpdateID + 1})
	if err := ann.TapOn(1, "Go"); err != nil {
		t.Fatal(err)
	}
	if err := ann.RepeatTap(); err != nil {
		t.Fatal(err)
	}
	ann.TapData(99, "forged")
	ids, updates := getUpdates(t, s, nil)
	if len(ids) != 3 || ids[0] == ids[1] {
		t.Fatalf("updates %v", ids)
	}
	for i, want := range []string{`"data":"go"`, `"data":"go"`, `"message":{"chat":{"id":7,"type":"private","first_name":"Ann"},"message_id":99,"date":0}`} {
		if got := string(updates[i]["callback_query"]); !strings.Contains(got, want) {
			t.Errorf("update %d: %s", i, got)
		}
	}
	if string(updates[0]["callback_query"]) == string(updates[1]["callback_query"]) {
		t.Error("a repeated tap has the same callback id")
	}
}

// TestTapButtonOfOldMessage taps buttons that the app shows after an edit and a deletion.
func TestTapButtonOfOldMessage(t *testing.T) {
	s := New(Options{})
	t.Cleanup(s.Close)
	anna := s.Join(Person{ID: 42, FirstName: "Anna"})
	must(t, s, "sendMessage", params{"chat_id": 42, "text": "Choose", "reply_markup": inlineKeyboard(row(callbackButton("Red", "r"), callbackButton("Blue", "b")))})
	for _, c := range []struct {
		message int
		data    string
	}{{0, "b"}, {2, "b"}, {-1, "b"}, {1, ""}} {
		if err := anna.TapButton(c.message, c.data); err == nil {
			t.Errorf("%v was tapped", c)
		}
	}
	if err := anna.TapButton(1, "b"); err != nil {
		t.Fatal(err)
	}
	must(t, s, "editMessageText", params{"chat_id": 42, "message_id": 1, "text": "Thank you"})
	if err := anna.TapButton(1, "r"); err != nil {
		t.Fatal(err)
	}
	must(t, s, "deleteMessage", params{"chat_id": 42, "message_id": 1})
	if err := anna.TapButton(1, "b"); err != nil {
		t.Fatal(err)
	}
	history := anna.History()
	for _, want := range []string{"Anna taps [ Blue ] on #1\n", "Anna taps a button of before, \"r\" on #1\n", "Anna taps a button of before, \"b\" on #1\n"} {
		if !strings.Contains(history, want) {
			t.Errorf("the history lacks %q:\n%s", want, history)
		}
	}
	if got := s.Pending(); got != 3 {
		t.Errorf("the bot got %d taps, want 3", got)
	}
	anna.Block()
	if err := anna.TapButton(1, "b"); err == nil {
		t.Error("tapped while the bot is blocked")
	}
}

func TestBlockAndUnblock(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	ann.Block()
	ann.Block()
	if !ann.Blocked() || ann.Type("x") != 0 || ann.Sticker() != 0 || ann.Tap("Go") == nil {
		t.Error("wrote to a blocked bot")
	}
	for _, method := range []string{"sendMessage", "editMessageText", "deleteMessage", "sendChatAction", "sendDocument"} {
		wantRefusal(t, s, method, params{"chat_id": annID, "message_id": 1, "text": "x", "action": "typing", "document": "pretend-document-1"}.only(method), 403, "Forbidden: bot was blocked by the user")
	}
	ann.Unblock()
	must(t, s, "sendMessage", params{"chat_id": annID, "text": "back"})
	_, updates := getUpdates(t, s, params{"offset": firstUpdateID + 1})
	if len(updates) != 2 {
		t.Fatalf("%d updates, want 2", len(updates))
	}
	for i, status := range []string{`"status":"kicked","until_date":0`, `"status":"member"`} {
		got := string(updates[i]["my_chat_member"])
		_, after, _ := strings.Cut(got, `"new_chat_member":`)
		if !strings.Contains(strings.SplitAfter(after, "}}")[0], strings.Split(status, ",")[0]) {
			t.Errorf("update %d: %s", i, got)
		}
	}
}

func TestGroupPrivacyMode(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	defer s.Close()
	ann := s.Join(Person{ID: annID, FirstName: "Ann"})
	g := s.Group(-1001234567890, "Friends")
	if again := s.Group(-1001234567890, "Friends"); again.chat != g.chat {
		t.Error("Group made a second chat with the same id")
	}
	for _, text := range []string{"hello", "/start", "/start@sandbox_bot x", "/start@Sandbox_Bot", "/start@other_bot", "see /start", "secret-key"} {
		g.Type(ann, text)
	}
	_, updates := getUpdates(t, s, nil)
	var seen []string
	for _, u := range updates {
		var m Message
		switch {
		case u["my_chat_member"] != nil:
			seen = append(seen, "joined")
		default:
			_, text, _ := strings.Cut(string(u["message"]), `"text":"`)
			m.Text, _, _ = strings.Cut(text, `"`)
			seen = append(seen, m.Text)
			if !strings.Contains(string(u["message"]), `"chat":{"id":-1001234567890,"type":"supergroup","title":"Friends"}`) {
				t.Errorf("chat of %s", u["message"])
			}
		}
	}
	if got, want := strings.Join(seen, "|"), "joined|/start|/start@sandbox_bot x|/start@Sandbox_Bot"; got != want {
		t.Errorf("the bot saw %s, want %s", got, want)
	}
	must(t, s, "sendMessage", params{"chat_id": -1001234567890, "text": "come over"})
	wantRefusal(t, s, "deleteMessage", params{"chat_id": -1001234567890, "message_id": 1}, 400, "message can't be deleted")
	g.Remove(ann)
	g.Remove(ann)
	wantRefusal(t, s, "sendMessage", params{"chat_id": -1001234567890, "text": "x"}, 403, "Forbidden: bot was kicked from the supergroup chat")
	if !strings.HasSuffix(g.History(), "#8 Bot: come over\nAnn removes the bot\n") {
		t.Errorf("history\n%s", g.History())
	}
}

func TestEditAndDeleteByPerson(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	if err := ann.EditOwn(3, "changed"); err != nil {
		t.Error(err)
	}
	for _, err := range []error{ann.EditOwn(1, "x"), ann.EditOwn(99, "x"), ann.Delete(99)} {
		if err == nil {
			t.Error("changed a message that is not theirs or does not exist")
		}
	}
	if m, ok := ann.Message(3); !ok || m.Text != "changed" || m.EditDate.IsZero() {
		t.Errorf("message %+v", m)
	}
	if err := ann.Delete(1); err != nil {
		t.Error(err)
	}
	if m, ok := ann.Message(1); !ok || !m.Deleted {
		t.Errorf("message %+v", m)
	}
	wantRefusal(t, s, "editMessageText", params{"chat_id": annID, "message_id": 1, "text": "x"}, 400, "message to edit not found")
	if ann.Type("  \n") != 0 {
		t.Error("sent a blank text")
	}
	if renamed := s.Join(Person{ID: annID, FirstName: "Anna"}); renamed.chat != ann.chat || ann.Person().FirstName != "Anna" {
		t.Error("a second Join made a new chat")
	}
}

func TestAwaitAndSubscribe(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	changes, cancel := s.Subscribe()
	ann.Type("x")
	<-changes
	cancel()
	ann.Type("y")
	select {
	case <-changes:
		t.Error("got a change after cancel")
	default:
	}
	go ann.Type("z")
	if err := ann.Await(t.Context(), func(m []Message) bool { return m[len(m)-1].Text == "z" }); err != nil {
		t.Error(err)
	}
	if err := ann.Tap("Go"); err != nil {
		t.Fatal(err)
	}
	id := queryID(t, s, "callback_query")
	go call(t, s, "answerCallbackQuery", params{"callback_query_id": id, "text": "done"})
	if err := ann.AwaitAnswers(t.Context(), func(a []Answer) bool { return len(a) == 1 }); err != nil {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err := ann.Await(ctx, func([]Message) bool { return false })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "#4 Ann: x") {
		t.Errorf("Await returned %v", err)
	}
}

// TestConcurrentUse runs clients at once over real connections, for the race detector.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	web := httptest.NewServer(s)
	defer web.Close()
	defer s.Close()
	var clients sync.WaitGroup
	for id := range int64(8) {
		ann := s.Join(Person{ID: id + 1, FirstName: "P"})
		clients.Go(func() {
			for i := range 20 {
				ann.Type("hi")
				form := url.Values{"chat_id": {fmt.Sprint(id + 1)}, "text": {fmt.Sprint(i)}, "reply_markup": {`{"inline_keyboard":[[{"text":"Go","callback_data":"go"}]]}`}}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL+"/bot"+DefaultToken+"/sendMessage?"+form.Encode(), http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				res, err := web.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_ = res.Body.Close()
				if err := ann.Tap("Go"); err != nil {
					t.Error(err)
				}
				_, _, _ = ann.History(), s.Calls(), s.Pending()
			}
		})
	}
	clients.Wait()
	if s.Count("sendMessage") != 160 || s.Pending() != 320 {
		t.Errorf("%d messages, %d updates", s.Count("sendMessage"), s.Pending())
	}
}
