package orders_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestOneKeyWithAHundredNumbers at HSTOCK_RATE 5, beside nine keys with one each:
// none of the nine waits behind the hundred.
//
// The watcher has 80 % of 5, so 4 polls a second for ten keys. A young number
// wants one in 2.75 s, 0.36 a second, later fewer; that is less than the equal
// share of 0.4. So max-min fairness gives each of the nine all that it wants, and
// the hundred what is left: at first 4 − 9·0.36 = 0.7 a second, later its key's 2.
func TestOneKeyWithAHundredNumbers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const (
			polls = 4 // a second
			turns = 10
			// Between two polls of a number of the nine is its interval, its turn behind all
			// ten keys, and at the begin what the first polls, of two calls each, have spent
			// in advance.
			extra = turns*time.Second/polls + time.Second
		)
		testworld.Must(t, w.service.Stop(t.Context()))
		w.client.Close()
		var err error
		w.client, err = hstock.New(hstock.Options{URL: "http://market", Dial: w.Net.Dial, Rate: 5})
		testworld.Must(t, err)
		w.service = orders.New(orders.Options{DB: w.db, Market: w.client, SMMRatePer: 1000, Rate: 5, Wake: w.outbox.Wake, Log: w.logger()})
		testworld.Must(t, w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, 200))
		for range 10 {
			w.rent(10)
		}
		alone := map[string]storage.Order{} // by number, as calls name it
		for n := range int64(turns - 1) {
			user, key := 2000+n, redact.Secret(fmt.Sprintf("lonely-key-0123456789-%d", n))
			w.Market.AddKey(key.Reveal(), "5.00", "USD")
			w.addUser(user, key)
			quote, err := w.service.Draft(t.Context(), orders.Intent{UserID: user, Rental: telegramUS, Quantity: 1})
			testworld.Must(t, err)
			order := w.confirm(quote.Purchase).Orders[0]
			alone[strconv.FormatInt(order.ExternalID, 10)] = order
		}

		w.service.Start()
		begun := time.Now()
		testworld.Pass(5 * time.Minute)
		asked, all := map[string][]time.Time{}, 0
		for _, call := range w.Market.Calls() {
			if at := call.At.Sub(begun); call.Action == "sms_code" && at >= time.Minute && at < 5*time.Minute {
				number := call.Fields.Get("order")
				asked[number] = append(asked[number], call.At)
				all++
			}
		}
		for number, order := range alone {
			times := asked[number]
			for i := 1; i < len(times); i++ {
				longest := 3500 * time.Millisecond
				if age := times[i-1].Sub(order.CreatedAt); age >= 2*time.Minute {
					longest = 9500 * time.Millisecond // 0.5·√300 s and 10 %
				}
				if gap := times[i].Sub(times[i-1]); gap > longest+extra {
					t.Errorf("number %s was not asked for %s, at the age of %s", number, gap, times[i-1].Sub(order.CreatedAt))
				}
			}
			// All that it wants is 60 s / 2.75 s in the second minute and 4·(√300 − √120)
			// after it, 47 polls. An interval begins with an answer, so that half a second
			// for its turn makes that 60 s / 3.25 s and 24: some 42.
			if n := len(times); n < 38 {
				t.Errorf("number %s was asked %d times in four minutes, want about 42", number, n)
			}
		}
		if len(asked) != 100+turns-1 {
			t.Errorf("%d numbers were asked, want all", len(asked))
		}
		// What the nine leave is used: 60 s·0.7 and 180 s·2 for the hundred.
		if left := all - 9*47; left < 300 {
			t.Errorf("%d polls for the hundred numbers, want about 400", left)
		}
		if most := polls * 240; all > most+2 {
			t.Errorf("%d polls in four minutes, want at most %d", all, most)
		}
	})
}
