package telegram

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEncodingsGiveSameMessage also checks that the call log holds the same fields.
func TestEncodingsGiveSameMessage(t *testing.T) {
	t.Parallel()
	markup := `{"inline_keyboard":[[{"callback_data":"go","text":"Go"}]]}`
	texts := map[string]string{
		"chat_id": "7", "text": "<b>Größe</b> & so", "parse_mode": "HTML", "disable_notification": "true", "reply_markup": markup,
	}
	form := url.Values{}
	for name, text := range texts {
		form.Set(name, text)
	}
	method := "/bot" + DefaultToken + "/sendMessage"
	requests := map[string]*http.Request{
		"multipart":  multipartRequest(t, "sendMessage", texts, nil),
		"urlencoded": request(t, http.MethodPost, method, "application/x-www-form-urlencoded", strings.NewReader(form.Encode())),
		"query":      request(t, http.MethodGet, method+"?"+form.Encode(), "", nil),
		"json": jsonRequest(t.Context(), "sendMessage", params{
			"chat_id": 7, "text": texts["text"], "parse_mode": "HTML", "disable_notification": true, "reply_markup": json.RawMessage(markup),
		}),
	}
	for encoding, r := range requests {
		s := New(Options{})
		ann := s.Join(Person{ID: 7, FirstName: "Ann"})
		if got := serve(s, r); !got.OK {
			t.Errorf("%s: %s", encoding, got.Description)
		}
		if got, want := ann.Transcript(), "#1 Bot: *Größe* & so\n   [ Go ]\n"; got != want {
			t.Errorf("%s: got %s, want %s", encoding, got, want)
		}
		if !ann.Last().Silent {
			t.Errorf("%s: the message is not silent", encoding)
		}
		if diff := cmp.Diff(texts, s.Calls()[0].Fields); diff != "" {
			t.Errorf("%s: call log (-want +got)\n%s", encoding, diff)
		}
	}
}

func TestEqualKeyboardIsNotModified(t *testing.T) {
	t.Parallel()
	s, _ := withText(t, Options{})
	edit := func(markup string) answer {
		return serve(s, multipartRequest(t, "editMessageReplyMarkup", map[string]string{"chat_id": "7", "message_id": "1", "reply_markup": markup}, nil))
	}
	if got := edit(`{"inline_keyboard": [ [{"text":"Go", "callback_data":"go"}] ]}`); got.Description != "Bad Request: "+notModified {
		t.Errorf("other order of JSON fields: %+v", got)
	}
	if got := edit(`{"inline_keyboard":[[{"text":"Go","callback_data":"to"}]]}`); !got.OK {
		t.Errorf("other data: %+v", got)
	}
	if got := edit(`{"inline_keyboard":[]}`); !got.OK {
		t.Errorf("no buttons: %+v", got)
	}
}

func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	s, _ := withText(t, Options{})
	method := "/bot" + DefaultToken + "/sendMessage"
	for _, c := range []struct{ name, kind, body, description string }{
		{"JSON cut off", "application/json", `{"chat_id":7,`, "can't parse the JSON body"},
		{"JSON list", "application/json", `[1]`, "can't parse the JSON body"},
		{"two JSON values", "application/json", `{} {}`, "can't parse the JSON body"},
		{"number as text", "application/json", `{"chat_id":7,"text":5}`, `text must be of type String`},
		{"text as flag", "application/json", `{"chat_id":7,"text":"x","protect_content":"true"}`, "must be of type Boolean"},
		{"null text", "application/json", `{"chat_id":7,"text":null}`, "message text is empty"},
		{"bad percent", "application/x-www-form-urlencoded", `text=%zz`, "can't parse the urlencoded body"},
		{"not multipart", "multipart/form-data; boundary=x", `nothing`, "chat_id is empty"},
		{"multipart cut off", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhal", "can't read the request"},
		{"plain text", "text/plain", `chat_id=7&text=x`, "is empty"},
		{"markup not JSON", "application/x-www-form-urlencoded", `chat_id=7&text=x&reply_markup={`, "can't parse reply keyboard markup JSON object"},
		{"preview not JSON", "application/x-www-form-urlencoded", `chat_id=7&text=x&link_preview_options=off`, "can't parse link_preview_options JSON object"},
		{"not UTF-8", "application/x-www-form-urlencoded", `chat_id=7&text=%ff`, "strings must be encoded in UTF-8"},
	} {
		got := serve(s, request(t, http.MethodPost, method, c.kind, strings.NewReader(c.body)))
		if got.OK || got.Code != 400 || !strings.Contains(got.Description, c.description) {
			t.Errorf("%s: got %d %q, want %q", c.name, got.Code, got.Description, c.description)
		}
	}
}

func TestSendDocument(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	send := func(texts map[string]string, files map[string][]byte) answer {
		texts["chat_id"] = "7"
		return serve(s, multipartRequest(t, "sendDocument", texts, files))
	}
	data := []byte("a&b\r\n<c>\x00 \n")
	got := send(map[string]string{"caption": "<b>x</b>", "parse_mode": "HTML"}, map[string][]byte{"document": data})
	if !got.OK {
		t.Fatal(got.Description)
	}
	if sent := ann.File(ann.Last()); !bytes.Equal(sent, data) {
		t.Errorf("file changed to %q", sent)
	}
	var message struct {
		Document struct {
			ID string `json:"file_id"`
		}
	}
	var file struct {
		Path string `json:"file_path"`
	}
	if err := json.Unmarshal(got.Result, &message); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(must(t, s, "getFile", params{"file_id": message.Document.ID}), &file); err != nil {
		t.Fatal(err)
	}
	served := serve(s, request(t, http.MethodGet, "/file/bot"+DefaultToken+"/"+file.Path, "", nil))
	if served.HTTP != 200 || served.Body != string(data) {
		t.Errorf("served %d %q", served.HTTP, served.Body)
	}

	if got := send(map[string]string{"document": "attach://mine"}, map[string][]byte{"mine": data}); !got.OK {
		t.Errorf("attached: %s", got.Description)
	}
	for _, c := range []struct {
		name        string
		texts       map[string]string
		files       map[string][]byte
		code        int
		description string
	}{
		{"empty file", nil, map[string][]byte{"document": nil}, 400, "file must be non-empty"},
		{"unused file", map[string]string{"document": "pretend-document-1"}, map[string][]byte{"other": data}, 400, `unknown parameter "other"`},
		{"not attached", map[string]string{"document": "attach://mine"}, nil, 400, `there is no file "mine"`},
		{"file as caption", map[string]string{"document": "pretend-document-1"}, map[string][]byte{"caption": data}, 400, "is no file"},
		{"caption 1025", map[string]string{"caption": strings.Repeat("a", 1025)}, map[string][]byte{"document": data}, 400, "message caption is too long"},
		{"caption 1024", map[string]string{"caption": strings.Repeat("a", 1024)}, map[string][]byte{"document": data}, 0, ""},
		{"50 MB", nil, map[string][]byte{"document": make([]byte, 50<<20)}, 0, ""},
		{"over 50 MB", nil, map[string][]byte{"document": make([]byte, 50<<20+1)}, 413, "Request Entity Too Large"},
	} {
		texts := map[string]string{}
		for name, text := range c.texts {
			texts[name] = text
		}
		if got := send(texts, c.files); got.Code != c.code || !strings.Contains(got.Description, c.description) {
			t.Errorf("%s: got %d %q, want %d %q", c.name, got.Code, got.Description, c.code, c.description)
		}
	}
	wantRefusal(t, s, "getFile", params{"file_id": ann.Last().Document.id}, 400, "file is too big")
}

func TestSendPhoto(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	t.Cleanup(s.Close)
	ann := s.Join(Person{ID: annID, FirstName: "Ann"})
	picture := func(w, h int) []byte {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	cut := picture(100, 100)
	for _, c := range []struct {
		name        string
		data        []byte
		description string // "": accepted
	}{
		{"a picture", picture(640, 480), ""},
		{"ratio 20", picture(20, 1), ""},
		{"ratio 21", picture(21, 1), "PHOTO_INVALID_DIMENSIONS"},
		{"ratio 1:21", picture(1, 21), "PHOTO_INVALID_DIMENSIONS"},
		{"sides 10000", picture(5000, 5000), ""},
		{"sides 10001", picture(5001, 5000), "PHOTO_INVALID_DIMENSIONS"},
		{"not a picture", []byte("hello"), "IMAGE_PROCESS_FAILED"},
		{"cut off", cut[:len(cut)-20], "IMAGE_PROCESS_FAILED"},
		{"over 10 MB", append(picture(1, 1), make([]byte, maxPhoto)...), "too big for a photo"},
		{"empty", nil, "file must be non-empty"},
	} {
		texts := map[string]string{"chat_id": fmt.Sprint(annID), "caption": c.name}
		got := serve(s, multipartRequest(t, "sendPhoto", texts, map[string][]byte{"photo": c.data}))
		if got.OK != (c.description == "") || !strings.Contains(got.Description, c.description) {
			t.Errorf("%s: %d %s, want %q", c.name, got.Code, got.Description, c.description)
		}
	}
	if got := ann.Transcript(); !strings.Contains(got, "(640x480)\n   a picture\n") {
		t.Error(got)
	}
}

func TestResponsesMatchSchema(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	forum, channel := ann.CreateForum(forumID, "Team"), ann.CreateChannel(channelID, "News")
	forum.Promote(ann, "can_manage_topics")
	channel.Promote(ann, "can_post_messages")
	matches := func(raw json.RawMessage, kinds []*kind) {
		t.Helper()
		node, err := decodeJSON(raw)
		if err == nil {
			err = tables().checkAnyOf("answer", node, kinds)
		}
		if err != nil {
			t.Errorf("%v in %s", err, raw)
		}
	}
	for _, c := range []struct {
		method string
		p      params
	}{
		{"getMe", nil},
		{"getChat", params{"chat_id": 7}},
		{"getWebhookInfo", nil},
		{"getMyCommands", nil},
		{"getMyDescription", nil},
		{"getMyShortDescription", nil},
		{"sendMessage", params{"chat_id": 7, "text": "<a href='https://a.example'>x</a> <code>y</code> /z", "parse_mode": "html", "reply_parameters": params{"message_id": 3}, "message_effect_id": "5046509860389126442", "link_preview_options": params{"is_disabled": true}}},
		{"sendPhoto", params{"chat_id": 7, "photo": "https://a.example/x.png", "reply_markup": inlineKeyboard(row(callbackButton("Go", "go")))}},
		{"sendDocument", params{"chat_id": 7, "document": "pretend-document-1"}},
		{"getFile", params{"file_id": "pretend-document-1"}},
		{"editMessageText", params{"chat_id": 7, "message_id": 1, "text": "new"}},
		{"deleteMessage", params{"chat_id": 7, "message_id": 1}},
		{"getChat", params{"chat_id": forumID}},
		{"createForumTopic", params{"chat_id": forumID, "name": "Orders"}},
		{"sendMessage", params{"chat_id": forumID, "message_thread_id": 1, "text": "x"}},
		{"sendMessage", params{"chat_id": channelID, "text": "x"}},
		{"getChatMember", params{"chat_id": forumID, "user_id": 7}},
		{"getChatMember", params{"chat_id": channelID, "user_id": s.bot.ID}},
	} {
		matches(must(t, s, c.method, c.p), tables().method(c.method).returns)
	}
	ann.Sticker()
	ann.Block()
	ann.Unblock()
	if err := ann.EditOwn(3, "changed"); err != nil {
		t.Fatal(err)
	}
	if err := ann.Tap("Go"); err != nil {
		t.Fatal(err)
	}
	ann.TapData(1, "data of a deleted message")
	s.Group(-5, "Friends").Type(ann, "/start@sandbox_bot")
	forum.CloseTopic(ann, 1)
	forum.ReopenTopic(ann, 1)
	channel.Type(ann, "a post")
	forum.Mute(ann)
	must(t, s, "sendMessage", params{"chat_id": 7, "text": "x", "reply_markup": replyKeyboard(requestChat(1, nil), requestUsers(2, params{"request_name": true}))})
	if err := errors.Join(ann.ShareChat(1, forumID), ann.ShareUsers(2, 7)); err != nil {
		t.Fatal(err)
	}
	s.Group(-5, "Friends").Upgrade(ann, -1_000_000_000_005)
	updates := must(t, s, "getUpdates", nil)
	matches(updates, tables().method("getUpdates").returns)
	for _, kind := range []string{`"message"`, `"edited_message"`, `"callback_query"`, `"my_chat_member"`, `"date":0`, `"channel_post"`, `"migrate_from_chat_id"`, `"forum_topic_closed"`, `"chat_shared"`, `"users_shared"`, `"restricted"`} {
		if !strings.Contains(string(updates), kind) {
			t.Errorf("the updates have no %s", kind)
		}
	}
}
