package orders_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/memnet"
	"hstockbot/storage"
)

const (
	anna    = int64(1001)
	boris   = int64(1002)
	annaKey = redact.Secret("anna-key-0123456789abcdef")

	testSecretKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // of the tests only
)

// world is the trade with everything below it real: a marketplace that is an
// HTTP server, and a database that is a file. Only Telegram is a list.
type world struct {
	t       *testing.T
	net     *memnet.Network
	market  *market.Server
	close   func() // of the marketplace's server
	client  *hstock.Client
	db      *storage.DB
	path    string // of its file
	service *orders.Service
	log     *strings.Builder

	mu      sync.Mutex
	sent    []storage.Message
	sending func(storage.Message) error // nil: everything arrives
}

// inWorld runs a test in a bubble of simulated time.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: memnet.New(), market: market.New(market.Options{}), log: &strings.Builder{}}
		url, stop := w.net.Serve("market", w.market)
		w.close = stop
		w.market.AddKey(annaKey.Reveal(), "100.00", "USD")
		var err error
		w.client, err = hstock.New(hstock.Options{URL: url, Dial: w.net.Dial})
		must(t, err)
		w.path = filepath.Join(t.TempDir(), "bot.db")
		w.db = openDB(t, w.path)
		w.addUser(anna, annaKey)
		w.service = w.newService()
		w.service.Start()

		test(t, w)

		must(t, w.service.Stop(t.Context()))
		must(t, w.db.Close(t.Context()))
		w.client.Close()
		w.close()
		w.market.Close()
		if violations := w.market.Violations(); len(violations) > 0 {
			t.Errorf("the marketplace was asked what the document does not allow: %q", violations)
		}
		if strings.Contains(w.log.String(), annaKey.Reveal()) {
			t.Error("the key is in the log")
		}
	})
}

func openDB(t testing.TB, path string) *storage.DB {
	t.Helper()
	keys, err := storage.ParseKeys(testSecretKey)
	must(t, err)
	db, err := storage.Open(t.Context(), storage.Options{URL: "sqlite:" + path, Keys: keys})
	must(t, err)
	return db
}

func (w *world) newService() *orders.Service {
	return orders.New(orders.Options{
		DB: w.db, Market: w.client, SMMRatePer: 1000, Rate: 20, Send: w.send,
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
}

func (w *world) addUser(id int64, key redact.Secret) {
	w.t.Helper()
	_, _, err := w.db.TouchUser(w.t.Context(), id, "Somebody", "en", true)
	must(w.t, err)
	_, err = w.db.SaveKey(w.t.Context(), id, key)
	must(w.t, err)
}

func (w *world) send(_ context.Context, message storage.Message) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sending != nil {
		if err := w.sending(message); err != nil {
			return 0, err
		}
	}
	w.sent = append(w.sent, message)
	return int64(len(w.sent)), nil
}

// told returns the kinds of the messages that have arrived, in order.
func (w *world) told() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var kinds []string
	for _, message := range w.sent {
		kinds = append(kinds, message.Kind)
	}
	return kinds
}

// accounts returns every account that has arrived, in order.
func (w *world) accounts() []string {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, message := range w.sent {
		if message.Kind != orders.MessageGoods {
			continue
		}
		goods, err := orders.DecodeGoods(message)
		must(w.t, err)
		for _, account := range goods.Accounts {
			all = append(all, account.Reveal())
		}
	}
	return all
}

// row is a row of the marketplace as the catalogue gives it.
func (w *world) row(service int64) hstock.Item {
	w.t.Helper()
	row, ok := w.market.Row(service)
	if !ok {
		w.t.Fatalf("no service %d", service)
	}
	return hstock.Item{
		Service: row.Service, Name: row.Name, EntityType: hstock.EntityType(row.EntityType),
		Rate: row.Rate, Min: row.Min, Max: row.Max, Stock: row.Stock,
	}
}

// draft stores a draft of Anna's.
func (w *world) draft(service, quantity int64) storage.Purchase {
	w.t.Helper()
	link := ""
	if w.row(service).EntityType == hstock.EntitySMM {
		link = "https://instagram.com/anna"
	}
	quote, err := w.service.Draft(w.t.Context(), orders.Intent{UserID: anna, Row: w.row(service), Quantity: quantity, Link: link})
	must(w.t, err)
	return quote.Purchase
}

func (w *world) confirm(p storage.Purchase) orders.Outcome {
	w.t.Helper()
	outcome, err := w.service.Confirm(w.t.Context(), p.UserID, p.ID, "en")
	must(w.t, err)
	return outcome
}

// buy drafts and confirms, and expects an order.
func (w *world) buy(service, quantity int64) storage.Order {
	w.t.Helper()
	outcome := w.confirm(w.draft(service, quantity))
	if outcome.Result != orders.Placed {
		w.t.Fatalf("buying came to %v, reason %q", outcome.Result, outcome.Purchase.Reason)
	}
	return outcome.Orders[0]
}

// order reads an order as it stands.
func (w *world) order(id int64) storage.Order {
	w.t.Helper()
	order, err := w.db.Order(w.t.Context(), anna, id)
	must(w.t, err)
	return order
}

// pass lets simulated time pass and everything in it happen.
func pass(d time.Duration) {
	time.Sleep(d) // in a bubble: no real time
	synctest.Wait()
}

func (w *world) wantTold(kinds ...string) {
	w.t.Helper()
	if got := w.told(); !slices.Equal(got, kinds) {
		w.t.Errorf("told %q, want %q", got, kinds)
	}
}

func (w *world) wantAdds(n int) {
	w.t.Helper()
	if got := w.market.Count("add"); got != n {
		w.t.Errorf("%d requests to buy reached the marketplace, want %d", got, n)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var discard = slog.New(slog.DiscardHandler)

// vanishing is a marketplace whose server goes away just before the purchase.
type vanishing struct {
	*hstock.Client
	vanish func()
}

func (v *vanishing) Add(ctx context.Context, key redact.Secret, request hstock.AddRequest) (int64, error) {
	v.vanish()
	return v.Client.Add(ctx, key, request)
}

// dawdling is a marketplace whose inventory takes its time.
type dawdling struct {
	*hstock.Client
	by time.Duration
}

func (d *dawdling) Inventory(ctx context.Context, key redact.Secret, service int64, lang string) (hstock.Inventory, error) {
	time.Sleep(d.by)
	return d.Client.Inventory(ctx, key, service, lang)
}
