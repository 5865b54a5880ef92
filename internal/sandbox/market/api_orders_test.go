package market

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
)

func TestRefusedOrders(t *testing.T) {
	const link = "https://instagram.com/username"
	tests := []struct {
		name string
		form []string
		want string
	}{
		{"below the minimum", []string{"service", "13", "quantity", "9"}, "Quantity must be between 10 and 100"},
		{"above the maximum", []string{"service", "2", "quantity", "51"}, "Quantity must be between 1 and 50"},
		{"SMM below the minimum", []string{"service", "1", "quantity", "99", "link", link}, "Quantity must be between 100 and 10000"},
		{"sold out", []string{"service", "5", "quantity", "1"}, "Not enough stock"},
		{"more than in stock", []string{"service", "14", "quantity", "2"}, "Not enough stock"},
		{"too expensive", []string{"service", "15", "quantity", "1"}, "Insufficient balance"},
		{"removed", []string{"service", "6", "quantity", "1"}, "Service not found"},
	}
	s := open(t, Options{})
	must(t, s.Remove(LongName))
	for _, tt := range tests {
		exact(t, tt.name, ask(t, s, "add", tt.form...), `{"error":"`+tt.want+`"}`)
	}
	if got := s.Balance(alice); !got.Equal(decimal.NewFromInt(100)) || len(s.Orders()) != 0 {
		t.Errorf("refusals changed something: balance %s, orders %v", got, s.Orders())
	}
	if got := s.Count("add"); got != len(tests) {
		t.Errorf("%d adds counted, want %d", got, len(tests))
	}
}

func TestAddChoosesVariantInStock(t *testing.T) {
	s := open(t, Options{})
	must(t, s.SetBalance(alice, "1000"))
	ask(t, s, "add", "service", "4", "quantity", "42") // all of the main variant: 42 × 3.50
	ask(t, s, "add", "service", "4", "quantity", "2")  // of the second variant: 2 × 9.00
	ask(t, s, "add", "service", "21", "quantity", "1") // the main variant is sold out: 5.40
	exact(t, "58 left of the second variant", ask(t, s, "add", "service", "4", "quantity", "50"), `{"order":23504}`)
	exact(t, "8 left", ask(t, s, "add", "service", "4", "quantity", "9"), `{"error":"Not enough stock"}`)
	want := []struct{ variant, charge string }{{"1 Month", "147"}, {"3 Months", "18"}, {"6 Months", "5.4"}, {"3 Months", "450"}}
	for i, o := range s.Orders() {
		if o.Variant != want[i].variant || o.Charge.String() != want[i].charge {
			t.Errorf("order %d took %q for %s, want %+v", o.Number, o.Variant, o.Charge, want[i])
		}
	}
	exact(t, "max is the stock", ask(t, s, "inventory", "service", "4")[:85],
		`{"service":4,"stock":8,"available":true,"rate":"3.5000","min":1,"max":8,"entityType":`[:85])
}

func TestDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{DeliverAfter: 10 * time.Second})
		ask(t, s, "add", "service", "2", "quantity", "3")
		ask(t, s, "add", "service", "3", "quantity", "5")
		ask(t, s, "add", "service", "2", "quantity", "1")
		must(t, s.Hold(GmailUSA, true))
		time.Sleep(time.Hour)
		status := func(order string) statusAnswer { return read[statusAnswer](t, s, "status", "order", order) }
		for order, want := range map[string]string{"23501": "In progress", "23502": "Pending", "23503": "In progress"} {
			if got := status(order); got.Status != want || got.Accounts != nil {
				t.Errorf("order %s: %+v, want nothing delivered and %q", order, got, want)
			}
		}
		must(t, s.Deliver(23502, 2))
		first := status("23502")
		if first.Status != "In progress" || first.Remains != 3 || len(first.Accounts) != 2 {
			t.Errorf("two of five: %+v", first)
		}
		must(t, s.Deliver(23502, 9))
		second := status("23502")
		if second.Status != "Completed" || second.Remains != 0 || len(second.Accounts) != 5 || !slices.Equal(second.Accounts[:2], first.Accounts) {
			t.Errorf("all of five: %+v", second)
		}
		if err := s.Deliver(23502, 1); !errors.Is(err, ErrClosed) {
			t.Errorf("deliver after the last piece: %v", err)
		}
		must(t, s.SetStatus(23503, "On hold"))
		if got := status("23503"); got.Status != "On hold" || got.Accounts != nil {
			t.Errorf("any status: %+v", got)
		}
		must(t, s.Hold(GmailUSA, false))
		if got := status("23501"); got.Status != "Completed" || len(got.Accounts) != 3 {
			t.Errorf("no longer held: %+v", got)
		}
		must(t, s.Finish(23503))
		if got := status("23503"); got.Status != "Completed" || len(got.Accounts) != 1 {
			t.Errorf("finished: %+v", got)
		}
		exact(t, "another's order", askAs(t, s, bob, "status", "order", "23501"), `{"error":"Order not found"}`)
	})
}

func TestDeliveryWithoutDelay(t *testing.T) {
	s := open(t, Options{})
	ask(t, s, "add", "service", "2", "quantity", "2", "link", "me@example.com")
	ask(t, s, "add", "service", "16", "quantity", "1000", "link", "https://t.me/x")
	if got := read[statusAnswer](t, s, "status", "order", "23501"); got.Status != "Completed" || len(got.Accounts) != 2 {
		t.Errorf("goods: %+v", got)
	}
	if got := read[statusAnswer](t, s, "status", "order", "23502"); got.Status != "Completed" || got.Charge != "1.20" || got.Accounts != nil {
		t.Errorf("SMM: %+v", got)
	}
	if o, _ := s.Order(23501); o.Link != "me@example.com" || o.KeyTail != "…0001" {
		t.Errorf("%+v", o)
	}
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{DeliverAfter: time.Minute, CancelAfter: time.Second})
		add := func(form ...string) { ask(t, s, "add", form...) }
		add("service", "3", "quantity", "5")                            // 23501: 4.00, two delivered
		add("service", "1", "quantity", "1000", "link", "https://x.y")  // 23502: no cancel
		add("service", "16", "quantity", "1000", "link", "https://x.y") // 23503: 1.20, half done
		add("service", "2", "quantity", "1")                            // 23504: completed
		must(t, s.Deliver(23501, 2))
		must(t, s.Finish(23504))
		time.Sleep(30 * time.Second)
		exact(t, "allowcancel", ask(t, s, "allowcancel", "orders", "23501,23502,23503,23504"),
			`[{"order":23501,"allowcancel":1,"refundAmount":2.40},`+
				`{"order":23502,"allowcancel":0,"error":"Early auto refund is not available for this order","reason":"NOT_CANCELABLE"},`+
				`{"order":23503,"allowcancel":1,"refundAmount":0.60},`+
				`{"order":23504,"allowcancel":0,"error":"Early auto refund is not available for this order","reason":"ORDER_CLOSED"}]`)
		before := s.Balance(alice)
		exact(t, "cancel", ask(t, s, "cancel", "orders", "23501,23503,23501"),
			`[{"order":23501,"cancel":1},{"order":23503,"cancel":1},{"order":23501,"cancel":{"error":"Early auto refund is not available for this order"}}]`)
		if got := s.Balance(alice).Sub(before); !got.Equal(decimal.RequireFromString("3")) {
			t.Errorf("refunded %s, want 3.00", got)
		}
		goods := read[statusAnswer](t, s, "status", "order", "23501")
		if goods.Status != "Canceled" || goods.Charge != "1.60" || len(goods.Accounts) != 2 {
			t.Errorf("goods: %+v", goods)
		}
		if got := read[statusAnswer](t, s, "status", "order", "23503"); got.Status != "Partial" || got.Charge != "0.60" || got.Remains != 500 {
			t.Errorf("SMM: %+v", got)
		}
		if r, _ := s.Row(OutlookByHand); r.Stock != 118 {
			t.Errorf("stock %d, want 118: three of five are returned", r.Stock)
		}
		exact(t, "another's order", askAs(t, s, bob, "cancel", "orders", "23502"), `[{"order":23502,"cancel":{"error":"Incorrect order ID"}}]`)
	})
}

func TestFailAndRefund(t *testing.T) {
	s := open(t, Options{})
	ask(t, s, "add", "service", "3", "quantity", "5")
	must(t, s.Deliver(23501, 1))
	must(t, s.Fail(23501))
	if got := read[statusAnswer](t, s, "status", "order", "23501"); got.Status != "Fail" || got.Charge != "4.00" {
		t.Errorf("failed: %+v", got)
	}
	must(t, s.Refund(23501))
	if got := read[statusAnswer](t, s, "status", "order", "23501"); got.Status != "Refunded" || got.Charge != "0.00" || len(got.Accounts) != 1 {
		t.Errorf("refunded: %+v", got)
	}
	if got := s.Balance(alice); got.String() != "100" {
		t.Errorf("balance %s, want 100", got)
	}
	if s.Refund(23501) == nil || s.Deliver(23501, 1) == nil || s.Refund(1) == nil {
		t.Error("a second refund, a delivery after it or a refund of an unknown order was accepted")
	}
}
