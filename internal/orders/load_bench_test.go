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
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// BenchmarkRentals polls thousands of phones in simulated time and measures the calls until a
// code, the delay of its message, the cost of a poll, and the fairness between keys. The
// marketplace is a map in memory that answers after 100 ms, so the CPU time is that of
// the polls and their database.
//
//	go test ./internal/orders -run '^$' -bench Rentals -benchtime 1x
func BenchmarkRentals(b *testing.B) {
	for _, rate := range []float64{0, 20} {
		for _, phones := range []int{1_000, 10_000} {
			name := fmt.Sprintf("rate=%v/phones=%d", rate, phones)
			b.Run(name, func(b *testing.B) {
				for range b.N {
					var got loadResult
					path := filepath.Join(b.TempDir(), "bot.db")
					// synctest wants a *testing.T.
					testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{
						Name: b.Name(), F: func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) { got = load(t, path, rate, phones) })
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
	loadBigKey = 100 // phones of the first key
	loadSpan   = 16 * time.Minute
	loadDelay  = 100 * time.Millisecond // of an answer
)

// loadResult is what a run has measured.
type loadResult struct {
	polls       int
	cpu         time.Duration
	calls       []int           // until its code, of each phone that got one
	young, late []time.Duration // of the push, of codes in the first two minutes and of all
	ofKeys      []int           // polls of each key but the first
	ofBigKey    int
}

func (r loadResult) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // simulated time is meaningless
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

// load rents the phones through the service, all at once, and lets their codes arrive.
func load(t *testing.T, path string, rate float64, phones int) (r loadResult) {
	db := testworld.OpenDB(t, path)
	marketplace := &loadMarket{dice: rand.New(rand.NewPCG(1, 2)), phones: map[int64]*loadPhone{}, ofKey: map[redact.Secret]int{}}
	sender := &loadSender{market: marketplace, r: &r}
	messages := outbox.New(outbox.Options{DB: db, Log: discardLog})
	messages.Start(sender)
	service := orders.New(orders.Options{DB: db, Market: marketplace, SMMRatePer: 1000, Rate: rate, Wake: messages.Wake, Log: discardLog})
	left := phones - loadBigKey
	for key := range loadKeys {
		user := int64(key + 1)
		_, _, err := db.TouchUser(t.Context(), user, "Somebody", "en", true)
		testworld.Must(t, err)
		_, err = db.SaveKey(t.Context(), user, loadKey(key))
		testworld.Must(t, err)
		wanted := loadBigKey
		if key > 0 {
			wanted = left / (loadKeys - key)
			left -= wanted
		}
		for wanted > 0 {
			n := min(wanted, orders.MaxRentals)
			wanted -= n
			quote, err := service.Draft(t.Context(), orders.Intent{UserID: user, Rental: telegramUS, Quantity: int64(n)})
			testworld.Must(t, err)
			_, err = service.Confirm(t.Context(), user, quote.Purchase.ID, "en")
			testworld.Must(t, err)
		}
	}
	marketplace.begin()
	before := cpuTime(t)
	service.Start()
	time.Sleep(loadSpan)
	synctest.Wait()
	r.cpu = cpuTime(t) - before
	testworld.Must(t, service.Stop(t.Context()))
	testworld.Must(t, messages.Stop(t.Context()))
	testworld.Must(t, db.Close(t.Context()))
	for key := range loadKeys {
		polls := marketplace.ofKey[loadKey(key)]
		r.polls += polls
		if key == 0 {
			r.ofBigKey = polls
		} else {
			r.ofKeys = append(r.ofKeys, polls)
		}
	}
	return r
}

// loadSender measures how late the codes arrive.
type loadSender struct {
	market *loadMarket
	mu     sync.Mutex
	r      *loadResult
}

func (s *loadSender) Send(_ context.Context, message storage.Message) (int64, error) {
	if message.Kind != orders.MessageCode {
		return 1, nil
	}
	sms, err := orders.DecodeSMS(message)
	if err != nil {
		return 0, err
	}
	n := s.market.coded(sms.Code.Reveal())
	late := time.Since(n.codeAt)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.late = append(s.r.late, late)
	if n.codeAt.Sub(n.rented) < 2*time.Minute {
		s.r.young = append(s.r.young, late)
	}
	s.r.calls = append(s.r.calls, n.calls)
	return 0, nil
}

func loadKey(n int) redact.Secret { return redact.Secret(fmt.Sprintf("load-key-%06d", n)) }

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	testworld.Must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// loadMarket rents phones whose codes arrive at random: half of them within two minutes,
// three in ten within fifteen, two in ten never.
type loadMarket struct {
	orders.Market // for the methods that are not called

	mu     sync.Mutex
	dice   *rand.Rand
	next   int64
	phones map[int64]*loadPhone
	ofKey  map[redact.Secret]int // polls
}

type loadPhone struct {
	wait   time.Duration // until its code; 0 = never
	rented time.Time
	codeAt time.Time
	calls  int
}

// begin starts the time of all phones: renting them took no simulated time.
func (m *loadMarket) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, n := range m.phones {
		n.rented = now
		if n.wait > 0 {
			n.codeAt = now.Add(n.wait)
		}
	}
}

// coded returns a copy of the phone of a code: polls still change the phone.
func (m *loadMarket) coded(code string) loadPhone {
	m.mu.Lock()
	defer m.mu.Unlock()
	var id int64
	_, _ = fmt.Sscan(code, &id)
	return *m.phones[id]
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
		n := &loadPhone{}
		switch chance := m.dice.IntN(10); {
		case chance < 5:
			n.wait = 5*time.Second + time.Duration(m.dice.Int64N(int64(115*time.Second)))
		case chance < 8:
			n.wait = 2*time.Minute + time.Duration(m.dice.Int64N(int64(13*time.Minute)))
		}
		m.phones[m.next] = n
		rented = append(rented, hstock.SMSNumber{Order: m.next, Phone: fmt.Sprintf("+1202%07d", m.next), RawStatus: "active"})
	}
	return rented, nil
}

// call takes its time, counts a call, and returns a copy.
func (m *loadMarket) call(order int64) (n loadPhone, arrived bool) {
	time.Sleep(loadDelay)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.phones[order].calls++
	n = *m.phones[order]
	return n, n.wait > 0 && !time.Now().Before(n.codeAt)
}

// SMSCode is called once in every poll, unlike SMSStatus.
func (m *loadMarket) SMSCode(_ context.Context, key redact.Secret, order int64) (hstock.SMSCode, error) {
	m.mu.Lock()
	m.ofKey[key]++
	m.mu.Unlock()
	if _, arrived := m.call(order); !arrived {
		return hstock.SMSCode{State: hstock.SMSWaiting, RawStatus: "waiting"}, nil
	}
	code := redact.Secret(fmt.Sprint(order))
	return hstock.SMSCode{State: hstock.SMSReceived, RawStatus: "completed", Code: code, Content: "Your code is " + code}, nil
}

func (m *loadMarket) SMSStatus(_ context.Context, _ redact.Secret, order int64) (hstock.SMSStatus, error) {
	n, _ := m.call(order)
	return hstock.SMSStatus{
		State: hstock.SMSWaiting, RawStatus: "active", Currency: "USD", Charge: decimal.NewNullDecimal(decimal.New(9, -1)),
		ExpiresAt: n.rented.Add(20 * time.Minute),
	}, nil
}
