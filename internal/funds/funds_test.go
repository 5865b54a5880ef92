package funds_test

import (
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"hstockbot/internal/funds"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	anna = int64(1001)
	poor = string(testworld.PoorKey) // 1 dollar
)

var pass = testworld.Pass

// world is a testworld in which Anna has the poor key, with a started Service and an
// Outbox that sends to a Recorder.
type world struct {
	*testworld.World
	db       *storage.DB
	client   *hstock.Client
	orders   *orders.Service
	outbox   *outbox.Outbox
	recorder testworld.Recorder
	service  *funds.Service
	set      atomic.Int64 // by how many nanoseconds the clock was set
}

func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	testworld.Run(t, func(base *testworld.World) {
		w := &world{World: base, db: base.OpenDB(), client: base.Client()}
		log := slog.New(slog.NewTextHandler(w.Log, nil))
		w.outbox = outbox.New(outbox.Options{DB: w.db, Log: log})
		w.outbox.Start(&w.recorder)
		w.orders = orders.New(orders.Options{DB: w.db, Market: w.client, SMMRatePer: 1000, Wake: w.outbox.Wake, Log: log})
		_, _, err := w.db.TouchUser(w.T.Context(), anna, "Anna", "en", true)
		w.must(err)
		_, err = w.db.SaveKey(w.T.Context(), anna, testworld.PoorKey)
		w.must(err)
		w.start()

		test(w)

		w.must(w.service.Stop(w.T.Context()))
		w.must(w.orders.Stop(w.T.Context()))
		w.must(w.outbox.Stop(w.T.Context()))
		w.must(w.db.Close(w.T.Context()))
		if got := w.Market.Count("add"); got != 0 {
			w.T.Errorf("%d purchases, want none", got)
		}
	})
}

func (w *world) start() {
	w.service = funds.New(funds.Options{
		DB: w.db, Market: w.client, Orders: w.orders, Log: slog.New(slog.NewTextHandler(w.Log, nil)), Wake: w.outbox.Wake,
		Language: func(storage.User) string { return "en" },
		Wall:     func() time.Time { return time.Now().Add(time.Duration(w.set.Load())) },
	})
	w.service.Start()
}

func (w *world) must(err error) {
	w.T.Helper()
	testworld.Must(w.T, err)
}

// await draws the card of so many Gmail accounts (1.25 dollars each) and waits for the
// money.
func (w *world) await(quantity int64) storage.Purchase {
	w.T.Helper()
	quote, err := w.orders.Draft(w.T.Context(), orders.Intent{
		UserID: anna, Item: hstock.Item{Service: market.GmailUSA, Name: "Gmail", EntityType: hstock.EntityProduct}, Quantity: quantity, Lang: "en",
	})
	w.must(err)
	if !quote.Blocked() {
		w.T.Fatal("the balance suffices")
	}
	w.must(w.service.AwaitTopUp(w.T.Context(), quote.Purchase))
	return quote.Purchase
}

func (w *world) balance(amount string) {
	w.T.Helper()
	w.must(w.Market.SetBalance(poor, amount))
}

// want fails unless exactly messages of these kinds have arrived.
func (w *world) want(kinds ...string) {
	w.T.Helper()
	var got []string
	for _, message := range w.recorder.Sent() {
		got = append(got, message.Kind)
	}
	if !slices.Equal(got, kinds) {
		w.T.Errorf("the messages are %q, want %q", got, kinds)
	}
}

// wantWaiting fails unless Anna waits for a top-up, or does not.
func (w *world) wantWaiting(want bool) {
	w.T.Helper()
	watches, err := w.db.BalanceWatches(w.T.Context(), anna)
	w.must(err)
	if got := len(watches) > 0; got != want {
		w.T.Errorf("waiting: %t, want %t", got, want)
	}
}

// The money arrives: a fresh draft with the terms of that moment, once, within 20 s.
func TestTopUpArrives(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.await(4) // 5 dollars
		pass(5 * time.Minute)
		w.balance("4.99")
		pass(time.Minute)
		w.want()
		w.must(w.Market.SetRate(market.GmailUSA, "1.10"))
		w.balance("21.00")
		pass(20 * time.Second)
		w.want(funds.MessageArrived)
		message := w.recorder.Sent()[0]
		notice, err := funds.DecodeNotice(message)
		w.must(err)
		if notice.Added.String() != "20" || notice.Currency != "USD" || message.PurchaseID == before.ID {
			w.T.Errorf("%+v of purchase %d", notice, message.PurchaseID)
		}
		quote, err := w.orders.QuoteOf(w.T.Context(), anna, message.PurchaseID)
		w.must(err)
		if quote.Purchase.State != storage.PurchaseDraft || quote.Purchase.Total().String() != "4.4" || quote.Blocked() {
			w.T.Errorf("the draft is %+v", quote)
		}
		w.wantWaiting(false)
		pass(time.Hour)
		w.want(funds.MessageArrived)
	})
}

// The price has risen meanwhile: the wait goes on for the new one.
func TestTopUpAfterPriceRose(t *testing.T) {
	inWorld(t, func(w *world) {
		w.await(4)
		w.must(w.Market.SetRate(market.GmailUSA, "2.00"))
		w.balance("6.00")
		pass(time.Minute)
		w.want()
		w.wantWaiting(true)
		w.balance("8.00")
		pass(20 * time.Second)
		w.want(funds.MessageArrived)
	})
}

// The wait ends, and what the person is told.
func TestTopUpEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		event func(w *world)
		want  []string
	}{
		{"sold out", func(w *world) {
			w.must(w.Market.SetStock(market.GmailUSA, 1))
			w.balance("50")
		}, []string{funds.MessageGone}},
		{"maintenance", func(w *world) {
			w.must(w.db.SetMaintenance(w.T.Context(), time.Now(), storage.AuditEntry{AdminID: 1, Action: "maintenance", At: time.Now()}))
		}, []string{funds.MessagePaused}},
		{"refused key", func(w *world) { w.Market.RemoveKey(poor) }, nil},
		{"removed key", func(w *world) { w.must(w.db.RemoveKey(w.T.Context(), anna)) }, nil},
		{"another key", func(w *world) {
			_, err := w.db.SaveKey(w.T.Context(), anna, testworld.AnnaKey)
			w.must(err)
		}, nil},
		{"forgotten", func(w *world) {
			w.must(w.db.Forget(w.T.Context(), anna, time.Now()))
		}, nil},
		{"cancelled card", func(w *world) {
			watches, err := w.db.BalanceWatches(w.T.Context(), anna)
			w.must(err)
			_, err = w.orders.Discard(w.T.Context(), anna, watches[0].PurchaseID)
			w.must(err)
		}, nil},
		{"six hours", func(*world) { pass(funds.TopUpLimit) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.await(4)
				pass(time.Minute)
				c.event(w)
				pass(time.Minute)
				w.balance("50")
				pass(time.Hour)
				w.want(c.want...)
				w.wantWaiting(false)
			})
		})
	}
}

// The marketplace is down for an hour, or answers nonsense: the wait goes on.
func TestTopUpOutlastsOutages(t *testing.T) {
	for _, kind := range []market.FaultKind{market.HTML502, market.Garbage, market.TooMany} {
		inWorld(t, func(w *world) {
			w.await(4)
			w.Market.Fault(market.Fault{Kind: kind, Times: market.Always})
			w.balance("50")
			pass(time.Hour)
			w.want()
			w.Market.ClearFaults()
			pass(12 * time.Minute)
			w.want(funds.MessageArrived)
		})
	}
}

// It is not known for a while which key pays: the wait goes on.
func TestTopUpOutlastsAKeyThatCantBeRead(t *testing.T) {
	inWorld(t, func(w *world) {
		w.await(4)
		ctx := w.T.Context()
		w.must(w.db.SetOperatorKey(ctx, testworld.OperatorKey, nil))
		_, err := w.db.GiveAllowance(ctx, anna, storage.AllowanceTerms{Amount: decimal.NewFromInt(20), Currency: "USD"}, storage.AuditEntry{AdminID: 1, Action: "give", At: time.Now()})
		w.must(err)
		w.pays(true)
		w.Exec(`UPDATE api_keys SET secret_sealed = 'v1.00000000.AAAA' WHERE house = 1`) // sealed with a key that does not exist
		pass(time.Minute)
		w.wantWaiting(true)
		w.pays(false)
		w.balance("50")
		pass(12 * time.Minute)
		w.want(funds.MessageArrived)
	})
}

// A wait whose purchase is damaged makes the others wait no longer: it is read now and then.
func TestTopUpOfADamagedPurchase(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.await(4)
		var links []string
		w.Select(&links, `SELECT link_sealed FROM purchases`)
		w.Exec(`UPDATE purchases SET link_sealed = 'v1.00000000.AAAA' WHERE id = ?`, p.ID) // sealed with a key that does not exist
		pass(time.Hour)
		if n := strings.Count(w.Log.String(), `loop="watch balances"`); n < 10 || n > 20 {
			w.T.Errorf("it was read %d times in an hour", n)
		}
		w.Exec(`UPDATE purchases SET link_sealed = ? WHERE id = ?`, links[0], p.ID)
		w.balance("50")
		pass(6 * time.Minute)
		w.want(funds.MessageArrived)
	})
}

// pays makes Anna buy with the operator's key, or with her own one.
func (w *world) pays(house bool) {
	w.T.Helper()
	if done, err := w.db.PayWith(w.T.Context(), anna, house); err != nil || !done {
		w.T.Fatal(done, err)
	}
}

// A wait costs 40 calls in ten minutes, and fewer than 150 in six hours.
func TestTopUpCalls(t *testing.T) {
	inWorld(t, func(w *world) {
		w.await(4)
		before := w.Market.Count("balance")
		pass(10 * time.Minute)
		if calls := w.Market.Count("balance") - before; calls < 36 || calls > 46 {
			w.T.Errorf("%d calls in ten minutes", calls)
		}
		pass(6 * time.Hour)
		if calls := w.Market.Count("balance") - before; calls > 150 {
			w.T.Errorf("%d calls in all", calls)
		}
	})
}

// One wait a person: the later card takes the place of the one before. A refreshed card
// keeps its wait.
func TestOneTopUpAPerson(t *testing.T) {
	inWorld(t, func(w *world) {
		w.await(40)
		p := w.await(2)
		_, err := w.orders.DraftAgain(w.T.Context(), p, "en")
		w.must(err)
		w.balance("3.00")
		pass(30 * time.Second)
		w.want(funds.MessageArrived)
		quote, err := w.orders.QuoteOf(w.T.Context(), anna, w.recorder.Sent()[0].PurchaseID)
		w.must(err)
		if quote.Purchase.Quantity != 2 {
			w.T.Errorf("the card is of %d pieces", quote.Purchase.Quantity)
		}
	})
}

// Whoever bought the same meanwhile is not asked again.
func TestTopUpAfterPurchase(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.await(2)
		pass(time.Second)
		w.Exec(`UPDATE purchases SET sent_at = ? WHERE id = ?`, time.Now().UnixMilli(), p.ID)
		w.balance("50")
		pass(time.Minute)
		w.want()
		w.wantWaiting(false)
	})
}

// A process that stops, and a step of the clock, delay nothing.
func TestTopUpAfterRestartAndClockStep(t *testing.T) {
	for _, step := range []time.Duration{0, -24 * time.Hour, -time.Hour, time.Hour} {
		inWorld(t, func(w *world) {
			w.await(4)
			pass(time.Minute)
			w.must(w.service.Stop(w.T.Context()))
			w.balance("50")
			pass(time.Minute)
			w.want()
			w.Exec(`UPDATE balance_watches SET next_at = next_at - ?, started_at = started_at - ?`, step.Milliseconds(), step.Milliseconds())
			w.set.Store(int64(step))
			w.start()
			pass(time.Second)
			w.want(funds.MessageArrived)
		})
	}
}

// One message when the balance is low, another one only after it was not.
func TestLowBalance(t *testing.T) {
	inWorld(t, func(w *world) {
		w.balance("5.00")
		w.must(w.service.WarnBelow(w.T.Context(), anna, decimal.RequireFromString("5"), "USD"))
		pass(30 * time.Minute)
		w.want()
		w.balance("4.99")
		pass(time.Hour)
		w.want(funds.MessageLow)
		notice, err := funds.DecodeNotice(w.recorder.Sent()[0])
		w.must(err)
		if notice.Balance.String() != "4.99" || notice.Limit.String() != "5" {
			w.T.Errorf("%+v", notice)
		}
		w.balance("1.00")
		pass(time.Hour)
		w.want(funds.MessageLow)
		w.balance("100")
		pass(time.Hour)
		w.balance("2")
		pass(time.Hour)
		w.want(funds.MessageLow, funds.MessageLow)
	})
}

// Another currency is not compared; a key that is away only pauses the warning.
func TestLowBalanceOfOtherKeys(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Market.AddKey("canary-key-euro-0123456789", "1.00", "EUR")
		w.must(w.service.WarnBelow(w.T.Context(), anna, decimal.RequireFromString("0.50"), "USD"))
		_, err := w.db.SaveKey(w.T.Context(), anna, "canary-key-euro-0123456789")
		w.must(err)
		w.must(w.Market.SetBalance("canary-key-euro-0123456789", "0.10"))
		pass(2 * time.Hour)
		w.must(w.db.RemoveKey(w.T.Context(), anna))
		pass(2 * time.Hour)
		w.want()
		w.balance("0.10")
		_, err = w.db.SaveKey(w.T.Context(), anna, testworld.PoorKey)
		w.must(err)
		pass(2 * time.Hour)
		w.want(funds.MessageLow)
	})
}

func TestDecodeNoticeHidesItsBody(t *testing.T) {
	_, err := funds.DecodeNotice(storage.Message{Body: []byte("canary")})
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("the error is %v", err)
	}
}
