package telegram

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParameterValidation(t *testing.T) {
	t.Parallel()
	s, _ := withText(t, Options{})
	s.Group(-5, "Friends")
	s.Join(Person{ID: 9, FirstName: "Bo"}).Type("mine")
	send := func(more params) params {
		p := params{"chat_id": annID, "text": "hi"}
		for name, v := range more {
			p[name] = v
		}
		return p
	}
	reply := func(to params) params { return send(params{"reply_parameters": to}) }
	html := func(text string) params { return send(params{"text": text, "parse_mode": "HTML"}) }
	keys := func(rows ...[]params) params { return send(params{"reply_markup": inlineKeyboard(rows...)}) }
	edit := func(id int, text string) params { return params{"chat_id": annID, "message_id": id, "text": text} }
	var hundredAndOne, ninetySix [][]params
	for i := range 101 {
		hundredAndOne = append(hundredAndOne, row(callbackButton("b", fmt.Sprint(i))))
	}
	for range 12 {
		r := make([]params, 8)
		for i := range r {
			r[i] = callbackButton("b", "x")
		}
		ninetySix = append(ninetySix, r)
	}
	nine := make([]params, 9)
	for i := range nine {
		nine[i] = callbackButton("b", "x")
	}
	commands := func(name, description string) params {
		return params{"commands": []params{{"command": name, "description": description}}}
	}

	for _, c := range []struct {
		name        string
		method      string
		params      params
		description string // of the refusal; "": accepted
	}{
		{"text of 4096", "sendMessage", send(params{"text": strings.Repeat("a", 4096)}), ""},
		{"text of 4097", "sendMessage", send(params{"text": strings.Repeat("a", 4097)}), "Bad Request: message is too long"},
		{"text of 2048 emoji", "sendMessage", send(params{"text": strings.Repeat("😀", 2048)}), ""},
		{"text of 2049 emoji", "sendMessage", send(params{"text": strings.Repeat("😀", 2049)}), "message is too long"},
		{"text of 4096 with tags", "sendMessage", html("<b>" + strings.Repeat("&amp;", 4096) + "</b>"), ""},
		{"time as entity", "sendMessage", send(params{"entities": []params{{"type": "date_time", "offset": 0, "length": 2, "unix_time": 5, "date_time_format": "wdt"}}}), ""},
		{"time as entity in a wrong form", "sendMessage", send(params{"entities": []params{{"type": "date_time", "offset": 0, "length": 2, "unix_time": 5, "date_time_format": "tw"}}}), "Invalid date format used"},
		{"time as entity without a time", "sendMessage", send(params{"entities": []params{{"type": "date_time", "offset": 0, "length": 2}}}), "Invalid date specified"},
		{"empty", "sendMessage", send(params{"text": ""}), "Bad Request: message text is empty"},
		{"blank", "sendMessage", send(params{"text": " \n\t "}), "message text is empty"},
		{"only tags", "sendMessage", html("<b> </b>"), "message text is empty"},
		{"no text", "sendMessage", params{"chat_id": annID}, "message text is empty"},
		{"no chat", "sendMessage", params{"text": "hi"}, "chat_id is empty"},
		{"unknown chat", "sendMessage", params{"chat_id": 8, "text": "hi"}, "Bad Request: chat not found"},
		{"chat by username", "sendMessage", params{"chat_id": "@ann", "text": "hi"}, "chat not found"},
		{"unknown parameter", "sendMessage", send(params{"txt": "x"}), `unknown parameter "txt"`},
		{"parameter of a newer Bot API", "sendMessage", send(params{"receiver_user_id": 1}), "unknown parameter"},
		{"wrong type", "sendMessage", send(params{"disable_notification": "perhaps"}), "must be of type Boolean"},
		{"not implemented parameter", "sendMessage", send(params{"allow_paid_broadcast": true}), "not implemented in the sandbox"},
		{"effect", "sendMessage", send(params{"message_effect_id": "5046509860389126442"}), ""},
		{"effect of a photo", "sendPhoto", params{"chat_id": annID, "photo": "https://a.example/b.png", "message_effect_id": "5046509860389126442"}, ""},
		{"unknown effect", "sendMessage", send(params{"message_effect_id": "5046509860389126443"}), "Bad Request: EFFECT_ID_INVALID"},
		{"effect by emoji", "sendMessage", send(params{"message_effect_id": "🎉"}), "EFFECT_ID_INVALID"},
		{"effect in a group", "sendMessage", params{"chat_id": -5, "text": "hi", "message_effect_id": "5046509860389126442"}, "Bad Request: can't use message effects in the chat"},
		{"effect of an edit", "editMessageText", params{"chat_id": annID, "message_id": 1, "text": "x", "message_effect_id": "5046509860389126442"}, "unknown parameter"},
		{"wrong parse_mode", "sendMessage", send(params{"parse_mode": "HTLM"}), "unsupported parse_mode"},
		{"markdown", "sendMessage", send(params{"parse_mode": "MarkdownV2"}), "not implemented in the sandbox"},
		{"open tag", "sendMessage", html("a <b>b"), `Bad Request: can't parse entities: Can't find end tag corresponding to start tag "b"`},
		{"entity outside", "sendMessage", send(params{"entities": []params{{"type": "bold", "offset": 1, "length": 2}}}), "ends after the end of the text at UTF-16 offset 3"},
		{"entity of no type", "sendMessage", send(params{"entities": []params{{"type": "loud", "offset": 0, "length": 2}}}), "unsupported type"},
		{"entity", "sendMessage", send(params{"entities": []params{{"type": "bold", "offset": 0, "length": 2}}}), ""},
		{"preview", "sendMessage", send(params{"link_preview_options": params{"is_disabled": true}}), ""},
		{"preview with a mistake", "sendMessage", send(params{"link_preview_options": params{"disabled": true}}), `unknown field "disabled" of LinkPreviewOptions`},
		{"preview of no link", "sendMessage", send(params{"link_preview_options": params{"url": "nowhere"}}), "Wrong HTTP URL specified"},
		{"reply to nothing", "sendMessage", send(params{"reply_parameters": params{"message_id": 99}}), "message to be replied not found"},
		{"reply", "sendMessage", send(params{"reply_parameters": params{"message_id": 3}}), ""},
		{"reply to zero", "sendMessage", reply(params{"message_id": 0}), "message to be replied not found"},
		{"reply without an id", "sendMessage", reply(params{"allow_sending_without_reply": true}), `can't find field "message_id"`},
		{"reply to nothing, or none", "sendMessage", reply(params{"message_id": 99, "allow_sending_without_reply": true}), ""},
		{"reply in the chat by its id", "sendMessage", reply(params{"message_id": 3, "chat_id": annID}), ""},
		{"reply to another chat", "sendMessage", reply(params{"message_id": 1, "chat_id": 9}), "Bad Request: message to be replied not found"},
		{"reply to another chat, or none", "sendMessage", reply(params{"message_id": 1, "chat_id": 9, "allow_sending_without_reply": true}), "message to be replied not found"},
		{"reply to an unknown chat", "sendMessage", reply(params{"message_id": 1, "chat_id": 8}), "Bad Request: chat not found"},
		{"reply with a quote", "sendMessage", reply(params{"message_id": 3, "quote": "h"}), "not implemented in the sandbox"},

		{"data of 64", "sendMessage", keys(row(callbackButton("b", strings.Repeat("a", 64)))), ""},
		{"data of 65", "sendMessage", keys(row(callbackButton("b", strings.Repeat("a", 65)))), "Bad Request: BUTTON_DATA_INVALID"},
		{"data of 33 Cyrillic letters", "sendMessage", keys(row(callbackButton("b", strings.Repeat("я", 33)))), "BUTTON_DATA_INVALID"},
		{"no data", "sendMessage", keys(row(callbackButton("b", ""))), "BUTTON_DATA_INVALID"},
		{"no action", "sendMessage", keys(row(params{"text": "b"})), "Text buttons are unallowed in the inline keyboard"},
		{"two actions", "sendMessage", keys(row(params{"text": "b", "callback_data": "x", "url": "https://a.example"})), "exactly one action"},
		{"no label", "sendMessage", keys(row(callbackButton("", "x"))), "text must be non-empty"},
		{"missing label", "sendMessage", keys(row(params{"callback_data": "x"})), `can't find field "text" of InlineKeyboardButton`},
		{"action of a newer Bot API", "sendMessage", keys(row(params{"text": "b", "disabled": params{}})), `unknown field "disabled"`},
		{"number as data", "sendMessage", keys(row(params{"text": "b", "callback_data": 5})), "callback_data must be of type String"},
		{"copy 256", "sendMessage", keys(row(params{"text": "b", "copy_text": params{"text": strings.Repeat("a", 256)}})), ""},
		{"copy 257", "sendMessage", keys(row(params{"text": "b", "copy_text": params{"text": strings.Repeat("a", 257)}})), "BUTTON_COPY_TEXT_INVALID"},
		{"copy empty", "sendMessage", keys(row(params{"text": "b", "copy_text": params{"text": ""}})), "BUTTON_COPY_TEXT_INVALID"},
		{"button with bad URL", "sendMessage", keys(row(params{"text": "b", "url": "nowhere"})), "is invalid: Wrong HTTP URL"},
		{"button", "sendMessage", keys(row(params{"text": "b", "url": "https://a.example/x"})), ""},
		{"style", "sendMessage", keys(row(params{"text": "b", "callback_data": "x", "style": "loud"})), "style"},
		{"style primary", "sendMessage", keys(row(params{"text": "b", "callback_data": "x", "style": "primary"})), ""},
		{"96 buttons", "sendMessage", keys(ninetySix...), ""},
		{"101 buttons", "sendMessage", keys(hundredAndOne...), "reply markup is too long"},
		{"9 in a row", "sendMessage", keys(nine), "too many buttons in a row"},
		{"keyboard over 10 KB", "sendMessage", keys(row(callbackButton(strings.Repeat("b", 11<<10), "x"))), "reply markup is too long"},
		{"keyboard null", "sendMessage", send(params{"reply_markup": params{"inline_keyboard": nil}}), "must be of type Array of Array of InlineKeyboardButton"},
		{"keyboard as text", "sendMessage", send(params{"reply_markup": "none"}), "must be of type InlineKeyboardMarkup or"},
		{"reply keyboard", "sendMessage", send(params{"reply_markup": params{"keyboard": [][]params{{{"text": "x"}}}}}), ""},

		{"edit", "editMessageText", edit(1, "two"), ""},
		{"edit to the same", "editMessageText", edit(1, "two"), "Bad Request: " + notModified},
		{"edit without id", "editMessageText", params{"chat_id": annID, "text": "x"}, "message identifier is not specified"},
		{"edit unknown message", "editMessageText", edit(99, "x"), "Bad Request: message to edit not found"},
		{"edit text of a document", "editMessageText", edit(2, "x"), "Bad Request: there is no text in the message to edit"},
		{"edit message of a person", "editMessageText", edit(3, "x"), "message can't be edited"},
		{"edit to blank", "editMessageText", edit(1, " "), "message text is empty"},
		{"edit too long", "editMessageText", edit(1, strings.Repeat("a", 4097)), "message is too long"},
		{"caption 1024", "editMessageCaption", params{"chat_id": annID, "message_id": 2, "caption": strings.Repeat("a", 1024)}, ""},
		{"caption 1025", "editMessageCaption", params{"chat_id": annID, "message_id": 2, "caption": strings.Repeat("a", 1025)}, "message caption is too long"},
		{"caption of a text", "editMessageCaption", params{"chat_id": annID, "message_id": 1, "caption": "x"}, "there is no caption in the message to edit"},
		{"keyboard on", "editMessageReplyMarkup", params{"chat_id": annID, "message_id": 1, "reply_markup": inlineKeyboard(row(callbackButton("x", "x")))}, ""},
		{"keyboard off", "editMessageReplyMarkup", params{"chat_id": annID, "message_id": 1}, ""},
		{"keyboard off again", "editMessageReplyMarkup", params{"chat_id": annID, "message_id": 1}, "message is not modified"},
		{"reply keyboard by edit", "editMessageReplyMarkup", params{"chat_id": annID, "message_id": 1, "reply_markup": params{"force_reply": true}}, `can't find field "inline_keyboard"`},

		{"delete unknown message", "deleteMessage", params{"chat_id": annID, "message_id": 99}, "Bad Request: message to delete not found"},
		{"delete", "deleteMessage", params{"chat_id": annID, "message_id": 1}, ""},
		{"edit deleted message", "editMessageText", edit(1, "x"), "message to edit not found"},
		{"delete many", "deleteMessages", params{"chat_id": annID, "message_ids": []int{1, 2, 99}}, ""},
		{"delete none", "deleteMessages", params{"chat_id": annID, "message_ids": []int{}}, "not specified"},
		{"delete 101", "deleteMessages", params{"chat_id": annID, "message_ids": make([]int, 101)}, "too many"},
		{"delete with id as text", "deleteMessages", params{"chat_id": annID, "message_ids": []string{"1"}}, "must be of type Integer"},

		{"action", "sendChatAction", params{"chat_id": annID, "action": "typing"}, ""},
		{"wrong action", "sendChatAction", params{"chat_id": annID, "action": "dance"}, "wrong parameter action in request"},
		{"unknown callback", "answerCallbackQuery", params{"callback_query_id": "1"}, "Bad Request: query is too old and response timeout expired or query ID is invalid"},
		{"toast 201", "answerCallbackQuery", params{"callback_query_id": "1", "text": strings.Repeat("a", 201)}, "MESSAGE_TOO_LONG"},

		{"command", "setMyCommands", commands("start_2", "x"), ""},
		{"command in upper case", "setMyCommands", commands("Start", "x"), "Bad Request: BOT_COMMAND_INVALID"},
		{"command with slash", "setMyCommands", commands("/start", "x"), "BOT_COMMAND_INVALID"},
		{"command 33", "setMyCommands", commands(strings.Repeat("a", 33), "x"), "command length must not exceed 32"},
		{"command empty", "setMyCommands", commands("", "x"), "command must be non-empty"},
		{"description empty", "setMyCommands", commands("a", " "), "command description must be non-empty"},
		{"description 256", "setMyCommands", commands("a", strings.Repeat("я", 256)), ""},
		{"description 257", "setMyCommands", commands("a", strings.Repeat("a", 257)), "command description length must not exceed 256"},
		{"101 commands", "setMyCommands", params{"commands": repeat(101, params{"command": "a", "description": "x"})}, "BOT_COMMANDS_TOO_MUCH"},
		{"100 commands", "setMyCommands", params{"commands": repeat(100, params{"command": "a", "description": "x"})}, ""},
		{"commands over 7800 bytes", "setMyCommands", params{"commands": repeat(60, params{"command": "a", "description": strings.Repeat("x", 150)})}, "BOT_COMMANDS_TOO_MUCH"},
		{"language", "setMyCommands", params{"commands": []params{}, "language_code": "pt-BR"}, "invalid language code specified"},
		{"scope", "setMyCommands", params{"commands": []params{}, "scope": params{"type": "chat", "chat_id": annID}}, ""},
		{"scope of unknown chat", "setMyCommands", params{"commands": []params{}, "scope": params{"type": "chat", "chat_id": 8}}, "chat not found"},
		{"scope of unknown type", "setMyCommands", params{"commands": []params{}, "scope": params{"type": "everywhere"}}, `"everywhere" is no BotCommandScope`},
		{"scope with extra field", "setMyCommands", params{"commands": []params{}, "scope": params{"type": "default", "chat_id": 7}}, `unknown field "chat_id" of BotCommandScopeDefault`},
		{"scope with missing field", "setMyCommands", params{"commands": []params{}, "scope": params{"type": "chat"}}, `can't find field "chat_id"`},
		{"description text 512", "setMyDescription", params{"description": strings.Repeat("a", 512)}, ""},
		{"description text 513", "setMyDescription", params{"description": strings.Repeat("a", 513)}, "TOO_LONG"},
		{"short description 120", "setMyShortDescription", params{"short_description": strings.Repeat("a", 120), "language_code": "de"}, ""},
		{"short description 121", "setMyShortDescription", params{"short_description": strings.Repeat("a", 121)}, "TOO_LONG"},

		{"no file", "sendDocument", params{"chat_id": annID}, "there is no document in the request"},
		{"bad file id", "sendDocument", params{"chat_id": annID, "document": "abc"}, "wrong remote file identifier"},
		{"document by URL", "sendDocument", params{"chat_id": annID, "document": "https://a.example/b.pdf"}, "failed to get HTTP URL content"},
		{"known file", "sendDocument", params{"chat_id": annID, "document": "pretend-document-1"}, ""},
		{"photo by URL", "sendPhoto", params{"chat_id": annID, "photo": "https://a.example/b.png", "caption": "x"}, ""},
		{"unknown file", "getFile", params{"file_id": "abc"}, "invalid file_id"},
		{"not implemented method", "sendDice", params{"chat_id": annID}, "method not implemented in the sandbox"},
		{"unknown kind of update", "getUpdates", params{"allowed_updates": []string{"callback_querry"}}, "unknown kind of update"},
		{"chat", "getChat", params{"chat_id": annID}, ""},
	} {
		got := call(t, s, c.method, c.params)
		switch {
		case c.description == "" && !got.OK:
			t.Errorf("%s: refused: %d %s", c.name, got.Code, got.Description)
		case c.description != "" && (got.OK || got.Code != http.StatusBadRequest || !strings.Contains(got.Description, c.description)):
			t.Errorf("%s: got %d %q, want %q", c.name, got.Code, got.Description, c.description)
		}
	}
}

// TestRepliesAndEffects covers what a reply and an effect leave in the chat.
func TestRepliesAndEffects(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	reply := func(id int, more params) params {
		p := params{"chat_id": annID, "text": "re", "reply_parameters": params{"message_id": id, "allow_sending_without_reply": true}}
		maps.Copy(p, more)
		return p
	}
	got := must(t, s, "sendMessage", reply(1, params{"message_effect_id": "5046509860389126442"}))
	for _, want := range []string{`"reply_to_message":{"message_id":1,`, `"effect_id":"5046509860389126442"`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s has no %s", got, want)
		}
	}
	must(t, s, "editMessageText", params{"chat_id": annID, "message_id": 4, "text": "edited"})
	must(t, s, "deleteMessage", params{"chat_id": annID, "message_id": 1})
	if got := must(t, s, "sendMessage", reply(1, nil)); strings.Contains(string(got), "reply_to") {
		t.Errorf("a reply to a deleted message: %s", got)
	}
	must(t, s, "sendMessage", reply(4, nil))
	for _, want := range []string{"#4 Bot replies to #1 with 🎉: re\n", "#4 Bot edits: edited\n", "#5 Bot: re\n", "#6 Bot replies to #4: re\n"} {
		if !strings.Contains(ann.History(), want) {
			t.Errorf("%q is missing in\n%s", want, ann.History())
		}
	}
	old, _ := withText(t, Options{NoEffects: true})
	wantRefusal(t, old, "sendMessage", reply(1, params{"message_effect_id": "5046509860389126442"}), 400, "EFFECT_ID_INVALID")
}

func TestURLPaths(t *testing.T) {
	t.Parallel()
	s, _ := withText(t, Options{})
	for path, want := range map[string]int{
		"/bot" + DefaultToken + "/getMe":  200,
		"/bot" + DefaultToken + "/GETME":  200,
		"/bot" + DefaultToken + "/getYou": 404,
		"/bot" + DefaultToken + "/":       404,
		"/bot" + DefaultToken:             404,
		"/bot1:wrong/getMe":               401,
		"/":                               404,
		"/file/bot" + DefaultToken + "/documents/file_1.txt":         200,
		"/file/bot" + DefaultToken + "/documents/file_2.txt":         404,
		"/file/bot" + DefaultToken + "/../documents/file_1.txt":      404,
		"/file/bot1:wrong/documents/file_1.txt":                      401,
		"/bot" + DefaultToken + "/sendMessage?chat_id=7&text=Hi+all": 200,
	} {
		got := serve(s, request(t, http.MethodGet, path, "", nil))
		if got.HTTP != want {
			t.Errorf("%s: got %d %s, want %d", path, got.HTTP, got.Body, want)
		}
	}
}

func TestTimeLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ann := withText(t, Options{})
		if err := ann.Tap("Go"); err != nil {
			t.Fatal(err)
		}
		id := queryID(t, s, "callback_query")
		time.Sleep(150 * time.Second)
		must(t, s, "answerCallbackQuery", params{"callback_query_id": id, "text": strings.Repeat("😀", 100)})
		wantRefusal(t, s, "answerCallbackQuery", params{"callback_query_id": id}, 400, "query is too old")

		if err := ann.Tap("Go"); err != nil {
			t.Fatal(err)
		}
		id = queryID(t, s, "callback_query")
		time.Sleep(151 * time.Second)
		wantRefusal(t, s, "answerCallbackQuery", params{"callback_query_id": id}, 400, "query is too old")

		time.Sleep(48 * time.Hour)
		wantRefusal(t, s, "deleteMessage", params{"chat_id": annID, "message_id": 1}, 400, "message can't be deleted for everyone")
		wantRefusal(t, s, "deleteMessages", params{"chat_id": annID, "message_ids": []int{1}}, 400, "message can't be deleted for everyone")
		must(t, s, "editMessageText", params{"chat_id": annID, "message_id": 1, "text": "still editable"})

		if ann.Typing() {
			t.Error("typing before sendChatAction")
		}
		must(t, s, "sendChatAction", params{"chat_id": annID, "action": "typing"})
		if !ann.Typing() {
			t.Error("not typing")
		}
		time.Sleep(5 * time.Second)
		if ann.Typing() {
			t.Error("still typing after 5 s")
		}
	})
}

func TestFloodLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Flood: true})
		defer s.Close()
		for id := int64(1); id <= 40; id++ {
			s.Join(Person{ID: id, FirstName: "P"})
		}
		s.Group(-5, "Friends")
		send := func(chat int64) answer { return call(t, s, "sendMessage", params{"chat_id": chat, "text": "x"}) }
		accepted := func(chat int64, tries int) (n int) {
			for range tries {
				if send(chat).OK {
					n++
				}
			}
			return n
		}
		if got := accepted(1, 10); got != 5 {
			t.Errorf("%d messages at once in a chat, want the burst of 5", got)
		}
		refused := send(1)
		if refused.Code != 429 || refused.Description != "Too Many Requests: retry after 1" || refused.Parameters.RetryAfter != 1 {
			t.Errorf("refused with %+v", refused)
		}
		time.Sleep(time.Second)
		if got := accepted(1, 3); got != 1 {
			t.Errorf("%d messages a second later, want 1", got)
		}
		time.Sleep(time.Minute)
		if got := accepted(-5, 30); got != 20 {
			t.Errorf("%d messages at once in a group, want 20", got)
		}
		if got := send(-5).Parameters.RetryAfter; got != 3 {
			t.Errorf("group: retry after %d, want 3", got)
		}
		time.Sleep(time.Minute)
		all := 0
		for id := int64(1); id <= 40; id++ {
			all += accepted(id, 1)
		}
		if all != 30 {
			t.Errorf("%d messages at once in all, want 30", all)
		}
		must(t, s, "sendChatAction", params{"chat_id": 1, "action": "typing"}) // not a message, so not counted
	})
}

func TestUnloadableLinkPreview(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	const broken = "https://a.example/broken.webp"
	s.Unloadable(broken)
	previewOf := func(address string) params {
		return params{"chat_id": annID, "text": "about " + address, "link_preview_options": params{"url": address}}
	}
	must(t, s, "sendMessage", previewOf(broken))
	if last := ann.Last(); !last.Unloaded || last.LinkPreview.URL != broken {
		t.Errorf("got %+v", last)
	}
	edit := previewOf("https://a.example/whole.webp")
	edit["message_id"] = ann.Last().ID
	must(t, s, "editMessageText", edit)
	if last := ann.Last(); last.Unloaded {
		t.Errorf("got %+v", last)
	}
	edit = previewOf(broken)
	edit["message_id"] = ann.Last().ID
	must(t, s, "editMessageText", edit)
	if history := ann.History(); !ann.Last().Unloaded || strings.Count(history, "(no preview: "+broken+" can’t be loaded)") != 2 {
		t.Errorf("the chat is:\n%s", history)
	}
}

func TestBotProfile(t *testing.T) {
	t.Parallel()
	s := New(Options{Username: "my_bot", Name: "My"})
	ann := s.Join(Person{ID: annID, LanguageCode: "pt-br"})
	if got := ann.Commands(); got != nil {
		t.Errorf("commands %v", got)
	}
	set := func(command, lang string, scope params) {
		must(t, s, "setMyCommands", params{"commands": []params{{"command": command, "description": "x"}}, "language_code": lang, "scope": scope})
	}
	wantCommand := func(want string) {
		t.Helper()
		if got := ann.Commands(); len(got) != 1 || got[0].Command != want {
			t.Errorf("sees %v, want %s", got, want)
		}
	}
	set("default", "", params{"type": "default"})
	wantCommand("default")
	set("portuguese", "pt", params{"type": "default"})
	wantCommand("portuguese")
	set("private", "", params{"type": "all_private_chats"})
	wantCommand("private")
	set("admin", "", params{"type": "chat", "chat_id": annID})
	wantCommand("admin")
	if got := s.Commands("chat:7", ""); len(got) != 1 || len(s.Commands("", "pt")) != 1 || len(s.Commands("", "de")) != 0 {
		t.Errorf("commands of the chat: %v", got)
	}
	must(t, s, "deleteMyCommands", params{"scope": params{"type": "chat", "chat_id": annID}})
	wantCommand("private")
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
