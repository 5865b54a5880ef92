package pace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"hstockbot/bot"
	"hstockbot/internal/callrate"
	"hstockbot/internal/hstock"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secretKey seals the databases.
const secretKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// database is a database that keeps the slots that it has reserved.
type database struct {
	*storage.DB
	tb    testing.TB
	mu    *sync.Mutex
	slots *[]time.Time
}

func (db database) keep(slot storage.Slot, err error) (storage.Slot, error) {
	if err != nil {
		db.tb.Error(err)
	}
	if slot.Reserved {
		db.mu.Lock()
		defer db.mu.Unlock()
		*db.slots = append(*db.slots, slot.At)
	}
	return slot, err
}

func (db database) ReserveSlot(ctx context.Context, name string, step time.Duration) (storage.Slot, error) {
	return db.keep(db.DB.ReserveSlot(ctx, name, step))
}

func (db database) ReserveMessage(ctx context.Context, step time.Duration, chat storage.ChatPace) (storage.Slot, error) {
	return db.keep(db.DB.ReserveMessage(ctx, step, chat))
}

// databaseURL returns the URL of a new database on PostgreSQL.
func databaseURL(tb testing.TB) string {
	tb.Helper()
	return pgtest.URL(tb, filepath.Join(tb.TempDir(), "bot.db"), func(url string) error {
		return open(tb, url).Close(context.WithoutCancel(tb.Context()))
	})
}

func open(tb testing.TB, url string) *storage.DB {
	tb.Helper()
	keys, err := storage.ParseKeys(secretKey)
	if err != nil {
		tb.Fatal(err)
	}
	db, err := storage.Open(tb.Context(), storage.Options{URL: url, Keys: keys})
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

// openCopies opens a new database several times. The slots are those of all copies.
func openCopies(tb testing.TB, copies int) []database {
	tb.Helper()
	url := databaseURL(tb)
	opened := make([]database, 0, copies)
	for range copies {
		db := open(tb, url)
		tb.Cleanup(func() {
			if err := db.Close(context.WithoutCancel(tb.Context())); err != nil {
				tb.Error(err)
			}
		})
		opened = append(opened, database{DB: db, tb: tb, mu: &sync.Mutex{}, slots: &[]time.Time{}})
	}
	for i := range opened {
		opened[i].mu, opened[i].slots = opened[0].mu, opened[0].slots
	}
	return opened
}

// closing returns a Pace that is closed at the end of the test.
func closing(tb testing.TB, db DB, log *slog.Logger) *Pace {
	tb.Helper()
	p := New(db, log)
	tb.Cleanup(p.Close)
	return p
}

// newBots returns the bots of several copies. floods is called for each 429.
func newBots(tb testing.TB, server *telegram.Server, rate float64, floods func(), dbs ...database) []*bot.Bot {
	tb.Helper()
	web := httptest.NewServer(server)
	tb.Cleanup(func() { server.Close(); web.Close() })
	bots := make([]*bot.Bot, 0, len(dbs))
	for _, db := range dbs {
		b, err := bot.New(bot.Config{
			Token: telegram.DefaultToken, APIURL: web.URL, Rate: rate, Inbox: db.DB, Pace: closing(tb, db, slog.New(slog.DiscardHandler)),
			CountEvent: func(event string) {
				if event == "flood" {
					floods()
				}
			},
		})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() {
			if err := b.Stop(context.WithoutCancel(tb.Context())); err != nil {
				tb.Error(err)
			}
		})
		bots = append(bots, b)
	}
	return bots
}

// checkApart fails the test if a slot is closer than least to the one that is n before it.
func checkApart(tb testing.TB, slots []time.Time, n int, least time.Duration) {
	tb.Helper()
	slices.SortFunc(slots, time.Time.Compare)
	for i := n; i < len(slots); i++ {
		if gap := slots[i].Sub(slots[i-n]); gap < least {
			tb.Fatalf("%d slots within %v", n+1, gap)
		}
	}
}

// sendAll sends this many messages, each to a chat of its own, with all bots at once.
func sendAll(tb testing.TB, server *telegram.Server, bots []*bot.Bot, messages int) {
	tb.Helper()
	var running sync.WaitGroup
	for i := range messages {
		person := server.Join(telegram.Person{ID: int64(i + 1), FirstName: "Ann", LanguageCode: "en"})
		running.Go(func() {
			if _, err := bots[i%len(bots)].Send(tb.Context(), person.ChatID(), outbox.PriorityNews, bot.View{Text: "hello"}); err != nil {
				tb.Error(err)
			}
		})
	}
	running.Wait()
}

// Three bots send no more messages in any second than the rate, and Telegram refuses none.
func TestBotsShareTheirRate(t *testing.T) {
	const messages, rate = 75, 30
	dbs := openCopies(t, 3)
	server := telegram.New(telegram.Options{Flood: true})
	bots := newBots(t, server, rate, func() { t.Error("telegram has answered 429") }, dbs...)
	sendAll(t, server, bots, messages)
	if n := len(*dbs[0].slots); n != messages {
		t.Errorf("%d slots for %d messages", n, messages)
	}
	checkApart(t, *dbs[0].slots, 1, time.Second/rate)
	checkApart(t, *dbs[0].slots, rate, time.Second)
}

// A 429 that one bot gets holds the chat's messages of the other ones, and no other chat.
func TestFloodHoldsAllBots(t *testing.T) {
	server := telegram.New(telegram.Options{})
	floods := 0
	bots := newBots(t, server, 1000, func() { floods++ }, openCopies(t, 2)...)
	held := server.Join(telegram.Person{ID: 1, FirstName: "Ann", LanguageCode: "en"})
	other := server.Join(telegram.Person{ID: 2, FirstName: "Bo", LanguageCode: "en"})
	server.Fault(telegram.Fault{Method: "sendMessage", Chat: held.ChatID(), RetryAfter: 600})
	for i, b := range bots {
		_, err := b.Send(t.Context(), held.ChatID(), outbox.PriorityCode, bot.View{Text: "code"})
		refused, ok := errors.AsType[*bot.Error](err)
		if !ok || refused.RetryAfter < 5*time.Minute {
			t.Errorf("bot %d: %v", i, err)
		}
		if _, err := b.Send(t.Context(), other.ChatID(), outbox.PriorityCode, bot.View{Text: "code"}); err != nil {
			t.Errorf("bot %d, another chat: %v", i, err)
		}
	}
	if floods != 1 || len(held.Messages()) != 0 || len(other.Messages()) != 2 {
		t.Errorf("%d floods, %d and %d messages", floods, len(held.Messages()), len(other.Messages()))
	}
}

// Three clients make no more calls to the marketplace than the rate: each call is in a
// block, and blocks don't overlap.
func TestClientsShareTheirRate(t *testing.T) {
	const calls, rate, block = 30, 20, 1 // a limiter begins at 20
	dbs := openCopies(t, 3)
	marketplace := market.New(market.Options{})
	web := httptest.NewServer(marketplace)
	t.Cleanup(func() { marketplace.Close(); web.Close() })
	const key = redact.Secret("key-of-ann")
	marketplace.AddKey(key.Reveal(), "1.00", "USD")
	var running sync.WaitGroup
	for _, db := range dbs {
		client, err := hstock.New(hstock.Options{URL: web.URL, Limiter: callrate.New(callrate.Options{Most: rate, Pace: closing(t, db, slog.New(slog.DiscardHandler))})})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		for range calls / len(dbs) {
			running.Go(func() {
				if _, err := client.Balance(t.Context(), key); err != nil {
					t.Error(err)
				}
			})
		}
	}
	running.Wait()
	if n := len(*dbs[0].slots); n*block < calls {
		t.Errorf("%d calls in %d blocks of %d", calls, n, block)
	}
	checkApart(t, *dbs[0].slots, 1, block*time.Second/rate)
}

// counter counts the messages that the database is asked for.
type counter struct {
	*storage.DB
	messages int
}

func (c *counter) ReserveMessage(ctx context.Context, step time.Duration, chat storage.ChatPace) (storage.Slot, error) {
	c.messages++
	return c.DB.ReserveMessage(ctx, step, chat)
}

// Without the database each process keeps to its part of the rate, as many as were alive.
// That is logged once when it begins and once when it ends.
func TestDatabaseHangs(t *testing.T) {
	url := databaseURL(t)
	db := open(t, url)
	t.Cleanup(func() {
		if err := db.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	now := time.Now()
	for i := range 3 {
		if err := db.AddReplica(t.Context(), storage.Replica{ID: fmt.Sprint(i), StartedAt: now, Until: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	asked := &counter{DB: db}
	p := closing(t, asked, slog.New(slog.NewTextHandler(&log, nil)))
	if _, _, reserved := p.ReserveMessage(1, time.Nanosecond, time.Hour, 3); !reserved {
		t.Error("the first message is refused")
	}
	end := lockPace(t, url)
	if in, _, reserved := p.ReserveMessage(1, time.Hour, time.Hour, 3); !reserved || in != 0 {
		t.Errorf("a message while the database hangs: %v, %v", in, reserved)
	}
	for range 2 {
		if in, _, reserved := p.ReserveMessage(1, time.Hour, time.Hour, 3); reserved || in > 3*time.Hour || in < 2*time.Hour {
			t.Errorf("the next message: %v, %v", in, reserved)
		}
	}
	if in, reserved := p.ReserveCalls(time.Minute); !reserved || in != 0 {
		t.Errorf("a call: %v, %v", in, reserved)
	}
	if asked.messages != 2 {
		t.Errorf("the database was asked for %d messages", asked.messages)
	}
	retry := func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.retryAt = time.Now()
	}
	retry()
	p.ReserveCalls(time.Minute) // in vain
	end()
	retry()
	for range 2 { // an interrupted statement may have taken the next slot
		p.ReserveMessage(2, time.Nanosecond, time.Hour, 3)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "rates not shared") || !strings.Contains(lines[0], "processes=3") || !strings.Contains(lines[1], "rates shared again") {
		t.Errorf("logged %q", lines)
	}
}

// lockPace makes statements about rates wait until end is called.
func lockPace(t *testing.T, url string) (end func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	run := func(query string) {
		if _, err := conn.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	run(`BEGIN`)
	run(`LOCK TABLE pace`)
	return func() {
		run(`ROLLBACK`)
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// No chat stays in the database for longer than it is delayed and some seconds.
func TestChatsAreDeleted(t *testing.T) {
	url := databaseURL(t)
	synctest.Test(t, func(t *testing.T) {
		db := open(t, url)
		defer func() {
			if err := db.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(t.Context()) }()
		chats := func() (n int) {
			if err := conn.QueryRow(t.Context(), `SELECT COUNT(*) FROM pace WHERE name LIKE '%/%'`).Scan(&n); err != nil {
				t.Error(err)
			}
			return n
		}
		p := New(db, slog.New(slog.DiscardHandler))
		defer p.Close()
		if _, _, reserved := p.ReserveMessage(1, time.Hour, time.Microsecond, 3); !reserved || chats() != 1 {
			t.Errorf("reserved %v, %d chats", reserved, chats())
		}
		p.HoldChat(2, time.Hour)
		time.Sleep(sweepPause)
		synctest.Wait()
		if n := chats(); n != 1 {
			t.Errorf("%d chats after a sweep", n)
		}
		if _, err := conn.Exec(t.Context(), `UPDATE pace SET held_until = 0`); err != nil {
			t.Error(err)
		}
		time.Sleep(sweepPause)
		synctest.Wait()
		if n := chats(); n != 0 {
			t.Errorf("%d chats after the hold", n)
		}
		if p.sweep != nil {
			t.Error("sweeps although nothing is left")
		}
		p.Close()
		p.HoldChat(3, time.Microsecond)
		time.Sleep(sweepPause)
		synctest.Wait()
		if n := chats(); n != 1 {
			t.Error("sweeps after Close")
		}
	})
}

// BenchmarkSharedPace sends with one bot and with three, and reports how much of the rate
// of 30 messages a second they use.
func BenchmarkSharedPace(b *testing.B) {
	const rate = 30
	for _, copies := range []int{1, 3} {
		b.Run(fmt.Sprintf("copies=%d", copies), func(b *testing.B) {
			dbs := openCopies(b, copies)
			server := telegram.New(telegram.Options{NoLog: true})
			bots := newBots(b, server, rate, func() {}, dbs...)
			b.ResetTimer()
			sendAll(b, server, bots, b.N)
			b.StopTimer()
			b.ReportMetric(100*float64(b.N-1)/rate/b.Elapsed().Seconds(), "%_of_rate")
			checkApart(b, *dbs[0].slots, rate, time.Second)
		})
	}
}
