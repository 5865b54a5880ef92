package bot

import (
	"context"
	"encoding/json"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"hstockbot/internal/outbox"
)

// ChatChange is what has changed for the bot in a group or a channel.
type ChatChange struct {
	Chat int64
	// MovedTo is the supergroup that the group has become; 0 = it has not, and Place is
	// the bot's since the change.
	MovedTo int64
	Place   Place
}

// Place says what the bot may do in a group or a channel (Bot API: ChatMember).
type Place struct {
	Member       bool // it is there
	Post         bool // it may post
	ManageTopics bool // it may make topics, if the group has any
}

// member has the used fields of a ChatMember.
type member struct {
	Status       string `json:"status"`
	Post         *bool  `json:"can_post_messages,omitempty"` // nil in groups, where all members may
	Send         bool   `json:"can_send_messages,omitempty"` // of a restricted member
	Is           bool   `json:"is_member,omitempty"`         // likewise
	ManageTopics bool   `json:"can_manage_topics,omitempty"`
}

func (m member) place() Place {
	switch models.ChatMemberType(m.Status) {
	case models.ChatMemberTypeOwner, models.ChatMemberTypeAdministrator:
		return Place{Member: true, Post: m.Post == nil || *m.Post, ManageTopics: m.ManageTopics}
	case models.ChatMemberTypeMember:
		return Place{Member: true, Post: true}
	case models.ChatMemberTypeRestricted:
		return Place{Member: m.Is, Post: m.Is && m.Send}
	default:
		return Place{}
	}
}

// handleMove tells that a group has become a supergroup. Telegram says so in both.
func (b *Bot) handleMove(ctx context.Context, m *message) result {
	change := ChatChange{Chat: m.Chat.ID, MovedTo: m.MigrateTo}
	if m.MigrateFrom != 0 {
		change = ChatChange{Chat: m.MigrateFrom, MovedTo: m.Chat.ID}
	}
	return b.chatChanged(ctx, change)
}

// handlePlace tells that somebody has changed what the bot may do in a chat.
func (b *Bot) handlePlace(ctx context.Context, m *memberChange) result {
	return b.chatChanged(ctx, ChatChange{Chat: m.Chat.ID, Place: m.NewChatMember.place()})
}

func (b *Bot) chatChanged(ctx context.Context, change ChatChange) result {
	out := result{kind: "member"}
	if b.hooks.ChatChanged == nil {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, handlerTimeout)
	defer cancel()
	if err := b.hooks.ChatChanged(ctx, change); err != nil {
		b.log.Error("change of a chat not recorded", "error", err)
		out.unfinished = true
	}
	return out
}

// Post sends a message to a group or a channel. It is Send, except that a message whose
// topic no longer exists is not sent: the error is outbox.ErrNoTopic. A group that has
// become a supergroup is an *outbox.MovedError.
func (b *Bot) Post(ctx context.Context, chat int64, priority outbox.Priority, v View) (messageID int, err error) {
	v.onlyInThread = true
	return b.sendView(ctx, chat, int(v.Thread), priority, v, maxHold)
}

// EditPost changes a message in a group or a channel, where edits count as messages. A
// message that no longer exists is outbox.ErrGone. Other errors are those of Post and Edit.
func (b *Bot) EditPost(ctx context.Context, chat int64, messageID int, v View) error {
	return b.edit(ctx, chat, messageID, v, maxHold, false)
}

// CreateTopic makes a topic in a forum and returns its id (Bot API: createForumTopic). The
// error is outbox.ErrNoRights, outbox.ErrRejected where the chat is no forum, and else as
// of Post. After outbox.ErrUncertain there may be a topic.
func (b *Bot) CreateTopic(ctx context.Context, chat int64, name string) (thread int64, err error) {
	err = b.attempt(ctx, attempts{
		method: "createForumTopic",
		chat:   chat,
		wait:   func() (time.Duration, error) { return b.pacer.message(ctx, chat, outbox.PriorityReply, maxHold) },
		hold:   b.pacer.holdMessages,
	}, func() error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return b.client.call(ctx, "createForumTopic", &telegram.CreateForumTopicParams{ChatID: chat, Name: name}, maxResponse, func(body []byte) error {
			var created struct {
				Result struct {
					Thread int64 `json:"message_thread_id"`
				} `json:"result"`
			}
			if err := json.Unmarshal(body, &created); err != nil || created.Result.Thread == 0 {
				return errUnreadable
			}
			thread = created.Result.Thread
			return nil
		})
	})
	return thread, err
}

// CheckTopic returns outbox.ErrNoTopic where a topic does not exist. People see for some
// seconds that the bot is typing there (Bot API: sendChatAction).
func (b *Bot) CheckTopic(ctx context.Context, chat, thread int64) error {
	return retryOnce(ctx, nil, func(ctx context.Context) error {
		return b.client.call(ctx, "sendChatAction", &telegram.SendChatActionParams{ChatID: chat, MessageThreadID: int(thread), Action: models.ChatActionTyping}, maxResponse, into(&struct{}{}))
	})
}

// Place returns what the bot may do in a chat (Bot API: getChatMember). A chat that it is
// not in is no error, unless Telegram says only that it can't be reached.
func (b *Bot) Place(ctx context.Context, chat int64) (Place, error) {
	var response struct{ Result member }
	err := retryOnce(ctx, nil, func(ctx context.Context) error {
		return b.client.call(ctx, "getChatMember", &telegram.GetChatMemberParams{ChatID: chat, UserID: b.ID()}, maxResponse, into(&response))
	})
	return response.Result.place(), err
}
