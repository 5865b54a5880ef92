package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	library "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"hstockbot/internal/route"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
)

const benchChats = 200

// tapper taps b.N times on the menus of 200 chats, all at once, and waits until each
// tap is answered and each menu edited.
type tapper struct {
	b      *testing.B
	server *telegram.Server
	people []*telegram.Client
	menus  []int
	left   atomic.Int64
	done   chan struct{}
}

// menu returns the menu after the nth tap: as large as a real one, and different from
// the one before.
func menu(n int64) (text string, keyboard [][]models.InlineKeyboardButton) {
	text = fmt.Sprintf("<b>Menu</b> %d\nWhat would you like to see? Balance <code>$25.00</code>.", n)
	for row := range 5 {
		keyboard = append(keyboard, []models.InlineKeyboardButton{
			{Text: fmt.Sprint("🛍 Catalog ", row), CallbackData: tapRoute.Data(numberArgs{N: n})},
			{Text: fmt.Sprint("💰 Balance ", row), CallbackData: tapRoute.Data(numberArgs{N: n + 1})},
		})
	}
	return text, keyboard
}

func benchmarkTaps(b *testing.B, start func(url string, t *tapper) (stop func())) {
	server := telegram.New(telegram.Options{NoLog: true})
	web := httptest.NewServer(server)
	t := &tapper{b: b, server: server, done: make(chan struct{})}
	stop := start(web.URL, t)
	defer func() { stop(); server.Close(); web.Close() }()
	sender, err := library.New(telegram.DefaultToken, library.WithServerURL(web.URL), library.WithSkipGetMe())
	if err != nil {
		b.Fatal(err)
	}
	for i := range benchChats {
		person := server.Join(telegram.Person{ID: int64(i + 1), FirstName: "Ann", LanguageCode: "en"})
		text, keyboard := menu(0)
		sent, err := sender.SendMessage(b.Context(), &library.SendMessageParams{
			ChatID: person.ChatID(), Text: text, ParseMode: models.ParseModeHTML,
			ReplyMarkup: &models.InlineKeyboardMarkup{InlineKeyboard: keyboard},
		})
		if err != nil {
			b.Fatal(err)
		}
		t.people, t.menus = append(t.people, person), append(t.menus, sent.ID)
	}
	t.left.Store(int64(2 * b.N))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		t.people[i%benchChats].TapData(t.menus[i%benchChats], tapRoute.Data(numberArgs{N: int64(i + 1)}))
	}
	<-t.done
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "taps/s")
}

// count counts a call that succeeded; each tap makes two.
func (t *tapper) count(err error) {
	if err != nil {
		t.b.Error(err)
	}
	if t.left.Add(-1) == 0 {
		close(t.done)
	}
}

// BenchmarkTap measures a tap in the whole bot with an in-memory inbox, and in a handler
// of the library alone that makes the same two calls, with connections tuned like the
// bot's and with the default client.
func BenchmarkTap(b *testing.B) {
	b.Run("bot", func(b *testing.B) {
		benchmarkTaps(b, func(url string, t *tapper) func() {
			bot, err := New(Config{
				Token: telegram.DefaultToken, APIURL: url, Inbox: newInbox(),
				ObserveCall: func(method, _ string, _ time.Duration) {
					if method == "answerCallbackQuery" || method == "editMessageText" {
						t.count(nil)
					}
				},
			})
			if err != nil {
				b.Fatal(err)
			}
			bot.SetHooks(Hooks{Identify: func(context.Context, User, bool) (*locales.Localizer, error) { return nil, nil }})
			// Not a Screen, of which taps would be skipped.
			Action(bot, tapRoute, func(_ context.Context, _ *Request, args numberArgs) (View, error) {
				text, keyboard := menu(args.N)
				return View{Text: text, Keyboard: keyboard}, nil
			}, nil)
			if err := errors.Join(bot.Start(b.Context()), bot.Lead(b.Context())); err != nil {
				b.Fatal(err)
			}
			return func() {
				if err := bot.Stop(context.WithoutCancel(b.Context())); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("library, tuned", func(b *testing.B) {
		transport := &http.Transport{MaxIdleConns: maxConns, MaxIdleConnsPerHost: maxConns}
		defer transport.CloseIdleConnections()
		benchmarkTaps(b, libraryBot(b, library.WithHTTPClient(time.Minute, &http.Client{Timeout: time.Minute, Transport: transport})))
	})
	b.Run("library, default client", func(b *testing.B) {
		benchmarkTaps(b, libraryBot(b))
	})
}

// BenchmarkTapInFlood measures taps of 200 chats while another chat has 10,000 commands
// in the inbox, to which a pacer would answer one a second.
func BenchmarkTapInFlood(b *testing.B) {
	benchmarkTaps(b, func(url string, t *tapper) func() {
		bot, err := New(Config{
			Token: telegram.DefaultToken, APIURL: url, Inbox: newInbox(), Rate: 1e6,
			ObserveCall: func(method, _ string, _ time.Duration) {
				if method == "answerCallbackQuery" || method == "editMessageText" {
					t.count(nil)
				}
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		bot.SetHooks(Hooks{Identify: func(context.Context, User, bool) (*locales.Localizer, error) { return nil, nil }})
		bot.Command("menu", echo("menu"))
		Action(bot, tapRoute, func(_ context.Context, _ *Request, args numberArgs) (View, error) {
			text, keyboard := menu(args.N)
			return View{Text: text, Keyboard: keyboard}, nil
		}, nil)
		for range 10_000 {
			t.server.Join(telegram.Person{ID: benchChats + 1, FirstName: "Bob"}).Type("/menu")
		}
		if err := errors.Join(bot.Start(b.Context()), bot.Lead(b.Context())); err != nil {
			b.Fatal(err)
		}
		return func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(b.Context()), time.Second)
			defer cancel()
			_ = bot.Stop(ctx) // the flood is cut off
		}
	})
}

func libraryBot(b *testing.B, options ...library.Option) func(url string, t *tapper) func() {
	return func(url string, t *tapper) func() {
		options = append(options, library.WithServerURL(url), library.WithDefaultHandler(func(ctx context.Context, bot *library.Bot, u *models.Update) {
			q := u.CallbackQuery
			_, err := bot.AnswerCallbackQuery(ctx, &library.AnswerCallbackQueryParams{CallbackQueryID: q.ID})
			t.count(err)
			_, rest := route.Split(q.Data)
			args, err := tapRoute.Parse(rest)
			if err != nil {
				t.b.Error(err)
			}
			text, keyboard := menu(args.N)
			_, err = bot.EditMessageText(ctx, &library.EditMessageTextParams{
				ChatID: q.Message.Message.Chat.ID, MessageID: q.Message.Message.ID, Text: text, ParseMode: models.ParseModeHTML,
				LinkPreviewOptions: &models.LinkPreviewOptions{IsDisabled: library.True()},
				ReplyMarkup:        &models.InlineKeyboardMarkup{InlineKeyboard: keyboard},
			})
			t.count(err)
		}))
		bot, err := library.New(telegram.DefaultToken, options...)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		var running sync.WaitGroup
		running.Go(func() { bot.Start(ctx) })
		return func() { cancel(); running.Wait() }
	}
}
