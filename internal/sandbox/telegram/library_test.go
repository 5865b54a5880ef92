package telegram

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

// TestLibraryEndToEnd makes the calls of a bot with the library that the bot uses.
func TestLibraryEndToEnd(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	web := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); web.Close() })

	taps := make(chan struct{})
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	handle := func(ctx context.Context, b *bot.Bot, u *models.Update) {
		switch {
		case u.Message != nil && u.Message.Text == "/start":
			sent, err := b.SendMessage(ctx, &bot.SendMessageParams{
				ChatID: u.Message.Chat.ID, Text: "Hello, <b>" + u.Message.From.FirstName + "</b>", ParseMode: models.ParseModeHTML,
				LinkPreviewOptions: &models.LinkPreviewOptions{IsDisabled: bot.True()},
				ReplyMarkup: &models.InlineKeyboardMarkup{InlineKeyboard: [][]models.InlineKeyboardButton{
					{{Text: "Go", CallbackData: "go"}, {Text: "Copy", CopyText: &models.CopyTextButton{Text: "abc"}}},
				}},
			})
			check(err)
			if err == nil && (sent.ReplyMarkup == nil || sent.Text != "Hello, Ann" || len(sent.Entities) != 1) {
				t.Errorf("sent message came back as %+v", sent)
			}
		case u.CallbackQuery != nil:
			q := u.CallbackQuery
			_, err := b.AnswerCallbackQuery(ctx, &bot.AnswerCallbackQueryParams{CallbackQueryID: q.ID, Text: "Going"})
			check(err)
			at := q.Message.Message
			_, err = b.EditMessageText(ctx, &bot.EditMessageTextParams{ChatID: at.Chat.ID, MessageID: at.ID, Text: "Gone"})
			check(err)
			_, err = b.SendChatAction(ctx, &bot.SendChatActionParams{ChatID: at.Chat.ID, Action: models.ChatActionUploadDocument})
			check(err)
			doc, err := b.SendDocument(ctx, &bot.SendDocumentParams{
				ChatID: at.Chat.ID, Document: &models.InputFileUpload{Filename: "order-7.txt", Data: strings.NewReader("one\ntwo\n")},
				Caption: "<i>All</i> of it", ParseMode: models.ParseModeHTML,
			})
			check(err)
			if err == nil {
				file, err := b.GetFile(ctx, &bot.GetFileParams{FileID: doc.Document.FileID})
				check(err)
				if err == nil && !strings.HasPrefix(file.FilePath, "documents/") {
					t.Errorf("file path %q", file.FilePath)
				}
			}
			close(taps)
		}
	}
	b, err := bot.New(DefaultToken, bot.WithServerURL(web.URL), bot.WithDefaultHandler(handle))
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.SetMyCommands(t.Context(), &bot.SetMyCommandsParams{
		Commands: []models.BotCommand{{Command: "start", Description: "Begin"}}, Scope: &models.BotCommandScopeAllPrivateChats{}, LanguageCode: "de",
	})
	check(err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { b.Start(ctx); close(ended) }()

	ann := s.Join(Person{ID: 7, FirstName: "Ann", LanguageCode: "de-at"})
	ann.Type("/start")
	if err := ann.Await(ctx, func(m []Message) bool { return len(m) == 2 }); err != nil {
		t.Fatal(err)
	}
	if err := ann.Tap("Go"); err != nil {
		t.Fatal(err)
	}
	<-taps
	stop()
	<-ended

	want := "#1 Ann: /start\n" +
		"#2 Bot: Hello, *Ann*\n   [ Go ] [ Copy ⧉ abc ]\n" +
		"Ann taps [ Go ] on #2 → toast: Going\n" +
		"#2 Bot edits: Gone\n" +
		"Bot … upload document\n" +
		"#3 Bot: 📄 order-7.txt (8 bytes, text/plain)\n   | one\n   | two\n   _All_ of it\n"
	if got := ann.History(); got != want {
		t.Errorf("history\n%s\nwant\n%s", got, want)
	}
	if got := string(ann.File(ann.Last())); got != "one\ntwo\n" {
		t.Errorf("file %q", got)
	}
	if got := ann.Commands(); len(got) != 1 || got[0].Command != "start" {
		t.Errorf("commands %v", got)
	}
	for _, call := range s.Calls() {
		if !call.OK && call.Method != "getUpdates" {
			t.Errorf("%s refused: %s", call.Method, call.Description)
		}
	}
}

// TestLibraryInSynctestBubble runs the library over net.Pipe connections.
func TestLibraryInSynctestBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		net := listenPipes(t, s)
		transport := &http.Transport{DialContext: net.dial}
		answered := 0
		b, err := bot.New(DefaultToken, bot.WithServerURL("http://telegram.example"), bot.WithSkipGetMe(),
			bot.WithHTTPClient(time.Minute, &http.Client{Transport: transport}),
			bot.WithDefaultHandler(func(ctx context.Context, b *bot.Bot, u *models.Update) {
				answered++
				_, err := b.SendMessage(ctx, &bot.SendMessageParams{ChatID: u.Message.Chat.ID, Text: fmt.Sprint("answer ", answered)})
				if err != nil {
					t.Error(err)
				}
			}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { b.Start(ctx); close(ended) }()
		ann := s.Join(Person{ID: annID, FirstName: "Ann"})
		for i := range 3 {
			time.Sleep(time.Hour)
			ann.Type("hi")
			synctest.Wait()
			if got, want := ann.Last().Text, fmt.Sprint("answer ", i+1); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		stop()
		<-ended
		s.Close()
		transport.CloseIdleConnections()
	})
}

// TestLibraryInRooms makes the calls of a shop's room with the library. It names a right
// of an administrator that Bot API 10.1 does not have, so a bot writes such rights itself.
func TestLibraryInRooms(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	web := httptest.NewServer(s)
	updates := make(chan *models.Update, 10)
	b, err := bot.New(DefaultToken, bot.WithServerURL(web.URL), bot.WithNotAsyncHandlers(), bot.WithDefaultHandler(func(_ context.Context, _ *bot.Bot, u *models.Update) { updates <- u }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { b.Start(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended; s.Close(); web.Close() })

	ann := s.Join(Person{ID: annID, FirstName: "Ann"})
	forum := ann.CreateForum(forumID, "Team")
	forum.Promote(ann, "can_manage_topics")
	rights := (<-updates).MyChatMember.NewChatMember.Administrator
	if rights == nil || !rights.CanManageTopics || rights.CanPinMessages {
		t.Errorf("rights %+v", rights)
	}
	topic, err := b.CreateForumTopic(ctx, &bot.CreateForumTopicParams{ChatID: forumID, Name: "Orders"})
	if err != nil || topic.MessageThreadID != 1 {
		t.Fatalf("topic %+v, %v", topic, err)
	}
	sent, err := b.SendMessage(ctx, &bot.SendMessageParams{ChatID: forumID, MessageThreadID: topic.MessageThreadID, Text: "sold"})
	if err != nil || !sent.IsTopicMessage || !sent.Chat.IsForum {
		t.Errorf("sent %+v, %v", sent, err)
	}

	ask := func(request *models.KeyboardButtonRequestChat) error {
		_, err := b.SendMessage(ctx, &bot.SendMessageParams{ChatID: annID, Text: "Which?", ReplyMarkup: &models.ReplyKeyboardMarkup{
			OneTimeKeyboard: true, Keyboard: [][]models.KeyboardButton{{
				{Text: "A group", RequestChat: request}, {Text: "People", RequestUsers: &models.KeyboardButtonRequestUsers{RequestID: 2, RequestName: true}},
			}},
		}})
		return err
	}
	if err := ask(&models.KeyboardButtonRequestChat{RequestID: 1, BotAdministratorRights: &models.ChatAdministratorRights{}}); err == nil || !strings.Contains(err.Error(), `unknown field "can_send_welcome_messages"`) {
		t.Errorf("asked with the library's rights: %v", err)
	}
	if err := ask(&models.KeyboardButtonRequestChat{RequestID: 1, BotIsMember: true}); err != nil {
		t.Fatal(err)
	}
	if err := ann.ShareChat(1, forumID); err != nil {
		t.Fatal(err)
	}
	if got := (<-updates).Message.ChatShared; got == nil || got.ChatID != forumID || got.RequestID != 1 {
		t.Errorf("chat_shared %+v", got)
	}
	if err := ann.ShareUsers(2, annID); err != nil {
		t.Fatal(err)
	}
	if got := (<-updates).Message.UsersShared; got == nil || len(got.Users) != 1 || got.Users[0].FirstName != "Ann" {
		t.Errorf("users_shared %+v", got)
	}

	group := s.Group(groupID, "Friends")
	<-updates
	group.Upgrade(ann, -1_000_000_000_077)
	if got := (<-updates).Message.MigrateToChatID; got != -1_000_000_000_077 {
		t.Errorf("migrate_to_chat_id %d", got)
	}
	_, err = b.SendMessage(ctx, &bot.SendMessageParams{ChatID: int64(groupID), Text: "x"})
	var migrated *bot.MigrateError
	if !errors.As(err, &migrated) || migrated.MigrateToChatID != -1_000_000_000_077 {
		t.Errorf("a message to the group: %v", err)
	}
}
