package handlers_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	telegrambot "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// people is how many chats tap at once, each as soon as the last tap was drawn.
const people = 200

// BenchmarkTap measures a menu tap until it is answered and drawn, over loopback:
// through the whole bot, and through a handler of the library that only makes the
// same two calls. Run both to compare them:
//
//	go test ./handlers -run '^$' -bench Tap -benchtime 20000x
func BenchmarkTap(b *testing.B) {
	b.Run("bot", func(b *testing.B) {
		l := testworld.NewLoopback(b, telegram.Options{NoLog: true})
		l.Start(b, 0)
		tapAll(b, l.Telegram)
	})
	b.Run("library", func(b *testing.B) {
		l := testworld.NewLoopback(b, telegram.Options{NoLog: true})
		startLibrary(b, l.TelegramURL)
		tapAll(b, l.Telegram)
	})
}

// startLibrary starts a handler that only answers and edits.
func startLibrary(b *testing.B, url string) {
	b.Helper()
	bundle, err := locales.Load()
	must(b, err)
	l := bundle.Localizer("en")
	keyboard := models.InlineKeyboardMarkup{InlineKeyboard: keyboards.MenuKeyboard(l)}
	handle := func(ctx context.Context, lib *telegrambot.Bot, update *models.Update) {
		if update.Message != nil {
			_, _ = lib.SendMessage(ctx, &telegrambot.SendMessageParams{ChatID: update.Message.Chat.ID, Text: l.T("menu_text"), ParseMode: models.ParseModeHTML, ReplyMarkup: keyboard})
			return
		}
		query := update.CallbackQuery
		_, _ = lib.AnswerCallbackQuery(ctx, &telegrambot.AnswerCallbackQueryParams{CallbackQueryID: query.ID})
		text := l.T("menu_text")
		if query.Data == keyboards.Help.Data(struct{}{}) {
			text = l.T("help_text", locales.Args{"Support": ""})
		}
		_, _ = lib.EditMessageText(ctx, &telegrambot.EditMessageTextParams{
			ChatID: query.Message.Message.Chat.ID, MessageID: query.Message.Message.ID, Text: text, ParseMode: models.ParseModeHTML,
			ReplyMarkup: models.InlineKeyboardMarkup{InlineKeyboard: append(keyboard.InlineKeyboard[:len(keyboard.InlineKeyboard):len(keyboard.InlineKeyboard)], keyboards.Foot(l, "")...)},
		})
	}
	lib, err := telegrambot.New(testworld.Token, telegrambot.WithServerURL(url), telegrambot.WithDefaultHandler(handle))
	must(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { lib.Start(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
}

// tapAll taps b.N times in all, Help and Menu alternately.
func tapAll(b *testing.B, server *telegram.Server) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	clients := make([]*telegram.Client, people)
	for i := range clients {
		clients[i] = server.Join(telegram.Person{ID: int64(i + 1), FirstName: "Ann", LanguageCode: "en"})
		clients[i].Type("/menu")
	}
	for _, client := range clients {
		must(b, client.Await(ctx, func([]telegram.Message) bool { return client.Last().FromBot }))
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	var group sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for _, client := range clients {
		group.Go(func() {
			message := client.Last()
			for i := 0; left.Add(-1) >= 0; i++ {
				data := []string{keyboards.Help.Data(struct{}{}), keyboards.Menu.Data(struct{}{})}[i%2]
				client.TapData(message.ID, data)
				before := message.Text
				err := client.Await(ctx, func([]telegram.Message) bool {
					message = client.Last()
					return message.Text != before
				})
				if err != nil {
					b.Error(fmt.Errorf("tap %d was not drawn: %w", i, err))
					return
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "taps/s")
}
