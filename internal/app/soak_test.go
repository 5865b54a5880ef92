package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

const (
	soakPeople   = 1000
	soakSteps    = 12 // the parts of a soak
	soakRestarts = 4  // at the ends of the first ones; afterwards one process runs
	soakWarm     = 6  // when it is warm
	soakThought  = 2 * time.Minute
	soakPatience = time.Minute // of a person who gets no answer
	soakFaults   = 5 * time.Second
	soakRental   = 2 * time.Minute // of a number, which is polled until then
	soakRest     = 2 * time.Minute // an idle program has closed its connections by then
	// What the program needs at the end, compared with what it needed when it was warm.
	soakGrowth = 1.2
	// What the heap may be larger by, beside that. It is what the last collection left, which may
	// have been when the last people left.
	soakHeap = 4 << 20
	// What one order may add to the database, with its updates, messages and searches.
	soakOrder = 64 << 10
)

// soak is a shop with a thousand people for a long time.
type soak struct {
	*builtWorld
	address  string // of the metrics
	began    time.Time
	timeouts atomic.Int64 // people who got no answer
	table    strings.Builder
}

// usage is what the program needs.
type usage struct {
	heap, rss, database int64 // bytes; the heap is what the last collection left
	goroutines, handles int64
	orders              int // that are finished
}

var metric = regexp.MustCompile(`(?m)^(go_goroutines|go_memstats_next_gc_bytes|hstockbot_updates_total|hstockbot_orders_open)(?:\{.*\})? (\S+)$`)

// scrape reads the metrics of the running program, and adds those up that differ in their
// labels only. It fails while the program starts.
func (s *soak) scrape() (values map[string]float64, err error) {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.address+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	values = map[string]float64{}
	for _, found := range metric.FindAllStringSubmatch(string(body), -1) {
		value, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			return nil, err
		}
		values[found[1]] += value
	}
	return values, nil
}

var residentKB = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// measure returns what the program needs now, and adds a line to the table.
func (s *soak) measure(what string) (u usage) {
	s.t.Helper()
	s.awaitUntil("the program serves its metrics", func() bool {
		values, err := s.scrape()
		u.goroutines, u.heap = int64(values["go_goroutines"]), int64(values["go_memstats_next_gc_bytes"])/2 // GOGC is 100
		return err == nil
	})
	process := filepath.Join("/proc", strconv.Itoa(s.process.Process.Pid))
	status, err := os.ReadFile(filepath.Join(process, "status"))
	testworld.Must(s.t, err)
	if found := residentKB.FindSubmatch(status); found != nil {
		u.rss, err = strconv.ParseInt(string(found[1]), 10, 64)
		testworld.Must(s.t, err)
		u.rss <<= 10
	}
	handles, err := os.ReadDir(filepath.Join(process, "fd"))
	testworld.Must(s.t, err)
	u.handles = int64(len(handles))
	path := strings.TrimPrefix(s.database, "sqlite:")
	for _, name := range []string{path, path + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			u.database += info.Size()
		}
	}
	for _, order := range s.market.Orders() {
		if !order.Open {
			u.orders++
		}
	}
	for _, number := range s.market.Numbers() {
		if len(number.Received) > 0 || !number.Open {
			u.orders++
		}
	}
	const mega = 1 << 20
	fmt.Fprintf(&s.table, "\n%8s %-14s %7.1f %7.1f %10d %7d %9.1f %7d", time.Since(s.began).Round(time.Second), what,
		float64(u.heap)/mega, float64(u.rss)/mega, u.goroutines, u.handles, float64(u.database)/mega, u.orders)
	return u
}

// beset lets calls go wrong until ctx is done.
func (s *soak) beset(ctx context.Context) {
	faults := []func(){
		func() { s.market.Fault(market.Fault{Kind: market.Slow, Delay: 2 * time.Second, Times: 5}) },
		func() { s.market.Fault(market.Fault{Kind: market.HTML502, Times: 3}) },
		func() { s.market.Fault(market.Fault{Kind: market.TooMany, Delay: time.Second}) },
		func() { s.market.Fault(market.Fault{Kind: market.CutBefore, Times: 3}) },
		func() { s.market.Fault(market.Fault{Action: market.Buying, Kind: market.CommitThenLose}) },
		func() { s.telegram.Fault(telegram.Fault{Delay: time.Second, Times: 10}) },
		func() { s.telegram.Fault(telegram.Fault{RetryAfter: 1, Times: 3}) },
		func() { s.telegram.Fault(telegram.Fault{LoseAnswer: true, Times: 2}) },
		func() { s.telegram.Fault(telegram.Fault{Cut: true, Times: 3}) },
		func() { s.telegram.Fault(telegram.Fault{HTML: true, Times: 3}) },
		func() { s.telegram.Fault(telegram.Fault{Method: "getUpdates", Cut: true}) },
	}
	ticker := time.NewTicker(soakFaults)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.market.ClearFaults()
			s.telegram.ClearFaults()
			return
		case <-ticker.C:
			faults[rand.N(len(faults))]()
		}
	}
}

// visit lets all people come again and again until end is called, which waits until nobody
// is there. They think, and then look, buy, or rent a number and wait for its code.
func (s *soak) visit(ctx context.Context) (end func()) {
	ctx, besetting := context.WithCancel(ctx)
	closing := make(chan struct{})
	patiently := func(do func(ctx context.Context) error) error {
		select {
		case <-time.After(rand.N(soakThought)):
		case <-closing:
			return nil
		}
		short, cancel := context.WithTimeout(ctx, soakPatience)
		defer cancel()
		err := do(short)
		if errors.Is(err, context.DeadlineExceeded) {
			s.timeouts.Add(1)
			return nil
		}
		return err
	}
	beset := make(chan struct{})
	go func() {
		defer close(beset)
		s.beset(ctx)
	}()
	endVisits := s.repeat(ctx, s.people, func(b *buyer) error {
		return patiently(func(ctx context.Context) error { return b.giveKey(ctx, b.key) })
	}, func(b *buyer) error {
		return patiently(func(ctx context.Context) error {
			switch rand.N(4) {
			case 0:
				return b.askSeveral(ctx, s.questions)
			case 1:
				_, err := b.ask(ctx, "/orders", func(m telegram.Message) bool { return button(m, "Delivered") != "" })
				return err
			default:
				return b.buy(ctx)
			}
		})
	})
	return func() {
		close(closing)
		endVisits()
		besetting()
		<-beset
	}
}

// measureIdle waits until all purchases are delivered or their owners are told, no order is
// polled any more and no update is handled: a slow program still handles some that nobody
// waits for.
func (s *soak) measureIdle(what string) usage {
	s.t.Helper()
	s.awaitDeliveries(time.Now().Add(crashDeadline))
	s.awaitOutcomes(time.Now().Add(crashDeadline))
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	handled := -1.0
	for last := time.Now(); time.Since(last) < soakRest; <-ticker.C {
		values, err := s.scrape()
		testworld.Must(s.t, err)
		if now := values["hstockbot_updates_total"]; now != handled || values["hstockbot_orders_open"] > 0 {
			handled, last = now, time.Now()
		}
	}
	return s.measure(what)
}

// TestSoak lets a thousand people live with the program, with faults of the marketplace and
// of Telegram. It is stopped and killed at first; then one process works on. What that needs
// when nobody is there does not grow.
func TestSoak(t *testing.T) {
	pgtest.SQLiteOnly(t)
	length := askedFor(t, envSoak, "torture-soak", time.ParseDuration)
	s := &soak{builtWorld: newBuiltWorld(t), address: freeAddress(t), began: time.Now()}
	s.settings = append(s.settings, "HTTP_ADDR="+s.address)
	s.market.ClearFaults()
	s.market.SetRentalTime(soakRental)
	s.people = nil
	s.join(soakPeople)
	s.findQuestions()
	for _, b := range s.people {
		b.mayFail = true
	}
	s.restart(testworld.SecretKey)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fmt.Fprintf(&s.table, "%8s %-14s %7s %7s %10s %7s %9s %7s", "after", "", "heap MB", "RSS MB", "goroutines", "handles", "file MB", "orders")
	end := s.visit(ctx)
	var warm usage
	steps := time.NewTicker(length / soakSteps)
	defer steps.Stop()
	for step := 1; step <= soakSteps && !t.Failed(); step++ {
		<-steps.C
		if step%2 == 0 {
			s.measure("")
		}
		switch {
		case step <= soakRestarts && step%2 == 0:
			s.kill()
			s.restart(testworld.SecretKey)
		case step <= soakRestarts:
			s.restart(testworld.SecretKey)
		case step == soakWarm:
			end()
			warm = s.measureIdle("warm, idle")
			end = s.visit(ctx)
		}
	}
	end()
	idle := s.measureIdle("idle")
	s.check()
	if float64(idle.goroutines) > soakGrowth*float64(warm.goroutines) || float64(idle.handles) > soakGrowth*float64(warm.handles) {
		t.Errorf("goroutines: %d, and %d when it was warm; handles: %d and %d", idle.goroutines, warm.goroutines, idle.handles, warm.handles)
	}
	if float64(idle.heap) > soakGrowth*float64(warm.heap)+soakHeap {
		t.Errorf("the heap has %d bytes, and %d when it was warm", idle.heap, warm.heap)
	}
	added, orders := idle.database-warm.database, idle.orders-warm.orders
	if added > int64(orders)*soakOrder {
		t.Errorf("%d orders have added %d bytes to the database", orders, added)
	}
	confirms := 0
	for _, b := range s.people {
		confirms += b.confirms
	}
	t.Logf("%d people, %d taps on Confirm, %d orders, %d answers not awaited; since it was warm %d bytes an order\n%s",
		soakPeople, confirms, idle.orders, s.timeouts.Load(), added/int64(max(orders, 1)), s.table.String())
}
