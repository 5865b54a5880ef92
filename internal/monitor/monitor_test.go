package monitor_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"hstockbot/internal/hstock"
	"hstockbot/internal/monitor"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/memnet"
	"hstockbot/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	olga          = int64(4000)
	oleg          = int64(4001)
	stranger      = int64(4002) // an admin who never wrote
	operatorKey   = redact.Secret("operator-key-0123456789abcdef")
	testSecretKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // of the tests only
)

// world is the alarms with a marketplace that is an HTTP server and a database
// that is a file; the outbox is read where it stands.
type world struct {
	t      *testing.T
	market *market.Server
	client *hstock.Client
	db     *storage.DB
	alarms *monitor.Service
	log    *strings.Builder

	down, rival moment
	operator    redact.Secret
	unsure      atomic.Bool // of both, as a process that has just begun is
	ratePer     int64
	told        map[int64][]string // sent since news was last asked for, by person
}

// moment is a time that the test sets and the alarms read.
type moment struct{ ms atomic.Int64 }

func (m *moment) set(t time.Time) {
	if t.IsZero() {
		m.ms.Store(0)
		return
	}
	m.ms.Store(t.UnixMilli())
}

func (m *moment) get() time.Time {
	if ms := m.ms.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New()
		w := &world{t: t, market: market.New(market.Options{}), log: &strings.Builder{}, ratePer: 1000, operator: operatorKey, told: map[int64][]string{}}
		url, closeServer := net.Serve("market", w.market)
		w.market.AddKey(operatorKey.Reveal(), "100.00", "USD")
		var err error
		w.client, err = hstock.New(hstock.Options{URL: url, Dial: net.Dial})
		must(t, err)
		keys, err := storage.ParseKeys(testSecretKey)
		must(t, err)
		w.db, err = storage.Open(t.Context(), storage.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "bot.db"), Keys: keys})
		must(t, err)
		w.start()

		test(t, w)

		must(t, w.alarms.Stop(t.Context()))
		must(t, w.db.Close(t.Context()))
		w.client.Close()
		closeServer()
		w.market.Close()
		if strings.Contains(w.log.String(), operatorKey.Reveal()) {
			t.Error("the log holds the operator's key")
		}
	})
}

func (w *world) start() {
	w.alarms = monitor.New(monitor.Options{
		DB: w.db, Market: w.client, Log: slog.New(slog.NewTextHandler(w.log, nil)), OperatorKey: w.operator, AdminIDs: []int64{olga, oleg, stranger}, SMMRatePer: w.ratePer,
		MarketDown: func() (time.Time, bool) { return w.down.get(), !w.unsure.Load() }, PollConflict: func() (time.Time, bool) { return w.rival.get(), !w.unsure.Load() }, Wake: func() {},
	})
	w.alarms.Start()
	pass(time.Second) // what a test does then falls between two rounds
}

func (w *world) restart() {
	w.t.Helper()
	must(w.t, w.alarms.Stop(w.t.Context()))
	w.start()
}

func (w *world) join(ids ...int64) {
	w.t.Helper()
	for _, id := range ids {
		_, _, err := w.db.TouchUser(w.t.Context(), id, "Olga", "en", true)
		must(w.t, err)
	}
}

// pass lets time pass, and what is due in it happen.
func pass(d time.Duration) {
	time.Sleep(d) // in a bubble
	synctest.Wait()
}

// pass is pass with messages that go out meanwhile.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	for ; d > 0; d -= time.Minute {
		pass(min(d, time.Minute))
		w.send()
	}
}

// send takes what is due: the kinds of the entries of each message of alarms,
// with a + before those that are over.
func (w *world) send() {
	w.t.Helper()
	messages, err := w.db.ClaimMessages(w.t.Context(), "test", time.Now(), time.Now().Add(time.Minute), 1000)
	must(w.t, err)
	for _, m := range messages {
		must(w.t, w.db.MarkSent(w.t.Context(), m, 0, time.Now()))
		if m.Kind != monitor.Message {
			continue
		}
		news, err := monitor.DecodeReport(m)
		must(w.t, err)
		var words []string
		for _, e := range news.Entries {
			word := e.Kind
			if !e.EndedAt.IsZero() {
				word = "+" + word
			}
			words = append(words, word)
		}
		if news.More > 0 {
			words = append(words, fmt.Sprint("and ", news.More))
		}
		w.told[m.UserID] = append(w.told[m.UserID], strings.Join(words, " "))
	}
}

// news returns what a person was told since the last call, a message each.
func (w *world) news(id int64) []string {
	fresh := w.told[id]
	delete(w.told, id)
	return fresh
}

func (w *world) want(id int64, want ...string) {
	w.t.Helper()
	if got := w.news(id); !slices.Equal(got, want) {
		w.t.Errorf("%d was told %q, want %q", id, got, want)
	}
}

// TestOnceAndOver: each thing is told once, however long it lasts, and once more
// when it is over; a restart in between repeats nothing.
func TestOnceAndOver(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.join(olga, oleg)
		w.down.set(time.Now())
		w.pass(5 * time.Minute)
		w.want(olga, monitor.MarketDown)
		w.want(oleg, monitor.MarketDown)
		w.restart()
		w.pass(time.Hour)
		w.want(olga)
		w.down.set(time.Time{})
		w.restart()
		w.pass(time.Minute)
		w.want(olga, "+"+monitor.MarketDown)
		w.want(oleg, "+"+monitor.MarketDown)
		w.pass(time.Hour)
		w.want(olga)
	})
}

// TestAtMostOneAMinute: what happens meanwhile is summed up, and what was over
// before anybody was told is not told at all.
func TestAtMostOneAMinute(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.join(olga)
		w.down.set(time.Now())
		w.pass(15 * time.Second)
		w.want(olga, monitor.MarketDown)
		w.rival.set(time.Now().Add(-time.Minute))
		w.pass(15 * time.Second) // seen, and not told yet
		w.want(olga)
		w.down.set(time.Time{})
		w.pass(15 * time.Second)
		w.rival.set(time.Time{})
		w.pass(15 * time.Second)
		w.want(olga)
		w.pass(time.Minute)
		w.want(olga, "+"+monitor.MarketDown)

		for range 10 { // something that flaps
			w.down.set(time.Now())
			w.pass(20 * time.Second)
			w.down.set(time.Time{})
			w.pass(20 * time.Second)
		}
		if n := len(w.news(olga)); n > 7 {
			t.Errorf("%d messages in 400 seconds", n)
		}
	})
}

// TestNobodyToTell: what is wrong waits until an admin writes for the first time.
func TestNobodyToTell(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.down.set(time.Now())
		w.pass(time.Hour)
		w.join(olga)
		w.pass(time.Minute)
		w.want(olga, monitor.MarketDown)
		must(t, w.db.SetUnreachable(t.Context(), olga))
		w.join(oleg)
		w.down.set(time.Time{})
		w.pass(2 * time.Minute)
		w.want(oleg, "+"+monitor.MarketDown)
		w.want(olga)
	})
}

func TestOperatorsAccount(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.join(olga)
		w.pass(10 * time.Minute)
		w.want(olga) // no threshold is set
		must(t, w.db.SetSetting(t.Context(), storage.OperatorThreshold, "100.01"))
		w.pass(time.Minute)
		w.want(olga, monitor.BalanceLow)
		now, err := w.alarms.Active(t.Context())
		must(t, err)
		if len(now) != 1 || !now[0].Figures.Amount.Equal(decimal.RequireFromString("100.00")) || now[0].Figures.Currency != "USD" ||
			!now[0].Figures.Limit.Equal(decimal.RequireFromString("100.01")) {
			t.Errorf("what is wrong is %+v", now)
		}
		must(t, w.db.SetSetting(t.Context(), storage.OperatorThreshold, "50"))
		w.pass(2 * time.Minute)
		w.want(olga) // another threshold makes nothing better
		must(t, w.db.SetSetting(t.Context(), storage.OperatorThreshold, "120.00"))
		w.pass(2 * time.Minute)
		w.want(olga, monitor.BalanceLow)
		must(t, w.market.SetBalance(operatorKey.Reveal(), "120.00"))
		w.pass(6 * time.Minute)
		w.want(olga, "+"+monitor.BalanceLow) // the threshold itself is enough

		w.market.Fault(market.Fault{Action: "balance", Kind: market.HTML502, Times: 1})
		w.pass(6 * time.Minute) // an answer that did not come proves nothing
		w.want(olga)
		w.market.RemoveKey(operatorKey.Reveal())
		w.pass(6 * time.Minute)
		w.want(olga, monitor.KeyRefused)
		w.market.AddKey(operatorKey.Reveal(), "120.00", "USD")
		w.pass(6 * time.Minute)
		w.want(olga, "+"+monitor.KeyRefused)
	})
}

// TestOperatorsKeyTakenAway: without a key there is nothing to be wrong with it.
func TestOperatorsKeyTakenAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.join(olga)
		w.market.RemoveKey(operatorKey.Reveal())
		w.pass(6 * time.Minute)
		w.want(olga, monitor.KeyRefused)
		w.operator = ""
		w.restart()
		w.pass(2 * time.Minute)
		w.want(olga)
		now, err := w.alarms.Active(t.Context())
		if err != nil || len(now) != 0 {
			t.Errorf("what is wrong is %+v (%v)", now, err)
		}
	})
}

// TestANewProcess knows nothing yet: what was wrong before is neither over nor new
// because of that.
func TestANewProcess(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.join(olga)
		w.down.set(time.Now())
		w.rival.set(time.Now())
		w.pass(time.Minute)
		w.want(olga, monitor.MarketDown+" "+monitor.PollConflict)
		was := w.down.get()
		w.down.set(time.Time{})
		w.rival.set(time.Time{})
		w.unsure.Store(true)
		w.restart()
		w.pass(2 * time.Minute)
		w.down.set(was.Add(time.Minute))
		w.rival.set(was.Add(time.Minute))
		w.unsure.Store(false)
		w.pass(2 * time.Minute)
		w.want(olga)
		w.down.set(time.Time{})
		w.rival.set(time.Time{})
		w.pass(2 * time.Minute)
		w.want(olga, "+"+monitor.MarketDown+" +"+monitor.PollConflict)
	})
}

// TestParkedUpdates: told once, and over when there were no more for an hour.
func TestParkedUpdates(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.join(olga)
		for id := range int64(3) {
			_, err := w.db.StoreUpdates(t.Context(), []int64{id + 1}, []int64{7}, [][]byte{[]byte("{}")})
			must(t, err)
			must(t, w.db.DeadLetter(t.Context(), id+1))
			w.pass(10 * time.Minute)
		}
		w.want(olga, monitor.UpdatesDeadLettered)
		w.pass(time.Hour)
		w.want(olga, "+"+monitor.UpdatesDeadLettered)
	})
}

// TestSMMRate: told when a charge has shown it, and over when the setting is another.
func TestSMMRate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.join(olga)
		must(t, w.db.SetSetting(t.Context(), storage.SMMRateMismatchSetting(1000), fmt.Sprint(time.Now().UnixMilli())))
		w.pass(time.Minute)
		w.want(olga, monitor.SMMRate)
		w.ratePer = 1
		w.restart()
		w.pass(2 * time.Minute)
		w.want(olga, "+"+monitor.SMMRate)
	})
}

// TestStuckMessages: one that is due and does not go out.
func TestStuckMessages(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.db.AddMessage(t.Context(), storage.Message{UserID: 7, Kind: "goods", CreatedAt: time.Now()}))
		pass(4 * time.Minute)
		if now, err := w.alarms.Active(t.Context()); err != nil || len(now) != 0 {
			t.Errorf("after four minutes %+v is wrong (%v)", now, err)
		}
		pass(2 * time.Minute)
		now, err := w.alarms.Active(t.Context())
		if err != nil || len(now) != 1 || now[0].Kind != monitor.OutboxStuck || now[0].Figures.Count != 1 {
			t.Errorf("after six minutes %+v is wrong (%v)", now, err)
		}
		began := now[0].Since
		must(t, w.db.AddMessage(t.Context(), storage.Message{UserID: 8, Kind: "goods", CreatedAt: time.Now()}))
		pass(6 * time.Minute)
		now, err = w.alarms.Active(t.Context())
		if err != nil || len(now) != 1 || now[0].Figures.Count != 2 || !now[0].Since.Equal(began) {
			t.Errorf("with another message %+v is wrong (%v)", now, err)
		}
	})
}

// TestManyAtOnce: a message has room for some; the rest is counted, and all are told.
func TestManyAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.join(olga)
		for i := range int64(30) {
			doubt(t, w.db, 1000+i)
		}
		w.pass(time.Minute)
		w.want(olga, strings.TrimSpace(strings.Repeat(monitor.OutcomeUnknown+" ", 20))+" and 10")
		w.pass(time.Hour)
		w.want(olga)
	})
}

// doubt makes a purchase of unknown outcome.
func doubt(t *testing.T, db *storage.DB, user int64) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	p, err := db.InsertDraft(ctx, storage.Purchase{
		UserID: user, KeyID: user, KeyFingerprint: fmt.Sprint("print ", user), Kind: storage.KindProduct, Service: 2, Name: "Gmail Account", Quantity: 2,
		Rate: decimal.RequireFromString("1.25"), RatePer: 1, Currency: "USD", Link: "canary@example.com", CreatedAt: now, ExpiresAt: now.Add(10 * time.Minute),
	}, 0)
	must(t, err)
	claimed, err := db.ClaimPurchase(ctx, user, p.ID, "test", now, now.Add(time.Minute))
	must(t, err)
	sending, err := db.StartSending(ctx, p.ID, "test", storage.Terms{Rate: p.Rate, Currency: "USD"}, now, now.Add(time.Minute))
	must(t, err)
	p, err = db.Purchase(ctx, user, p.ID)
	must(t, err)
	doubted, err := db.MarkOutcomeUnknown(ctx, p, "canary words", now.Add(time.Hour), storage.Message{UserID: user, Kind: "unknown", CreatedAt: now.Add(time.Hour)})
	must(t, err)
	if !claimed || !sending || !doubted {
		t.Fatal(errors.New("no purchase became unknown"))
	}
}

// TestDoubts: told for each, without what the person typed, and over when it is
// known what became of it.
func TestDoubts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.join(olga)
		doubt(t, w.db, 7)
		w.pass(time.Minute)
		w.want(olga, monitor.OutcomeUnknown)
		now, err := w.alarms.Active(t.Context())
		must(t, err)
		if len(now) != 1 || now[0].Figures.Name != "Gmail Account" || now[0].Figures.Quantity != 2 || now[0].Subject == 0 {
			t.Fatalf("what is wrong is %+v", now)
		}
		if said := fmt.Sprintf("%+v", now); strings.Contains(said, "canary") {
			t.Errorf("an alarm tells what a person typed, or was told: %s", said)
		}
		dismissed, err := w.db.DismissPurchase(t.Context(), 7, now[0].Subject, time.Now())
		must(t, err)
		if !dismissed {
			t.Fatal("nothing was dismissed")
		}
		w.pass(2 * time.Minute)
		w.want(olga, "+"+monitor.OutcomeUnknown)
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
