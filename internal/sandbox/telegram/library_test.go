package telegram

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

// The library that the shop uses drives the server through all that it will ask.
func TestLibraryEndToEnd(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	web := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); web.Close() })

	taps := make(chan struct{})
	failed := func(err error) {
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
			failed(err)
			if err == nil && (sent.ReplyMarkup == nil || sent.Text != "Hello, Ann" || len(sent.Entities) != 1) {
				t.Errorf("sent message came back as %+v", sent)
			}
		case u.CallbackQuery != nil:
			q := u.CallbackQuery
			_, err := b.AnswerCallbackQuery(ctx, &bot.AnswerCallbackQueryParams{CallbackQueryID: q.ID, Text: "Going"})
			failed(err)
			at := q.Message.Message
			_, err = b.EditMessageText(ctx, &bot.EditMessageTextParams{ChatID: at.Chat.ID, MessageID: at.ID, Text: "Gone"})
			failed(err)
			_, err = b.SendChatAction(ctx, &bot.SendChatActionParams{ChatID: at.Chat.ID, Action: models.ChatActionUploadDocument})
			failed(err)
			doc, err := b.SendDocument(ctx, &bot.SendDocumentParams{
				ChatID: at.Chat.ID, Document: &models.InputFileUpload{Filename: "order-7.txt", Data: strings.NewReader("one\ntwo\n")},
				Caption: "<i>All</i> of it", ParseMode: models.ParseModeHTML,
			})
			failed(err)
			if err == nil {
				file, err := b.GetFile(ctx, &bot.GetFileParams{FileID: doc.Document.FileID})
				failed(err)
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
	failed(err)
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
