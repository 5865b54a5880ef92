package orders_test

import (
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// callsOf returns when an action was called for an order, after its creation.
func (w *world) callsOf(order storage.Order, action string) (ages []time.Duration) {
	for _, call := range w.Market.Calls() {
		if call.Action == action && call.Fields.Get("order") == order.ExternalID {
			ages = append(ages, call.At.Sub(order.CreatedAt))
		}
	}
	return ages
}

// TestPollsOfPhonesLearn: after codes that came at 40 s a phone is polled at once for its
// expiry, then not before a code is plausible, and often around 40 s.
func TestPollsOfPhonesLearn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, 200))
		for range 3 {
			rented := w.rent(4)
			testworld.Pass(40 * time.Second)
			for _, order := range rented {
				testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
			}
			testworld.Pass(2 * time.Minute)
		}
		order := w.rent(1)[0]
		if got := w.service.Usual(t.Context(), order).Round(5 * time.Second); got != 40*time.Second {
			t.Errorf("usually %s, want 40 s", got)
		}
		testworld.Pass(38 * time.Second)
		testworld.Must(t, w.Market.SendSMS(number(order), "2", "code 2"))
		testworld.Pass(4 * time.Second)
		if n := len(w.codes()); n != 13 {
			t.Errorf("%d codes, want 13", n)
		}
		if statuses := w.callsOf(order, "sms_status"); len(statuses) != 1 || statuses[0] > time.Second {
			t.Errorf("sms_status was called after %s, want once at once", statuses)
		}
		codes := w.callsOf(order, "sms_code")
		if len(codes) < 4 || len(codes) > 14 || codes[0] < 3*time.Second {
			t.Errorf("sms_code was called after %s", codes)
		}
		for i := 1; i < len(codes); i++ {
			if gap := codes[i] - codes[i-1]; codes[i] > 35*time.Second && gap > 3*time.Second {
				t.Errorf("at %s the pause was %s", codes[i], gap)
			}
		}
	})
}

// TestPollsOfGoodsLearn: after deliveries that took 30 s no poll is made in the first
// seconds.
func TestPollsOfGoodsLearn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		for range 12 {
			order := w.buy(market.GmailUSA, 1)
			testworld.Pass(30 * time.Second)
			testworld.Must(t, w.Market.Finish(number(order)))
			testworld.Pass(30 * time.Second)
		}
		order := w.buy(market.GmailUSA, 1)
		testworld.Pass(30 * time.Second)
		testworld.Must(t, w.Market.Finish(number(order)))
		testworld.Pass(5 * time.Second)
		if got := w.order(order.ID); got.State != storage.OrderDelivered {
			t.Errorf("the order is %s", got.State)
		}
		if polls := w.callsOf(order, "status"); len(polls) > 11 || polls[0] < 4*time.Second {
			t.Errorf("polled after %s", polls)
		}
	})
}

// TestFirstPollWithCode: sms_status shows the code, and its text is read right then.
func TestFirstPollWithCode(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.service.Stop(t.Context()))
		order := w.rent(1)[0]
		testworld.Must(t, w.Market.SendSMS(number(order), "1", "code 1"))
		w.service = w.newService(w.client)
		w.service.Start()
		testworld.Pass(time.Second)
		if got := w.codes(); len(got) != 1 || got[0] != "1|code 1" {
			t.Errorf("arrived %q", got)
		}
		if statuses, codes := w.callsOf(order, "sms_status"), w.callsOf(order, "sms_code"); len(statuses) != 1 || len(codes) != 1 {
			t.Errorf("sms_status was called after %s, sms_code after %s", statuses, codes)
		}
	})
}

// TestLateFirstPoll: it looks for the code, which takes one call. The next poll is in time, and
// sees until when the phone is rented.
func TestLateFirstPoll(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.service.Stop(t.Context()))
		rented := w.rent(2)
		with, without := rented[0], rented[1]
		testworld.Must(t, w.Market.SendSMS(number(with), "1", "code 1"))
		testworld.Pass(10 * time.Second)
		w.service = w.newService(w.client)
		w.service.Start()
		testworld.Pass(time.Second)
		if got := w.codes(); len(got) != 1 || got[0] != "1|code 1" {
			t.Errorf("arrived %q", got)
		}
		for _, order := range rented {
			if statuses, codes := w.callsOf(order, "sms_status"), w.callsOf(order, "sms_code"); len(statuses) != 0 || len(codes) != 1 {
				t.Errorf("sms_status was called after %s, sms_code after %s", statuses, codes)
			}
		}
		testworld.Pass(4 * time.Second)
		if w.order(without.ID).ExpiresAt.IsZero() {
			t.Error("it is not known until when the phone is rented")
		}
	})
}

// TestOneCallAPoll, also in the first one.
func TestOneCallAPoll(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(time.Minute)
		testworld.Must(t, w.service.Stop(t.Context())) // a poll that has called is stored
		polls := int(w.order(order.ID).Polls)
		if calls := len(w.callsOf(order, "sms_status")) + len(w.callsOf(order, "sms_code")); calls != polls || len(w.callsOf(order, "sms_status")) != 1 {
			t.Errorf("%d calls in %d polls", calls, polls)
		}
	})
}

// TestForecastsAreKept for 5 minutes, so that polls make no queries, and unknown ones for one. One
// that can't be read again is used on.
func TestForecastsAreKept(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.SetCodeAfter(20 * time.Second)
		order := w.rent(10)[0]
		testworld.Pass(2 * time.Minute)
		testworld.Must(t, w.service.Stop(t.Context())) // its polls read as well
		w.service = w.newService(w.client)
		order.Delivered, order.State = 0, storage.OrderOpen
		want := func(when string, known bool) {
			t.Helper()
			if got := w.service.Usual(t.Context(), order); (got > 0) != known {
				t.Errorf("%s: usually %s", when, got)
			}
		}
		const forget, remember = `UPDATE delivery_times SET subject = 'old ' || subject`, `UPDATE delivery_times SET subject = substr(subject, 5)`
		want("at first", true)
		w.service.Usual(t.Context(), storage.Order{State: storage.OrderOpen, Kind: storage.KindProduct, Service: market.GmailUSA, AutoDelivery: true}) // of something else
		w.Exec(forget)
		testworld.Pass(5*time.Minute - time.Second)
		want("almost 5 minutes later", true)
		testworld.Pass(time.Second)
		want("5 minutes later", false)
		w.Exec(remember)
		testworld.Pass(time.Minute - time.Second)
		want("almost a minute later", false)
		testworld.Pass(time.Second)
		want("a minute later", true)
		back := w.hideTable("delivery_times")
		testworld.Pass(time.Hour)
		want("while the outcomes can't be read", true)
		back()

		for name, change := range map[string]func(o *storage.Order){
			"canceled":         func(o *storage.Order) { o.State = storage.OrderCancelled },
			"a code has come":  func(o *storage.Order) { o.Delivered = 1 },
			"of another phone": func(o *storage.Order) { o.Rental.Country = "xx" },
		} {
			other := order
			change(&other)
			if got := w.service.Usual(t.Context(), other); got != 0 {
				t.Errorf("%s: usually %s", name, got)
			}
		}
	})
}
