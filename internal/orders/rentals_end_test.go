package orders_test

import (
	"slices"
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestEndsOfPhones: each is reported once, with the charge.
func TestEndsOfPhones(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(w *world, externalID int64) error
		want storage.OrderState
	}{
		"expired":   {func(w *world, n int64) error { return w.Market.ExpireSMS(n) }, storage.OrderExpired},
		"cancelled": {func(w *world, n int64) error { return w.Market.CancelSMS(n) }, storage.OrderCancelled},
		"refunded":  {func(w *world, n int64) error { return w.Market.RefundSMS(n) }, storage.OrderRefunded},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				testworld.Pass(10 * time.Second)
				testworld.Must(t, test.end(w, number(order)))
				testworld.Pass(10 * time.Second)
				if got := w.order(order.ID); got.State != test.want || !got.Charge.Valid || got.Charge.Decimal.Sign() != 0 {
					t.Errorf("the order is %s, charged %v", got.State, got.Charge)
				}
				testworld.Pass(time.Hour)
				if got := w.count(orders.MessageEnded); got != 1 {
					t.Errorf("%d messages about the end", got)
				}
				if got := w.order(order.ID); got.Open() {
					t.Error("it is still polled")
				}
			})
		})
	}
}

// TestCodeArrivesDespiteOddAnswers of the marketplace about the phone itself.
func TestCodeArrivesDespiteOddAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		before func(w *world)
		wait   time.Duration // until the SMS
	}{
		"expiry in the past": {func(w *world) { w.Market.SetClock(-time.Hour, false) }, 4 * time.Minute},
		"sms_status refuses": {func(w *world) {
			w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.Refuse, Message: "Order not found", Times: market.Always})
		}, 0},
		"sms_status fails": {func(w *world) {
			w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always})
		}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				test.before(w)
				order := w.rent(1)[0]
				testworld.Pass(test.wait)
				testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
				testworld.Pass(10 * time.Second)
				if len(w.codes()) != 1 {
					t.Errorf("codes %q", w.codes())
				}
			})
		})
	}
}

func TestOddAnswersForPhones(t *testing.T) {
	t.Run("no expiry", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.Market.SetClock(0, true)
			order := w.rent(1)[0]
			testworld.Pass(15 * time.Minute)
			if got := w.order(order.ID); got.State != storage.OrderOpen || !got.ExpiresAt.IsZero() {
				t.Errorf("the order is %s, until %s", got.State, got.ExpiresAt)
			}
			testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
			testworld.Pass(20 * time.Second)
			if got := w.order(order.ID); len(w.codes()) != 1 || !got.Open() {
				t.Errorf("codes %q, open %v before the usual time is over", w.codes(), got.Open())
			}
			testworld.Pass(6 * time.Minute)
			if got := w.order(order.ID); got.Open() {
				t.Error("it is polled after the usual time of a rental")
			}
		})
	})
	t.Run("an unknown status", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			testworld.Must(t, w.Market.SetSMSStatus(number(order), "parked"))
			testworld.Pass(time.Minute)
			if got := w.order(order.ID); got.State != storage.OrderOpen || got.RawStatus != "parked" {
				t.Errorf("the order is %s, status %q", got.State, got.RawStatus)
			}
			testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
			testworld.Pass(10 * time.Second)
			if len(w.codes()) != 1 {
				t.Errorf("codes %q", w.codes())
			}
		})
	})
	t.Run("the text arrives later", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			testworld.Pass(5 * time.Second)
			testworld.Must(t, w.Market.SendSMS(number(order), "1234", ""))
			testworld.Pass(5 * time.Second)
			testworld.Must(t, w.Market.SendSMS(number(order), "1234", "code 1234"))
			testworld.Pass(5 * time.Minute)
			if got := w.codes(); len(got) != 1 {
				t.Errorf("the code was pushed %d times: %q", len(got), got)
			}
		})
	})
	t.Run("an expiry in 2096", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.Market.SetClock(70*365*24*time.Hour, false)
			order := w.rent(1)[0]
			testworld.Pass(5 * time.Second)
			testworld.Must(t, w.Market.SetExpiry(number(order), time.Time{})) // it goes on
			testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
			testworld.Pass(25 * time.Hour)
			if got := w.order(order.ID); got.Open() {
				t.Error("it is polled forever")
			}
		})
	})
	t.Run("not found after its time", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			testworld.Pass(10 * time.Second)
			for _, action := range []string{"sms_status", "sms_code"} {
				w.Market.Fault(market.Fault{Action: action, Kind: market.Refuse, Message: "Order not found", Times: market.Always})
			}
			testworld.Pass(30 * time.Minute)
			if got := w.order(order.ID); got.Open() || got.State != storage.OrderExpired {
				t.Errorf("the order is %s, open %v", got.State, got.Open())
			}
			if n := w.count(orders.MessageEnded); n != 1 {
				t.Errorf("%d messages about the end", n)
			}
		})
	})
	t.Run("refunded in the grace", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			testworld.Pass(10 * time.Second)
			testworld.Must(t, w.Market.SetSMSStatus(number(order), "expired"))
			testworld.Pass(10 * time.Second)
			testworld.Must(t, w.Market.SetSMSStatus(number(order), "")) // expired without money back, then
			testworld.Must(t, w.Market.RefundSMS(number(order)))
			testworld.Pass(30 * time.Second)
			if got := w.order(order.ID); got.State != storage.OrderRefunded || !got.Charge.Valid || got.Charge.Decimal.Sign() != 0 {
				t.Errorf("the order is %s, charged %v", got.State, got.Charge)
			}
		})
	})
	t.Run("sms_code refuses", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			order := w.rent(1)[0]
			testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
			w.Market.Fault(market.Fault{Action: "sms_code", Kind: market.Refuse, Message: "Order not found", Times: market.Always})
			_, err := w.service.Refresh(t.Context(), anna, order.ID)
			testworld.Must(t, err)
			if got, want := w.codes(), []string{"1|"}; !slices.Equal(got, want) {
				t.Errorf("arrived %q, want %q: the code counts without its text", got, want)
			}
		})
	})
}

// TestEndWaitsForTheCharge: the message about the end says what the phone has cost, which only
// sms_status tells. It comes without that where the marketplace refuses to tell it.
func TestEndWaitsForTheCharge(t *testing.T) {
	for name, test := range map[string]struct {
		fault market.Fault
		waits bool
	}{
		"fails":             {market.Fault{Kind: market.HTML502}, true},
		"too many requests": {market.Fault{Kind: market.TooMany}, true},
		"refused":           {market.Fault{Kind: market.Refuse, Message: "Order not found"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				testworld.Pass(10 * time.Second)
				test.fault.Action, test.fault.Times = "sms_status", market.Always
				w.Market.Fault(test.fault)
				testworld.Must(t, w.Market.CancelSMS(number(order)))
				testworld.Pass(30 * time.Second)
				if got := w.order(order.ID); (got.State == storage.OrderOpen) != test.waits || (w.count(orders.MessageEnded) == 0) != test.waits {
					t.Errorf("while the charge is not known it is %s, %d messages about the end", got.State, w.count(orders.MessageEnded))
				}
				w.Market.ClearFaults()
				testworld.Pass(90 * time.Second)
				got := w.order(order.ID)
				if got.State != storage.OrderCancelled || test.waits && (!got.Charge.Valid || got.Charge.Decimal.Sign() != 0) || w.count(orders.MessageEnded) != 1 {
					t.Errorf("in the end it is %s, charged %v, %d messages about it", got.State, got.Charge, w.count(orders.MessageEnded))
				}
			})
		})
	}
}

// TestCodeDoesNotWaitForTheCharge, or for sms_status to know of it.
func TestCodeDoesNotWaitForTheCharge(t *testing.T) {
	const ended = `{"status":"expired","phone":"+12025550100","code":null,"charge":"0.9000","currency":"USD","expires_at":null}`
	for name, before := range map[string]func(w *world){
		"sms_status fails": func(w *world) {
			w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always})
		},
		"sms_status has none": func(w *world) { w.answers("sms_status", ended) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				before(w)
				w.answers("sms_code", `{"status":"expired","code":"48210","sms_content":"code 48210"}`)
				order := w.rent(1)[0]
				testworld.Pass(10 * time.Second)
				if got := w.codes(); !slices.Equal(got, []string{"48210|code 48210"}) || w.count(orders.MessageEnded) != 0 {
					t.Errorf("arrived %q, messages %q", got, w.recorder.Kinds())
				}
				if got := w.order(order.ID); got.State != storage.OrderDelivered || got.Open() {
					t.Errorf("the order is %s, open: %t", got.State, got.Open())
				}
			})
		})
	}
}

// TestRefreshLooksForTheCode, although sms_status says that the phone still waits: a person has
// asked, and the two may differ for a moment.
func TestRefreshLooksForTheCode(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(time.Second)
		testworld.Must(t, w.service.Stop(t.Context())) // no poll is quicker
		w.service = w.newService(w.client)
		testworld.Pass(10 * time.Second)
		w.answers("sms_status", `{"status":"waiting","phone":"`+order.Rental.Phone+`","code":null,"charge":"0.9000","currency":"USD","expires_at":null}`)
		testworld.Must(t, w.Market.SendSMS(number(order), "48210", "code 48210"))
		got, err := w.service.Refresh(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		testworld.Pass(time.Second)
		if got.State != storage.OrderDelivered || !slices.Equal(w.codes(), []string{"48210|code 48210"}) {
			t.Errorf("the order is %s, arrived %q", got.State, w.codes())
		}
	})
}

// TestTooManyRequestsAtTheFirstPoll: it makes no second call, and the key pauses.
func TestTooManyRequestsAtTheFirstPoll(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.TooMany, Times: market.Always})
		order := w.rent(1)[0]
		testworld.Pass(4 * time.Second)
		w.wantCalls("sms_status", 1)
		w.wantCalls("sms_code", 0)
		if got := w.order(order.ID); got.Polls != 0 || got.Failures != 1 {
			t.Errorf("%d polls, %d failures", got.Polls, got.Failures)
		}
	})
}

// TestPhoneWithoutExpiryGoesStale, a day after it was rented, which is reported.
func TestPhoneWithoutExpiryGoesStale(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Must(t, w.Market.SetExpiry(number(order), time.Time{}))
		testworld.Pass(5 * time.Second)
		testworld.Must(t, w.service.Stop(t.Context())) // a day of polls would take a while
		testworld.Pass(24 * time.Hour)
		w.service = w.newService(w.client)
		w.service.Start()
		testworld.Pass(2 * time.Hour) // as many polls as the first hour takes
		if got := w.order(order.ID); got.State != storage.OrderStale || got.Open() {
			t.Errorf("the order is %s, open: %v", got.State, got.Open())
		}
		if n := w.count(orders.MessageEnded); n != 1 {
			t.Errorf("notified %d times", n)
		}
		testworld.Must(t, w.Market.SendSMS(number(order), "2", "code 2"))
		_, err := w.service.Refresh(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if len(w.codes()) != 1 {
			t.Errorf("codes %q after a Refresh", w.codes())
		}
	})
}
