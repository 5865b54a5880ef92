package watches_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"hstockbot/internal/hstock"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/internal/watches"
	"hstockbot/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	anna  = int64(1001)
	boris = int64(1002)
)

// world is a testworld with processes that watch, and an outbox whose messages
// are recorded.
type world struct {
	*testworld.World
	db          *storage.DB
	client      *hstock.Client
	operatorKey redact.Secret
	outbox      *outbox.Outbox
	recorder    testworld.Recorder
	wakes       int
	set         atomic.Int64 // by how many nanoseconds the clock of all processes was set
	processes   []*watches.Service
}

// run runs a test with one process that has this operator's key, "" for none.
func run(t *testing.T, operatorKey redact.Secret, test func(w *world)) {
	t.Helper()
	testworld.Run(t, func(base *testworld.World) {
		w := &world{World: base, db: base.OpenDB(), client: base.Client(), operatorKey: operatorKey}
		w.outbox = outbox.New(outbox.Options{DB: w.db, Log: slog.New(slog.NewTextHandler(w.Log, nil))})
		w.outbox.Start(&w.recorder)
		w.join(anna, "")
		w.join(boris, "")
		w.startProcess()
		synctest.Wait() // the first round, without any watches

		test(w)

		for _, service := range w.processes {
			w.must(service.Stop(w.T.Context()))
		}
		w.must(w.outbox.Stop(w.T.Context()))
		w.must(w.db.Close(w.T.Context()))
	})
}

func (w *world) must(err error) {
	w.T.Helper()
	testworld.Must(w.T, err)
}

// startProcess starts one more process on the same database.
func (w *world) startProcess() {
	service := watches.New(watches.Options{
		DB: w.db, Market: w.client, OperatorKey: w.operatorKey, Log: slog.New(slog.NewTextHandler(w.Log, nil)),
		Wake: func() {
			w.wakes++
			w.outbox.Wake()
		},
		Wall: func() time.Time { return time.Now().Add(time.Duration(w.set.Load())) },
	})
	service.Start()
	w.processes = append(w.processes, service)
}

func (w *world) join(id int64, key redact.Secret) {
	w.T.Helper()
	_, _, err := w.db.TouchUser(w.T.Context(), id, "Somebody", "en", true)
	w.must(err)
	if key != "" {
		w.Market.AddKey(key.Reveal(), "100.00", "USD")
		_, err = w.db.SaveKey(w.T.Context(), id, key)
		w.must(err)
	}
}

func (w *world) watchRestock(user, service int64) {
	w.T.Helper()
	row, _ := w.Market.Row(service)
	w.must(w.db.SetWatch(w.T.Context(), storage.Watch{
		UserID: user, Service: service, SMM: row.EntityType == market.SMM, Name: "Name", Kind: storage.WatchRestock, Currency: "USD",
	}, 1000))
}

func (w *world) watchPrice(user, service int64, target string) {
	w.T.Helper()
	w.must(w.db.SetWatch(w.T.Context(), storage.Watch{
		UserID: user, Service: service, Name: "Name", Kind: storage.WatchPrice, Price: decimal.RequireFromString(target), Currency: "USD",
	}, 1000))
}

func (w *world) removeWatch(user, service int64) {
	w.T.Helper()
	w.must(w.db.RemoveWatch(w.T.Context(), user, service, storage.WatchRestock))
}

// armed reports whether a person's only watch of a service is armed.
func (w *world) armed(user, service int64) bool {
	w.T.Helper()
	all, err := w.db.Watches(w.T.Context(), user, service)
	w.must(err)
	if len(all) != 1 {
		w.T.Fatalf("%d has %d watches of service %d", user, len(all), service)
	}
	return all[0].Armed
}

func (w *world) setStock(service, n int64) {
	w.T.Helper()
	w.must(w.Market.SetStock(service, n))
}

func (w *world) setRate(service int64, rate string) {
	w.T.Helper()
	w.must(w.Market.SetRate(service, rate))
}

// passRounds lets the time of so many rounds pass.
func passRounds(n int) { testworld.Pass(time.Duration(n) * watches.Every) }

// want fails unless exactly these messages have arrived since the test began, in
// any order. Each is "user kind service".
func (w *world) want(want ...string) {
	w.T.Helper()
	var got []string
	for _, message := range w.recorder.Sent() {
		notification, err := watches.DecodeNotification(message)
		w.must(err)
		got = append(got, fmt.Sprint(message.UserID, " ", message.Kind, " ", notification.Service))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.T.Errorf("the messages are %q, want %q", got, want)
	}
}
