package telegram

import (
	"strings"
	"testing"
)

func TestKeepAndRestore(t *testing.T) {
	s := New(Options{})
	t.Cleanup(s.Close)
	anna := s.Join(Person{ID: 42, FirstName: "Anna", LanguageCode: "en"})
	bo := s.Join(Person{ID: 43, FirstName: "Bo"})
	must(t, s, "setMyCommands", params{"commands": []any{params{"command": "start", "description": "Begin"}}, "language_code": "en"})
	must(t, s, "setMyDescription", params{"description": "A shop"})
	must(t, s, "sendMessage", params{"chat_id": 42, "text": "<b>Choose</b>", "parse_mode": "HTML", "reply_markup": inlineKeyboard(row(callbackButton("Red", "r")))})
	texts, files := map[string]string{"chat_id": "42", "caption": "Here"}, map[string][]byte{"document": []byte("one\ntwo\n")}
	if got := serve(s, multipartRequest(t, "sendDocument", texts, files)); !got.OK {
		t.Fatalf("sendDocument: %s", got.Body)
	}
	first, _ := getUpdates(t, s, nil)
	if len(first) != 0 {
		t.Fatalf("updates %v", first)
	}
	anna.Type("acknowledged")
	ids, _ := getUpdates(t, s, nil)
	getUpdates(t, s, params{"timeout": 0, "offset": ids[0] + 1})
	anna.Type("not acknowledged")
	bo.Block()
	forum := anna.CreateForum(forumID, "Team")
	forum.Promote(bo, "can_manage_topics")
	must(t, s, "createForumTopic", params{"chat_id": forumID, "name": "Orders"})
	must(t, s, "sendMessage", params{"chat_id": forumID, "message_thread_id": 1, "text": "sold"})
	s.Group(groupID, "Friends").Upgrade(bo, -1_000_000_000_077)

	data, err := s.Keep()
	if err != nil {
		t.Fatal(err)
	}
	other := New(Options{})
	t.Cleanup(other.Close)
	if err := other.Restore(data); err != nil {
		t.Fatal(err)
	}
	restored := other.Join(Person{ID: 42, FirstName: "Anna", LanguageCode: "en"})
	if got, want := restored.Transcript(), anna.Transcript(); got != want || !strings.Contains(got, "| two") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !other.Join(Person{ID: 43, FirstName: "Bo"}).Blocked() {
		t.Error("the restored chat is not blocked")
	}
	if got := restored.Commands(); len(got) != 1 || got[0].Command != "start" {
		t.Errorf("the commands: %v", got)
	}
	if about, _ := other.Description(""); about != "A shop" {
		t.Errorf("the description: %q", about)
	}
	pending, _ := getUpdates(t, other, nil)
	if got, want := other.Group(forumID, "").Transcript(), forum.Transcript(); got != want || !strings.Contains(got, "Bot in Orders: sold") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	must(t, other, "sendMessage", params{"chat_id": forumID, "message_thread_id": 1, "text": "sold"})
	must(t, other, "createForumTopic", params{"chat_id": forumID, "name": "Daily"})
	wantRefusal(t, other, "sendMessage", params{"chat_id": groupID, "text": "x"}, 400, "upgraded")
	if len(pending) != 7 || pending[0] != ids[0]+1 { // the message of Anna and the block by Bo
		t.Errorf("updates %v are pending, %d was acknowledged", pending, ids[0])
	}
	// Ids continue, and an edit compares with the restored message.
	wantRefusal(t, other, "editMessageText", params{"chat_id": 42, "message_id": 1, "text": "<b>Choose</b>", "parse_mode": "HTML", "reply_markup": inlineKeyboard(row(callbackButton("Red", "r")))}, 400, "not modified")
	if id := restored.Type("next"); id != 5 {
		t.Errorf("the next message is %d", id)
	}
	if err := restored.Tap("Red"); err != nil {
		t.Error(err)
	}
	if second, err := other.Keep(); err != nil || len(second) <= len(data) {
		t.Errorf("second Keep: %d bytes, %v", len(second), err)
	}
	if err := New(Options{}).Restore([]byte("{")); err == nil {
		t.Error("Restore accepted broken JSON")
	}
}
