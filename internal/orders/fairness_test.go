package orders_test

import (
	"fmt"
	"testing"
	"time"

	"hstockbot/internal/callrate"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestFairnessBetweenKeys: at HSTOCK_RATE 5, one key has a hundred phones and nine keys
// have one phone each. None of the nine waits for the hundred.
//
// Nobody taps, so polls get all 5 calls a second, for ten keys. A new phone needs one in
// 2.75 s, 0.36 a second, and fewer later, which is less than the equal share of 0.5. So the
// nine get all the polls they need, and the hundred the rest: at first 5 − 9·0.36 = 1.7 a
// second, later up to 4.
func TestFairnessBetweenKeys(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const (
			polls = 5 // a second
			keys  = 10
			// Between two polls of one of the nine phones are its interval, one poll of each
			// key, and in the beginning the second calls of the first polls.
			extra = keys*time.Second/polls + time.Second
		)
		testworld.Must(t, w.service.Stop(t.Context()))
		w.client.Close()
		limiter := callrate.New(callrate.Options{Most: 5})
		var err error
		w.client, err = hstock.New(hstock.Options{URL: "http://market", Dial: w.Net.Dial, Limiter: limiter})
		testworld.Must(t, err)
		defer w.client.Close()
		w.service = orders.New(orders.Options{DB: w.db, Market: w.client, SMMRatePer: 1000, Limiter: limiter, Wake: w.outbox.Wake, Log: w.logger()})
		testworld.Must(t, w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, 200))
		for range 10 {
			w.rent(10)
		}
		single := map[string]storage.Order{} // by external id, as in the calls
		for n := range int64(keys - 1) {
			user, key := 2000+n, redact.Secret(fmt.Sprintf("single-key-0123456789-%d", n))
			w.Market.AddKey(key.Reveal(), "5.00", "USD")
			w.addUser(user, key)
			quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: user, Rental: telegramUS, Quantity: 1})
			testworld.Must(t, err)
			order := w.confirm(quote.Purchase).Orders[0]
			single[order.ExternalID] = order
		}

		w.service.Start()
		began := time.Now()
		testworld.Pass(5 * time.Minute)
		polledAt, all := map[string][]time.Time{}, 0
		for _, call := range w.Market.Calls() {
			if at := call.At.Sub(began); call.Action == "sms_code" && at >= time.Minute && at < 5*time.Minute {
				id := call.Fields.Get("order")
				polledAt[id] = append(polledAt[id], call.At)
				all++
			}
		}
		for id, order := range single {
			times := polledAt[id]
			for i := 1; i < len(times); i++ {
				longest := 3500 * time.Millisecond
				if age := times[i-1].Sub(order.CreatedAt); age >= 2*time.Minute {
					longest = 9500 * time.Millisecond // 0.5·√300 s and 10 %
				}
				if gap := times[i].Sub(times[i-1]); gap > longest+extra {
					t.Errorf("phone %s was not polled for %s, at the age of %s", id, gap, times[i-1].Sub(order.CreatedAt))
				}
			}
			// At its intervals it would be polled 60 s / 2.75 s in the second minute and
			// 4·(√300 − √120) after it, 47 times. An interval begins with an answer, so
			// half a second of waiting makes it 60 s / 3.25 s and 24: about 42.
			if n := len(times); n < 38 {
				t.Errorf("phone %s was polled %d times in four minutes, want about 42", id, n)
			}
		}
		if len(polledAt) != 100+keys-1 {
			t.Errorf("%d phones were polled, want all", len(polledAt))
		}
		// The hundred get what the nine leave.
		if left := all - 9*47; left < 600 {
			t.Errorf("%d polls for the hundred phones, want about 700", left)
		}
		if most := polls * 240; all > most+2 {
			t.Errorf("%d polls in four minutes, want at most %d", all, most)
		}
	})
}
