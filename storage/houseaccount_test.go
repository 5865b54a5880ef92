package storage

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// What a person gets to read about a purchase that the operator's key has paid tells neither
// the operator's balance nor the marketplace's price.
func TestPersonNeverSeesTheOperatorsAccount(t *testing.T) {
	db := openHouse(t, 1)
	ctx, now := t.Context(), time.Now()
	give(t, db, 1, "100", "10", true, now)
	p := sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "5.00", 1, now), now)
	reportHouse(t, db, placeHouse(t, db, p, now, "1")[0], OrderDelivered, "5.00", now)
	after := now.Add(time.Second) // so the first one is the last in the list
	unknown := markUnknown(t, db, sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "7.00", 1, after), after))
	read, err := db.Purchase(ctx, 1, p.ID)
	if err != nil || !read.Balance.IsZero() || read.BalanceSeen.Valid {
		t.Errorf("%+v, %v", read, err)
	}
	if all, err := db.UnresolvedPurchases(ctx, 1, true); err != nil || len(all) != 1 || !all[0].Balance.IsZero() {
		t.Errorf("%+v, %v", all, err)
	}
	if seen, err := db.HousePurchase(ctx, unknown.ID); err != nil || !seen.Balance.Equal(dec("1000")) || seen.UserID != 1 {
		t.Errorf("an admin reads %+v, %v", seen, err)
	}
	data, err := db.PersonalData(ctx, 1)
	if err != nil || len(data.Purchases) != 2 || len(data.Orders) != 1 || len(data.Ledger) != 2 || len(data.Allowances) != 1 {
		t.Fatalf("%+v, %v", data, err)
	}
	for _, p := range data.Purchases {
		if !p.Balance.IsZero() || p.BalanceSeen.Valid || !p.Rate.IsZero() {
			t.Errorf("exported: %+v", p)
		}
	}
	if data.Orders[0].Charge.Valid || !data.Ledger[1].Charged.Equal(dec("5.5")) || !data.Ledger[1].Cost.IsZero() || !data.Ledger[1].Markup.IsZero() || !data.Allowances[0].Markup.IsZero() || !data.Allowances[0].Available().Equal(dec("86.8")) {
		t.Errorf("exported: %+v, %+v, %+v", data.Orders[0], data.Ledger, data.Allowances)
	}
	saveKey(t, db, 1, "own")
	own := houseDraft(t, db, 1, KindProduct, "1", 1, now)
	if read, err := db.Purchase(ctx, 1, own.ID); err != nil || read.House || !read.Balance.Equal(dec("1000")) {
		t.Errorf("bought with the own key: %+v, %v", read, err)
	}
	if _, err := db.HousePurchase(ctx, own.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("an admin reads what the own key pays: %v", err)
	}
}

// An order of the operator's key waits for that key, and is never polled with the person's own.
func TestHouseOrderIsPolledWithItsKey(t *testing.T) {
	db := openHouse(t, 1, 2)
	ctx, now := t.Context(), time.Now()
	give(t, db, 1, "100", "0", true, now)
	give(t, db, 2, "100", "0", true, now)
	for i, person := range []int64{1, 2} {
		placeHouse(t, db, sendHouse(t, db, houseDraft(t, db, person, KindProduct, "1", 1, now), now), now, idOf(int64(i+1)))
	}
	saveKey(t, db, 1, "own")
	later := now.Add(time.Minute)
	equal(t, "due", 2, len(duePolls(t, db, "one", later)))
	key, err := db.ActiveKey(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.RefuseKey(ctx, key.ID, Message{UserID: 2, Kind: "invalid_key", CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	equal(t, "due while the key is refused", 0, len(duePolls(t, db, "one", later)))
	equal(t, "refused for all people", 2, db.count(t, `SELECT COUNT(*) FROM api_keys WHERE house = 1 AND invalid = 1`))
	equal(t, "refused own keys", 0, db.count(t, `SELECT COUNT(*) FROM api_keys WHERE house = 0 AND invalid = 1`))
	if keys, err := db.RefusedKeys(ctx, false, 10); err != nil || len(keys) != 2 {
		t.Errorf("%d are tried again, %v", len(keys), err)
	}
	if err := db.AcceptKey(ctx, key.ID, now); err != nil {
		t.Fatal(err)
	}
	equal(t, "due when it is accepted", 2, len(duePolls(t, db, "one", later)))
	if _, err := db.RemoveAllowance(ctx, 1, byAdmin("x", now)); err != nil {
		t.Fatal(err)
	}
	equal(t, "due after the allowance was removed", 2, len(duePolls(t, db, "one", later)))
}

func TestAdminsDecisionsAreAudited(t *testing.T) {
	db := openHouse(t, 1)
	ctx, now := t.Context(), time.Now()
	give(t, db, 1, "100", "0", true, now)
	audited := func() string {
		return strings.Join(selectStrings(t, db, `SELECT action FROM audit_log WHERE action <> 'allowance' ORDER BY action`), " ")
	}
	adopted := markUnknown(t, db, sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "1", 1, now), now))
	for _, want := range []bool{true, false} {
		if _, done, err := db.AdoptOrder(ctx, adopted, Placement{ExternalID: idOf(int64(len(audited()) + 1))}, now, now, func(Order) []Message { return nil }, byAdmin("adopt", now)); err != nil || done != want {
			t.Errorf("adopted %v, %v", done, err)
		}
	}
	dismissed := markUnknown(t, db, sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "1", 1, now), now))
	for _, want := range []bool{true, false} {
		if done, err := db.DismissHousePurchase(ctx, dismissed.ID, now, byAdmin("dismiss", now)); err != nil || done != want {
			t.Errorf("dismissed %v, %v", done, err)
		}
	}
	equal(t, "audited", "adopt dismiss", audited())
}

// What an order has cost whose charge the marketplace never says.
func TestCostWithoutCharge(t *testing.T) {
	remains := func(n int64) *int64 { return &n }
	for name, test := range map[string]struct {
		o    ledgerOrder
		want string
	}{
		"delivered":                  {ledgerOrder{Kind: KindProduct, State: OrderDelivered, Quantity: 4, Delivered: 4}, "8"},
		"stale":                      {ledgerOrder{Kind: KindProduct, State: OrderStale, Quantity: 4}, "8"},
		"cancelled":                  {ledgerOrder{Kind: KindProduct, State: OrderCancelled, Quantity: 4}, "0"},
		"cancelled, one came":        {ledgerOrder{Kind: KindProduct, State: OrderCancelled, Quantity: 4, Delivered: 1}, "2"},
		"failed":                     {ledgerOrder{Kind: KindProduct, State: OrderFailed, Quantity: 4}, "0"},
		"more than bought":           {ledgerOrder{Kind: KindProduct, State: OrderCancelled, Quantity: 4, Delivered: 9}, "8"},
		"expired phone":              {ledgerOrder{Kind: KindSMS, State: OrderExpired, Quantity: 1}, "0"},
		"cancelled after two codes":  {ledgerOrder{Kind: KindSMS, State: OrderCancelled, Quantity: 1, Delivered: 2}, "8"},
		"partial":                    {ledgerOrder{Kind: KindSMM, State: OrderPartial, Quantity: 1000, Remains: remains(250)}, "6"},
		"partial, over-delivered":    {ledgerOrder{Kind: KindSMM, State: OrderPartial, Quantity: 1000, Remains: remains(-157)}, "8"},
		"cancelled, nothing is said": {ledgerOrder{Kind: KindSMM, State: OrderCancelled, Quantity: 1000}, "8"},
		"cancelled, of no pieces":    {ledgerOrder{Kind: KindProduct, State: OrderCancelled}, "8"},
	} {
		if got := test.o.withoutCharge(dec("8")); !got.Equal(dec(test.want)) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	for name, test := range map[string]struct {
		o     ledgerOrder
		want  string
		known bool
	}{
		"nothing":         {ledgerOrder{}, "0", false},
		"a charge":        {ledgerOrder{Charge: decimal.NewNullDecimal(dec("1.5")), Currency: "USD"}, "1.5", true},
		"below zero":      {ledgerOrder{Charge: decimal.NewNullDecimal(dec("-0.125")), Currency: "USD"}, "0", true},
		"in another coin": {ledgerOrder{Charge: decimal.NewNullDecimal(dec("150")), Currency: "INR"}, "0", false},
		"in no coin":      {ledgerOrder{Charge: decimal.NewNullDecimal(dec("1.5"))}, "1.5", true},
		"refunded":        {ledgerOrder{State: OrderRefunded, Charge: decimal.NewNullDecimal(dec("1.5"))}, "0", true},
	} {
		if got, known := test.o.reported("USD"); !got.Equal(dec(test.want)) || known != test.known {
			t.Errorf("%s: %s, %v", name, got, known)
		}
	}
}

// What a placed purchase takes. Its price is 2: a thousand for 2, or, as long as no charge has
// confirmed that, a piece for 2.
func TestSettle(t *testing.T) {
	charge := func(s string) decimal.NullDecimal { return decimal.NewNullDecimal(dec(s)) }
	closed := time.UnixMilli(1)
	for name, test := range map[string]struct {
		markup   string
		perPiece bool
		o        *ledgerOrder
		want     string // held, cost, charged, refunded
	}{
		"open":                             {"10", false, &ledgerOrder{}, "held 2.2 0 0 0"},
		"open, perhaps each":               {"10", true, &ledgerOrder{}, "held 2200 0 0 0"},
		"open, charged":                    {"10", true, &ledgerOrder{Charge: charge("2")}, "held 0 2 2.2 0"},
		"delivered for less":               {"10", false, &ledgerOrder{State: OrderDelivered, Charge: charge("1"), ClosedAt: closed}, "settled 0 1 1.1 0"},
		"delivered, rounded up":            {"10", false, &ledgerOrder{State: OrderDelivered, Charge: charge("0.001"), ClosedAt: closed}, "settled 0 0.001 0.01 0"},
		"delivered, exact":                 {"0", false, &ledgerOrder{State: OrderDelivered, Charge: charge("0.001"), ClosedAt: closed}, "settled 0 0.001 0.001 0"},
		"cancelled, a part was given back": {"10", true, &ledgerOrder{State: OrderCancelled, Charge: charge("0.5"), ClosedAt: closed}, "settled 0 0.5 2.2 1.65"},
		"refunded":                         {"10", false, &ledgerOrder{State: OrderRefunded, Charge: charge("1.5"), ClosedAt: closed}, "settled 0 0 1.65 1.65"},
		"refunded, charge said to be 0":    {"10", false, &ledgerOrder{State: OrderRefunded, Charge: charge("0"), ClosedAt: closed}, "settled 0 0 2.2 2.2"},
		"refunded, no charge said":         {"10", false, &ledgerOrder{State: OrderRefunded, ClosedAt: closed}, "settled 0 0 2.2 2.2"},
		"cancelled, no charge said":        {"10", false, &ledgerOrder{State: OrderCancelled, Delivered: 250, ClosedAt: closed}, "settled 0 0.5 2.2 1.65"},
		"the first of the phones":          {"10", false, &ledgerOrder{State: OrderDelivered, Adopted: true, Charge: charge("2"), ClosedAt: closed}, "held 2.2 2 2.2 0"},
		"without orders":                   {"10", false, nil, "settled 0 0 0 0"},
	} {
		p := ledgerPurchase{Kind: KindSMS, State: PurchasePlaced, Quantity: 1000, Rate: dec("2"), RatePer: 1000, PerPiece: test.perPiece}
		var orders []ledgerOrder
		if test.o != nil {
			test.o.Quantity = 1000
			orders = append(orders, *test.o)
		}
		e := LedgerEntry{Hold: dec("2.20"), Markup: dec(test.markup)}.settle(p, orders)
		equal(t, name, test.want, strings.Join([]string{string(e.State), e.Held.String(), e.Cost.String(), e.Charged.String(), e.Refunded.String()}, " "))
	}
}

// TestMissing: of phones that were adopted one by one, and of nothing else.
func TestMissing(t *testing.T) {
	phones, adopted := ledgerPurchase{Kind: KindSMS, Quantity: 3}, ledgerOrder{Adopted: true}
	dismissed, goods := phones, phones
	dismissed.Reason, goods.Kind = restDismissed, KindProduct
	for name, test := range map[string]struct {
		p      ledgerPurchase
		orders []ledgerOrder
		want   int64
	}{
		"one adopted":                {phones, []ledgerOrder{adopted}, 2},
		"all adopted":                {phones, []ledgerOrder{adopted, adopted, adopted}, 0},
		"more than bought":           {phones, []ledgerOrder{adopted, adopted, adopted, adopted}, 0},
		"placed":                     {phones, []ledgerOrder{{}}, 0},
		"none":                       {phones, nil, 0},
		"the others were not placed": {dismissed, []ledgerOrder{adopted}, 0},
		"goods":                      {goods, []ledgerOrder{adopted}, 0},
	} {
		equal(t, name, test.want, test.p.missing(test.orders))
	}
}

// TestSameEntry: an entry is stored again where anything has changed.
func TestSameEntry(t *testing.T) {
	e := LedgerEntry{State: LedgerHeld, Held: dec("1"), Cost: dec("2"), Charged: dec("3"), Refunded: dec("4")}
	for name, change := range map[string]func(*LedgerEntry){
		"state":    func(e *LedgerEntry) { e.State = LedgerSettled },
		"reported": func(e *LedgerEntry) { e.Reported = true },
		"held":     func(e *LedgerEntry) { e.Held = dec("9") },
		"cost":     func(e *LedgerEntry) { e.Cost = dec("9") },
		"charged":  func(e *LedgerEntry) { e.Charged = dec("9") },
		"refunded": func(e *LedgerEntry) { e.Refunded = dec("9") },
	} {
		other := e
		equal(t, "as it was", true, other.sameAs(e))
		change(&other)
		equal(t, name, false, other.sameAs(e))
	}
}

func TestRefundCounts(t *testing.T) {
	db := openHouse(t, 1)
	november := time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)
	december := november.Add(2 * time.Minute)
	monthly := give(t, db, 1, "10", "0", true, november)
	p := sendHouse(t, db, houseDraft(t, db, 1, KindProduct, "6", 1, november), november)
	counts := func(what string, a Allowance, at time.Time, want bool) {
		t.Helper()
		got, err := db.RefundCounts(t.Context(), a, p.ID, at)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, what, want, got)
	}
	counts("in its month", monthly, november, true)
	if counted, err := db.RefundCounts(t.Context(), monthly, p.ID+1, november); err != nil || counted {
		t.Errorf("of what took nothing: %v, %v", counted, err)
	}
	counts("in the next month", monthly, december, false)
	counts("given once", give(t, db, 1, "10", "0", false, december), december, true)
	counts("without an allowance", Allowance{}, december, false)
	_, err := db.RemoveAllowance(t.Context(), 1, byAdmin("x", december))
	if err != nil {
		t.Fatal(err)
	}
	counts("given again", give(t, db, 1, "10", "0", false, december), december, false)
}

// What goes on with the operator's key is of the new one after it was replaced.
func TestOperatorKeyIsReplacedOnTheWay(t *testing.T) {
	db := openHouse(t, 1, 2)
	ctx, now := t.Context(), time.Now()
	give(t, db, 1, "100", "0", false, now)
	draft := func(user int64) Purchase { return houseDraft(t, db, user, KindProduct, "1", 1, now) }
	open := placeHouse(t, db, sendHouse(t, db, draft(1), now), now, "1")[0]
	closed := placeHouse(t, db, sendHouse(t, db, draft(1), now), now, "2")[0]
	reportHouse(t, db, closed, OrderDelivered, "1", now)
	unknown, dismissed := markUnknown(t, db, sendHouse(t, db, draft(1), now)), markUnknown(t, db, sendHouse(t, db, draft(1), now))
	if _, err := db.DismissHousePurchase(ctx, dismissed.ID, now, byAdmin("x", now)); err != nil {
		t.Fatal(err)
	}
	waiting, flying := draft(1), sendHouse(t, db, draft(1), now)
	check := func(what string, secret redact.Secret, purchases []Purchase, orders ...Order) {
		t.Helper()
		want := db.Digest(keyDomain, []byte(secret.Reveal()))
		for _, p := range purchases {
			read, err := db.HousePurchase(ctx, p.ID)
			if err != nil || read.KeyFingerprint != want {
				t.Errorf("%s: a purchase, %s: %v", what, read.State, err)
			}
		}
		for _, o := range orders {
			read, err := db.Order(ctx, 1, o.ID)
			if err != nil || read.KeyFingerprint != want {
				t.Errorf("%s: an order, %s: %v", what, read.State, err)
			}
		}
	}
	setOperator(t, db, "new-secret")
	check("replaced", "new-secret", []Purchase{unknown, dismissed, waiting, flying}, open)
	check("over", houseSecret, nil, closed)
	// Somebody buys with a key of their own that becomes the operator's.
	saveKey(t, db, 2, "third-secret")
	if err := claimHouse(t, db, draft(2), now); err != nil {
		t.Fatal(err)
	}
	setOperator(t, db, "third-secret")
	check("taken", "third-secret", []Purchase{unknown, dismissed, waiting}, open)
	check("its slot", "new-secret", []Purchase{flying})
}
