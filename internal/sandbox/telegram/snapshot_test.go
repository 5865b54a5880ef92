package telegram

import (
	"strings"
	"testing"
)

// An app sends what its button carried when it was drawn.
func TestPress(t *testing.T) {
	s := New(Options{})
	t.Cleanup(s.Close)
	anna := s.Join(Person{ID: 42, FirstName: "Anna"})
	must(t, s, "sendMessage", params{"chat_id": 42, "text": "Choose", "reply_markup": keyboardOf(row(callback("Red", "r"), callback("Blue", "b")))})
	for _, wrong := range []struct {
		message int
		data    string
	}{{0, "b"}, {2, "b"}, {-1, "b"}, {1, ""}} {
		if err := anna.TapButton(wrong.message, wrong.data); err == nil {
			t.Errorf("%v was pressed", wrong)
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
			t.Errorf("the history has no %q:\n%s", want, history)
		}
	}
	if got := s.Pending(); got != 3 {
		t.Errorf("the bot is told of %d taps", got)
	}
	anna.Block()
	if err := anna.TapButton(1, "b"); err == nil {
		t.Error("pressed while the bot is blocked")
	}
}

func TestClearFault(t *testing.T) {
	s := New(Options{})
	t.Cleanup(s.Close)
	s.Fault(Fault{RetryAfter: 3, Times: Always})
	s.Fault(Fault{LoseAnswer: true})
	s.ClearFault(func(f Fault) bool { return f.RetryAfter > 0 })
	if left := s.Faults(); len(left) != 1 || !left[0].LoseAnswer {
		t.Errorf("left are %+v", left)
	}
}

// What is kept and restored is the same to people and to the bot.
func TestKeep(t *testing.T) {
	s := New(Options{})
	t.Cleanup(s.Close)
	anna := s.Join(Person{ID: 42, FirstName: "Anna", LanguageCode: "en"})
	bo := s.Join(Person{ID: 43, FirstName: "Bo"})
	must(t, s, "setMyCommands", params{"commands": []any{params{"command": "start", "description": "Begin"}}, "language_code": "en"})
	must(t, s, "setMyDescription", params{"description": "A shop"})
	must(t, s, "sendMessage", params{"chat_id": 42, "text": "<b>Choose</b>", "parse_mode": "HTML", "reply_markup": keyboardOf(row(callback("Red", "r")))})
	texts, files := map[string]string{"chat_id": "42", "caption": "Here"}, map[string][]byte{"document": []byte("one\ntwo\n")}
	if got := serve(s, multipartRequest(t, "sendDocument", texts, files)); !got.OK {
		t.Fatalf("sendDocument: %s", got.Body)
	}
	first, _ := pollIDs(t, s, params{"timeout": 0})
	if len(first) != 0 {
		t.Fatalf("updates %v", first)
	}
	anna.Type("acknowledged")
	ids, _ := pollIDs(t, s, params{"timeout": 0})
	pollIDs(t, s, params{"timeout": 0, "offset": ids[0] + 1})
	anna.Type("not acknowledged")
	bo.Block()

	data, err := s.Keep()
	if err != nil {
		t.Fatal(err)
	}
	again := New(Options{})
	t.Cleanup(again.Close)
	if err := again.Restore(data); err != nil {
		t.Fatal(err)
	}
	restored := again.Join(Person{ID: 42, FirstName: "Anna", LanguageCode: "en"})
	if got, want := restored.Transcript(), anna.Transcript(); got != want || !strings.Contains(got, "| two") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !again.Join(Person{ID: 43, FirstName: "Bo"}).Blocked() {
		t.Error("nobody blocks the bot any more")
	}
	if got := restored.Commands(); len(got) != 1 || got[0].Command != "start" {
		t.Errorf("the commands: %v", got)
	}
	if about, _ := again.Description(""); about != "A shop" {
		t.Errorf("the description: %q", about)
	}
	pending, _ := pollIDs(t, again, params{"timeout": 0})
	if len(pending) != 2 || pending[0] != ids[0]+1 { // what Anna typed, and that Bo blocks the bot
		t.Errorf("pending are %v, %d was acknowledged", pending, ids[0])
	}
	// Messages and updates are counted on, and an edit finds its message.
	wantRefusal(t, again, "editMessageText", params{"chat_id": 42, "message_id": 1, "text": "<b>Choose</b>", "parse_mode": "HTML", "reply_markup": keyboardOf(row(callback("Red", "r")))}, 400, "not modified")
	if id := restored.Type("next"); id != 5 {
		t.Errorf("the next message is %d", id)
	}
	if err := restored.Tap("Red"); err != nil {
		t.Error(err)
	}
	if twice, err := again.Keep(); err != nil || len(twice) <= len(data) {
		t.Errorf("kept again: %d bytes, %v", len(twice), err)
	}
	if err := New(Options{}).Restore([]byte("{")); err == nil {
		t.Error("half a file is taken")
	}
}
