package orders_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// Anna buys with testworld.AnnaKey, Boris (see addBoris) with borisKey.
const (
	anna     = int64(1001)
	boris    = int64(1002)
	borisKey = testworld.OperatorKey
)

// world is a testworld with a started Service and an Outbox that sends to a Recorder.
type world struct {
	*testworld.World
	t        *testing.T // of the bubble
	client   *hstock.Client
	db       *storage.DB
	service  *orders.Service
	outbox   *outbox.Outbox
	recorder testworld.Recorder
	counted  sync.Map                          // *atomic.Int64 by outcome and reason of purchases
	onStep   atomic.Pointer[func(step string)] // called at each checkpoint
	set      atomic.Int64                      // by how many nanoseconds stepClock has set the clock
	updates  int64                             // of Telegram, see nextUpdate
}

func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	testworld.Run(t, func(tw *testworld.World) {
		w := &world{World: tw, t: tw.T, client: tw.Client(), db: tw.OpenDB()}
		w.addUser(anna, testworld.AnnaKey)
		w.start()

		test(w.t, w)

		w.stop()
		testworld.Must(t, w.db.Close(w.T.Context()))
		if strings.Contains(w.Log.String(), "canary") {
			t.Error("a key is in the log")
		}
	})
}

func (w *world) start() {
	w.outbox = outbox.New(outbox.Options{DB: w.db, Log: w.logger(), Wall: w.wall})
	w.outbox.Start(&w.recorder)
	w.service = w.newService(w.client)
	w.service.Start()
}

func (w *world) stop() {
	w.t.Helper()
	testworld.Must(w.t, w.service.Stop(w.t.Context()))
	testworld.Must(w.t, w.outbox.Stop(w.t.Context()))
}

func (w *world) logger() *slog.Logger { return slog.New(slog.NewTextHandler(w.Log, nil)) }

// newService returns a Service that is not started.
func (w *world) newService(market orders.Market) *orders.Service {
	return orders.New(orders.Options{
		DB: w.db, Market: market, SMMRatePer: 1000, Wake: w.outbox.Wake, Log: w.logger(), Wall: w.wall,
		Checkpoint: func(step string) {
			if do := w.onStep.Load(); do != nil {
				(*do)(step)
			}
		},
		CountPurchase: func(outcome, reason string) {
			n, _ := w.counted.LoadOrStore(strings.TrimSuffix(outcome+" "+reason, " "), new(atomic.Int64))
			n.(*atomic.Int64).Add(1)
		},
	})
}

// wantCounted checks how many purchases of each outcome and reason were counted.
func (w *world) wantCounted(want map[string]int64) {
	w.t.Helper()
	got := map[string]int64{}
	w.counted.Range(func(outcome, n any) bool {
		got[outcome.(string)] = n.(*atomic.Int64).Load()
		return true
	})
	if !maps.Equal(got, want) {
		w.t.Errorf("counted %v, want %v", got, want)
	}
}

// countedAs returns how many purchases of an outcome, and of a reason, were counted.
func (w *world) countedAs(outcome string) int64 {
	n, ok := w.counted.Load(outcome)
	if !ok {
		return 0
	}
	return n.(*atomic.Int64).Load()
}

// restart replaces the Service by one that uses the given marketplace, after a while.
func (w *world) restart(market orders.Market, after time.Duration) {
	w.t.Helper()
	testworld.Must(w.t, w.service.Stop(w.t.Context()))
	testworld.Pass(after)
	w.service = w.newService(market)
	w.service.Start()
}

// nextUpdate returns the id of another update of Telegram.
func (w *world) nextUpdate() int64 {
	w.updates++
	return w.updates
}

func (w *world) addUser(id int64, key redact.Secret) {
	w.t.Helper()
	_, _, err := w.db.TouchUser(w.t.Context(), id, "Somebody", "en", true)
	testworld.Must(w.t, err)
	_, err = w.db.SaveKey(w.t.Context(), id, key)
	testworld.Must(w.t, err)
}

func (w *world) addBoris() {
	w.t.Helper()
	w.addUser(boris, borisKey)
}

// messages returns the messages of a kind that have arrived, in order.
func (w *world) messages(kind string) []storage.Message {
	return slices.DeleteFunc(w.recorder.Sent(), func(m storage.Message) bool { return m.Kind != kind })
}

func (w *world) count(kind string) int { return len(w.messages(kind)) }

// notified reports whether a person has received a message of a kind.
func (w *world) notified(user int64, kind string) bool {
	return slices.ContainsFunc(w.messages(kind), func(m storage.Message) bool { return m.UserID == user })
}

// accounts returns every account that has arrived, in order.
func (w *world) accounts() (all []string) {
	w.t.Helper()
	for _, message := range w.messages(orders.MessageGoods) {
		goods, err := orders.DecodeGoods(message)
		testworld.Must(w.t, err)
		for _, account := range goods.Accounts {
			all = append(all, account.Reveal())
		}
	}
	return all
}

// item is a row of the marketplace as the catalogue gives it.
func (w *world) item(service int64) hstock.Item {
	w.t.Helper()
	row, ok := w.Market.Row(service)
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
	return w.draftFor(anna, service, quantity)
}

func (w *world) draftFor(user, service, quantity int64) storage.Purchase {
	w.t.Helper()
	intent := orders.Intent{UserID: user, Item: w.item(service), Quantity: quantity}
	if intent.Item.EntityType == hstock.EntitySMM {
		intent.Link = "https://instagram.com/anna"
	}
	quote, err := w.service.Draft(w.t.Context(), intent)
	testworld.Must(w.t, err)
	return quote.Purchase
}

func (w *world) confirm(p storage.Purchase) orders.Outcome {
	w.t.Helper()
	outcome, err := w.service.Confirm(w.t.Context(), p.UserID, p.ID, "en")
	testworld.Must(w.t, err)
	return outcome
}

// buy drafts and confirms, and expects an order.
func (w *world) buy(service, quantity int64) storage.Order {
	w.t.Helper()
	outcome := w.confirm(w.draft(service, quantity))
	if outcome.Result != orders.Placed {
		w.t.Fatalf("got %v, reason %q; want Placed", outcome.Result, outcome.Purchase.Reason)
	}
	return outcome.Orders[0]
}

// order reads an order of Anna's from the database.
func (w *world) order(id int64) storage.Order {
	w.t.Helper()
	order, err := w.db.Order(w.t.Context(), anna, id)
	testworld.Must(w.t, err)
	return order
}

const unreadable = "v1.00000000.AAAA" // sealed with a key that does not exist

// damage makes a column of rows that have one value there unreadable until it is repaired.
func (w *world) damage(table, column, where string, args ...any) (repair func()) {
	w.t.Helper()
	var was []string
	w.Select(&was, `SELECT `+column+` FROM `+table+` WHERE `+where, args...)
	set := func(value string) {
		w.Exec(`UPDATE `+table+` SET `+column+` = ? WHERE `+where, append([]any{value}, args...)...)
	}
	set(unreadable)
	return func() { set(was[0]) }
}

// damageKey makes the key of a person unreadable until it is repaired.
func (w *world) damageKey(id int64) (repair func()) {
	w.t.Helper()
	return w.damage("api_keys", "secret_sealed", `user_id = ?`, id)
}

// hideTable makes a table unreadable until it is put back.
func (w *world) hideTable(name string) (back func()) {
	w.t.Helper()
	w.Exec(`ALTER TABLE ` + name + ` RENAME TO hidden`)
	return func() { w.Exec(`ALTER TABLE hidden RENAME TO ` + name) }
}

func (w *world) wantNotified(kinds ...string) {
	w.t.Helper()
	if got := w.recorder.Kinds(); !slices.Equal(got, kinds) {
		w.t.Errorf("got messages %q, want %q", got, kinds)
	}
}

// wantCalls checks how many requests of an action have reached the marketplace.
func (w *world) wantCalls(action string, n int) {
	w.t.Helper()
	if got := w.Market.Count(action); got != n {
		w.t.Errorf("%d requests %q reached the marketplace, want %d", got, action, n)
	}
}

// stub is a marketplace that answers some actions by functions, and the others as
// the client does.
type stub struct {
	*hstock.Client
	inventory func(service int64) (hstock.Inventory, error)
	balance   func() (hstock.Balance, error)
	add       func(ctx context.Context, key redact.Secret, request hstock.AddRequest) (string, error)
	status    func() (hstock.Status, error)
}

func (s *stub) Inventory(ctx context.Context, key redact.Secret, service int64, lang string) (hstock.Inventory, error) {
	if s.inventory != nil {
		return s.inventory(service)
	}
	return s.Client.Inventory(ctx, key, service, lang)
}

func (s *stub) Balance(ctx context.Context, key redact.Secret) (hstock.Balance, error) {
	if s.balance != nil {
		return s.balance()
	}
	return s.Client.Balance(ctx, key)
}

func (s *stub) Add(ctx context.Context, key redact.Secret, request hstock.AddRequest) (string, error) {
	if s.add != nil {
		return s.add(ctx, key, request)
	}
	return s.Client.Add(ctx, key, request)
}

func (s *stub) Status(ctx context.Context, key redact.Secret, order string) (hstock.Status, error) {
	if s.status != nil {
		return s.status()
	}
	return s.Client.Status(ctx, key, order)
}

// number is the marketplace's number of an order.
func number(order storage.Order) int64 { return numberOf(order.ExternalID) }

func numberOf(externalID string) int64 {
	n, err := strconv.ParseInt(externalID, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// idOf is the external id of an order that the marketplace numbers.
func idOf(number int64) string { return strconv.FormatInt(number, 10) }
