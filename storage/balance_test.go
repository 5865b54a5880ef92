package storage

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

// TestWhatChangesABalance: each condition of BalanceMayHaveChanged, at its limits. SINCE is
// when the purchase was sent.
func TestWhatChangesABalance(t *testing.T) {
	const (
		old    = `UPDATE purchases SET sent_at = 1, created_at = 1, state = 'placed', balance = '71.5', currency = 'USD', rate = '25'; UPDATE orders SET kind = 'sms', state = 'delivered', closed_at = 0, cancel_sent_at = 0, expires_at = 0, currency = 'USD', charge = '25'; `
		phone  = old + `UPDATE orders SET state = 'expired', `
		cancel = old + `UPDATE orders SET state = 'delivered', cancel_sent_at = 1, `
		refund = old + `UPDATE orders SET state = 'refunded', `
	)
	type world struct {
		db    *DB
		key   Key // of the purchase
		order Order
	}
	worlds := map[bool]world{}
	for other, user := range map[bool]int64{false: 7, true: 8} {
		db := openWithUsers(t, 7, 8)
		keys := map[int64]Key{7: saveKey(t, db, 7, "first-secret"), 8: saveKey(t, db, 8, "another")}
		worlds[other] = world{db, keys[7], rented(t, db, user, keys[user], 501)[0]}
	}
	for name, test := range map[string]struct {
		other  bool // another person's key, which shows the same balance
		change string
		want   bool
	}{
		"long ago":                         {false, old, false},
		"sent at the same time":            {false, old + `UPDATE purchases SET sent_at = SINCE`, true},
		"sent just before":                 {false, old + `UPDATE purchases SET sent_at = SINCE - 1`, false},
		"being sent":                       {false, old + `UPDATE purchases SET state = 'sending'`, true},
		"unknown":                          {false, old + `UPDATE purchases SET state = 'outcome_unknown'`, true},
		"refunded at the same time":        {false, refund + `closed_at = SINCE`, true},
		"refunded just before":             {false, refund + `closed_at = SINCE - 1`, false},
		"a number over at the same time":   {false, phone + `expires_at = SINCE`, true},
		"a number over just before":        {false, phone + `expires_at = SINCE - 1`, false},
		"a number that was closed before":  {false, phone + `expires_at = SINCE, closed_at = SINCE - 1`, false},
		"goods have no end":                {false, phone + `expires_at = SINCE, kind = 'product'`, false},
		"a cancel on its way":              {false, cancel + `closed_at = 0`, true},
		"a cancel, closed at the time":     {false, cancel + `closed_at = SINCE`, true},
		"a cancel, closed before":          {false, cancel + `closed_at = SINCE - 1`, false},
		"of another, long ago":             {true, old, false},
		"of another, drawn ten min before": {true, old + `UPDATE purchases SET created_at = SINCE - 600000`, true},
		"of another, drawn before that":    {true, old + `UPDATE purchases SET created_at = SINCE - 600001`, false},
		"of another, sent ten min before":  {true, old + `UPDATE purchases SET sent_at = SINCE - 600000`, true},
		"of another, sent before that":     {true, old + `UPDATE purchases SET sent_at = SINCE - 600001`, false},
		"of another, refunded":             {true, refund + `closed_at = SINCE`, true},
		"of another, refunded before":      {true, refund + `closed_at = SINCE - 1`, false},
		"of another, in another currency":  {true, refund + `closed_at = SINCE, currency = 'EUR'`, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := worlds[test.other]
			since := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
			for change := range strings.SplitSeq(strings.ReplaceAll(test.change, "SINCE", strconv.FormatInt(toMillis(since), 10)), ";") {
				if strings.TrimSpace(change) == "" {
					continue
				}
				if _, err := w.db.transition(t.Context(), "change", change); err != nil {
					t.Fatal(err)
				}
			}
			p := Purchase{
				ID: 1, UserID: 7, KeyFingerprint: w.key.Fingerprint, Currency: "USD", Balance: decimal.RequireFromString("71.50"),
				Rate: decimal.RequireFromString("2.5"), Quantity: 10, RatePer: 1,
			}
			if got, err := w.db.BalanceMayHaveChanged(t.Context(), p, since); err != nil || got != test.want {
				t.Errorf("changed is %v, want %v: %v", got, test.want, err)
			}
			seen := p
			seen.Balance, seen.BalanceSeen = decimal.Zero, decimal.NewNullDecimal(p.Balance) // a later reading of the same key
			if got, err := w.db.BalanceMayHaveChanged(t.Context(), seen, since); err != nil || got != test.want {
				t.Errorf("as it was seen, changed is %v, want %v: %v", got, test.want, err)
			}
			if p.ID = w.order.PurchaseID; name == "unknown" {
				if got, err := w.db.BalanceMayHaveChanged(t.Context(), p, since); err != nil || got {
					t.Errorf("by itself it has changed: %v", err)
				}
			}
		})
	}
}

// TestPurchasesThatAreRead: only the person's own, and only those that are meant.
func TestPurchasesThatAreRead(t *testing.T) {
	db := openWithUsers(t, 7, 8)
	w := &commitWorld{T: t, db: db, key: saveKey(t, db, 7, "first-secret"), now: time.Now().Truncate(time.Millisecond)}
	at := func(state PurchaseState, createdAt, next time.Time) int64 { // next are its reading, and the end of its lease
		p := w.draft()
		if _, err := db.transition(t.Context(), "prepare", `UPDATE purchases SET state = ?, created_at = ?, next_check_at = ?, lease_until = ? WHERE id = ?`,
			state, toMillis(createdAt), toMillis(next), toMillis(next), p.ID); err != nil {
			t.Fatal(err)
		}
		return p.ID
	}
	ids := func(purchases []Purchase, err error) (ids []int64) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		for _, p := range purchases {
			ids = append(ids, p.ID)
		}
		return ids
	}
	later := w.now.Add(time.Second)
	older, newer := at(PurchaseOutcomeUnknown, w.now, w.now), at(PurchaseOutcomeUnknown, later, later)
	checked, dismissed := at(PurchaseOutcomeUnknown, w.now.Add(2*time.Second), time.Time{}), at(PurchaseDismissed, w.now.Add(3*time.Second), w.now.Add(-time.Second))
	claimed := at(PurchaseClaimed, w.now, w.now)
	for what, list := range map[string][2][]int64{
		"unresolved":           {ids(db.UnresolvedPurchases(t.Context(), 7, false)), {checked, newer, older}},
		"with dismissed":       {ids(db.UnresolvedPurchases(t.Context(), 7, true)), {dismissed, checked, newer, older}},
		"of another":           {ids(db.UnresolvedPurchases(t.Context(), 8, true)), nil},
		"due checks":           {ids(db.DueChecks(t.Context(), w.now, 9)), {older}},
		"due checks, later":    {ids(db.DueChecks(t.Context(), later, 9)), {older, newer}},
		"due checks, too soon": {ids(db.DueChecks(t.Context(), w.now.Add(-time.Millisecond), 9)), nil},
		"leases that end now":  {ids(db.OverdueLeases(t.Context(), w.now, 9)), {claimed}},
		"leases, too soon":     {ids(db.OverdueLeases(t.Context(), w.now.Add(-time.Millisecond), 9)), nil},
	} {
		if !slices.Equal(list[0], list[1]) {
			t.Errorf("%s: %v, want %v", what, list[0], list[1])
		}
	}
	next := func(what string) {
		t.Helper()
		if at, err := db.NextPurchaseEvent(t.Context()); err != nil || !at.Equal(w.now) {
			t.Errorf("the next %s is at %v, want %v: %v", what, at, w.now, err)
		}
	}
	next("end of a lease")
	if _, err := db.transition(t.Context(), "reject", `UPDATE purchases SET state = 'rejected' WHERE state = 'claimed'`); err != nil {
		t.Fatal(err)
	}
	next("reading")
	order := rented(t, db, 7, w.key, 501)[0]
	if _, err := db.transition(t.Context(), "topic", `UPDATE purchases SET thread_id = CASE id WHEN ? THEN 5 ELSE 6 END WHERE id IN (?, ?)`, older, older, order.PurchaseID); err != nil {
		t.Fatal(err)
	}
	for _, of := range []struct{ user, purchase, order, want int64 }{{7, older, 0, 5}, {7, 0, order.ID, 6}, {7, newer, 0, 0}, {8, older, order.ID, 0}} {
		if thread, err := db.ThreadOf(t.Context(), of.user, of.purchase, of.order); err != nil || thread != of.want {
			t.Errorf("%+v: the topic is %d, %v", of, thread, err)
		}
	}
	if _, err := db.Purchase(t.Context(), 8, older); !errors.Is(err, ErrNotFound) {
		t.Errorf("another person reads it: %v", err)
	}
	if _, err := db.transition(t.Context(), "damage", `UPDATE purchases SET link_sealed = 'v1.00000000.AAAA', house = 1`); err != nil {
		t.Fatal(err)
	}
	for what, read := range map[string]func() (Purchase, error){
		"a purchase":              func() (Purchase, error) { return db.Purchase(t.Context(), 7, older) },
		"a purchase of the house": func() (Purchase, error) { return db.HousePurchase(t.Context(), older) },
	} {
		if p, err := read(); err == nil || p.ID != 0 {
			t.Errorf("%s that is damaged is read: %v", what, p.ID)
		}
	}
	if due, err := db.DueChecks(t.Context(), w.now, 9); err == nil || len(due) != 1 {
		t.Errorf("%d damaged purchases, and no error", len(due))
	}
	if answers, err := db.EmailAnswers(t.Context(), 7); err != nil || answers.Given {
		t.Errorf("what can't be read is taken for an answer: %+v, %v", answers, err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for what, read := range map[string]func() error{
		"unresolved":    func() error { _, err := db.UnresolvedPurchases(stopped, 7, false); return err },
		"balance":       func() error { _, err := db.BalanceMayHaveChanged(stopped, Purchase{RatePer: 1}, w.now); return err },
		"e-mail":        func() error { _, err := db.EmailAnswers(stopped, 7); return err },
		"topic":         func() error { _, err := db.ThreadOf(stopped, 7, older, 0); return err },
		"ledger":        func() error { _, _, err := db.Ledger(stopped, LedgerFilter{}, 9, 0); return err },
		"entry":         func() error { _, err := db.LedgerEntry(stopped, older); return err },
		"refund":        func() error { _, err := db.RefundCounts(stopped, Allowance{}, older, w.now); return err },
		"sums":          func() error { _, err := db.LedgerByPerson(stopped, LedgerFilter{}); return err },
		"one's ledger":  func() error { _, err := db.ledgerOf(stopped, 7); return err },
		"ledger, again": func() error { return db.CheckLedger(stopped, w.now) },
	} {
		if err := read(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want that it was stopped", what, err)
		}
	}
}
