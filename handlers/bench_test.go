package handlers_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	telegrambot "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// people is how many chats tap at once, each as soon as the last tap was drawn.
const people = 200

// BenchmarkTap measures a menu tap until it is answered and drawn, over loopback: through
// a handler of the library that only makes the same two calls, and through the whole bot,
// on a file, on PostgreSQL, and in three copies there behind a webhook. Server and people
// share the machine with them. The library and the bot on a file have a process of their
// own, whose CPU time is counted; compare them:
//
//	go test ./handlers -run '^$' -bench 'Tap/(library|bot)$' -benchtime 20000x
//
// The variable HSTOCKBOT_TEST_PROFILE names a folder for profiles of these processes.
func BenchmarkTap(b *testing.B) {
	var library measured
	b.Run("library", func(b *testing.B) { library = tapProcess(b, tappedLibrary) })
	b.Run("bot", func(b *testing.B) {
		bot := tapProcess(b, tappedBot)
		if library.cpu > 0 { // it was run
			b.ReportMetric(float64(bot.cpu)/float64(library.cpu), "cpu/library")
			b.ReportMetric(bot.rate/library.rate, "rate/library")
		}
	})
	b.Run("bot on PostgreSQL", func(b *testing.B) {
		pgtest.Require(b)
		l := testworld.NewLoopback(b, telegram.Options{NoLog: true})
		l.DatabaseURL = testworld.PostgresURL(b)
		l.Start(b, 0)
		tapAll(b, l.Telegram, func() {})
	})
	b.Run("3 copies on PostgreSQL", func(b *testing.B) {
		pgtest.Require(b)
		l := testworld.NewLoopback(b, telegram.Options{NoLog: true})
		l.DatabaseURL = testworld.PostgresURL(b)
		l.StartCopies(b, 3, 0)
		tapAll(b, l.Telegram, func() {})
	})
}

// newLibrary returns a bot of the library that only answers and edits.
func newLibrary(url string) (*telegrambot.Bot, error) {
	bundle, err := locales.Load()
	if err != nil {
		return nil, err
	}
	l := bundle.Localizer("en")
	keyboard := models.InlineKeyboardMarkup{InlineKeyboard: keyboards.MenuKeyboard(l, keyboards.MenuParts{})}
	handle := func(ctx context.Context, lib *telegrambot.Bot, update *models.Update) {
		if update.Message != nil {
			_, _ = lib.SendMessage(ctx, &telegrambot.SendMessageParams{ChatID: update.Message.Chat.ID, Text: l.T("menu_text"), ParseMode: models.ParseModeHTML, ReplyMarkup: keyboard})
			return
		}
		query := update.CallbackQuery
		_, _ = lib.AnswerCallbackQuery(ctx, &telegrambot.AnswerCallbackQueryParams{CallbackQueryID: query.ID})
		text := l.T("menu_text")
		if query.Data == keyboards.Help.Data(struct{}{}) {
			text = l.T("help_text", locales.Args{"Support": "", "Key": "", "Arrives": ""})
		}
		_, _ = lib.EditMessageText(ctx, &telegrambot.EditMessageTextParams{
			ChatID: query.Message.Message.Chat.ID, MessageID: query.Message.Message.ID, Text: text, ParseMode: models.ParseModeHTML,
			ReplyMarkup: models.InlineKeyboardMarkup{InlineKeyboard: append(keyboard.InlineKeyboard[:len(keyboard.InlineKeyboard):len(keyboard.InlineKeyboard)], keyboards.Foot(l, "")...)},
		})
	}
	return telegrambot.New(testworld.Token, telegrambot.WithServerURL(url), telegrambot.WithDefaultHandler(handle))
}

// tapAll taps b.N times in all, Help and Menu alternately, and returns how many taps were
// drawn in a second. began is called after the menus are drawn.
func tapAll(b *testing.B, server *telegram.Server, began func()) (rate float64) {
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
	took := make([]time.Duration, b.N)
	var group sync.WaitGroup
	began()
	b.ResetTimer()
	for _, client := range clients {
		group.Go(func() {
			message := client.Last()
			for i := 0; ; i++ {
				n := left.Add(-1)
				if n < 0 {
					return
				}
				tapped := time.Now()
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
				took[n] = time.Since(tapped)
			}
		})
	}
	group.Wait()
	b.StopTimer()
	rate = float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "taps/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Milliseconds()), "p99-ms")
	return rate
}
