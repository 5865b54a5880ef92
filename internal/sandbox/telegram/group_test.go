package telegram

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const (
	groupID   = -55
	forumID   = -1_000_000_000_055
	channelID = -1_000_000_000_066
)

// withRooms returns a server with Ann, who owns a forum and a channel. The bot is in neither.
func withRooms(t *testing.T) (s *Server, ann *Client, forum, channel *Group) {
	t.Helper()
	s = New(Options{})
	t.Cleanup(s.Close)
	ann = s.Join(Person{ID: annID, FirstName: "Ann"})
	return s, ann, ann.CreateForum(forumID, "Team"), ann.CreateChannel(channelID, "News")
}

// statuses lists the bot's memberships in my_chat_member updates, "left→member".
func statuses(t *testing.T, updates []map[string]json.RawMessage) string {
	t.Helper()
	var all []string
	for _, u := range updates {
		if u["my_chat_member"] == nil {
			continue
		}
		var m struct {
			Old struct{ Status string } `json:"old_chat_member"`
			New struct{ Status string } `json:"new_chat_member"`
		}
		if err := json.Unmarshal(u["my_chat_member"], &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Old.Status+"→"+m.New.Status)
	}
	return strings.Join(all, " ")
}

// TestBotInGroupsAndChannels makes the same calls while the bot's place in the chat changes.
func TestBotInGroupsAndChannels(t *testing.T) {
	t.Parallel()
	const (
		noPosts = "Bad Request: need administrator rights in the channel chat"
		noEdits = "Bad Request: message can't be edited"
	)
	type step struct {
		name                      string
		change                    func(g *Group, ann *Client)
		send, edit, erase, action string // the refusals; "": accepted
	}
	all := func(refusal string) step { return step{send: refusal, edit: refusal, erase: refusal, action: refusal} }
	as := func(s step, name string, change func(*Group, *Client)) step {
		s.name, s.change = name, change
		return s
	}
	for _, c := range []struct {
		chat     string
		steps    []step
		statuses string
	}{
		{"forum", []step{
			as(all("Forbidden: bot is not a member of the supergroup chat"), "created", func(*Group, *Client) {}),
			{name: "added", change: (*Group).Add, erase: ""},
			{name: "added again", change: (*Group).Add},
			{name: "promoted", change: func(g *Group, ann *Client) { g.Promote(ann, "can_manage_topics") }},
			{name: "promoted further", change: func(g *Group, ann *Client) { g.Promote(ann, "can_manage_topics", "can_pin_messages") }},
			{name: "demoted", change: (*Group).Demote},
			{name: "muted", change: (*Group).Mute, send: "Bad Request: not enough rights to send text messages to the chat"},
			{name: "unmuted", change: (*Group).Add},
			as(all("Forbidden: bot was kicked from the supergroup chat"), "removed", (*Group).Remove),
			{name: "added back", change: (*Group).Add},
		}, "left→member member→administrator administrator→administrator administrator→member member→restricted restricted→member member→kicked kicked→member"},
		{"channel", []step{
			as(all("Forbidden: bot is not a member of the channel chat"), "created", func(*Group, *Client) {}),
			{name: "promoted", change: func(g *Group, ann *Client) { g.Promote(ann, "can_post_messages") }},
			{name: "may not post", change: (*Group).Add, send: noPosts, edit: noEdits, erase: "Bad Request: message can't be deleted", action: noPosts},
			as(all("Forbidden: bot is not a member of the channel chat"), "demoted", (*Group).Demote),
			{name: "promoted again", change: func(g *Group, ann *Client) { g.Promote(ann, "can_post_messages") }},
			as(all("Forbidden: bot was kicked from the channel chat"), "removed", (*Group).Remove),
		}, "left→administrator administrator→administrator administrator→left left→administrator administrator→kicked"},
	} {
		s, ann, forum, channel := withRooms(t)
		g := forum
		if c.chat == "channel" {
			g = channel
		}
		edited := 0
		for _, step := range c.steps {
			step.change(g, ann)
			chat := g.ChatID()
			posts := g.add(Message{FromBot: true, From: s.bot, Text: "posted before"}, 2)
			edited++
			for method, want := range map[string]string{"sendMessage": step.send, "editMessageText": step.edit, "deleteMessage": step.erase, "sendChatAction": step.action} {
				p := params{"chat_id": chat, "text": fmt.Sprint("text ", edited), "message_id": posts[0], "action": "typing"}
				if method == "deleteMessage" {
					p["message_id"] = posts[1]
				}
				got := call(t, s, method, p.only(method))
				if got.OK != (want == "") || got.Description != want {
					t.Errorf("%s, %s: %s answers %q, want %q", c.chat, step.name, method, got.Description, want)
				}
				if code := http.StatusForbidden; !got.OK && (got.Code == code) != strings.HasPrefix(want, "Forbidden") {
					t.Errorf("%s, %s: %s answers %d", c.chat, step.name, method, got.Code)
				}
			}
		}
		if got := statuses(t, drain(t, s)); got != c.statuses {
			t.Errorf("%s: the bot got %s, want %s", c.chat, got, c.statuses)
		}
	}
}

// add adds n messages as if they had been sent before, and returns their IDs.
func (g *Group) add(m Message, n int) (ids []int) {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	for range n {
		ids = append(ids, g.chat.add(m).ID)
	}
	return ids
}

func TestMutedBot(t *testing.T) {
	t.Parallel()
	s, ann, forum, _ := withRooms(t)
	forum.Mute(ann)
	for method, want := range map[string]string{
		"sendPhoto":    "not enough rights to send photos to the chat",
		"sendDocument": "not enough rights to send documents to the chat",
	} {
		s.mu.Lock()
		file := s.storeFile(Document{Name: "a.txt", Data: []byte("x")}, "document")
		s.mu.Unlock()
		wantRefusal(t, s, method, params{"chat_id": forumID, "photo": "https://a.example/b.png", "document": file.id}.only(method), 400, want)
	}
}

func TestForumTopics(t *testing.T) {
	t.Parallel()
	s, ann, forum, channel := withRooms(t)
	plain := s.Group(groupID, "Friends")
	create := func(chat int64, more params) params {
		p := params{"chat_id": chat, "name": "Orders"}
		for name, v := range more {
			p[name] = v
		}
		return p
	}
	forum.Add(ann)
	channel.Promote(ann, "can_post_messages")
	wantRefusal(t, s, "createForumTopic", create(forumID, nil), 400, "Bad Request: not enough rights to create a topic")
	forum.Promote(ann, "can_manage_topics")
	for _, c := range []struct {
		name        string
		params      params
		description string
	}{
		{"in a group", create(groupID, nil), "Bad Request: the chat is not a forum"},
		{"in a channel", create(channelID, nil), "the chat is not a forum"},
		{"in a private chat", create(annID, nil), "the chat is not a forum"},
		{"without a name", params{"chat_id": forumID}, `parameter "name" is required`},
		{"with a blank name", create(forumID, params{"name": " "}), "title must be non-empty"},
		{"with a name of 129", create(forumID, params{"name": strings.Repeat("a", 129)}), "longer than 128"},
		{"in a wrong color", create(forumID, params{"icon_color": 1}), "wrong icon_color 1 specified"},
	} {
		wantRefusal(t, s, "createForumTopic", c.params, 400, c.description)
	}
	if got := string(must(t, s, "createForumTopic", create(forumID, nil))); got != `{"message_thread_id":1,"name":"Orders","icon_color":7322096}` {
		t.Errorf("created %s", got)
	}
	must(t, s, "createForumTopic", create(forumID, params{"name": strings.Repeat("a", 128), "icon_color": 16766590}))

	in := func(thread int) params {
		return params{"chat_id": forumID, "message_thread_id": thread, "text": "x", "action": "typing"}
	}
	got := string(must(t, s, "sendMessage", in(1).only("sendMessage")))
	for _, want := range []string{`"chat":{"id":-1000000000055,"type":"supergroup","title":"Team","is_forum":true}`, `"message_thread_id":1,"is_topic_message":true`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s has no %s", got, want)
		}
	}
	wantRefusal(t, s, "deleteMessage", params{"chat_id": forumID, "message_id": 1}, 400, "message can't be deleted")
	wantRefusal(t, s, "editMessageText", params{"chat_id": forumID, "message_id": 1, "text": "x"}, 400, "message can't be edited")
	news := forum.CreateTopic(ann, "News")
	forum.CloseTopic(ann, news)
	forum.CloseTopic(ann, news)
	must(t, s, "sendMessage", in(news).only("sendMessage")) // a bot that manages topics
	forum.Demote(ann)
	for _, method := range []string{"sendMessage", "sendChatAction"} {
		wantRefusal(t, s, method, in(news).only(method), 400, "Bad Request: TOPIC_CLOSED")
		wantRefusal(t, s, method, in(77).only(method), 400, "Bad Request: message thread not found")
	}
	forum.ReopenTopic(ann, news)
	must(t, s, "sendMessage", in(news).only("sendMessage"))
	bo := s.Join(Person{ID: 9, FirstName: "Bo"})
	if forum.Send(bo, Message{Text: "/here", Thread: 77}) != 0 || forum.Send(bo, Message{Text: "/here", Thread: news}) == 0 {
		t.Error("a person writes where there is no topic, or not where there is one")
	}
	forum.CloseTopic(ann, news)
	if forum.Send(bo, Message{Text: "/here", Thread: news}) != 0 || forum.Send(ann, Message{Text: "/here", Thread: news}) == 0 {
		t.Error("a closed topic")
	}
	forum.DeleteTopic(1)
	wantRefusal(t, s, "sendMessage", in(1).only("sendMessage"), 400, "Bad Request: message thread not found")
	wantRefusal(t, s, "editMessageText", params{"chat_id": forumID, "message_id": 3, "text": "x"}, 400, "message to edit not found")
	plain.Send(ann, Message{Text: "/start", Thread: 9}) // outside of forums a thread begins with a message
	must(t, s, "sendMessage", params{"chat_id": groupID, "message_thread_id": 9, "text": "x"})

	const want = `Ann adds the bot
Ann makes the bot an administrator: can_manage_topics
#1 Bot: new topic Orders
#2 Bot: new topic aaa
#3 Bot in Orders: x
#4 Ann: new topic News
#5 Ann in News: topic closed
#6 Bot in News: x
Ann takes the bot's rights
#7 Ann in News: topic reopened
#8 Bot in News: x
#9 Bo in News: /here
#10 Ann in News: topic closed
#11 Ann in News: /here
Topic Orders is deleted
`
	if got := strings.ReplaceAll(forum.History(), strings.Repeat("a", 128), "aaa"); got != want {
		t.Errorf("history\n%s\nwant\n%s", got, want)
	}
	if got := forum.Transcript(); strings.Contains(got, "Orders") {
		t.Errorf("the messages of a deleted topic are shown:\n%s", got)
	}
	var seen []string
	for _, u := range drain(t, s) {
		for _, name := range []string{"forum_topic_created", "forum_topic_closed", "forum_topic_reopened", `"/here"`} {
			if strings.Contains(string(u["message"]), name) {
				seen = append(seen, strings.TrimPrefix(name, "forum_topic_"))
			}
		}
	}
	if got := strings.Join(seen, " "); got != `created closed reopened "/here" closed "/here"` {
		t.Errorf("the bot saw %s", got)
	}
}

func TestChannelPosts(t *testing.T) {
	t.Parallel()
	s, ann, _, channel := withRooms(t)
	channel.Promote(ann, "can_post_messages")
	drain(t, s)
	bo := s.Join(Person{ID: 9, FirstName: "Bo"})
	if channel.Type(bo, "hello") != 0 {
		t.Error("a person who is no administrator posts")
	}
	channel.Type(ann, "hello")
	updates := drain(t, s)
	const post = `{"message_id":1,"chat":{"id":-1000000000066,"type":"channel","title":"News"},"sender_chat":{"id":-1000000000066,"type":"channel","title":"News"}`
	if len(updates) != 1 || !strings.HasPrefix(string(updates[0]["channel_post"]), post) {
		t.Fatalf("updates %s", updates)
	}
	got := string(must(t, s, "sendMessage", params{"chat_id": channelID, "text": "New", "reply_markup": inlineKeyboard(row(params{"text": "Buy", "url": "https://t.me/sandbox_bot?start=p_1"}))}))
	if strings.Contains(got, `"from"`) || !strings.Contains(got, `"sender_chat"`) {
		t.Errorf("sent %s", got)
	}
	must(t, s, "editMessageText", params{"chat_id": channelID, "message_id": 2, "text": "Sold out"})
	for _, c := range []struct {
		method      string
		params      params
		description string
	}{
		{"sendMessage", params{"chat_id": channelID, "text": "x", "reply_markup": params{"keyboard": [][]params{{{"text": "x"}}}}}, "inline keyboard expected"},
		{"sendMessage", params{"chat_id": channelID, "text": "x", "message_thread_id": 1}, "message thread not found"},
		{"editMessageText", params{"chat_id": channelID, "message_id": 1, "text": "x"}, "message can't be edited"},
		{"deleteMessage", params{"chat_id": channelID, "message_id": 1}, "message can't be deleted"},
	} {
		wantRefusal(t, s, c.method, c.params, 400, c.description)
	}
	channel.Promote(ann, "can_delete_messages")
	must(t, s, "deleteMessage", params{"chat_id": channelID, "message_id": 1})
}

// TestGroupBecomesSupergroup covers migrate_to_chat_id in updates and refusals.
func TestGroupBecomesSupergroup(t *testing.T) {
	t.Parallel()
	s, ann, _, _ := withRooms(t)
	g := s.Group(groupID, "Friends")
	g.Promote(ann, "can_pin_messages")
	must(t, s, "sendMessage", params{"chat_id": groupID, "text": "x"})
	drain(t, s)
	const to = -1_000_000_000_077
	super := g.Upgrade(ann, to)
	if again := super.Upgrade(ann, -1); again.ChatID() != to || g.Upgrade(ann, -1).ChatID() != groupID {
		t.Error("a supergroup was upgraded, or a group twice")
	}
	updates := drain(t, s)
	if len(updates) != 3 || statuses(t, updates) != "left→administrator" {
		t.Fatalf("updates %s", updates)
	}
	for i, want := range []string{`"chat":{"id":-55,`, `"chat":{"id":-1000000000077,`, `"chat":{"id":-1000000000077,`} {
		if got := string(updates[i]["message"]) + string(updates[i]["my_chat_member"]); !strings.Contains(got, want) {
			t.Errorf("update %d: %s", i, got)
		}
	}
	if got := string(updates[0]["message"]); !strings.Contains(got, `"migrate_to_chat_id":-1000000000077`) {
		t.Error(got)
	}
	if got := string(updates[2]["message"]); !strings.Contains(got, `"migrate_from_chat_id":-55`) || !strings.Contains(got, `"GroupAnonymousBot"`) {
		t.Error(got)
	}
	for _, method := range []string{"sendMessage", "editMessageText", "deleteMessage", "getChat"} {
		got := wantRefusal(t, s, method, params{"chat_id": groupID, "text": "y", "message_id": 1}.only(method), 400, "Bad Request: group chat was upgraded to a supergroup chat")
		if !strings.HasSuffix(got.Body, `"parameters":{"migrate_to_chat_id":-1000000000077}}`) {
			t.Errorf("%s: %s", method, got.Body)
		}
	}
	if g.Type(ann, "/here") != 0 || super.Type(ann, "/here") == 0 {
		t.Error("the group takes messages, or the supergroup does not")
	}
	must(t, s, "sendMessage", params{"chat_id": to, "text": "here"})
}

// TestAdministratorsSeeAllMessages covers the end of privacy mode.
func TestAdministratorsSeeAllMessages(t *testing.T) {
	t.Parallel()
	s, ann, forum, _ := withRooms(t)
	seen := func() int {
		drain(t, s)
		forum.Type(ann, "hello")
		return len(drain(t, s))
	}
	forum.Add(ann)
	before := seen()
	forum.Promote(ann)
	if after := seen(); before != 0 || after != 1 {
		t.Errorf("a member sees %d messages, an administrator %d", before, after)
	}
	defer func() {
		if recover() == nil {
			t.Error("a group gave the right to post in a channel")
		}
	}()
	forum.Promote(ann, "can_post_messages")
}

func TestGetChatMember(t *testing.T) {
	t.Parallel()
	s, ann, forum, channel := withRooms(t)
	bo := s.Join(Person{ID: 9, FirstName: "Bo"})
	s.Join(Person{ID: 10, FirstName: "Cy"})
	forum.Promote(ann, "can_manage_topics")
	channel.Promote(ann, "can_post_messages")
	forum.Type(bo, "hello")
	channel.Appoint(bo, true)
	for _, c := range []struct {
		chat, user int64
		want       string
	}{
		{forumID, annID, `"status":"creator"`},
		{forumID, 9, `"status":"member"`},
		{forumID, 10, `"status":"left"`},
		{forumID, s.bot.ID, `"can_manage_topics":true`},
		{forumID, s.bot.ID, `"can_pin_messages":false`},
		{channelID, s.bot.ID, `"can_post_messages":true`},
		{channelID, 9, `"can_post_messages":true`},
		{annID, annID, `"status":"member"`},
	} {
		if got := string(must(t, s, "getChatMember", params{"chat_id": c.chat, "user_id": c.user})); !strings.Contains(got, c.want) {
			t.Errorf("%d in %d: %s, want %s", c.user, c.chat, got, c.want)
		}
	}
	wantRefusal(t, s, "getChatMember", params{"chat_id": forumID, "user_id": 11}, 400, "invalid user_id specified")
	if got := string(must(t, s, "getChatMember", params{"chat_id": forumID, "user_id": s.bot.ID})); strings.Contains(got, "can_post_messages") {
		t.Errorf("a right of channels in a group: %s", got)
	}
}

// TestTapsInGroups covers buttons that several people can tap.
func TestTapsInGroups(t *testing.T) {
	t.Parallel()
	s, ann, forum, channel := withRooms(t)
	bo := s.Join(Person{ID: 9, FirstName: "Bo"})
	forum.Add(ann)
	channel.Promote(ann, "can_post_messages")
	keyboard := inlineKeyboard(row(callbackButton("Seen", "seen"), params{"text": "Buy", "url": "https://t.me/sandbox_bot?start=p_1"}, params{"text": "Site", "url": "https://a.example"}))
	for _, g := range []*Group{forum, channel} {
		must(t, s, "sendMessage", params{"chat_id": g.ChatID(), "text": "An alert", "reply_markup": keyboard})
		drain(t, s)
		if err := g.Tap(bo, "Seen"); err != nil {
			t.Fatal(err)
		}
		update := drain(t, s)[0]["callback_query"]
		for _, want := range []string{`"from":{"id":9,`, fmt.Sprintf(`"chat":{"id":%d,`, g.ChatID()), `"data":"seen"`} {
			if !strings.Contains(string(update), want) {
				t.Errorf("%s has no %s", update, want)
			}
		}
		if err := g.TapButton(ann, 1, "seen"); err != nil {
			t.Fatal(err)
		}
		must(t, s, "answerCallbackQuery", params{"callback_query_id": queryID(t, s, "callback_query"), "text": "Yes"})
		if got := g.Toasts(); len(got) != 1 || got[0].Person != annID {
			t.Errorf("answers %+v", got)
		}
		if err := g.Tap(bo, "Buy"); err != nil || bo.Last().Text != "/start p_1" {
			t.Errorf("%v, Bo sent %q", err, bo.Last().Text)
		}
		for _, err := range []error{g.Tap(bo, "Site"), g.Tap(bo, "No"), g.TapButton(bo, 1, "no"), g.TapButton(bo, 9, "seen"), g.TapButton(bo, 1, "")} {
			if err == nil {
				t.Error("tapped what does nothing")
			}
		}
		if got := g.History(); !strings.HasSuffix(got, "Bo taps [ Seen ] on #1\nAnn taps [ Seen ] on #1 → toast: Yes\n") {
			t.Error(got)
		}
		g.Remove(ann)
		if g.Tap(bo, "Seen") == nil {
			t.Error("tapped without the bot")
		}
	}
}
