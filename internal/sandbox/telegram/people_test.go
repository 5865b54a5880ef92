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
	"testing/synctest"
	"time"
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
		must(t, s, "answerCallbackQuery", params{"callback_query_id": callbackID(t, s), "text": answer, "show_alert": alert})
	}
	ann.Type("/start")
	must(t, s, "sendMessage", params{
		"chat_id": annID, "parse_mode": "HTML",
		"text":                 "<b>Shop</b>\n\n<blockquote>Say\n<i>what</i></blockquote>\n<a href='https://a.example/x'>here</a> <tg-spoiler>s</tg-spoiler> <u>u</u> <s>d</s> <code>a@b.c</code>\n<pre>x</pre>",
		"link_preview_options": params{"show_above_text": true},
		"reply_markup": keyboardOf(
			row(callback("🛍 Catalog", "c"), callback("☆ Save", "s")),
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
	must(t, s, "editMessageText", params{"chat_id": annID, "message_id": 2, "text": "Closed", "reply_markup": keyboardOf(row(callback("Buy", "b")))})
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

func TestTaps(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	if err := ann.Tap("Stop"); err == nil || !strings.Contains(err.Error(), `the newest buttons are "Go"`) {
		t.Errorf("a button that is not there: %v", err)
	}
	for _, err := range []error{ann.TapOn(3, "Go"), ann.TapOn(99, "Go"), ann.RepeatTap()} {
		if err == nil {
			t.Error("tapped what is not there")
		}
	}
	pollIDs(t, s, params{"offset": firstUpdateID + 1})
	if err := ann.TapOn(1, "Go"); err != nil {
		t.Fatal(err)
	}
	if err := ann.RepeatTap(); err != nil {
		t.Fatal(err)
	}
	ann.TapData(99, "forged")
	ids, updates := pollIDs(t, s, nil)
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

func TestBlocking(t *testing.T) {
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
	_, updates := pollIDs(t, s, params{"offset": firstUpdateID + 1})
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

// only leaves what the method takes.
func (p params) only(method string) params {
	kept := params{}
	for name, v := range p {
		if tables().method(method).table.fields[name] != nil {
			kept[name] = v
		}
	}
	return kept
}

func TestGroups(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	defer s.Close()
	ann := s.Join(Person{ID: annID, FirstName: "Ann"})
	g := s.Group(-1001234567890, "Friends")
	if again := s.Group(-1001234567890, "Friends"); again.chat != g.chat {
		t.Error("the group is made twice")
	}
	for _, text := range []string{"hello", "/start", "/start@sandbox_bot x", "/start@Sandbox_Bot", "/start@other_bot", "see /start", "secret-key"} {
		g.Type(ann, text)
	}
	_, updates := pollIDs(t, s, nil)
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

func TestOwnMessages(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	if err := ann.EditOwn(3, "changed"); err != nil {
		t.Error(err)
	}
	for _, err := range []error{ann.EditOwn(1, "x"), ann.EditOwn(99, "x"), ann.Delete(99)} {
		if err == nil {
			t.Error("changed what is not theirs")
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
		t.Error("sent nothing")
	}
	if renamed := s.Join(Person{ID: annID, FirstName: "Anna"}); renamed.chat != ann.chat || ann.Person().FirstName != "Anna" {
		t.Error("joining again is another chat")
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ann := withText(t, Options{})
		send := func() answer { return call(t, s, "sendMessage", params{"chat_id": annID, "text": "x"}) }
		sent := func() int { return len(ann.Messages()) }
		for _, c := range []struct {
			fault Fault
			code  int
			words string
			lost  bool
			done  bool
		}{
			{Fault{Method: "sendMessage", RetryAfter: 7}, 429, "Too Many Requests: retry after 7", false, false},
			{Fault{Method: "sendMessage", Code: 429}, 429, "Too Many Requests: retry after 1", false, false},
			{Fault{Code: 403}, 403, "Forbidden: bot was blocked by the user", false, false},
			{Fault{Code: 500}, 500, "Internal Server Error", false, false},
			{Fault{Code: 400, Description: "Bad Request: words"}, 400, "Bad Request: words", false, false},
			{Fault{Method: "sendMessage", Chat: annID, LoseAnswer: true}, 0, "", true, true},
			{Fault{Cut: true}, 0, "", true, false},
			{Fault{HTML: true}, 0, "", false, false},
			{Fault{Delay: time.Minute}, 0, "", false, true},
			{Fault{Method: "sendMessage", Chat: 8, Code: 400}, 0, "", false, true}, // another chat's
			{Fault{Method: "getMe", Code: 400}, 0, "", false, true},
		} {
			s.ClearFaults()
			s.Fault(c.fault)
			before, began := sent(), time.Now()
			got := send()
			if got.Code != c.code || got.Description != c.words || got.Lost != c.lost || (sent() > before) != c.done {
				t.Errorf("%+v: got %+v, done %v", c.fault, got, sent() > before)
			}
			if c.fault.HTML && (got.HTTP != http.StatusBadGateway || !strings.Contains(got.Body, "<html>")) {
				t.Errorf("%+v: got %d %s", c.fault, got.HTTP, got.Body)
			}
			if took := time.Since(began); took != c.fault.Delay {
				t.Errorf("%+v: took %v", c.fault, took)
			}
			if len(s.Faults()) == 0 {
				if again := send(); !again.OK {
					t.Errorf("%+v: comes twice: %+v", c.fault, again)
				}
			}
		}
		s.ClearFaults()
		s.Fault(Fault{Code: 500, Times: Always})
		for range 3 {
			if send().OK {
				t.Error("not always")
			}
		}
		if ids, _ := pollIDs(t, s, nil); len(ids) != 1 {
			t.Errorf("a fault of any method hit getUpdates: %v", ids)
		}
		s.ClearFaults()
		if !send().OK {
			t.Error("still faulty")
		}
	})
}

// A lost answer is a broken connection to a real client, which must not repeat it.
func TestLostAnswerOverHTTP(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	web := httptest.NewServer(s)
	defer web.Close()
	s.Fault(Fault{Method: "sendMessage", LoseAnswer: true})
	body := strings.NewReader("chat_id=7&text=lost")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL+"/bot"+DefaultToken+"/sendMessage", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if res, err := web.Client().Do(r); err == nil {
		_ = res.Body.Close()
		t.Errorf("answered: %s", res.Status)
	}
	if got := ann.Last().Text; got != "lost" || s.Count("sendMessage") != 2 {
		t.Errorf("last message %q after %d calls", got, s.Count("sendMessage"))
	}
}

func TestCallLog(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	s.Join(Person{ID: annID, FirstName: "Ann"})
	s.Fault(Fault{Method: "sendMessage", LoseAnswer: true})
	call(t, s, "sendMessage", params{"chat_id": annID, "text": "x"})
	call(t, s, "sendMessage", params{"chat_id": 8, "text": "x"})
	call(t, s, "getYou", nil)
	calls := s.Calls()
	if len(calls) != 3 || s.Count("sendMessage") != 2 || s.Count("") != 3 || len(s.CallsAfter(2)) != 1 {
		t.Fatalf("calls %+v", calls)
	}
	if c := calls[0]; !c.OK || c.Fault != "lose_answer" || c.Fields["text"] != "x" || c.Number != 1 {
		t.Errorf("lost: %+v", c)
	}
	if c := calls[1]; c.OK || c.Code != 400 || c.Description != "Bad Request: chat not found" {
		t.Errorf("refused: %+v", c)
	}
	if c := calls[2]; c.Method != "getYou" || c.Code != 404 {
		t.Errorf("unknown: %+v", c)
	}
	quiet := New(Options{NoLog: true})
	ann := quiet.Join(Person{ID: annID, FirstName: "Ann"})
	for range maxCalls + 5 {
		call(t, s, "getMe", nil)
	}
	must(t, quiet, "sendMessage", params{"chat_id": annID, "text": "x"})
	if len(quiet.Calls()) != 0 || quiet.Count("sendMessage") != 1 || ann.History() != "" || ann.Last().Text != "x" {
		t.Error("NoLog keeps a log, or forgets messages")
	}
	if calls := s.Calls(); len(calls) != maxCalls || calls[0].Number != 9 || calls[maxCalls-1].Number != maxCalls+8 {
		t.Errorf("%d calls kept, from %d", len(calls), calls[0].Number)
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
		t.Error("a change after cancel")
	default:
	}
	go ann.Type("z")
	if err := ann.Await(t.Context(), func(m []Message) bool { return m[len(m)-1].Text == "z" }); err != nil {
		t.Error(err)
	}
	if err := ann.Tap("Go"); err != nil {
		t.Fatal(err)
	}
	id := callbackID(t, s)
	go call(t, s, "answerCallbackQuery", params{"callback_query_id": id, "text": "done"})
	if err := ann.AwaitAnswers(t.Context(), func(a []Answer) bool { return len(a) == 1 }); err != nil {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err := ann.Await(ctx, func([]Message) bool { return false })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "#4 Ann: x") {
		t.Errorf("gave up with %v", err)
	}
}

// Many at once, over real connections: for the race detector.
func TestCrowd(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	web := httptest.NewServer(s)
	defer web.Close()
	defer s.Close()
	var crowd sync.WaitGroup
	for id := range int64(8) {
		ann := s.Join(Person{ID: id + 1, FirstName: "P"})
		crowd.Go(func() {
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
	crowd.Wait()
	if s.Count("sendMessage") != 160 || s.Pending() != 320 {
		t.Errorf("%d messages, %d updates", s.Count("sendMessage"), s.Pending())
	}
}

func TestDescribedBot(t *testing.T) {
	t.Parallel()
	s := New(Options{Username: "my_bot", Name: "My"})
	ann := s.Join(Person{ID: annID, LanguageCode: "pt-br"})
	if got := ann.Commands(); got != nil {
		t.Errorf("commands %v", got)
	}
	set := func(command, lang string, scope params) {
		must(t, s, "setMyCommands", params{"commands": []params{{"command": command, "description": "x"}}, "language_code": lang, "scope": scope})
	}
	sees := func(want string) {
		t.Helper()
		if got := ann.Commands(); len(got) != 1 || got[0].Command != want {
			t.Errorf("sees %v, want %s", got, want)
		}
	}
	set("everybody", "", params{"type": "default"})
	sees("everybody")
	set("portuguese", "pt", params{"type": "default"})
	sees("portuguese")
	set("private", "", params{"type": "all_private_chats"})
	sees("private")
	set("admin", "", params{"type": "chat", "chat_id": annID})
	sees("admin")
	if got := s.Commands("chat:7", ""); len(got) != 1 || len(s.Commands("", "pt")) != 1 || len(s.Commands("", "de")) != 0 {
		t.Errorf("commands of the chat: %v", got)
	}
	must(t, s, "deleteMyCommands", params{"scope": params{"type": "chat", "chat_id": annID}})
	sees("private")
	if got := string(must(t, s, "getMyCommands", params{"language_code": "pt"})); got != `[{"command":"portuguese","description":"x"}]` {
		t.Errorf("getMyCommands %s", got)
	}
	must(t, s, "setMyDescription", params{"description": "about"})
	must(t, s, "setMyShortDescription", params{"short_description": "kurz", "language_code": "de"})
	if text, short := s.Description("de"); text != "" || short != "kurz" {
		t.Errorf("description %q %q", text, short)
	}
	if got := string(must(t, s, "getMyDescription", params{"language_code": "de"})); got != `{"description":"about"}` {
		t.Errorf("getMyDescription %s", got)
	}
	if got := string(must(t, s, "getMe", nil)); !strings.Contains(got, `{"id":4200,"is_bot":true,"first_name":"My","username":"my_bot"`) {
		t.Errorf("getMe %s", got)
	}
}
