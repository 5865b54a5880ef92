package orders

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// polled returns an order of an hour ago whose last poll has failed, with some changes.
func polled(kind storage.Kind, change ...func(o *storage.Order)) storage.Order {
	o := storage.Order{
		Kind: kind, Quantity: 3, State: storage.OrderOpen, RawStatus: "In progress", Charge: sum("1.80"), Currency: "USD",
		CreatedAt: start.Add(-time.Hour), UpdatedAt: start.Add(-30 * time.Second), Polls: 4, Failures: 1,
	}
	for _, do := range change {
		do(&o)
	}
	return o
}

func sum(s string) decimal.NullDecimal { return decimal.NewNullDecimal(decimal.RequireFromString(s)) }

func inState(state storage.OrderState) func(*storage.Order) {
	return func(o *storage.Order) { o.State = state }
}

func raw(status string) func(*storage.Order) {
	return func(o *storage.Order) { o.RawStatus = status }
}

func having(n int64) func(*storage.Order) {
	return func(o *storage.Order) { o.Present = n }
}

func charged(charge decimal.NullDecimal) func(*storage.Order) {
	return func(o *storage.Order) { o.Charge = charge }
}

func closedAt(at time.Time) func(*storage.Order) {
	return func(o *storage.Order) { o.ClosedAt = at }
}

func incompleteFor(d time.Duration) func(*storage.Order) {
	return func(o *storage.Order) { o.IncompleteFor = d }
}

// TestOrderAfterAnswer: what an answer leaves out stays as it was, and a closed order stays
// closed unless goods are missing again. Each row says what else the answer changes.
func TestOrderAfterAnswer(t *testing.T) {
	const goods, smm = storage.KindProduct, storage.KindSMM
	one, two, yes := int64(1), int64(2), true
	counted := func(o *storage.Order) { o.Remains, o.StartCount, o.AutoDelivery = &one, &one, true }
	old := func(o *storage.Order) { o.CreatedAt, o.Polls = start.Add(-40*24*time.Hour), 100 }
	earlier := closedAt(start.Add(-time.Minute))
	do := func(changes ...func(*storage.Order)) []func(*storage.Order) { return changes }
	three := []redact.Secret{"a", "b", "c"}
	for name, test := range map[string]struct {
		before storage.Order
		answer hstock.Status
		want   []func(o *storage.Order)
	}{
		"everything": {
			polled(smm, counted),
			hstock.Status{RawStatus: "Pending", Charge: sum("0"), Currency: "EUR", Remains: &two, StartCount: &two, AutoDelivery: new(bool)},
			do(raw("Pending"), charged(sum("0")), func(o *storage.Order) { o.Currency, o.Remains, o.StartCount, o.AutoDelivery = "EUR", &two, &two, false }),
		},
		"nothing":                 {before: polled(smm, counted), answer: hstock.Status{RawStatus: "In progress"}},
		"automatic after all":     {polled(goods), hstock.Status{RawStatus: "In progress", AutoDelivery: &yes}, do(func(o *storage.Order) { o.AutoDelivery = true })},
		"first goods":             {polled(goods), hstock.Status{RawStatus: "In progress", Accounts: three[:1]}, do(inState(storage.OrderPartial), having(1))},
		"all goods":               {polled(goods), hstock.Status{RawStatus: "In progress", Accounts: three}, do(inState(storage.OrderDelivered), having(3), closedAt(start))},
		"goods taken back":        {polled(goods, inState(storage.OrderPartial), having(2)), hstock.Status{RawStatus: "In progress"}, do(inState(storage.OrderOpen), having(0))},
		"partial without goods":   {polled(goods, inState(storage.OrderPartial), having(2)), hstock.Status{State: hstock.StatePartial}, do(raw(""), having(0))},
		"goods missing again":     {polled(goods, inState(storage.OrderDelivered), having(3), earlier), hstock.Status{Accounts: three[:2]}, do(raw(""), inState(storage.OrderPartial), having(2), closedAt(time.Time{}))},
		"all goods missing again": {polled(goods, inState(storage.OrderDelivered), having(3), earlier), hstock.Status{}, do(raw(""), inState(storage.OrderOpen), having(0), closedAt(time.Time{}))},
		"delivered still":         {polled(goods, inState(storage.OrderDelivered), having(3), earlier), hstock.Status{Accounts: three}, do(raw(""))},
		"delivered, long ago":     {polled(goods, inState(storage.OrderDelivered), having(3), earlier, old), hstock.Status{Accounts: three}, do(raw(""))},
		"open, for too long":      {polled(goods, old), hstock.Status{}, do(raw(""), inState(storage.OrderStale), closedAt(start))},
		"partial, for too long":   {polled(goods, old), hstock.Status{Accounts: three[:1]}, do(raw(""), inState(storage.OrderStale), having(1), closedAt(start))},

		"completed with fewer":         {polled(goods), hstock.Status{RawStatus: "Completed", State: hstock.StateCompleted, Accounts: three[:2]}, do(raw("Completed"), inState(storage.OrderPartial), having(2), incompleteFor(30*time.Second))},
		"completed with all":           {polled(goods), hstock.Status{RawStatus: "Completed", State: hstock.StateCompleted, Accounts: three}, do(raw("Completed"), inState(storage.OrderDelivered), having(3), closedAt(start))},
		"completed with more":          {polled(goods, func(o *storage.Order) { o.Quantity = 2 }), hstock.Status{RawStatus: "Completed", State: hstock.StateCompleted, Accounts: three}, do(raw("Completed"), inState(storage.OrderDelivered), having(3), closedAt(start))},
		"completed, of unknown number": {polled(goods, func(o *storage.Order) { o.Quantity = 0 }), hstock.Status{RawStatus: "Completed", State: hstock.StateCompleted}, do(raw("Completed"), inState(storage.OrderDelivered), closedAt(start))},
		"completed, after a pause":     {polled(goods, func(o *storage.Order) { o.UpdatedAt = start.Add(-time.Hour) }), hstock.Status{RawStatus: "Completed", State: hstock.StateCompleted}, do(raw("Completed"), incompleteFor(time.Minute))},
		"completed, by a clock ahead":  {polled(goods, incompleteFor(time.Minute), func(o *storage.Order) { o.UpdatedAt = start.Add(time.Hour) }), hstock.Status{RawStatus: "Completed", State: hstock.StateCompleted}, do(raw("Completed"))},
		"no longer completed":          {polled(goods, incompleteFor(incompleteAfter-1)), hstock.Status{RawStatus: "In progress"}, do(incompleteFor(0))},
		"reported as incomplete":       {polled(goods, incompleteFor(incompleteAfter)), hstock.Status{RawStatus: "In progress"}, nil},

		"SMM in progress, with accounts": {before: polled(smm), answer: hstock.Status{RawStatus: "In progress", Accounts: three}},
		"SMM completed":                  {polled(smm), hstock.Status{RawStatus: "Completed", State: hstock.StateCompleted}, do(raw("Completed"), inState(storage.OrderDelivered), closedAt(start))},
		"SMM partial":                    {polled(smm), hstock.Status{State: hstock.StatePartial, Charge: sum("0.60")}, do(raw(""), inState(storage.OrderPartial), charged(sum("0.60")), closedAt(start))},
		"SMM partial still":              {polled(smm, inState(storage.OrderPartial), earlier), hstock.Status{State: hstock.StatePartial}, do(raw(""))},

		// A charge of before a refund is not that of after it.
		"cancelled, charge left out":         {polled(goods, having(2)), hstock.Status{State: hstock.StateCanceled}, do(raw(""), inState(storage.OrderCancelled), charged(decimal.NullDecimal{}), closedAt(start))},
		"refunded, charge left out":          {polled(goods, having(2)), hstock.Status{State: hstock.StateRefunded}, do(raw(""), inState(storage.OrderRefunded), charged(decimal.NullDecimal{}), closedAt(start))},
		"failed, charge left out":            {polled(goods), hstock.Status{State: hstock.StateFailed, Accounts: three[:1]}, do(raw(""), inState(storage.OrderFailed), having(1), charged(decimal.NullDecimal{}), closedAt(start))},
		"refunded, with its charge":          {polled(goods), hstock.Status{State: hstock.StateRefunded, Charge: sum("0.60")}, do(raw(""), inState(storage.OrderRefunded), charged(sum("0.60")), closedAt(start))},
		"refunded still, charge left out":    {polled(goods, inState(storage.OrderRefunded), earlier, charged(sum("0.60"))), hstock.Status{State: hstock.StateRefunded}, do(raw(""))},
		"refunded, had cost nothing":         {polled(goods, charged(sum("0"))), hstock.Status{State: hstock.StateRefunded}, do(raw(""), inState(storage.OrderRefunded), closedAt(start))},
		"SMM partial, charge left out":       {polled(smm), hstock.Status{State: hstock.StatePartial}, do(raw(""), inState(storage.OrderPartial), charged(decimal.NullDecimal{}), closedAt(start))},
		"goods partial, charge left out":     {polled(goods), hstock.Status{State: hstock.StatePartial, Accounts: three[:1]}, do(raw(""), inState(storage.OrderPartial), having(1))},
		"goods delivered, charge left out":   {polled(goods), hstock.Status{Accounts: three}, do(raw(""), inState(storage.OrderDelivered), having(3), closedAt(start))},
		"SMM completed, charge left out":     {polled(smm), hstock.Status{State: hstock.StateCompleted}, do(raw(""), inState(storage.OrderDelivered), closedAt(start))},
		"goods without a charge are partial": {polled(goods, charged(decimal.NullDecimal{})), hstock.Status{State: hstock.StatePartial, Charge: sum("1.80"), Accounts: three[:2]}, do(raw(""), inState(storage.OrderPartial), having(2), charged(sum("1.80")))},
	} {
		t.Run(name, func(t *testing.T) {
			want := test.before
			want.Polls++
			want.Failures, want.UpdatedAt, want.FeedbackDue = 0, start, start.Add(feedbackAfter)
			for _, change := range test.want {
				change(&want)
			}
			got := afterStatus(test.before, test.answer, nil, start)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(storage.Order{}), cmpopts.IgnoreFields(storage.Order{}, "NextPollAt")); diff != "" {
				t.Errorf("the order differs (-want +got):\n%s", diff)
			}
			if !got.NextPollAt.After(start) {
				t.Errorf("the next poll is at %s", got.NextPollAt)
			}
		})
	}
}

// TestEqualOrders: an answer that changes anything that a person is shown, or that decides about
// later polls, is stored at once; another one is not.
func TestEqualOrders(t *testing.T) {
	one, same, two := int64(1), int64(1), int64(2)
	before := polled(storage.KindProduct, func(o *storage.Order) { o.Remains, o.StartCount, o.ExpiresAt = &one, &one, start })
	equal := func(what string, b storage.Order, want bool) {
		t.Helper()
		if equalOrders(before, b) != want || equalOrders(b, before) != want {
			t.Errorf("%s: equal is not %t", what, want)
		}
	}
	equal("polled again", polled(storage.KindProduct, func(o *storage.Order) {
		o.Remains, o.StartCount, o.ExpiresAt = &same, &same, start
		o.Charge, o.Polls, o.Failures, o.UpdatedAt, o.NextPollAt = sum("1.8"), o.Polls+1, 0, start, start
	}), true)
	for what, change := range map[string]func(o *storage.Order){
		"state":                inState(storage.OrderPartial),
		"raw status":           raw("Pending"),
		"charge":               charged(sum("1.81")),
		"no charge":            func(o *storage.Order) { o.Charge.Valid = false },
		"currency":             func(o *storage.Order) { o.Currency = "EUR" },
		"remains":              func(o *storage.Order) { o.Remains = &two },
		"no remains":           func(o *storage.Order) { o.Remains = nil },
		"start count":          func(o *storage.Order) { o.StartCount = &two },
		"no start count":       func(o *storage.Order) { o.StartCount = nil },
		"automatic delivery":   func(o *storage.Order) { o.AutoDelivery = true },
		"end of the rental":    func(o *storage.Order) { o.ExpiresAt = start.Add(time.Minute) },
		"closed":               closedAt(start),
		"accounts":             having(1),
		"time with too few":    incompleteFor(time.Second),
		"charge for the first": func(o *storage.Order) { o.Charge = decimal.NullDecimal{} },
	} {
		o := before
		change(&o)
		equal(what, o, false)
	}
	before.Remains, before.StartCount = nil, nil
	equal("without counts", before, true)
}

// TestIncomplete: an open order is called incomplete, and the person is told once.
func TestIncomplete(t *testing.T) {
	goods := func(changes ...func(*storage.Order)) storage.Order {
		return polled(storage.KindProduct, append([]func(*storage.Order){raw("Completed"), inState(storage.OrderPartial), having(2)}, changes...)...)
	}
	for name, test := range map[string]struct {
		before, after    storage.Order
		incomplete, told bool
	}{
		"for ten minutes":    {goods(incompleteFor(incompleteAfter - 1)), goods(incompleteFor(incompleteAfter)), true, true},
		"for almost as long": {goods(), goods(incompleteFor(incompleteAfter - 1)), false, false},
		"told already":       {goods(incompleteFor(incompleteAfter)), goods(incompleteFor(incompleteAfter)), true, false},
		"in progress again":  {goods(incompleteFor(incompleteAfter)), goods(incompleteFor(incompleteAfter), raw("In progress")), false, false},
		"closed":             {goods(), goods(incompleteFor(incompleteAfter), inState(storage.OrderRefunded), closedAt(start)), false, false},
	} {
		messages, err := orderMessages(test.before, test.after, nil, nil, start)
		told := 0
		for _, message := range messages {
			if message.Kind == MessageIncomplete {
				told++
			}
		}
		if err != nil || Incomplete(test.after) != test.incomplete || (told == 1) != test.told || told > 1 {
			t.Errorf("%s: %t, told %d times, %v", name, Incomplete(test.after), told, err)
		}
	}
}

// TestApproximately: a cent counts for small sums, 2 % for others.
func TestApproximately(t *testing.T) {
	for _, test := range []struct {
		charge, price string
		want          bool
	}{
		{"0.06", "0.05", true},
		{"0.04", "0.05", true},
		{"0.0601", "0.05", false},
		{"0.0399", "0.05", false},
		{"10.20", "10", true},
		{"9.80", "10", true},
		{"10.2001", "10", false},
		{"9.7999", "10", false},
	} {
		if got := approximately(sum(test.charge).Decimal, sum(test.price).Decimal); got != test.want {
			t.Errorf("%s of %s: %t", test.charge, test.price, got)
		}
	}
}
