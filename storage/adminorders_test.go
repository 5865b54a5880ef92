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

func adminFilters() []AdminOrderFilter {
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

// TestAdminOrders: every filter, alone and with every other, selects what it says,
// the newest first, the same in pages, counts, an export and sums.
func TestAdminOrders(t *testing.T) {
	db := openTest(t)
	ctx := t.Context()
	manyOrders(t, db, 3000)
	// Pages are separated by the id, too; and what does not count for sums.
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
	for _, filter := range adminFilters() {
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
		if !slices.Equal(externalIDs(paged), externalIDs(want)) || !slices.Equal(externalIDs(each), externalIDs(want)) {
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

func externalIDs(orders []AdminOrder) []string {
	numbers := make([]string, 0, len(orders))
	for _, o := range orders {
		numbers = append(numbers, o.ExternalID)
	}
	return numbers
}

func TestAdminOrderCategoriesAndDays(t *testing.T) {
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

// TestEachAdminOrderReadsPages: of 50,000 orders only a page is in memory.
func TestEachAdminOrderReadsPages(t *testing.T) {
	db := openTest(t)
	manyOrders(t, db, 20_000)
	inUse := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, n, most := inUse(), 0, uint64(0)
	err := db.EachAdminOrder(t.Context(), AdminOrderFilter{}, func(AdminOrder) error {
		if n++; n%4000 == 1 {
			most = max(most, inUse())
		}
		return nil
	})
	if err != nil || n != 20_000 {
		t.Fatal(n, err)
	}
	if most > before+2<<20 { // all of them take 9 MB
		t.Errorf("%d MB were in memory", (most-before)>>20)
	}
	calls := 0
	if err := db.EachAdminOrder(t.Context(), AdminOrderFilter{}, func(AdminOrder) error { calls++; return ErrStop }); err != nil || calls != 1 {
		t.Errorf("%d calls after enough, %v", calls, err)
	}
	failure := errors.New("failed")
	if err := db.EachAdminOrder(t.Context(), AdminOrderFilter{}, func(AdminOrder) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}

// TestAdminOrdersNameNoPrivateColumns: neither the queries nor the types that admins'
// screens use name a column with private data.
func TestAdminOrdersNameNoPrivateColumns(t *testing.T) {
	for _, name := range []string{"adminorders.go", "adminunresolved.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"_sealed", "seal:", "unseal", "key_fingerprint", "origin", "SELECT *", " orderColumns", "purchaseColumns"} {
			if strings.Contains(string(source), word) {
				t.Errorf("%s names %s", name, word)
			}
		}
	}
	for _, of := range []reflect.Type{reflect.TypeFor[AdminOrder](), reflect.TypeFor[AdminUnresolved]()} {
		for _, field := range []string{"Link", "Rental", "Phone", "Refusal", "Origin", "Key", "KeyFingerprint", "Balance", "BalanceSeen"} {
			if _, has := of.FieldByName(field); has {
				t.Errorf("%s has %s", of, field)
			}
		}
	}
}

// TestAdminOrderTimes: DeliveredAt and NotifiedAt are stored
// with the delivery and the message; Forget deletes the latter.
func TestAdminOrderTimes(t *testing.T) {
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
		o, reported, err := db.UpdateOrder(ctx, o, nil, accounts, noMessages)
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
	if err != nil || seen.UserID != 0 || seen.Person != "" || seen.ExternalID != "" || !seen.NotifiedAt.IsZero() || !seen.DeliveredAt.Equal(at(4)) {
		t.Errorf("forgotten: %+v, %v", seen, err)
	}
	if _, err := db.AdminOrder(ctx, 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such order: %v", err)
	}
}

// TestOrderKeepsCategory: from the draft to its order, and after Forget.
func TestOrderKeepsCategory(t *testing.T) {
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
	orders, _, err := db.PlacePurchase(ctx, p, []Placement{{ExternalID: "1"}}, now, now, func(Order) []Message { return nil })
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

func TestAdminOrdersByExternalID(t *testing.T) {
	db := openTest(t)
	placed(t, db, 1, 101, 102)
	if _, err := db.ImportOrder(t.Context(), importedOrder(2, 101), nil, noMessages); err != nil {
		t.Fatal(err)
	}
	for number, want := range map[string]int{"101": 2, "102": 1, "103": 0} {
		if found, err := db.AdminOrdersByExternalID(t.Context(), number, 8); err != nil || len(found) != want {
			t.Errorf("%s: %d orders, want %d, %v", number, len(found), want, err)
		}
	}
}
