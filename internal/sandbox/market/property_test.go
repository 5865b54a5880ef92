package market

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// TestMoneyIsConserved checks after random calls and control methods that the
// balance plus all charges minus all refunds is unchanged and nothing is negative.
func TestMoneyIsConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Options{Seed: rapid.Uint64().Draw(t, "seed")})
		defer s.Close()
		s.AddKey(alice, "300", "USD")
		send := func(form url.Values) {
			form.Set("key", alice)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			s.ServeHTTP(httptest.NewRecorder(), r)
		}
		randomOrder := func() int64 { return FirstOrder + rapid.Int64Range(0, 12).Draw(t, "order") }
		text := func(n int64) string { return strconv.FormatInt(n, 10) }
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				send(url.Values{
					"action": {"add"}, "service": {text(rapid.Int64Range(1, 22).Draw(t, "service"))},
					"quantity": {text(rapid.Int64Range(1, 700).Draw(t, "quantity"))}, "link": {"https://x.y"},
				})
			},
			"add_sms": func(t *rapid.T) {
				send(url.Values{
					"action": {"add_sms"}, "project_id": {ProjectTwoNumbers}, "country": {rapid.SampledFrom([]string{"us", "gb"}).Draw(t, "country")},
					"quantity": {text(rapid.Int64Range(1, 10).Draw(t, "quantity"))},
				})
			},
			"cancel": func(*rapid.T) {
				send(url.Values{"action": {"cancel"}, "orders": {text(randomOrder()) + "," + text(randomOrder())}})
			},
			"status":  func(*rapid.T) { send(url.Values{"action": {"status"}, "order": {text(randomOrder())}}) },
			"deliver": func(t *rapid.T) { _ = s.Deliver(randomOrder(), rapid.IntRange(1, 300).Draw(t, "n")) },
			"hold": func(t *rapid.T) {
				_ = s.Hold(rapid.Int64Range(1, 22).Draw(t, "service"), rapid.Bool().Draw(t, "held"))
			},
			"rate": func(t *rapid.T) {
				_ = s.SetRate(rapid.Int64Range(1, 22).Draw(t, "service"), decimal.New(rapid.Int64Range(1, 99999).Draw(t, "rate"), -5).String())
			},
			"refund":             func(*rapid.T) { _ = s.Refund(randomOrder()) },
			"fail":               func(*rapid.T) { _ = s.Fail(randomOrder()) },
			"status of any kind": func(*rapid.T) { _ = s.SetStatus(randomOrder(), "Completed") },
			"send code":          func(*rapid.T) { _ = s.SendCode(randomOrder(), "") },
			"send twice":         func(*rapid.T) { _ = s.SendTwice(randomOrder(), "") },
			"send late":          func(*rapid.T) { _ = s.SendLate(randomOrder(), "") },
			"expire SMS":         func(*rapid.T) { _ = s.ExpireSMS(randomOrder()) },
			"refund SMS":         func(*rapid.T) { _ = s.RefundSMS(randomOrder()) },
			"": func(t *rapid.T) {
				sum := s.Balance(alice)
				if sum.IsNegative() {
					t.Fatalf("balance %s", sum)
				}
				addCharge := func(charge, refunded decimal.Decimal) {
					if refunded.IsNegative() || refunded.GreaterThan(charge) {
						t.Fatalf("refunded %s of %s", refunded, charge)
					}
					sum = sum.Add(charge).Sub(refunded)
				}
				for _, o := range s.Orders() {
					addCharge(o.Charge, o.Refunded)
					if o.Delivered > o.Quantity || (o.EntityType == Product && int64(len(o.Accounts)) != o.Delivered) {
						t.Fatalf("%d of %d delivered, %d accounts", o.Delivered, o.Quantity, len(o.Accounts))
					}
				}
				for _, n := range s.Numbers() {
					addCharge(n.Charge, n.Refunded)
				}
				if !sum.Equal(decimal.NewFromInt(300)) {
					t.Fatalf("the sum is %s, want 300", sum)
				}
				for _, r := range s.Rows() {
					for _, v := range r.Variants {
						if v.Stock < 0 {
							t.Fatalf("%s: stock %d", r.Name, v.Stock)
						}
					}
				}
			},
		})
	})
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	s := open(t, Options{DeliverAfter: time.Microsecond, CodeAfter: time.Microsecond})
	must(t, s.SetBalance(alice, "100000"))
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 25 {
				ask(t, s, "add", "service", "8", "quantity", "3")
				ask(t, s, "add_sms", "project_id", ProjectTelegram, "country", "us")
				ask(t, s, "status", "order", fmt.Sprint(FirstOrder+int64(worker*i)))
				ask(t, s, "services", "lang", []string{"zh", "ar", "en"}[i%3], "limit", "5")
				s.Fault(Fault{Action: "nothing", Kind: Slow})
				s.Orders()
				s.Numbers()
				s.Calls()
				s.ClearFaults()
				_ = s.SetStock(GmailUSA, int64(i))
				_, cancel := s.Subscribe()
				cancel()
			}
		})
	}
	group.Wait()
	if got := len(s.Orders()); got != 200 {
		t.Errorf("%d orders, want 200", got)
	}
}
