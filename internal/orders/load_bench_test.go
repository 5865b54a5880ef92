package orders_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/storage"
)

// BenchmarkNumbers watches thousands of numbers in simulated time: how many calls
// a number takes until its code, how late the code is pushed, what a poll costs,
// and how fair the keys are to each other. The marketplace is a map in memory
// that takes 100 ms for an answer: the CPU is that of the watcher and its
// database, not of a pretend server's HTTP.
//
//	go test ./internal/orders -run '^$' -bench Numbers -benchtime 1x
func BenchmarkNumbers(b *testing.B) {
	for _, rate := range []float64{0, 20} {
		for _, numbers := range []int{1_000, 10_000} {
			name := fmt.Sprintf("rate=%v/numbers=%d", rate, numbers)
			b.Run(name, func(b *testing.B) {
				for range b.N {
					var got loadResult
					path := filepath.Join(b.TempDir(), "bot.db")
					// synctest wants a *testing.T.
					testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{
						Name: b.Name(), F: func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) { got = load(t, path, rate, numbers) })
						},
					}})
					got.report(b)
				}
			})
		}
	}
}

const (
	loadKeys   = 500
	loadBigKey = 100 // numbers of the first key
	loadSpan   = 16 * time.Minute
	loadDelay  = 100 * time.Millisecond // of an answer
)

// loadResult is what a run has measured.
type loadResult struct {
	polls       int
	cpu         time.Duration
	calls       []int           // until its code, of each number that got one
	young, late []time.Duration // of the push, of codes in the first two minutes and of all
	ofKeys      []int           // polls of each key but the first
	ofBigKey    int
}

func (r loadResult) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // simulated time says nothing
	b.ReportMetric(float64(r.polls)/loadSpan.Seconds(), "polls/s")
	b.ReportMetric(float64(r.cpu.Microseconds())/float64(max(r.polls, 1)), "µs-CPU/poll")
	sum := 0
	for _, n := range r.calls {
		sum += n
	}
	b.ReportMetric(float64(sum)/float64(max(len(r.calls), 1)), "calls/code")
	b.ReportMetric(quantile(r.young, 0.50).Seconds(), "p50-young-s")
	b.ReportMetric(quantile(r.young, 0.99).Seconds(), "p99-young-s")
	b.ReportMetric(quantile(r.late, 0.50).Seconds(), "p50-s")
	b.ReportMetric(quantile(r.late, 0.99).Seconds(), "p99-s")
	slices.Sort(r.ofKeys)
	b.ReportMetric(float64(r.ofKeys[0]), "polls-least-key")
	b.ReportMetric(float64(r.ofKeys[len(r.ofKeys)/2]), "polls-median-key")
	b.ReportMetric(float64(r.ofBigKey), "polls-key-of-100")
	b.ReportMetric(jain(append(r.ofKeys, r.ofBigKey)), "jain")
}

// jain is Jain's index of fairness: 1 where all have the same, 1/n where one has all.
// It says something only where everybody wants more than there is.
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

// load rents the numbers through the service itself, all at once, and lets their
// codes come.
func load(t *testing.T, path string, rate float64, numbers int) (r loadResult) {
	db := openDB(t, path)
	shop := &loadMarket{dice: rand.New(rand.NewPCG(1, 2)), numbers: map[int64]*loadNumber{}, ofKey: map[redact.Secret]int{}}
	var mu sync.Mutex
	service := orders.New(orders.Options{
		DB: db, Market: shop, SMMRatePer: 1000, Rate: rate, Log: discard,
		Send: func(_ context.Context, message storage.Message) (int64, error) {
			if message.Kind != orders.MessageCode {
				return 1, nil
			}
			sms, err := orders.DecodeSMS(message)
			if err != nil {
				return 0, err
			}
			mu.Lock()
			defer mu.Unlock()
			n := shop.coded(sms.Code.Reveal())
			late := time.Since(n.codeAt)
			r.late = append(r.late, late)
			if n.codeAt.Sub(n.rented) < 2*time.Minute {
				r.young = append(r.young, late)
			}
			r.calls = append(r.calls, n.calls)
			return 0, nil
		},
	})
	left := numbers - loadBigKey
	for key := range loadKeys {
		user := int64(key + 1)
		_, _, err := db.TouchUser(t.Context(), user, "Somebody", "en", true)
		must(t, err)
		_, err = db.SaveKey(t.Context(), user, loadKey(key))
		must(t, err)
		wanted := loadBigKey
		if key > 0 {
			wanted = left / (loadKeys - key)
			left -= wanted
		}
		for wanted > 0 {
			n := min(wanted, orders.MaxRentals)
			wanted -= n
			quote, err := service.Draft(t.Context(), orders.Intent{UserID: user, Rental: telegramUS, Quantity: int64(n)})
			must(t, err)
			_, err = service.Confirm(t.Context(), user, quote.Purchase.ID, "en")
			must(t, err)
		}
	}
	shop.begin()
	before := cpuTime(t)
	service.Start()
	time.Sleep(loadSpan)
	synctest.Wait()
	r.cpu = cpuTime(t) - before
	must(t, service.Stop(t.Context()))
	must(t, db.Close(t.Context()))
	for key := range loadKeys {
		polls := shop.ofKey[loadKey(key)]
		r.polls += polls
		if key == 0 {
			r.ofBigKey = polls
		} else {
			r.ofKeys = append(r.ofKeys, polls)
		}
	}
	return r
}

func loadKey(n int) redact.Secret { return redact.Secret(fmt.Sprintf("load-key-%06d", n)) }

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// loadMarket rents numbers whose codes come by a dice: half of them within two
// minutes, three in ten within fifteen, two in ten never.
type loadMarket struct {
	orders.Market // what is not called

	mu      sync.Mutex
	dice    *rand.Rand
	next    int64
	numbers map[int64]*loadNumber
	ofKey   map[redact.Secret]int // polls
}

type loadNumber struct {
	wait   time.Duration // until its code; 0 = never
	rented time.Time
	codeAt time.Time
	calls  int
}

// begin starts the time of all numbers: they were rented in no simulated time.
func (m *loadMarket) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, n := range m.numbers {
		n.rented = now
		if n.wait > 0 {
			n.codeAt = now.Add(n.wait)
		}
	}
}

func (m *loadMarket) coded(code string) *loadNumber {
	m.mu.Lock()
	defer m.mu.Unlock()
	var number int64
	_, _ = fmt.Sscan(code, &number)
	return m.numbers[number]
}

func (m *loadMarket) Balance(context.Context, redact.Secret) (hstock.Balance, error) {
	return hstock.Balance{Amount: decimal.NewFromInt(1000), Currency: "USD"}, nil
}

func (m *loadMarket) SMSProjects(context.Context, redact.Secret, string, string) ([]hstock.SMSProject, error) {
	return []hstock.SMSProject{{ID: market.ProjectTelegram, Name: "Telegram", CountryID: market.CountryUS, Price: decimal.New(9, -1)}}, nil
}

func (m *loadMarket) AddSMS(_ context.Context, _ redact.Secret, r hstock.AddSMSRequest) ([]hstock.SMSNumber, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rented []hstock.SMSNumber
	for range r.Quantity {
		m.next++
		n := &loadNumber{}
		switch chance := m.dice.IntN(10); {
		case chance < 5:
			n.wait = 5*time.Second + time.Duration(m.dice.Int64N(int64(115*time.Second)))
		case chance < 8:
			n.wait = 2*time.Minute + time.Duration(m.dice.Int64N(int64(13*time.Minute)))
		}
		m.numbers[m.next] = n
		rented = append(rented, hstock.SMSNumber{Order: m.next, Phone: fmt.Sprintf("+1202%07d", m.next), RawStatus: "active"})
	}
	return rented, nil
}

func (m *loadMarket) ask(order int64) (n *loadNumber, came bool) {
	time.Sleep(loadDelay)
	m.mu.Lock()
	defer m.mu.Unlock()
	n = m.numbers[order]
	came = n.wait > 0 && !time.Now().Before(n.codeAt)
	n.calls++
	return n, came
}

// SMSCode is asked once in a poll, SMSStatus not in every one.
func (m *loadMarket) SMSCode(_ context.Context, key redact.Secret, order int64) (hstock.SMSCode, error) {
	m.mu.Lock()
	m.ofKey[key]++
	m.mu.Unlock()
	if _, came := m.ask(order); !came {
		return hstock.SMSCode{State: hstock.SMSWaiting, RawStatus: "waiting"}, nil
	}
	code := redact.Secret(fmt.Sprint(order))
	return hstock.SMSCode{State: hstock.SMSReceived, RawStatus: "completed", Code: code, Content: "Your code is " + code}, nil
}

func (m *loadMarket) SMSStatus(_ context.Context, _ redact.Secret, order int64) (hstock.SMSStatus, error) {
	n, _ := m.ask(order)
	return hstock.SMSStatus{
		State: hstock.SMSWaiting, RawStatus: "active", Currency: "USD", Charge: decimal.NewNullDecimal(decimal.New(9, -1)),
		ExpiresAt: n.rented.Add(20 * time.Minute),
	}, nil
}
