package orders_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/callrate"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// BenchmarkPolls polls thousands of phones and automatic orders in simulated time and
// measures the calls until a code or the goods, their delay, the cost of a poll, the
// fairness between keys, and how long a tap's call waits. Before that, 500 phones and 250
// orders have shown how long codes and goods take. The marketplace (load_market_test.go) is
// a map in memory, so the CPU time is that of the polls and their database. It may have a
// limit that it tells nobody, of all calls or of each key: then the share of it that was
// used after a minute, and that of refused calls, are measured, too.
//
//	go test ./internal/orders -run '^$' -bench Polls -benchtime 1x -timeout 30m
func BenchmarkPolls(b *testing.B) {
	for _, run := range []loadRun{
		{phones: 1_000, span: loadLife},
		{phones: 10_000, span: 6 * time.Minute},
		{most: callrate.MaxRate, hidden: 500, burst: 125, phones: 1_000, span: loadLife},
		{most: 20, phones: 1_000, span: loadLife},
		{most: callrate.MaxRate, hidden: 50, burst: 12, phones: 10_000, span: 3 * time.Minute},
		{most: callrate.MaxRate, hidden: 200, burst: 50, phones: 10_000, span: 3 * time.Minute},
		{most: callrate.MaxRate, hidden: 200, burst: 1000, phones: 10_000, span: 3 * time.Minute},
		{most: callrate.MaxRate, hidden: 1000, burst: 250, phones: 10_000, span: 3 * time.Minute},
		{most: callrate.MaxRate, hiddenPerKey: 0.5, burst: 5, phones: 10_000, span: 3 * time.Minute},
	} {
		b.Run(run.String(), func(b *testing.B) {
			for range b.N {
				var got *load
				path := filepath.Join(b.TempDir(), "bot.db")
				// synctest wants a *testing.T.
				testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{
					Name: b.Name(), F: func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { got = runLoad(t, path, run) })
					},
				}})
				got.report(b)
			}
		})
	}
}

const (
	loadKeys    = 500
	loadBigKey  = 100              // phones of the first key
	loadPlacing = 30               // seconds in which all orders are placed
	loadLife    = 26 * time.Minute // until all phones have ended
	// What has shown how long codes and goods take.
	loadEarlierPhones = 500
	loadEarlierGoods  = 250
	loadMaxGoods      = 2500
	firstRate         = 20 // calls a second, of package callrate
	// After this the limit must have been found.
	loadWarmUp = time.Minute
)

// loadRun is one case of the benchmark. Rates are in calls a second.
type loadRun struct {
	most                 float64 // HSTOCK_RATE; 0: no limit
	hidden, hiddenPerKey float64 // what the marketplace allows; 0: any rate
	burst                int
	phones               int
	span                 time.Duration
}

func (r loadRun) String() string {
	name := fmt.Sprintf("most=%v", r.most)
	if r.hidden > 0 {
		name += fmt.Sprintf("/hidden=%v+%d", r.hidden, r.burst)
	}
	if r.hiddenPerKey > 0 {
		name += fmt.Sprintf("/hidden-per-key=%v+%d", r.hiddenPerKey, r.burst)
	}
	return name + fmt.Sprintf("/phones=%d", r.phones)
}

// load is a run of the benchmark.
type load struct {
	t      *testing.T
	db     *storage.DB
	market *loadMarket

	run  loadRun
	span time.Duration
	cpu  time.Duration
	heap uint64 // bytes in use at the end

	mu          sync.Mutex
	codes       []loadOrder // as they were when their code arrived
	goods       []loadOrder
	young, late []time.Duration // of the push, of codes in the first two minutes and of all
	goodsLate   []time.Duration
	taps        []time.Duration // waits of their calls
}

// runLoad places the orders through the service, within half a minute, and lets their
// codes and goods arrive.
func runLoad(t *testing.T, path string, run loadRun) *load {
	l := &load{t: t, db: testworld.OpenDB(t, path), market: newLoadMarket(), run: run}
	for key := range loadKeys {
		user := int64(key + 1)
		_, _, err := l.db.TouchUser(t.Context(), user, "Somebody", "en", true)
		testworld.Must(t, err)
		_, err = l.db.SaveKey(t.Context(), user, loadKey(key))
		testworld.Must(t, err)
	}
	l.market.endWithCode, l.span = true, loadLife
	l.phase(loadEarlierPhones, loadEarlierGoods)
	l.market.endWithCode, l.span = false, run.span
	l.codes, l.goods, l.young, l.late, l.goodsLate = nil, nil, nil, nil, nil
	l.market.limit(run)
	if run.hidden > firstRate {
		l.market.busyMinute() // so that the limit is known, as it is to a bot that has run before
	}
	before := cpuTime(t)
	l.phase(run.phones, min(run.phones/4, loadMaxGoods))
	l.cpu = cpuTime(t) - before
	testworld.Must(t, l.db.Close(t.Context()))
	return l
}

// phase places orders and polls them.
func (l *load) phase(phones, goods int) {
	messages := outbox.New(outbox.Options{DB: l.db, Log: discardLog})
	messages.Start(l)
	o := orders.Options{DB: l.db, Market: l.market, SMMRatePer: 1000, Limiter: l.market.limiter, Wake: messages.Wake, Log: discardLog}
	service := orders.New(o)
	service.Start()
	l.market.orders = map[int64]*loadOrder{}
	project, item, left, key := 0, 0, phones-loadBigKey, 0
	placeOfKey := func() {
		shop := orders.New(o) // another one: drafts live for ten minutes, and their ages are read at each draft
		buy := func(intent orders.Intent) {
			intent.UserID = int64(key + 1)
			quote, err := shop.Draft(l.t.Context(), intent)
			testworld.Must(l.t, err)
			_, err = shop.Confirm(l.t.Context(), intent.UserID, quote.Purchase.ID, "en")
			testworld.Must(l.t, err)
		}
		for ; item < goods*(key+1)/loadKeys; item++ {
			buy(orders.Intent{Item: loadItem(item), Quantity: 1})
		}
		wanted := loadBigKey
		if key > 0 {
			wanted = left / (loadKeys - key)
			left -= wanted
		}
		for wanted > 0 {
			n := min(wanted, orders.MaxRentals)
			wanted -= n
			buy(orders.Intent{Rental: storage.Rental{Project: loadProject(project), Country: market.CountryUS}, Quantity: int64(n)})
			project++
		}
	}
	l.tap(func(second int) {
		for ; key < min(loadKeys, loadKeys*(second+1)/loadPlacing); key++ {
			placeOfKey()
		}
		service.WakePoller()
	})
	synctest.Wait()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	l.heap = memory.HeapInuse
	testworld.Must(l.t, service.Stop(l.t.Context()))
	testworld.Must(l.t, messages.Stop(l.t.Context()))
}

// tap makes a call for a tap each second until the phase ends, after the second's orders
// are placed.
func (l *load) tap(place func(second int)) {
	l.taps = nil
	for second := range int(l.span.Seconds()) {
		place(second)
		if second == int(loadWarmUp.Seconds()) {
			l.market.countAnew()
		}
		began := time.Now()
		testworld.Must(l.t, l.market.limiter.Wait(l.t.Context(), false))
		l.taps = append(l.taps, time.Since(began))
		l.market.answer(loadKey(loadKeys), "balance", l.market.allow(loadKey(loadKeys)))
		time.Sleep(time.Until(began.Add(time.Second)))
	}
}

// Send measures how late the codes and goods arrive.
func (l *load) Send(_ context.Context, message storage.Message) (int64, error) {
	switch message.Kind {
	case orders.MessageCode:
		sms, err := orders.DecodeSMS(message)
		if err != nil {
			return 0, err
		}
		o := l.market.arrived(sms.Code)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.codes, l.late = append(l.codes, o), append(l.late, time.Since(o.arrivesAt))
		if o.wait < 2*time.Minute {
			l.young = append(l.young, time.Since(o.arrivesAt))
		}
		return 0, nil
	case orders.MessageGoods:
		goods, err := orders.DecodeGoods(message)
		if err != nil {
			return 0, err
		}
		o := l.market.arrived(goods.Accounts[0])
		l.mu.Lock()
		defer l.mu.Unlock()
		l.goods, l.goodsLate = append(l.goods, o), append(l.goodsLate, time.Since(o.arrivesAt))
		return 0, nil
	}
	return 1, nil
}

func (l *load) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // simulated time is meaningless
	calls := func(of []loadOrder) (sum int) {
		for _, o := range of {
			sum += o.calls
		}
		return sum
	}
	perKey := make([]int, loadKeys)
	all, waiting := 0, 0
	for _, o := range l.market.orders {
		all += o.calls
		perKey[o.key] += o.calls
		if o.goods == 0 {
			waiting += o.callsWaiting
		}
	}
	codes, goods := float64(max(len(l.codes), 1)), float64(max(len(l.goods), 1))
	b.ReportMetric(float64(all)/l.span.Seconds(), "calls/s")
	b.ReportMetric(float64(l.cpu.Microseconds())/float64(max(all, 1)), "µs-CPU/call")
	b.ReportMetric(float64(l.heap)/1e6, "MB-heap")
	b.ReportMetric(codes, "codes")
	b.ReportMetric(float64(calls(l.codes))/codes, "calls/code")
	b.ReportMetric(float64(waiting)/codes, "calls/code-with-never") // and those for phones that get none
	b.ReportMetric(quantile(l.young, 0.50).Seconds(), "p50-young-s")
	b.ReportMetric(quantile(l.young, 0.99).Seconds(), "p99-young-s")
	b.ReportMetric(quantile(l.late, 0.50).Seconds(), "p50-s")
	b.ReportMetric(quantile(l.late, 0.99).Seconds(), "p99-s")
	b.ReportMetric(float64(calls(l.goods))/goods, "calls/order")
	b.ReportMetric(quantile(l.goodsLate, 0.50).Seconds(), "p50-order-s")
	b.ReportMetric(quantile(l.goodsLate, 0.99).Seconds(), "p99-order-s")
	b.ReportMetric(float64(quantile(l.taps, 0.99).Milliseconds()), "p99-tap-ms")
	if l.run.hidden > 0 {
		b.ReportMetric(float64(l.market.accepted)/(l.span-loadWarmUp).Seconds()/min(l.run.hidden, l.run.most), "share-of-limit")
	}
	if l.run.hidden+l.run.hiddenPerKey > 0 {
		b.ReportMetric(100*float64(l.market.refused)/float64(max(1, l.market.refused+l.market.accepted)), "%-refused")
	}
	ofOthers := slices.Sorted(slices.Values(perKey[1:]))
	b.ReportMetric(float64(ofOthers[0]), "calls-least-key")
	b.ReportMetric(float64(ofOthers[len(ofOthers)/2]), "calls-median-key")
	b.ReportMetric(float64(perKey[0]), "calls-key-of-100")
	b.ReportMetric(jain(perKey), "jain")
}

// jain is Jain's index of fairness: 1 if all have the same, 1/n if one has all.
// It is meaningful only if each wants more than there is.
func jain(shares []int) float64 {
	sum, squares := 0.0, 0.0
	for _, n := range shares {
		sum += float64(n)
		squares += float64(n) * float64(n)
	}
	return sum * sum / (float64(len(shares)) * max(squares, 1))
}

func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[int(float64(len(all)-1)*q)]
}

func loadKey(n int) redact.Secret { return redact.Secret(fmt.Sprintf("load-key-%06d", n)) }

func loadProject(n int) string { return fmt.Sprint("project-", n%loadProjects) }

func loadItem(n int) hstock.Item {
	return hstock.Item{Service: int64(1 + n%loadServices), Name: "Goods", EntityType: hstock.EntityProduct, Min: 1, Max: 100, Stock: 100}
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	testworld.Must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
