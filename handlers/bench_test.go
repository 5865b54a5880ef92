package handlers_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	telegrambot "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"hstockbot/bot"
	"hstockbot/internal/app"
	"hstockbot/internal/config"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// people is how many chats tap at once, each as soon as its last tap was drawn.
const people = 200

// BenchmarkTap measures a menu tap, answered and drawn, over loopback: through
// the whole bot, and through a bare handler of the library that makes the same
// two calls. Run both at once to compare them:
//
//	go test ./handlers -run '^$' -bench Tap -benchtime 20000x
func BenchmarkTap(b *testing.B) {
	b.Run("bot", func(b *testing.B) {
		server := newTelegram(b)
		startBot(b, server.URL)
		tapAll(b, server.Server)
	})
	b.Run("library", func(b *testing.B) {
		server := newTelegram(b)
		startLibrary(b, server.URL)
		tapAll(b, server.Server)
	})
}

type loopbackTelegram struct {
	*telegram.Server
	URL string
}

func newTelegram(b *testing.B) loopbackTelegram {
	b.Helper()
	return newTelegramWith(b, telegram.Options{Token: token, NoLog: true})
}

func newTelegramWith(b *testing.B, options telegram.Options) loopbackTelegram {
	b.Helper()
	server := telegram.New(options)
	listener := httptest.NewServer(server)
	b.Cleanup(func() { server.Close(); listener.Close() })
	return loopbackTelegram{server, listener.URL}
}

// startBot starts the whole program, without pacing.
func startBot(b *testing.B, url string) { startBotAt(b, url, 0) }

// loopbackApp is what benchmarks look into.
type loopbackApp struct {
	*app.App
	floods atomic.Int64 // how often Telegram said "too many"
}

// startBotAt starts the whole program, at this many messages a second.
func startBotAt(b *testing.B, url string, rate float64) *loopbackApp {
	b.Helper()
	marketplace := market.New(market.Options{})
	listener := httptest.NewServer(marketplace)
	whole := &loopbackApp{}
	var err error
	whole.App, err = app.New(b.Context(), config.Config{
		TelegramToken: token, TelegramAPIURL: url, TelegramRate: rate, HStockAPIURL: listener.URL, HStockRate: 20,
		CatalogTTL: 5 * time.Minute, SMMRatePer: 1000, DatabaseURL: "sqlite:" + filepath.Join(b.TempDir(), "bot.db"), SecretKey: secretKey,
		AdminIDs: []int64{adminID}, DefaultLang: "en",
	}, app.Options{Log: slog.New(slog.DiscardHandler), ObserveCall: func(_, outcome string) {
		if outcome == bot.OutcomeFlood {
			whole.floods.Add(1)
		}
	}})
	must(b, err)
	must(b, whole.Start(b.Context()))
	b.Cleanup(func() {
		must(b, whole.Stop(context.WithoutCancel(b.Context())))
		marketplace.Close()
		listener.Close()
	})
	return whole
}

// startLibrary starts a handler that answers and edits, and nothing else.
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
	lib, err := telegrambot.New(token, telegrambot.WithServerURL(url), telegrambot.WithDefaultHandler(handle))
	must(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { lib.Start(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
}

// tapAll taps b.N times in all: help and menu in turn.
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
