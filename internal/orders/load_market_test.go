package orders_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/time/rate"

	"hstockbot/internal/callrate"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
)

const (
	loadProjects = 20
	loadServices = 9
	loadDelay    = 100 * time.Millisecond // of an answer
	loadRental   = 20 * time.Minute
	// One phone in so many never gets a code, evenly.
	loadNever = 0.15
)

// The times until a code and until the goods are log-normal: the medians of the projects
// and services in turn, and the standard deviations of the logarithm.
var (
	loadCodeMedians  = []time.Duration{8 * time.Second, 25 * time.Second, 90 * time.Second}
	loadGoodsMedians = []time.Duration{2 * time.Second, 10 * time.Second, 25 * time.Second}
)

const (
	loadCodeSigma  = 0.7
	loadGoodsSigma = 0.5
)

// loadMarket rents phones and sells goods that arrive at random.
type loadMarket struct {
	orders.Market // for the methods that are not called

	mu     sync.Mutex
	dice   *rand.Rand
	keys   map[redact.Secret]int
	last   int64
	orders map[int64]*loadOrder // of the present phase, by number
	// endWithCode ends a phone with its code, which saves the polls for a second one.
	endWithCode bool

	limiter           *callrate.Limiter // of the bot, as package hstock uses it
	all               *rate.Limiter     // hidden, as those of the keys; nil: none
	ofKey             func() *rate.Limiter
	ofKeys            map[redact.Secret]*rate.Limiter
	accepted, refused int
}

// loadOrder is a phone or an automatic order.
type loadOrder struct {
	key          int
	goods        int64         // the service, 0 of a phone
	wait         time.Duration // until its code or goods; 0 = never
	placedAt     time.Time
	arrivesAt    time.Time
	answered     bool // with the code or the goods
	calls        int
	callsWaiting int // until it was answered with these
}

func newLoadMarket() *loadMarket {
	m := &loadMarket{dice: rand.New(rand.NewPCG(1, 2)), keys: map[redact.Secret]int{}, orders: map[int64]*loadOrder{}}
	m.limit(loadRun{})
	for key := range loadKeys {
		m.keys[loadKey(key)] = key
	}
	return m
}

// limit sets what the marketplace allows, and what the bot knows about it: nothing.
func (m *loadMarket) limit(run loadRun) {
	m.limiter = callrate.New(callrate.Options{Most: run.most})
	m.all, m.ofKey, m.ofKeys = nil, nil, map[redact.Secret]*rate.Limiter{}
	if run.hidden > 0 {
		m.all = rate.NewLimiter(rate.Limit(run.hidden), run.burst)
	}
	if run.hiddenPerKey > 0 {
		m.ofKey = func() *rate.Limiter { return rate.NewLimiter(rate.Limit(run.hiddenPerKey), run.burst) }
	}
}

// allow reports whether a call is within the hidden limits.
func (m *loadMarket) allow(key redact.Secret) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	allowed := true
	if m.ofKey != nil {
		if m.ofKeys[key] == nil {
			m.ofKeys[key] = m.ofKey()
		}
		allowed = m.ofKeys[key].Allow()
	}
	if allowed = allowed && (m.all == nil || m.all.Allow()); allowed {
		m.accepted++
	} else {
		m.refused++
	}
	return allowed
}

// answer tells the limiter about an answer.
func (m *loadMarket) answer(key redact.Secret, action string, allowed bool) {
	result := callrate.Accepted
	if !allowed {
		result = callrate.TooMany
	}
	m.limiter.Report(sha256.Sum256([]byte(key.Reveal())), action, result, loadDelay)
}

func (m *loadMarket) countAnew() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.accepted, m.refused = 0, 0
}

// busyMinute makes as many calls as the limiter allows.
func (m *loadMarket) busyMinute() {
	var calls sync.WaitGroup
	n := 0
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		room, again := m.limiter.Room()
		for range room {
			n++
			key := loadKey(n % loadKeys)
			calls.Go(func() { _, _, _ = m.call(context.Background(), "sms_code", key, "0") })
		}
		time.Sleep(max(again, 50*time.Millisecond))
	}
	calls.Wait()
}

// place adds an order and returns its number.
func (m *loadMarket) place(key redact.Secret, goods int64, median time.Duration, sigma, never float64) int64 {
	m.last++
	o := &loadOrder{key: m.keys[key], goods: goods, placedAt: time.Now()}
	if wait := time.Duration(float64(median) * math.Exp(sigma*m.dice.NormFloat64())); m.dice.Float64() >= never {
		o.wait, o.arrivesAt = wait, o.placedAt.Add(wait)
	}
	m.orders[m.last] = o
	return m.last
}

// arrived returns a copy of the order of a code or an account: polls still change it.
func (m *loadMarket) arrived(content redact.Secret) loadOrder {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.orders[numberOf(content.Reveal())]; o != nil {
		return *o
	}
	return loadOrder{} // of the phase before
}

// call waits for its slot, takes its time, counts a call, and returns a copy of the order.
func (m *loadMarket) call(ctx context.Context, action string, key redact.Secret, order string) (o loadOrder, arrived bool, err error) {
	if err := m.limiter.Wait(ctx, true); err != nil {
		return loadOrder{}, false, err
	}
	allowed := m.allow(key)
	time.Sleep(loadDelay)
	m.answer(key, action, allowed)
	if !allowed {
		return loadOrder{}, false, &hstock.Error{Action: action, Kind: hstock.Unreachable, Status: http.StatusTooManyRequests}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.orders[numberOf(order)]
	if found == nil {
		return loadOrder{}, false, nil
	}
	found.calls++
	if !found.answered {
		found.callsWaiting++
	}
	arrived = found.wait > 0 && !time.Now().Before(found.arrivesAt)
	found.answered = found.answered || arrived
	return *found, arrived, nil
}

func (m *loadMarket) Balance(context.Context, redact.Secret) (hstock.Balance, error) {
	return hstock.Balance{Amount: decimal.NewFromInt(1000), Currency: "USD"}, nil
}

func (m *loadMarket) SMSProjects(context.Context, redact.Secret, string, string) (all []hstock.SMSProject, err error) {
	for i := range loadProjects {
		all = append(all, hstock.SMSProject{ID: loadProject(i), Name: "Project", CountryID: market.CountryUS, Price: decimal.New(9, -1)})
	}
	return all, nil
}

func (m *loadMarket) AddSMS(_ context.Context, key redact.Secret, r hstock.AddSMSRequest) ([]hstock.SMSNumber, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var project int
	if _, err := fmt.Sscanf(r.ProjectID, "project-%d", &project); err != nil {
		return nil, err
	}
	var rented []hstock.SMSNumber
	for range r.Quantity {
		number := m.place(key, 0, loadCodeMedians[project%len(loadCodeMedians)], loadCodeSigma, loadNever)
		rented = append(rented, hstock.SMSNumber{Order: idOf(number), Phone: fmt.Sprintf("+1202%07d", number), RawStatus: "active"})
	}
	return rented, nil
}

func (m *loadMarket) SMSCode(ctx context.Context, key redact.Secret, order string) (hstock.SMSCode, error) {
	o, arrived, err := m.call(ctx, "sms_code", key, order)
	switch {
	case err != nil:
		return hstock.SMSCode{}, err
	case arrived && m.endWithCode:
		return hstock.SMSCode{State: hstock.SMSExpired, RawStatus: "expired", Code: redact.Secret(order), Content: redact.Secret("Your code is " + order)}, nil
	case arrived:
		return hstock.SMSCode{State: hstock.SMSReceived, RawStatus: "completed", Code: redact.Secret(order), Content: redact.Secret("Your code is " + order)}, nil
	case time.Since(o.placedAt) >= loadRental:
		return hstock.SMSCode{State: hstock.SMSExpired, RawStatus: "expired"}, nil
	default:
		return hstock.SMSCode{State: hstock.SMSWaiting, RawStatus: "waiting"}, nil
	}
}

func (m *loadMarket) SMSStatus(ctx context.Context, key redact.Secret, order string) (hstock.SMSStatus, error) {
	o, arrived, err := m.call(ctx, "sms_status", key, order)
	if err != nil {
		return hstock.SMSStatus{}, err
	}
	status := hstock.SMSStatus{
		State: hstock.SMSWaiting, RawStatus: "active", Currency: "USD", Charge: decimal.NewNullDecimal(decimal.New(9, -1)),
		ExpiresAt: o.placedAt.Add(loadRental),
	}
	switch {
	case arrived:
		status.State, status.RawStatus, status.Code = hstock.SMSReceived, "completed", redact.Secret(order)
	case time.Since(o.placedAt) >= loadRental:
		status.State, status.RawStatus = hstock.SMSExpired, "expired"
	}
	return status, nil
}

func (m *loadMarket) Inventory(_ context.Context, _ redact.Secret, service int64, _ string) (hstock.Inventory, error) {
	return hstock.Inventory{
		Service: service, Stock: 100, Available: true, Rate: decimal.New(5, -1), Currency: "USD", Min: 1, Max: 100,
		EntityType: hstock.EntityProduct, AutoDelivery: true,
	}, nil
}

func (m *loadMarket) Add(_ context.Context, key redact.Secret, r hstock.AddRequest) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return idOf(m.place(key, r.Service, loadGoodsMedians[int(r.Service)%len(loadGoodsMedians)], loadGoodsSigma, 0)), nil
}

func (m *loadMarket) Status(ctx context.Context, key redact.Secret, order string) (hstock.Status, error) {
	_, arrived, err := m.call(ctx, "status", key, order)
	if err != nil {
		return hstock.Status{}, err
	}
	automatic := true
	status := hstock.Status{
		State: hstock.StateInProgress, RawStatus: "In progress", Charge: decimal.NewNullDecimal(decimal.New(5, -1)), Currency: "USD",
		EntityType: hstock.EntityProduct, AutoDelivery: &automatic,
	}
	if arrived {
		status.State, status.RawStatus, status.Accounts = hstock.StateCompleted, "Completed", []redact.Secret{redact.Secret(order)}
	}
	return status, nil
}
