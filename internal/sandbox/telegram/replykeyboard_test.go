package telegram

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// replyKeyboard is a reply markup with one row.
func replyKeyboard(buttons ...params) params { return params{"keyboard": [][]params{buttons}} }

// requestChat is a button that requests a chat; more overrides its fields.
func requestChat(id int, more params) params {
	request := params{"request_id": id, "chat_is_channel": false}
	maps.Copy(request, more)
	return params{"text": "Chat", "request_chat": request}
}

func requestUsers(id int, more params) params {
	request := params{"request_id": id}
	maps.Copy(request, more)
	return params{"text": "People", "request_users": request}
}

// adminRights is a ChatAdministratorRights with these rights.
func adminRights(rights ...string) params {
	p := params{"is_anonymous": false}
	for _, name := range tables().objects["ChatAdministratorRights"].required {
		p[name] = slices.Contains(rights, name)
	}
	for _, name := range rights {
		p[name] = true
	}
	return p
}

func TestReplyKeyboardValidation(t *testing.T) {
	t.Parallel()
	s, ann, forum, channel := withRooms(t)
	forum.Add(ann)
	channel.Promote(ann, "can_post_messages")
	var many []params
	for range 100 {
		many = append(many, params{"text": strings.Repeat("a", 120)})
	}
	both := requestChat(1, nil)
	both["request_contact"] = true
	posts, topics := adminRights("can_post_messages"), adminRights("can_manage_topics")
	for _, c := range []struct {
		name        string
		chat        int64
		markup      params
		description string // "": accepted
	}{
		{"texts", annID, replyKeyboard(params{"text": "a"}, params{"text": "b", "style": "primary"}), ""},
		{"an empty text", annID, replyKeyboard(params{"text": " "}), "Bad Request: keyboard button text must be non-empty"},
		{"an unknown style", annID, replyKeyboard(params{"text": "a", "style": "loud"}), "invalid button style"},
		{"a contact", annID, replyKeyboard(params{"text": "a", "request_contact": true}), ""},
		{"a contact, no chat", annID, replyKeyboard(params{"text": "a", "request_contact": false}), ""},
		{"two actions", annID, replyKeyboard(both), "found request_chat and request_contact"},
		{"over 10 KB", annID, replyKeyboard(many...), "reply markup is too long"},
		{"placeholder of 64", annID, params{"keyboard": [][]params{{{"text": "a"}}}, "input_field_placeholder": strings.Repeat("a", 64)}, ""},
		{"placeholder of 65", annID, params{"keyboard": [][]params{{{"text": "a"}}}, "input_field_placeholder": strings.Repeat("a", 65)}, "longer than 64"},
		{"a chat", annID, replyKeyboard(requestChat(-1<<31, nil), requestChat(1<<31-1, nil)), ""},
		{"a request_id of 33 bits", annID, replyKeyboard(requestChat(1<<31, nil)), "does not fit into 32 bits"},
		{"a request_id of 33 bits below 0", annID, replyKeyboard(requestUsers(-1<<31-1, nil)), "does not fit into 32 bits"},
		{"a request_id twice", annID, replyKeyboard(requestChat(1, nil), requestUsers(1, nil)), "request_id 1 stands twice"},
		{"a chat of no kind", annID, replyKeyboard(params{"text": "a", "request_chat": params{"request_id": 1}}), `can't find field "chat_is_channel"`},
		{"a chat with a mistake", annID, replyKeyboard(requestChat(1, params{"chat_is_group": true})), `unknown field "chat_is_group"`},
		{"rights with a mistake", annID, replyKeyboard(requestChat(1, params{"bot_administrator_rights": params{"can_post_messages": true}})), "can't find field"},
		{"rights", annID, replyKeyboard(requestChat(1, params{"bot_administrator_rights": topics, "user_administrator_rights": topics})), ""},
		{"rights of the bot only", annID, replyKeyboard(requestChat(1, params{"bot_administrator_rights": topics})), "must be a superset of bot_administrator_rights"},
		{"other rights of the bot", annID, replyKeyboard(requestChat(1, params{"bot_administrator_rights": topics, "user_administrator_rights": posts})), "must be a superset"},
		{"people", annID, replyKeyboard(requestUsers(1, params{"max_quantity": 10, "user_is_bot": false})), ""},
		{"0 people", annID, replyKeyboard(requestUsers(1, params{"max_quantity": 0})), "max_quantity must be from 1 to 10"},
		{"11 people", annID, replyKeyboard(requestUsers(1, params{"max_quantity": 11})), "max_quantity must be from 1 to 10"},
		{"texts in a group", forumID, replyKeyboard(params{"text": "a"}), ""},
		{"a chat in a group", forumID, replyKeyboard(requestChat(1, nil)), "chats can be requested in private chats only"},
		{"people in a group", forumID, replyKeyboard(requestUsers(1, nil)), "users can be requested in private chats only"},
		{"texts in a channel", channelID, replyKeyboard(params{"text": "a"}), "Bad Request: inline keyboard expected"},
		{"a removal in a channel", channelID, params{"remove_keyboard": true}, "inline keyboard expected"},
	} {
		got := call(t, s, "sendMessage", params{"chat_id": c.chat, "text": "x", "reply_markup": c.markup})
		if got.OK != (c.description == "") || !strings.Contains(got.Description, c.description) {
			t.Errorf("%s: got %q, want %q", c.name, got.Description, c.description)
		}
	}
}

func TestReplyKeyboardOfAPerson(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	send := func(markup params) {
		t.Helper()
		p := params{"chat_id": annID, "text": "x"}
		if markup != nil {
			p["reply_markup"] = markup
		}
		must(t, s, "sendMessage", p)
	}
	shown := func(want string) {
		t.Helper()
		var labels []string
		for _, b := range slices.Concat(ann.ReplyKeyboard()...) {
			labels = append(labels, b.String())
		}
		if got := strings.Join(labels, " "); got != want {
			t.Errorf("the keyboard is %q, want %q", got, want)
		}
	}
	shown("")
	send(replyKeyboard(requestChat(1, nil), requestUsers(2, nil), params{"text": "Phone", "request_contact": true}, params{"text": "Cancel"}))
	const all = "[ Chat (request_chat 1) ] [ People (request_users 2) ] [ Phone (request_contact) ] [ Cancel ]"
	shown(all)
	if got := ann.Transcript(); !strings.HasSuffix(got, "x\n   keyboard: "+all+"\n") {
		t.Error(got)
	}
	send(nil)
	send(inlineKeyboard(row(callbackButton("Go", "go"))))
	shown(all)
	send(params{"remove_keyboard": true})
	shown("")
	must(t, s, "deleteMessage", params{"chat_id": annID, "message_id": ann.Last().ID}) // as bots do that only want to remove it
	shown("")
	send(replyKeyboard(params{"text": "a"}))
	shown("[ a ]")
	must(t, s, "deleteMessage", params{"chat_id": annID, "message_id": ann.Last().ID})
	shown("")
}

// TestShareChat covers which chats a button offers, and what the app does to them.
func TestShareChat(t *testing.T) {
	t.Parallel()
	const bosID, bosChannel, plain = -1_000_000_000_010, -1_000_000_000_011, -1_000_000_000_012
	topics, posts := adminRights("can_manage_topics"), adminRights("can_post_messages")
	for _, c := range []struct {
		name    string
		request params
		offers  []int64
		share   int64  // 0: none
		status  string // my_chat_member updates
		shared  string
	}{
		{"any group", nil, []int64{forumID, plain, bosID}, bosID, "", `"chat_shared":{"request_id":5,"chat_id":-1000000000010}`},
		{"a forum", params{"chat_is_forum": true}, []int64{forumID, bosID}, 0, "", ""},
		{"no forum", params{"chat_is_forum": false}, []int64{plain}, 0, "", ""},
		{"a group that she created", params{"chat_is_created": true}, []int64{forumID}, 0, "", ""},
		{"a group with a username", params{"chat_has_username": true}, nil, 0, "", ""},
		{"a channel", params{"chat_is_channel": true, "request_title": true}, []int64{channelID}, channelID, "", `"chat_shared":{"request_id":5,"chat_id":-1000000000066,"title":"News"}`},
		{"a group with the bot", params{"bot_is_member": true, "chat_is_forum": true}, []int64{forumID, bosID}, forumID, "left→member", `"chat_id":-1000000000055`},
		{"a group where the bot is", params{"bot_is_member": true}, []int64{forumID, plain, bosID}, plain, "", `"chat_id":-1000000000012`},
		{"a forum where both have rights", params{"bot_administrator_rights": topics, "user_administrator_rights": topics}, []int64{forumID}, forumID, "left→administrator", `"chat_shared"`},
		{"a forum where she has rights", params{"user_administrator_rights": topics}, []int64{forumID}, forumID, "", `"chat_shared"`},
		{"a channel where both have rights", params{"chat_is_channel": true, "bot_administrator_rights": posts, "user_administrator_rights": posts}, []int64{channelID}, channelID, "left→administrator", `"chat_shared"`},
		{"a channel with the bot", params{"chat_is_channel": true, "bot_is_member": true}, []int64{channelID}, channelID, "left→administrator", `"chat_shared"`},
	} {
		s, ann, forum, channel := withRooms(t)
		bo := s.Join(Person{ID: 9, FirstName: "Bo"})
		bo.CreateForum(bosID, "Bo's").Appoint(ann, false)
		bo.CreateChannel(bosChannel, "Bo's")
		s.Group(plain, "Plain").Appoint(ann, false)
		old := s.Group(groupID, "Old")
		old.Upgrade(bo, -1_000_000_000_013)
		old.Appoint(ann, true)
		drain(t, s)
		must(t, s, "sendMessage", params{"chat_id": annID, "text": "x", "reply_markup": replyKeyboard(requestChat(5, c.request))})
		if got := ann.Offers(ann.ReplyKeyboard()[0][0].RequestChat); !slices.Equal(got, c.offers) {
			t.Errorf("%s: offers %v, want %v", c.name, got, c.offers)
		}
		for _, id := range []int64{bosID, bosChannel, plain, forumID, channelID, groupID, annID, -1} {
			if !slices.Contains(c.offers, id) && ann.ShareChat(5, id) == nil {
				t.Errorf("%s: shared %d", c.name, id)
			}
		}
		if ann.ShareChat(6, forumID) == nil || ann.ShareUsers(5, annID) == nil {
			t.Errorf("%s: shared for another button", c.name)
		}
		if c.share == 0 {
			continue
		}
		if err := ann.ShareChat(5, c.share); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		updates := drain(t, s)
		last := string(updates[len(updates)-1]["message"])
		if got := statuses(t, updates); got != c.status || !strings.Contains(last, c.shared) {
			t.Errorf("%s: the bot got %s and %s", c.name, got, last)
		}
		for _, g := range []*Group{forum, channel} { // it now has what the button asked for
			if rights := c.request["bot_administrator_rights"]; rights != nil && g.ChatID() == c.share {
				got := must(t, s, "getChatMember", params{"chat_id": c.share, "user_id": s.bot.ID})
				var has map[string]any
				if err := json.Unmarshal(got, &has); err != nil {
					t.Fatal(err)
				}
				for name, want := range rights.(params) {
					if want == true && has[name] != true {
						t.Errorf("%s: the bot has no %s", c.name, name)
					}
				}
			}
		}
	}
}

func TestShareUsers(t *testing.T) {
	t.Parallel()
	s, ann := withText(t, Options{})
	s.Join(Person{ID: 9, FirstName: "Bo", LastName: "Li", Username: "bo"})
	s.Group(groupID, "Friends")
	drain(t, s)
	for _, c := range []struct {
		name    string
		request params
		ids     []int64
		shared  string // "": the app does not share them
	}{
		{"one", nil, []int64{9}, `"users_shared":{"request_id":5,"users":[{"user_id":9}]}`},
		{"two for one", nil, []int64{9, annID}, ""},
		{"none", nil, nil, ""},
		{"a group", nil, []int64{groupID}, ""},
		{"nobody", nil, []int64{10}, ""},
		{"bots", params{"user_is_bot": true}, []int64{9}, ""},
		{"premium users", params{"user_is_premium": true}, []int64{9}, ""},
		{"two", params{"max_quantity": 2, "request_name": true}, []int64{9, annID}, `"users":[{"user_id":9,"first_name":"Bo","last_name":"Li"},{"user_id":7,"first_name":"Ann"}]`},
		{"with a username", params{"request_username": true}, []int64{9}, `"users":[{"user_id":9,"username":"bo"}]`},
	} {
		must(t, s, "sendMessage", params{"chat_id": annID, "text": "x", "reply_markup": replyKeyboard(requestUsers(5, c.request))})
		err := ann.ShareUsers(5, c.ids...)
		updates := drain(t, s)
		if (err == nil) != (c.shared != "") || !strings.Contains(fmt.Sprintf("%s", updates), c.shared) {
			t.Errorf("%s: %v, %s", c.name, err, updates)
		}
	}
	if ann.ShareChat(5, groupID) == nil {
		t.Error("shared a group for a button that requests people")
	}
	if got := ann.History(); !strings.Contains(got, "Ann: shares person 9\n") || !strings.Contains(got, "Ann: shares person 9 Bo, person 7 Ann\n") {
		t.Error(got)
	}
	ann.Block()
	if ann.ShareUsers(5, 9) == nil {
		t.Error("shared with a blocked bot")
	}
}
