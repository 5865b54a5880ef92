package orders_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/callrate"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/testworld"
)

// BenchmarkOpenOrders polls 100,000 open orders of goods that people deliver by hand, an
// hour after they were placed, for three minutes of simulated time at up to 300 calls a
// second. Their goods arrive evenly over an hour, so 5,000 in this time. It measures the
// calls, their cost, the memory, and how late those that are told meanwhile are: at 300
// calls a second each order has its turn every five and a half minutes.
//
//	go test ./internal/orders -run '^$' -bench OpenOrders -benchtime 1x
func BenchmarkOpenOrders(b *testing.B) {
	for range b.N {
		var got *load
		path := filepath.Join(b.TempDir(), "bot.db")
		// synctest wants a *testing.T.
		testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{
			Name: b.Name(), F: func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { got = runOpenOrders(t, path) })
			},
		}})
		got.report(b)
	}
}

func runOpenOrders(t *testing.T, path string) *load {
	const (
		open     = 100_000
		age      = time.Hour
		arriving = time.Hour
	)
	l := &load{t: t, db: testworld.OpenDB(t, path), market: newLoadMarket(), run: loadRun{most: callrate.MaxRate, hidden: 1000, burst: 250}, span: 3 * time.Minute}
	l.market.limit(l.run)
	for key := range loadKeys {
		user := int64(key + 1)
		_, _, err := l.db.TouchUser(t.Context(), user, "Somebody", "en", true)
		testworld.Must(t, err)
		_, err = l.db.SaveKey(t.Context(), user, loadKey(key))
		testworld.Must(t, err)
	}
	for n := range open {
		number := l.market.place(loadKey(n%loadKeys), int64(1+n%loadServices), 0, 0, 0)
		o := l.market.orders[number]
		o.placedAt = time.Now().Add(-age)
		o.arrivesAt = time.Now().Add(rand.N(arriving))
		o.wait = o.arrivesAt.Sub(o.placedAt)
	}
	placed := time.Now().Add(-age).UnixMilli()
	testworld.Exec(t, path, fmt.Sprintf(`INSERT INTO purchases (id, user_id, key_id, key_fingerprint, kind, service, name, quantity, link_sealed, rate, rate_per, currency, stock, variants, balance, origin,
			state, reason, refusal_sealed, lease_owner, lease_until, checks, next_check_at, balance_seen, verdict, created_at, expires_at, sent_at, settled_at)
		WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d)
		SELECT i * 2, k.user_id, k.id, k.fingerprint, 'product', 1 + (i - 1) %% %d, 'Goods', 1, '', '0.5', 1, 'USD', 100, 0, '12', '', 'placed', '', '', '', 0, 0, 0, NULL, '', %d, 0, %[3]d, %[3]d
		  FROM g JOIN api_keys k ON k.user_id = 1 + (i - 1) %% %d`, open, loadServices, placed, loadKeys))
	testworld.Exec(t, path, `INSERT INTO orders (id, user_id, purchase_id, key_id, key_fingerprint, kind, external_id, adopted, service, name, quantity, link_sealed, origin, state, raw_status, charge, currency,
			remains, start_count, auto_delivery, delivered, created_at, updated_at, closed_at, next_poll_at, polls, failures, lease_owner, lease_until, category)
		SELECT id + 1, user_id, id, key_id, key_fingerprint, kind, CAST(id / 2 AS TEXT), 0, service, name, quantity, '', origin, 'open', 'In progress', '0.5', 'USD', 0, NULL, 0, 0,
			created_at, created_at, 0, created_at + 3600000 - id * 15, 5, 0, '', 0, '' FROM purchases`)
	messages := outbox.New(outbox.Options{DB: l.db, Log: discardLog})
	messages.Start(l)
	service := orders.New(orders.Options{DB: l.db, Market: l.market, SMMRatePer: 1000, Limiter: l.market.limiter, Wake: messages.Wake, Log: discardLog})
	before := cpuTime(t)
	service.Start()
	l.tap(func(int) {})
	synctest.Wait()
	l.cpu = cpuTime(t) - before
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	l.heap = memory.HeapInuse
	testworld.Must(t, service.Stop(t.Context()))
	testworld.Must(t, messages.Stop(t.Context()))
	testworld.Must(t, l.db.Close(t.Context()))
	return l
}
