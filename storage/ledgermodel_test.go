package storage

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"hstockbot/internal/redact"
)

// modelOrder is an order as the model of the ledger knows it. Money is in cents.
type modelOrder struct {
	id        int64
	quantity  int64
	price     int64
	charge    int64 // -1: not reported
	state     OrderState
	open      bool
	delivered int64
}

type modelPurchase struct {
	p      Purchase
	state  PurchaseState
	grant  int64
	month  string
	markup int64 // hundredths of a percent
	hold   *big.Rat
	orders []*modelOrder
	// rest are the phones that may yet be adopted; they are held unless an admin has said that
	// they were not placed.
	rest      int64
	dismissed bool
	final     *big.Rat // once the person is forgotten
}

// marked is a price with the markup, rounded up to cents.
func marked(cents *big.Rat, markup int64) *big.Rat {
	if markup == 0 {
		return cents
	}
	r := new(big.Rat).Mul(cents, big.NewRat(10_000+markup, 10_000))
	whole, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	return new(big.Rat).SetInt(whole)
}

// taken is what the purchase takes from its allowance.
func (m *modelPurchase) taken() *big.Rat {
	if m.final != nil {
		return m.final
	}
	switch m.state {
	case PurchaseClaimed, PurchaseSending, PurchaseOutcomeUnknown:
		return m.hold
	case PurchasePlaced:
	default:
		return new(big.Rat)
	}
	sum := new(big.Rat)
	for _, o := range m.orders {
		cost := big.NewRat(max(o.charge, 0), 1)
		switch {
		case o.open:
			cost = big.NewRat(max(o.charge, o.price), 1)
		case o.state == OrderRefunded:
			cost = new(big.Rat)
		case o.charge >= 0:
		case o.state == OrderDelivered || o.state == OrderStale:
			cost = big.NewRat(o.price, 1)
		case m.p.Kind == KindSMS && o.delivered > 0:
			cost = big.NewRat(o.price, 1)
		default:
			cost = big.NewRat(o.price*min(o.delivered, o.quantity), o.quantity)
		}
		sum.Add(sum, cost)
	}
	if !m.dismissed {
		sum.Add(sum, big.NewRat(m.p.Rate.Shift(2).IntPart()*m.rest, 1))
	}
	return marked(sum, m.markup)
}

// ledgerModel drives a database and the model side by side.
type ledgerModel struct {
	*rapid.T
	t         *testing.T
	db        *DB
	now       time.Time
	users     []int64
	forgotten map[int64]bool
	terms     map[int64]*AllowanceTerms
	grants    map[int64]int64
	purchases []*modelPurchase
	numbers   *int64
}

func (m *ledgerModel) must(err error) {
	if err != nil {
		m.Fatal(err)
	}
}

func (m *ledgerModel) available(user int64) *big.Rat {
	terms := m.terms[user]
	left := new(big.Rat).SetInt64(terms.Amount.Shift(2).IntPart())
	for _, p := range m.purchases {
		if p.p.UserID == user && p.grant == m.grants[user] && p.final == nil && (!terms.Monthly || p.month == m.now.Format("2006-01")) {
			left.Sub(left, p.taken())
		}
	}
	return left
}

// pick draws a purchase in one of these states.
func (m *ledgerModel) pick(states ...PurchaseState) *modelPurchase {
	var fit []*modelPurchase
	for _, p := range m.purchases {
		for _, state := range states {
			if p.state == state && p.final == nil {
				fit = append(fit, p)
			}
		}
	}
	if len(fit) == 0 {
		m.SkipNow() // another action is tried
	}
	return rapid.SampledFrom(fit).Draw(m.T, "purchase")
}

func (m *ledgerModel) user() int64 { return rapid.SampledFrom(m.users).Draw(m.T, "user") }

func (m *ledgerModel) give() {
	user := m.user()
	if m.forgotten[user] {
		m.SkipNow()
	}
	m.giveTo(user)
}

func (m *ledgerModel) giveTo(user int64) {
	terms := AllowanceTerms{
		Amount: decimal.New(rapid.Int64Range(1, 3000).Draw(m.T, "cents"), -2), Currency: "USD", Monthly: rapid.Bool().Draw(m.T, "monthly"),
		Markup: decimal.New(rapid.SampledFrom([]int64{0, 1, 333, 1000, 10_000}).Draw(m.T, "markup"), -2),
	}
	a, err := m.db.GiveAllowance(m.t.Context(), user, terms, byAdmin("x", m.now))
	m.must(err)
	m.terms[user], m.grants[user] = &terms, a.GrantID
}

func (m *ledgerModel) remove() {
	user := m.user()
	_, err := m.db.RemoveAllowance(m.t.Context(), user, byAdmin("x", m.now))
	m.must(err)
	m.terms[user] = nil
}

func (m *ledgerModel) claim() {
	user := m.user()
	if m.forgotten[user] || m.terms[user] == nil {
		m.SkipNow()
	}
	key, err := m.db.ActiveKey(m.t.Context(), user)
	m.must(err)
	markup, cents, quantity := m.terms[user].Markup, rapid.Int64Range(1, 1500).Draw(m.T, "price"), rapid.Int64Range(1, 3).Draw(m.T, "quantity")
	p, err := m.db.InsertDraft(m.t.Context(), Purchase{
		UserID: user, KeyID: key.ID, KeyFingerprint: key.Fingerprint, House: true, Markup: markup, Kind: rapid.SampledFrom([]Kind{KindProduct, KindSMS}).Draw(m.T, "kind"),
		Quantity: quantity, Rate: decimal.New(cents, -2), RatePer: 1, Currency: "USD", CreatedAt: m.now, ExpiresAt: m.now.AddDate(1, 0, 0),
	}, 0)
	m.must(err)
	busy := slices.ContainsFunc(m.purchases, func(p *modelPurchase) bool { return p.state == PurchaseClaimed || p.state == PurchaseSending })
	model := &modelPurchase{p: p, state: PurchaseClaimed, grant: m.grants[user], month: m.now.Format("2006-01"), markup: markup.Shift(2).IntPart()}
	model.hold = marked(big.NewRat(cents*quantity, 1), model.markup)
	fits := m.available(user).Cmp(model.hold) >= 0
	claimed, err := m.db.ClaimPurchase(m.t.Context(), user, p.ID, "owner", m.now, m.now.AddDate(1, 0, 0))
	switch {
	case busy && errors.Is(err, ErrKeyBusy), !fits && errors.Is(err, ErrAllowanceLow):
	case err != nil || busy || !fits || !claimed:
		m.Fatalf("claimed %v, %v; busy %v, fits %v", claimed, err, busy, fits)
	default:
		m.purchases = append(m.purchases, model)
	}
}

func (m *ledgerModel) send() {
	p := m.pick(PurchaseClaimed)
	_, err := m.db.StartSending(m.t.Context(), p.p.ID, "owner", Terms{Rate: p.p.Rate, Currency: "USD"}, m.now, m.now.AddDate(1, 0, 0))
	m.must(err)
	p.p.SentAt, p.state = m.now, PurchaseSending
}

func (m *ledgerModel) reject() {
	p := m.pick(PurchaseClaimed, PurchaseSending)
	_, err := m.db.RejectPurchase(m.t.Context(), p.p.ID, "owner", "x", "", m.now)
	m.must(err)
	p.state = PurchaseRejected
}

func (m *ledgerModel) redraw() {
	p := m.pick(PurchaseClaimed)
	next := p.p
	next.Rate = next.Rate.Add(decimal.New(1, -2))
	_, _, err := m.db.ReplaceClaimed(m.t.Context(), p.p.ID, "owner", next)
	m.must(err)
	p.state = PurchaseSuperseded
}

func (m *ledgerModel) unknown() {
	p := m.pick(PurchaseSending)
	_, err := m.db.MarkOutcomeUnknown(m.t.Context(), p.p, "", m.now, Message{UserID: p.p.UserID, Kind: "x", CreatedAt: m.now})
	m.must(err)
	p.state = PurchaseOutcomeUnknown
}

func (m *ledgerModel) dismiss() {
	p := m.pick(PurchaseOutcomeUnknown, PurchasePlaced)
	incomplete := p.rest > 0 && !p.dismissed
	done, err := m.db.DismissHousePurchase(m.t.Context(), p.p.ID, m.now, byAdmin("x", m.now))
	m.must(err)
	switch {
	case done != (p.state == PurchaseOutcomeUnknown || incomplete):
		m.Fatalf("dismissed %v of %+v", done, p)
	case incomplete:
		p.dismissed = true
	case done:
		p.state = PurchaseDismissed
	}
}

func (m *ledgerModel) number() string { *m.numbers++; return fmt.Sprint(*m.numbers) }

func (m *ledgerModel) placed(p *modelPurchase, orders ...Order) {
	p.state = PurchasePlaced
	for _, o := range orders {
		price := p.p.Rate.Shift(2).IntPart() * o.Quantity
		p.orders = append(p.orders, &modelOrder{id: o.ID, quantity: o.Quantity, price: price, charge: -1, state: OrderOpen, open: true})
	}
}

func (m *ledgerModel) adopt() {
	p := m.pick(PurchaseOutcomeUnknown, PurchaseDismissed, PurchasePlaced)
	order, adopted, err := m.db.AdoptOrder(m.t.Context(), p.p, Placement{ExternalID: m.number()}, m.now, m.now, func(Order) []Message { return nil })
	m.must(err)
	if want := p.state != PurchasePlaced || p.rest > 0; adopted != want {
		m.Fatalf("adopted %v, want %v", adopted, want)
	}
	if !adopted {
		return
	}
	if p.p.Kind == KindSMS && p.state != PurchasePlaced {
		p.rest = p.p.Quantity
	}
	p.rest = max(p.rest-1, 0)
	m.placed(p, order)
}

func (m *ledgerModel) place() {
	p := m.pick(PurchaseSending, PurchaseOutcomeUnknown, PurchaseRejected) // an answer may be late
	given := []Placement{{ExternalID: m.number()}}
	if p.p.Kind == KindSMS {
		for range rapid.Int64Range(0, p.p.Quantity-1).Draw(m.T, "more phones") {
			given = append(given, Placement{ExternalID: m.number()})
		}
	}
	orders, placed, err := m.db.PlacePurchase(m.t.Context(), p.p, given, m.now, m.now, func(Order) []Message { return nil })
	m.must(err)
	if !placed {
		m.Fatal("not placed")
	}
	m.placed(p, orders...)
}

// report polls an order: it stays open, or ends, is reopened or refunded, with or without a
// charge.
func (m *ledgerModel) report() {
	p := m.pick(PurchasePlaced)
	o := rapid.SampledFrom(p.orders).Draw(m.T, "order")
	o.state = rapid.SampledFrom([]OrderState{OrderOpen, OrderPartial, OrderDelivered, OrderCancelled, OrderRefunded, OrderExpired, OrderFailed, OrderStale}).Draw(m.T, "state")
	o.open = o.state == OrderOpen || o.state == OrderPartial
	o.charge = rapid.SampledFrom([]int64{-1, 0, o.price / 2, o.price, o.price + 7}).Draw(m.T, "charge")
	stored, err := m.db.Order(m.t.Context(), p.p.UserID, o.id)
	m.must(err)
	fresh := rapid.IntRange(0, 1).Draw(m.T, "fresh")
	stored.Polls++
	stored.State, stored.Charge, stored.ClosedAt, stored.UpdatedAt = o.state, decimal.NullDecimal{}, m.now, m.now
	if o.open {
		stored.ClosedAt = time.Time{}
	}
	if o.charge >= 0 {
		stored.Charge = decimal.NewNullDecimal(decimal.New(o.charge, -2))
	}
	var goods []redact.Secret
	for range fresh {
		goods = append(goods, redact.Secret(m.number()))
	}
	for range rapid.IntRange(1, 2).Draw(m.T, "times") { // a repeat is outdated
		after, _, err := m.db.UpdateOrder(m.t.Context(), stored, nil, goods, noMessages)
		m.must(err)
		o.delivered = max(o.delivered, after.Delivered)
	}
}

func (m *ledgerModel) forget() {
	user := m.user()
	for _, p := range m.purchases {
		if p.p.UserID == user && (p.state == PurchaseClaimed || p.state == PurchaseSending) {
			m.SkipNow()
		}
	}
	m.must(m.db.Forget(m.t.Context(), user, m.now))
	m.forgotten[user], m.terms[user] = true, nil
	for _, p := range m.purchases {
		if p.p.UserID == user && p.final == nil {
			p.final = p.taken()
		}
	}
}

// check compares what is available, what all entries add up to, and that the parts of each
// entry fit together.
func (m *ledgerModel) check(*rapid.T) {
	cents := func(d decimal.Decimal) *big.Rat { return new(big.Rat).Mul(d.Rat(), big.NewRat(100, 1)) }
	near := func(a, b *big.Rat) bool { // a share of a price may have more digits than are kept
		d := new(big.Rat).Sub(a, b)
		return d.Abs(d).Cmp(big.NewRat(1, 1_000_000)) < 0
	}
	for _, user := range m.users {
		a, err := m.db.Allowance(m.t.Context(), user, m.now)
		if m.terms[user] == nil {
			if !errors.Is(err, ErrNotFound) {
				m.Fatalf("an allowance that was removed: %+v, %v", a, err)
			}
			continue
		}
		m.must(err)
		if got, want := cents(a.Available()), m.available(user); !near(got, want) {
			m.Fatalf("available %s, the model says %s", got.FloatString(8), want.FloatString(8))
		}
	}
	for _, p := range m.purchases {
		line, err := m.db.LedgerEntry(m.t.Context(), p.p.ID)
		m.must(err)
		if !near(cents(line.Taken()), p.taken()) {
			m.Fatalf("%+v takes %s, the model says %s", line.LedgerEntry, line.Taken(), p.taken().FloatString(8))
		}
		if line.Held.IsNegative() || line.Cost.IsNegative() || line.Refunded.IsNegative() || line.Charged.LessThan(line.Refunded) || line.State == LedgerReleased && p.taken().Sign() != 0 {
			m.Fatalf("the entry %+v of a purchase %s", line.LedgerEntry, p.state)
		}
		above := false // it takes more than its hold only by a charge above its price
		for _, o := range p.orders {
			above = above || o.charge > o.price
		}
		if line.Taken().GreaterThan(line.Hold) && !above && !line.Reported {
			m.Fatalf("%+v takes more than its hold", line.LedgerEntry)
		}
	}
}

// The ledger says what a small model of it says, after any sequence of what may happen.
func TestLedgerFollowsItsModel(t *testing.T) {
	db := openHouse(t)
	next, numbers := int64(100), int64(0)
	rapid.Check(t, func(r *rapid.T) {
		m := &ledgerModel{
			T: r, t: t, db: db, now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), users: []int64{next, next + 1}, numbers: &numbers,
			forgotten: map[int64]bool{}, terms: map[int64]*AllowanceTerms{}, grants: map[int64]int64{},
		}
		next += 2
		touch(t, db, m.users...)
		if _, err := db.writer.ExecContext(t.Context(), `UPDATE purchases SET state = 'rejected' WHERE state IN ('claimed', 'sending')`); err != nil { // of the sequence before
			t.Fatal(err)
		}
		action := func(f func()) func(*rapid.T) {
			return func(r *rapid.T) {
				m.T = r
				f()
			}
		}
		for _, user := range m.users {
			m.giveTo(user)
		}
		r.Repeat(map[string]func(*rapid.T){
			"give": action(m.give), "remove": action(m.remove), "claim": action(m.claim), "claim again": action(m.claim), "send": action(m.send), "reject": action(m.reject), "redraw": action(m.redraw),
			"unknown": action(m.unknown), "dismiss": action(m.dismiss), "adopt": action(m.adopt), "place": action(m.place), "report": action(m.report), "report again": action(m.report),
			"days pass": func(*rapid.T) { m.now = m.now.AddDate(0, 0, 7) },
			"forget": func(r *rapid.T) {
				if rapid.IntRange(0, 3).Draw(r, "rarely") == 0 {
					m.T = r
					m.forget()
				}
			},
			"": m.check,
		})
	})
}

// TestStatesHold: what may have been bought holds, until it is known that it was not.
func TestStatesHold(t *testing.T) {
	for state, want := range map[PurchaseState]LedgerState{
		PurchaseClaimed: LedgerHeld, PurchaseSending: LedgerHeld, PurchaseOutcomeUnknown: LedgerHeld,
		PurchaseDraft: LedgerReleased, PurchaseSuperseded: LedgerReleased, PurchaseRejected: LedgerReleased, PurchaseDismissed: LedgerReleased,
	} {
		e := LedgerEntry{Hold: dec("5.5"), Held: dec("1"), Cost: dec("2"), Charged: dec("4"), Refunded: dec("2")}.settle(ledgerPurchase{State: state}, nil)
		if !e.Cost.IsZero() || !e.Charged.IsZero() || !e.Refunded.IsZero() {
			t.Errorf("%s: %+v", state, e)
		}
		if held := want == LedgerHeld; e.State != want || e.Held.Equal(dec("5.5")) != held || e.Held.IsZero() == held {
			t.Errorf("%s: %s of %s, want %s", state, e.Held, e.State, want)
		}
	}
}
