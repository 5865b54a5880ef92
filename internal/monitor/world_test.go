package monitor_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"hstockbot/internal/hstock"
	"hstockbot/internal/monitor"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	olga     = int64(4000)
	oleg     = int64(4001)
	newAdmin = int64(4002) // never wrote to the bot
	sam      = int64(4003) // is support
)

// world is a testworld with a monitor, and an outbox whose messages are recorded.
type world struct {
	*testworld.World
	db          *storage.DB
	client      *hstock.Client
	monitor     *monitor.Service
	operatorKey redact.Secret
	smmRatePer  int64
	down        condition // of the marketplace
	conflict    condition // of the polls
	webhook     condition // taken by another program
	backup      condition // failed
	firewall    condition
	outbox      *outbox.Outbox
	recorder    testworld.Recorder
	clockSet    atomic.Int64  // how far the clock was set, as a time.Duration
	read        map[int64]int // reports that a test has read, by admin
}

// condition is what Options.MarketDown or Options.PollConflict returns.
type condition struct {
	mu    sync.Mutex
	since time.Time
	sure  bool
}

func (c *condition) set(since time.Time, sure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since, c.sure = since, sure
}

func (c *condition) start() { c.set(time.Now(), true) }
func (c *condition) end()   { c.set(time.Time{}, true) }

func (c *condition) get() (since time.Time, sure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.since, c.sure
}

func run(t *testing.T, test func(w *world)) {
	t.Helper()
	testworld.Run(t, func(base *testworld.World) {
		w := &world{World: base, db: base.OpenDB(), client: base.Client(), operatorKey: testworld.OperatorKey, smmRatePer: 1000, read: map[int64]int{}}
		w.down.end()
		w.conflict.end()
		w.webhook.end()
		w.backup.end()
		w.outbox = outbox.New(outbox.Options{DB: w.db, Log: slog.New(slog.NewTextHandler(w.Log, nil))})
		w.outbox.Start(&w.recorder)
		w.start()

		test(w)

		w.must(w.monitor.Stop(w.T.Context()))
		w.must(w.outbox.Stop(w.T.Context()))
		w.must(w.db.Close(w.T.Context()))
		if strings.Contains(w.Log.String(), testworld.OperatorKey.Reveal()) {
			w.T.Error("the log contains the operator's key")
		}
	})
}

func (w *world) must(err error) {
	w.T.Helper()
	testworld.Must(w.T, err)
}

func (w *world) start() {
	w.monitor = monitor.New(monitor.Options{
		DB: w.db, Market: w.client, Log: slog.New(slog.NewTextHandler(w.Log, nil)), OperatorKey: w.operatorKey,
		AdminIDs: []int64{olga, oleg, newAdmin}, SupportIDs: []int64{sam, oleg}, SMMRatePer: w.smmRatePer,
		MarketDown: w.down.get, PollConflict: w.conflict.get, WebhookConflict: w.webhook.get, BackupFailed: w.backup.get, MarketBlocked: w.firewall.get, Wake: w.outbox.Wake,
		Wall: func() time.Time { return time.Now().Add(time.Duration(w.clockSet.Load())) },
	})
	w.monitor.Start()
	testworld.Pass(time.Second) // what the test does then falls between two rounds
}

func (w *world) restart() {
	w.T.Helper()
	w.must(w.monitor.Stop(w.T.Context()))
	w.start()
}

func (w *world) join(ids ...int64) {
	w.T.Helper()
	for _, id := range ids {
		_, _, err := w.db.TouchUser(w.T.Context(), id, "Olga", "en", true)
		w.must(err)
	}
}

func (w *world) set(setting, value string) {
	w.T.Helper()
	w.must(w.db.SetSetting(w.T.Context(), setting, value))
}

// reports returns the reports that an admin got since the last call: the kinds of
// the alerts in each, with a + before those that have ended.
func (w *world) reports(admin int64) []string {
	w.T.Helper()
	var all []string
	for _, message := range w.recorder.Sent() {
		if message.UserID != admin || message.Kind != monitor.MessageReport {
			continue
		}
		report, err := monitor.DecodeReport(message)
		w.must(err)
		var words []string
		for _, alert := range report.Alerts {
			word := alert.Kind
			if !alert.EndedAt.IsZero() {
				word = "+" + word
			}
			words = append(words, word)
		}
		if report.More > 0 {
			words = append(words, fmt.Sprint("and ", report.More))
		}
		all = append(all, strings.Join(words, " "))
	}
	unread := all[w.read[admin]:]
	w.read[admin] = len(all)
	return unread
}

func (w *world) want(admin int64, want ...string) {
	w.T.Helper()
	if got := w.reports(admin); !slices.Equal(got, want) {
		w.T.Errorf("%d got the reports %q, want %q", admin, got, want)
	}
}

func (w *world) active() []monitor.Alert {
	w.T.Helper()
	alerts, err := w.monitor.Active(w.T.Context())
	w.must(err)
	return alerts
}

// addUnresolvedPurchase stores a purchase of unknown outcome.
func (w *world) addUnresolvedPurchase(user int64) {
	w.T.Helper()
	ctx, now := w.T.Context(), time.Now()
	p, err := w.db.InsertDraft(ctx, storage.Purchase{
		UserID: user, KeyID: user, KeyFingerprint: fmt.Sprint("print ", user), Kind: storage.KindProduct, Service: 2, Name: "Gmail Account", Quantity: 2,
		Rate: decimal.RequireFromString("1.25"), RatePer: 1, Currency: "USD", Link: "canary@example.com", CreatedAt: now, ExpiresAt: now.Add(10 * time.Minute),
	}, 0)
	w.must(err)
	claimed, err := w.db.ClaimPurchase(ctx, user, p.ID, "test", now, now.Add(time.Minute))
	w.must(err)
	sending, err := w.db.StartSending(ctx, p.ID, "test", storage.Terms{Rate: p.Rate, Currency: "USD"}, now, now.Add(time.Minute))
	w.must(err)
	p, err = w.db.Purchase(ctx, user, p.ID)
	w.must(err)
	marked, err := w.db.MarkOutcomeUnknown(ctx, p, "canary words", now.Add(time.Hour), storage.Message{UserID: user, Kind: "unknown", CreatedAt: now.Add(time.Hour)})
	w.must(err)
	if !claimed || !sending || !marked {
		w.T.Fatalf("claimed %v, sending %v, marked %v", claimed, sending, marked)
	}
}
