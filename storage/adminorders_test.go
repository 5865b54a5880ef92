package storage

import (
	"errors"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// fits is AdminOrderFilter in Go.
func fits(f AdminOrderFilter, o AdminOrder) bool {
	state := true
	switch f.State {
	case FilterOpen:
		state = o.ClosedAt.IsZero() && (o.State == OrderOpen || o.State == OrderPartial)
	case FilterDelivered:
		state = o.State == OrderDelivered
	case FilterProblems:
		state = slices.Contains([]OrderState{OrderCancelled, OrderRefunded, OrderExpired, OrderFailed, OrderStale}, o.State) ||
			o.State == OrderPartial && !o.ClosedAt.IsZero()
	case FilterSMS:
		state = o.Kind == KindSMS
	case FilterAll:
	}
	return state && (f.Person == 0 || o.UserID == f.Person) && (f.Category == "" || o.Category == f.Category) &&
		(f.Day.IsZero() || o.CreatedAt.Truncate(day).Equal(f.Day))
}

func shopFilters() []AdminOrderFilter {
	var filters []AdminOrderFilter
	for _, state := range []OrderFilter{FilterAll, FilterOpen, FilterDelivered, FilterProblems, FilterSMS} {
		for _, person := range []int64{0, 2, 999_999} {
			for _, category := range []string{"", "Category 5", "None such"} {
				for _, of := range []time.Time{{}, firstDay.Add(50 * day)} {
					filters = append(filters, AdminOrderFilter{State: state, Person: person, Category: category, Day: of})
				}
			}
		}
	}
	return filters
}

// TestShopOrders: every filter, alone and with every other, selects what it says,
// the newest first, the same in pages, counts, an export and sums.
func TestShopOrders(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	manyOrders(t, db, 3000)
	// Pages are told apart by the id, too; and what does not count for sums.
	for _, query := range []string{
		`UPDATE orders SET created_at = created_at - created_at % 86400000 WHERE id % 3 = 0`,
		`UPDATE orders SET external = 1 WHERE id % 70 = 0`,
		`UPDATE orders SET currency = 'EUR', charge = '12345678901234567.000000000000000001' WHERE id % 31 = 0`,
	} {
		if _, err := db.writer.ExecContext(ctx, query); err != nil {
			t.Fatal(err)
		}
	}
	all, err := db.AdminOrders(ctx, AdminOrderFilter{}, 10_000, 0)
	if err != nil || len(all) != 3000 {
		t.Fatal(len(all), err)
	}
	if !slices.IsSortedFunc(all, func(a, b AdminOrder) int {
		if !a.CreatedAt.Equal(b.CreatedAt) {
			return b.CreatedAt.Compare(a.CreatedAt)
		}
		return int(b.ID - a.ID)
	}) {
		t.Error("the newest is not first")
	}
	for _, filter := range shopFilters() {
		var want []AdminOrder
		sums := map[string]decimal.Decimal{}
		for _, o := range all {
			if fits(filter, o) {
				want = append(want, o)
				if o.Charge.Valid && o.State != OrderRefunded && !o.External {
					key := o.CreatedAt.Format(time.DateOnly) + " " + o.Currency
					sums[key] = sums[key].Add(o.Charge.Decimal)
				}
			}
		}
		var paged, each []AdminOrder
		for offset := 0; ; offset += 37 {
			page, err := db.AdminOrders(ctx, filter, 37, offset)
			if err != nil {
				t.Fatal(err)
			}
			if paged = append(paged, page...); len(page) < 37 {
				break
			}
		}
		if err := db.EachAdminOrder(ctx, filter, func(o AdminOrder) error { each = append(each, o); return nil }); err != nil {
			t.Fatal(err)
		}
		if n, err := db.CountAdminOrders(ctx, filter); err != nil || n != len(want) {
			t.Errorf("%+v: counts %d of %d, %v", filter, n, len(want), err)
		}
		if !slices.Equal(numbersOf(paged), numbersOf(want)) || !slices.Equal(numbersOf(each), numbersOf(want)) {
			t.Errorf("%+v: %d in pages, %d one by one, want %d", filter, len(paged), len(each), len(want))
		}
		totals, err := db.AdminOrderTotals(ctx, filter)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]decimal.Decimal{}
		for _, sum := range totals {
			got[sum.Day.Format(time.DateOnly)+" "+sum.Currency] = sum.Amount
		}
		if diff := cmp.Diff(sums, got); diff != "" || len(totals) != len(got) {
			t.Errorf("%+v: the sums differ (-want +got):\n%s", filter, diff)
		}
	}
}

func numbersOf(orders []AdminOrder) []int64 {
	numbers := make([]int64, 0, len(orders))
	for _, o := range orders {
		numbers = append(numbers, o.ExternalID)
	}
	return numbers
}

func TestShopCategoriesAndDays(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	if found, err := db.AdminOrderCategories(ctx); err != nil || len(found) != 0 {
		t.Errorf("of none: %q, %v", found, err)
	}
	manyOrders(t, db, 360)
	found, err := db.AdminOrderCategories(ctx)
	if err != nil || len(found) != 12 || found[0] != "Category 0" || !slices.IsSorted(found) {
		t.Errorf("%q, %v", found, err)
	}
	days, err := db.AdminOrderDays(ctx, AdminOrderFilter{Day: firstDay}, 3) // the day that is chosen does not hide the others
	want := []time.Time{firstDay.Add(179 * day), firstDay.Add(178 * day), firstDay.Add(177 * day)}
	if diff := cmp.Diff(want, days); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if days, err = db.AdminOrderDays(ctx, AdminOrderFilter{Person: 5}, 3); err != nil || len(days) != 1 || !days[0].Equal(firstDay.Add(2*day)) {
		t.Errorf("of a person: %v, %v", days, err)
	}
}

// TestEachShopOrderIsBounded: of 50,000 orders only a page is in memory.
func TestEachShopOrderIsBounded(t *testing.T) {
	db := openTest(t)
	manyOrders(t, db, 50_000)
	inUse := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, n, most := inUse(), 0, uint64(0)
	err := db.EachAdminOrder(t.Context(), AdminOrderFilter{}, func(AdminOrder) error {
		if n++; n%10_000 == 1 {
			most = max(most, inUse())
		}
		return nil
	})
	if err != nil || n != 50_000 {
		t.Fatal(n, err)
	}
	if most > before+4<<20 { // all of them take 20 MB
		t.Errorf("%d MB were in memory", (most-before)>>20)
	}
	calls := 0
	if err := db.EachAdminOrder(t.Context(), AdminOrderFilter{}, func(AdminOrder) error { calls++; return ErrStop }); err != nil || calls != 1 {
		t.Errorf("%d calls after enough, %v", calls, err)
	}
	trouble := errors.New("trouble")
	if err := db.EachAdminOrder(t.Context(), AdminOrderFilter{}, func(AdminOrder) error { return trouble }); !errors.Is(err, trouble) {
		t.Errorf("got %v", err)
	}
}

// TestShopOrdersCanTellNothing: neither the queries nor the types that admins'
// screens are made of have a place for what is nobody else's business.
func TestShopOrdersCanTellNothing(t *testing.T) {
	source, err := os.ReadFile("adminorders.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"_sealed", "unseal", "key_fingerprint", "origin", "SELECT *", " orderColumns", "purchaseColumns"} {
		if strings.Contains(string(source), word) {
			t.Errorf("adminorders.go names %s", word)
		}
	}
	for _, of := range []reflect.Type{reflect.TypeFor[AdminOrder](), reflect.TypeFor[AdminUnresolved]()} {
		for _, field := range []string{"Link", "Rental", "Phone", "Refusal", "Origin", "Key", "KeyPrint", "Balance", "BalanceSeen"} {
			if _, has := of.FieldByName(field); has {
				t.Errorf("%s has %s", of, field)
			}
		}
	}
}

// TestShopOrderHistory: when an order was delivered and told of is written down
// with the delivery and the message, and goes with a person as far as it is theirs.
func TestShopOrderHistory(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	order := placed(t, db, 7, 101)[0]
	at := func(minutes int) time.Time {
		return order.CreatedAt.Add(time.Duration(minutes) * time.Minute).Truncate(time.Millisecond).UTC()
	}
	report := func(o Order, at time.Time, accounts ...redact.Secret) Order {
		t.Helper()
		o.Polls++
		o.UpdatedAt = at
		o, reported, err := db.UpdateOrder(ctx, o, accounts, nothingToTell)
		if err != nil || !reported {
			t.Fatal(reported, err)
		}
		return o
	}
	if seen, err := db.AdminOrder(ctx, order.ID); err != nil || !seen.DeliveredAt.IsZero() || !seen.NotifiedAt.IsZero() || seen.Person != "Somebody" || seen.ConfirmedAt.IsZero() {
		t.Errorf("at first %+v, %v", seen, err)
	}
	order = report(order, at(1), "a")
	order = report(order, at(2), "a") // no news
	messages, err := db.ClaimMessages(ctx, "test", time.Now(), farFuture, 9)
	if err != nil || len(messages) != 1 {
		t.Fatal(len(messages), err)
	}
	if err := db.MarkSent(ctx, messages[0], 0, at(3)); err != nil {
		t.Fatal(err)
	}
	if seen, err := db.AdminOrder(ctx, order.ID); err != nil || !seen.DeliveredAt.Equal(at(1)) || !seen.NotifiedAt.Equal(at(3)) || !seen.UpdatedAt.Equal(at(2)) {
		t.Errorf("then %+v, %v", seen, err)
	}
	order = report(order, at(4), "a", "b")
	if own, err := db.Order(ctx, 7, order.ID); err != nil || !own.DeliveredAt.Equal(at(4)) || !own.NotifiedAt.Equal(at(3)) {
		t.Errorf("their own: %+v, %v", own, err)
	}
	if err := db.Forget(ctx, 7, at(5)); err != nil {
		t.Fatal(err)
	}
	seen, err := db.AdminOrder(ctx, order.ID)
	if err != nil || seen.UserID != 0 || seen.Person != "" || seen.ExternalID != 0 || !seen.NotifiedAt.IsZero() || !seen.DeliveredAt.Equal(at(4)) {
		t.Errorf("forgotten: %+v, %v", seen, err)
	}
	if _, err := db.AdminOrder(ctx, 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such order: %v", err)
	}
}

// TestCategoryIsCarried from the draft to its order, and stays as a figure.
func TestCategoryIsCarried(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	now := time.Now()
	p, err := db.InsertDraft(ctx, Purchase{UserID: 7, Kind: KindProduct, Category: "Email", Quantity: 1, RatePer: 1, CreatedAt: now, ExpiresAt: farFuture}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ClaimPurchase(ctx, 7, p.ID, "test", now, farFuture); err != nil {
		t.Fatal(err)
	}
	if _, err := db.StartSending(ctx, p.ID, "test", Terms{}, now, farFuture); err != nil {
		t.Fatal(err)
	}
	if p, err = db.Purchase(ctx, 7, p.ID); err != nil || p.Category != "Email" {
		t.Errorf("the purchase is of %q, %v", p.Category, err)
	}
	orders, _, err := db.PlacePurchase(ctx, p, []Placement{{ExternalID: 1}}, now, now, func(Order) []Message { return nil })
	if err != nil || orders[0].Category != "Email" {
		t.Fatalf("%+v, %v", orders, err)
	}
	if own, err := db.Order(ctx, 7, orders[0].ID); err != nil || own.Category != "Email" {
		t.Errorf("the order is of %q, %v", own.Category, err)
	}
	if err := db.Forget(ctx, 7, now); err != nil {
		t.Fatal(err)
	}
	if found, err := db.AdminOrders(ctx, AdminOrderFilter{Category: "Email"}, 9, 0); err != nil || len(found) != 1 {
		t.Errorf("%d orders of that category stay, %v", len(found), err)
	}
}

func TestShopOrdersByNumber(t *testing.T) {
	db := openTest(t)
	placed(t, db, 1, 101, 102)
	if _, err := db.ImportOrder(t.Context(), elsewhereOrder(2, 101), nil, nothingToTell); err != nil {
		t.Fatal(err)
	}
	for number, want := range map[int64]int{101: 2, 102: 1, 103: 0} {
		if found, err := db.AdminOrdersByExternalID(t.Context(), number, 8); err != nil || len(found) != want {
			t.Errorf("%d: %d orders, want %d, %v", number, len(found), want, err)
		}
	}
}

// ofUnknownOutcome stores a purchase of unknown outcome, whose balance was read again.
func ofUnknownOutcome(tb testing.TB, db *DB, p Purchase, seen string) Purchase {
	tb.Helper()
	ctx, now := tb.Context(), time.Now()
	p.RatePer, p.CreatedAt, p.ExpiresAt = 1, now, farFuture
	p, err := db.InsertDraft(ctx, p, 0)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := db.ClaimPurchase(ctx, p.UserID, p.ID, "test", now, farFuture); err != nil {
		tb.Fatal(err)
	}
	if _, err := db.StartSending(ctx, p.ID, "test", Terms{Rate: p.Rate, Balance: p.Balance, Currency: p.Currency}, now, farFuture); err != nil {
		tb.Fatal(err)
	}
	if _, err := db.MarkOutcomeUnknown(ctx, p, "canary words", now, Message{UserID: p.UserID, PurchaseID: p.ID, Kind: "x", CreatedAt: now}); err != nil {
		tb.Fatal(err)
	}
	if seen != "" {
		p.Checks, p.BalanceSeen, p.Verdict = 1, decimal.NewNullDecimal(decimal.RequireFromString(seen)), VerdictBought
		if _, err := db.RecordCheck(ctx, p, 0, nil); err != nil {
			tb.Fatal(err)
		}
	}
	return p
}

func TestShopUnknowns(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	goods := ofUnknownOutcome(t, db, Purchase{
		UserID: 1, KeyFingerprint: "a", Kind: KindProduct, Name: "Goods", Category: "Email", Quantity: 2, Rate: decimal.New(125, -2), Balance: decimal.New(100, 0), Currency: "USD",
	}, "97.50")
	ofUnknownOutcome(t, db, Purchase{UserID: 2, KeyFingerprint: "b", Kind: KindSMS, Name: "Telegram", Quantity: 1, Rate: decimal.New(5, -1), Currency: "EUR"}, "")
	placed(t, db, 3, 101)
	one, err := db.AdminUnresolvedPurchase(ctx, goods.ID)
	if err != nil || one.Total.String() != "2.5" || !one.Fall.Valid || one.Fall.Decimal.String() != "2.5" || one.Readings != 1 || one.Verdict != VerdictBought || one.UserID != 1 {
		t.Errorf("%+v, %v", one, err)
	}
	today := time.Now().UTC().Truncate(day)
	for _, test := range []struct {
		filter AdminOrderFilter
		want   int
	}{
		{AdminOrderFilter{}, 2},
		{AdminOrderFilter{State: FilterOpen}, 2},
		{AdminOrderFilter{State: FilterProblems}, 2},
		{AdminOrderFilter{State: FilterDelivered}, 0},
		{AdminOrderFilter{State: FilterSMS}, 1},
		{AdminOrderFilter{Person: 1}, 1},
		{AdminOrderFilter{Person: 3}, 0},
		{AdminOrderFilter{Category: "Email"}, 1},
		{AdminOrderFilter{Category: "Email", Person: 2}, 0},
		{AdminOrderFilter{Day: today}, 2},
		{AdminOrderFilter{Day: today.Add(-day)}, 0},
	} {
		found, total, err := db.AdminUnresolvedPurchases(ctx, test.filter, 8, 0)
		if err != nil || total != test.want || len(found) != test.want {
			t.Errorf("%+v: %d and %d, want %d, %v", test.filter, len(found), total, test.want, err)
		}
	}
	var pages []int64
	for offset := range 2 {
		page, total, err := db.AdminUnresolvedPurchases(ctx, AdminOrderFilter{}, 1, offset)
		if err != nil || total != 2 || len(page) != 1 || page[0].Fall.Valid != (page[0].ID == goods.ID) {
			t.Fatalf("page %d: %+v of %d, %v", offset, page, total, err)
		}
		pages = append(pages, page[0].ID)
	}
	if pages[0] == pages[1] {
		t.Error("both pages are the same")
	}
	if _, err := db.DismissPurchase(ctx, 1, goods.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.AdminUnresolvedPurchase(ctx, goods.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("dismissed: %v", err)
	}
}

// TestExposure: what is open with one key, exactly and per currency; not what has
// ended, what is another key's, and what nobody knows the price of.
func TestExposure(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	secret := redact.Secret("key-of-7") // the one that placed gives
	orders := placed(t, db, 7, 101, 102, 103, 104, 105, 106)
	placed(t, db, 8, 201) // of another key
	for i, change := range []string{
		`charge = '0.1'`,
		`charge = '0.2'`,
		`charge = '9', state = 'delivered', closed_at = 1`,
		`charge = '7', state = 'delivered'`, // a number that is watched after its code
		`charge = '5', state = 'partial', closed_at = 1`,
		`charge = NULL`,
	} {
		if _, err := db.writer.ExecContext(ctx, `UPDATE orders SET `+change+` WHERE id = ?`, orders[i].ID); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := elsewhereOrder(7, 900)
	elsewhere.KeyFingerprint = db.Digest(keyDomain, []byte(secret.Reveal()))
	if _, err := db.ImportOrder(ctx, elsewhere, nil, nothingToTell); err != nil {
		t.Fatal(err)
	}
	ofUnknownOutcome(t, db, Purchase{UserID: 7, KeyFingerprint: elsewhere.KeyFingerprint, Kind: KindProduct, Quantity: 3, Rate: decimal.RequireFromString("0.00000000001"), Currency: "EUR"}, "")
	got, err := db.ExposureOf(ctx, secret)
	want := Exposure{
		MayCost:     map[string]decimal.Decimal{"USD": decimal.New(125, -2), "EUR": decimal.RequireFromString("0.00000000003")},
		MayGiveBack: map[string]decimal.Decimal{"USD": decimal.New(3, -1)},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if none, err := db.ExposureOf(ctx, "nobody's"); err != nil || len(none.MayCost)+len(none.MayGiveBack) != 0 {
		t.Errorf("nobody's: %+v, %v", none, err)
	}
}
