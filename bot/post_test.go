package bot

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/telegram"
)

const (
	groupID   = -77
	superID   = -1_000_000_000_078
	forumID   = -1_000_000_000_055
	channelID = -1_000_000_000_066
)

// TestChangesOfChats: Hooks.ChatChanged is called when the bot's place or rights in a group or
// a channel change, and again after an error. The people there are not recorded.
func TestChangesOfChats(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		var mu sync.Mutex // chats do not wait for each other
		var changes []ChatChange
		failures := 1
		w.hooks.ChatChanged = func(_ context.Context, c ChatChange) error {
			mu.Lock()
			defer mu.Unlock()
			if failures > 0 {
				failures--
				return errors.New("the database is away")
			}
			changes = append(changes, c)
			return nil
		}
		w.start()
		ann := w.join(1)
		group, forum, channel := w.telegram.Group(groupID, "Friends"), ann.CreateForum(forumID, "Team"), ann.CreateChannel(channelID, "News")
		forum.Promote(ann, "can_manage_topics")
		forum.Demote(ann)
		forum.Mute(ann)
		forum.Remove(ann)
		channel.Promote(ann, "can_post_messages")
		channel.Promote(ann)
		channel.Demote(ann)
		group.Upgrade(ann, superID)
		time.Sleep(2 * backlogPause)
		w.idle()
		member := Place{Member: true, Post: true}
		of := func(chat int64) (places []Place) {
			for _, c := range changes {
				if c.Chat == chat && c.MovedTo == 0 {
					places = append(places, c.Place)
				}
			}
			return places
		}
		for chat, want := range map[int64][]Place{
			groupID:   {member},
			forumID:   {{Member: true, Post: true, ManageTopics: true}, member, {Member: true}, {}},
			channelID: {member, {Member: true}, {}},
			superID:   {member},
		} {
			if diff := cmp.Diff(want, of(chat)); diff != "" {
				t.Errorf("chat %d: %s", chat, diff)
			}
		}
		moves := slices.DeleteFunc(changes, func(c ChatChange) bool { return c.MovedTo == 0 })
		if len(moves) != 2 || moves[0] != (ChatChange{Chat: groupID, MovedTo: superID}) || moves[1] != moves[0] {
			t.Errorf("moves: %+v", moves)
		}
	})
}

// What a person chooses with a button answers the dialog, and the keyboard can be removed.
func TestAskForChatsAndPeople(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		no := false
		w.bot.Command("ask", func(context.Context, *Request) (View, error) {
			return View{Text: "Which?", Dialog: &Dialog{Step: "chosen", TTL: time.Hour}, Ask: []AskButton{
				{Label: "Forum", Chat: &ChatRequest{ID: 1, BotMember: true, Title: true, BotRights: &AdminRights{ManageTopics: true}, UserRights: &AdminRights{ManageTopics: true}}},
				{Label: "Channel", Chat: &ChatRequest{ID: 2, Channel: true, BotRights: &AdminRights{Post: true, Edit: true}, UserRights: &AdminRights{Post: true, Edit: true}}},
				{Label: "People", Users: &UsersRequest{ID: 3, Most: 2, Bot: &no, Name: true}},
				{Label: "Cancel"},
			}}, nil
		})
		var chats []SharedChat
		var people []SharedUser
		w.bot.Step("chosen", func(_ context.Context, req *Request) (View, error) {
			if req.SharedChat != nil {
				chats = append(chats, *req.SharedChat)
			}
			if req.SharedUsers != nil {
				people = append(people, req.SharedUsers.Users...)
			}
			return View{Text: "thanks " + req.Text, KeepDialog: true}, nil
		})
		w.bot.Command("remove", func(ctx context.Context, req *Request) (View, error) { return View{}, req.RemoveReplyKeyboard(ctx) })
		w.start()
		ann := w.join(1)
		w.join(2)
		ann.CreateForum(forumID, "Team")
		ann.CreateChannel(channelID, "News")
		ann.Type("/ask")
		w.idle()
		for _, err := range []error{ann.ShareChat(1, forumID), ann.ShareChat(2, channelID), ann.ShareUsers(3, 1, 2)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		ann.Type("Cancel")
		w.idle()
		if diff := cmp.Diff([]SharedChat{{RequestID: 1, ID: forumID, Title: "Team"}, {RequestID: 2, ID: channelID}}, chats); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]SharedUser{{ID: 1, FirstName: "Ann"}, {ID: 2, FirstName: "Ann"}}, people); diff != "" {
			t.Error(diff)
		}
		if ann.Last().Text != "thanks Cancel" || len(ann.ReplyKeyboard()) != 4 {
			t.Errorf("%q, keyboard %v", ann.Last().Text, ann.ReplyKeyboard())
		}
		ann.Type("/remove")
		w.idle()
		if len(ann.ReplyKeyboard()) != 0 {
			t.Error("the keyboard stays")
		}
	})
}

// A post goes to its topic or nowhere, and the errors tell why.
func TestPost(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.start()
		ann := w.join(1)
		group, forum, channel := w.telegram.Group(groupID, "Friends"), ann.CreateForum(forumID, "Team"), ann.CreateChannel(channelID, "News")
		post := func(chat int64, thread int64) (int, error) {
			return w.bot.Post(t.Context(), chat, outbox.PriorityStatus, View{Text: "x", Thread: thread})
		}
		place := func(chat int64, want Place) {
			t.Helper()
			if got, err := w.bot.Place(t.Context(), chat); err != nil || got != want {
				t.Errorf("place in %d: %+v, %v", chat, got, err)
			}
		}
		_, err := post(forumID, 0)
		if !errors.Is(err, outbox.ErrUnreachable) {
			t.Errorf("where the bot is not: %v", err)
		}
		if _, err := w.bot.Place(t.Context(), forumID); !errors.Is(err, outbox.ErrUnreachable) {
			t.Errorf("place where the bot is not: %v", err)
		}
		forum.Add(ann)
		place(forumID, Place{Member: true, Post: true})
		if _, err := w.bot.CreateTopic(t.Context(), forumID, "Orders"); !errors.Is(err, outbox.ErrNoRights) {
			t.Errorf("a topic without the right: %v", err)
		}
		if _, err := w.bot.CreateTopic(t.Context(), groupID, "Orders"); !errors.Is(err, outbox.ErrRejected) {
			t.Errorf("a topic in a group: %v", err)
		}
		forum.Promote(ann, "can_manage_topics")
		place(forumID, Place{Member: true, Post: true, ManageTopics: true})
		thread, err := w.bot.CreateTopic(t.Context(), forumID, "Orders")
		if err != nil || forum.TopicName(int(thread)) != "Orders" {
			t.Fatalf("topic %d, %v", thread, err)
		}
		id, err := post(forumID, thread)
		if got := forum.Last(); err != nil || got.ID != id || got.Thread != int(thread) {
			t.Errorf("post %d in topic %d, %v", got.ID, got.Thread, err)
		}
		if err := w.bot.EditPost(t.Context(), forumID, id, View{Text: "y"}); err != nil || forum.Last().Text != "y" {
			t.Errorf("edit: %v", err)
		}
		forum.DeleteTopic(int(thread))
		if _, err := post(forumID, thread); !errors.Is(err, outbox.ErrNoTopic) {
			t.Errorf("in a deleted topic: %v", err)
		}
		if err := w.bot.EditPost(t.Context(), forumID, id, View{Text: "z"}); !errors.Is(err, outbox.ErrGone) {
			t.Errorf("edit of a deleted message: %v", err)
		}
		forum.Mute(ann)
		if _, err := post(forumID, 0); !errors.Is(err, outbox.ErrNoRights) {
			t.Errorf("where it is muted: %v", err)
		}
		channel.Promote(ann)
		place(channelID, Place{Member: true})
		if _, err := post(channelID, 0); !errors.Is(err, outbox.ErrNoRights) {
			t.Errorf("in a channel without the right: %v", err)
		}
		group.Upgrade(ann, superID)
		var moved *outbox.MovedError
		if _, err := post(groupID, 0); !errors.As(err, &moved) || moved.To != superID || errors.Is(err, outbox.ErrRejected) {
			t.Errorf("in a group that has moved: %v", err)
		}
	})
}

// Posts and edits in a group are 20 a minute together; private chats have their own limit.
func TestPaceOfPostsAndEdits(t *testing.T) {
	inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
		w.cfg.Rate = 30
		w.build()
		w.start()
		group, ann := w.telegram.Group(groupID, "Friends"), w.join(1)
		id, err := w.bot.Post(t.Context(), groupID, outbox.PriorityStatus, View{Text: "0"})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for n := range 39 {
			if err := w.bot.EditPost(t.Context(), groupID, id, View{Text: string(rune('A' + n))}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("39 edits in %v", took)
		}
		if group.Last().Text != "g" {
			t.Errorf("it shows %q", group.Last().Text)
		}
		id, err = w.bot.Send(t.Context(), 1, outbox.PriorityCode, View{Text: "0"})
		start = time.Now()
		for n := range 39 {
			err = errors.Join(err, w.bot.Edit(t.Context(), 1, id, View{Text: string(rune('A' + n))}))
		}
		if took := time.Since(start); err != nil || took > time.Second || ann.Last().Text != "g" {
			t.Errorf("39 edits in a private chat in %v, %v", took, err)
		}
	})
}
