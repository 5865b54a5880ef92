package orders_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// envPurchases is how many purchases a failover has to survive (make torture-copies).
const envPurchases = "HSTOCKBOT_TEST_PURCHASES"

// failoverWorld is a marketplace and a pair of servers, of which the standby takes over
// without the last commits.
type failoverWorld struct {
	*testworld.World
	t      *testing.T
	pair   *pgtest.Pair
	client *hstock.Client
	people int64
}

func inFailover(t *testing.T, test func(w *failoverWorld)) {
	t.Helper()
	pair := pgtest.NewPair(t, false)
	db, err := openPair(t, pair) // migrations need real time
	testworld.Must(t, err)
	testworld.Must(t, db.Close(t.Context()))
	testworld.Run(t, func(tw *testworld.World) {
		test(&failoverWorld{World: tw, t: tw.T, pair: pair, client: tw.Client()})
	})
}

func openPair(t *testing.T, pair *pgtest.Pair) (*storage.DB, error) {
	keys, err := storage.ParseKeys(testworld.SecretKey)
	testworld.Must(t, err)
	return storage.Open(t.Context(), storage.Options{URL: pair.URL(), Keys: keys, Failover: storage.FailoverAcceptedLoss})
}

// process is a process on the servers. It ends with the world.
type process struct {
	*orders.Service
	db *storage.DB
}

func (w *failoverWorld) process(market orders.Market, checkpoint func(step string)) process {
	w.t.Helper()
	db, err := openPair(w.t, w.pair)
	testworld.Must(w.t, err)
	service := orders.New(orders.Options{DB: db, Market: market, SMMRatePer: 1000, Wake: func() {}, Log: discardLog, Checkpoint: checkpoint})
	w.t.Cleanup(func() {
		ctx := context.WithoutCancel(w.t.Context())
		_ = service.Stop(ctx) // a dead process can't write
		testworld.Must(w.t, db.Close(ctx))
	})
	return process{db: db, Service: service}
}

// takeOver returns the process that is active after a failover, when it has settled what
// the others have left.
func (w *failoverWorld) takeOver() process {
	w.t.Helper()
	next := w.process(w.client, nil)
	now := time.Now()
	until := now.Add(time.Hour)
	testworld.Must(w.t, next.db.AddReplica(w.t.Context(), storage.Replica{ID: "next", StartedAt: now, Until: until}))
	_, err := next.db.Beat(w.t.Context(), "next", "lease", now, until)
	testworld.Must(w.t, err)
	next.Start()
	testworld.Pass(time.Second)
	w.t.Cleanup(func() { testworld.Must(w.t, next.Stop(context.WithoutCancel(w.t.Context()))) })
	return next
}

// join adds a person, whose key buys nothing else.
func (w *failoverWorld) join(in process) (id int64) {
	w.t.Helper()
	w.people++
	id = w.people
	key := redact.Secret(fmt.Sprint("canary-key-of-person-0123456789-", id))
	w.Market.AddKey(key.Reveal(), "100.00", "USD")
	_, _, err := in.db.TouchUser(w.t.Context(), id, "Ann", "en", true)
	testworld.Must(w.t, err)
	_, err = in.db.SaveKey(w.t.Context(), id, key)
	testworld.Must(w.t, err)
	return id
}

// draft stores a person's draft. Its delivery address tells its orders apart.
func (w *failoverWorld) draft(in process, user int64) storage.Purchase {
	quote, err := in.Draft(w.t.Context(), orders.Intent{
		UserID: user, Item: hstock.Item{Service: market.GmailUSA, Name: "Gmail", EntityType: hstock.EntityProduct}, Quantity: 1, Link: fmt.Sprintf("p%d@example.com", user),
	})
	if err != nil {
		w.t.Error(err)
	}
	return quote.Purchase
}

func (w *failoverWorld) confirm(in process, p storage.Purchase) orders.Outcome {
	outcome, err := in.Confirm(w.t.Context(), p.UserID, p.ID, "en")
	if err != nil {
		w.t.Errorf("purchase of person %d: %v", p.UserID, err)
	}
	return outcome
}

// bought returns how many orders the marketplace has of a purchase.
func (w *failoverWorld) bought(p storage.Purchase) (n int) {
	for _, order := range w.Market.Orders() {
		if order.Link == p.Link {
			n++
		}
	}
	return n
}

// wantUnknown fails unless the outcome of a purchase is unknown and the person is told.
func (w *failoverWorld) wantUnknown(in process, p storage.Purchase) {
	w.t.Helper()
	if outcome, err := in.Outcome(w.t.Context(), p.UserID, p.ID); err != nil || outcome.Result != orders.OutcomeUnknown {
		w.t.Errorf("person %d: the outcome is %v, reason %q, %v", p.UserID, outcome.Result, outcome.Purchase.Reason, err)
	}
	data, err := in.db.PersonalData(w.t.Context(), p.UserID)
	testworld.Must(w.t, err)
	if len(data.Messages) == 0 || data.Messages[len(data.Messages)-1].Kind != orders.MessageOutcomeUnknown {
		w.t.Errorf("person %d: the messages are %+v", p.UserID, data.Messages)
	}
}

// adder is a marketplace with another add.
type adder struct {
	*hstock.Client
	add func(ctx context.Context, key redact.Secret, request hstock.AddRequest) (string, error)
}

func (a *adder) Add(ctx context.Context, key redact.Secret, request hstock.AddRequest) (string, error) {
	return a.add(ctx, key, request)
}

// TestLostPurchasesAreNotBoughtAgain: the process and the server die, and the standby
// lacks that purchases were sent. No tap buys one again or says that nothing was bought.
func TestLostPurchasesAreNotBoughtAgain(t *testing.T) {
	inFailover(t, func(w *failoverWorld) {
		t := w.t // of the bubble
		var (
			confirming    sync.WaitGroup
			reached, held = make(chan struct{}), make(chan struct{})
			claimed, sent storage.Purchase
		)
		dead := w.process(w.client, nil)
		drafted, discarded, late := w.draft(dead, w.join(dead)), w.draft(dead, w.join(dead)), w.join(dead)
		for step, p := range map[string]*storage.Purchase{"claimed": &claimed, "sending": &sent} {
			in := w.process(w.client, func(at string) {
				if at == step {
					reached <- struct{}{}
					<-held
				}
			})
			*p = w.draft(in, w.join(in))
			confirming.Go(func() { w.confirm(in, *p) })
			<-reached
		}
		w.pair.CatchUp()
		w.pair.Hold()
		close(held)
		confirming.Wait()
		gone := w.draft(dead, late)
		for _, p := range []storage.Purchase{drafted, discarded, gone} {
			w.confirm(dead, p)
		}
		w.pair.FailOver()
		adds := w.Market.Count("add")
		if adds != 5 {
			t.Fatalf("%d purchases were sent", adds)
		}

		next := w.takeOver()
		w.wantUnknown(next, claimed)
		w.wantUnknown(next, sent)
		restoration, err := next.db.Restoration(w.t.Context())
		if _, confirmErr := next.Confirm(w.t.Context(), drafted.UserID, drafted.ID, "en"); err != nil || restoration.At.IsZero() || !errors.Is(confirmErr, storage.ErrRestored) {
			t.Errorf("before an admin has looked: %+v, %v, %v", restoration, err, confirmErr)
		}
		testworld.Must(t, next.db.EndRestoration(w.t.Context(), restoration.At, storage.AuditEntry{AdminID: 1, Action: "x", At: time.Now()}))
		if _, err := next.Confirm(w.t.Context(), gone.UserID, gone.ID, "en"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a draft that is gone: %v", err)
		}
		redrawn := w.confirm(next, drafted)
		if redrawn.Result != orders.Redrawn || !redrawn.Quote.Restored {
			t.Errorf("a tap on the lost draft: %+v", redrawn)
		}
		if again := w.confirm(next, drafted); again.Result != orders.Gone || !again.Quote.Restored {
			t.Errorf("another tap: %+v", again)
		}
		_, err = next.Discard(w.t.Context(), discarded.UserID, discarded.ID)
		testworld.Must(t, err)
		if after, err := next.Outcome(w.t.Context(), discarded.UserID, discarded.ID); err != nil || after.Result != orders.Gone || !after.Quote.Restored {
			t.Errorf("discarded: %+v, %v", after, err)
		}
		if n := w.Market.Count("add"); n != adds {
			t.Errorf("%d purchases were sent again", n-adds)
		}
		if outcome := w.confirm(next, redrawn.Quote.Purchase); outcome.Result != orders.Placed { // who has looked may buy again
			t.Errorf("the new card: %+v", outcome)
		}
	})
}

// TestLostPurchasesOfALivingProcess: it knows what it has sent, whatever the standby lacks.
func TestLostPurchasesOfALivingProcess(t *testing.T) {
	inFailover(t, func(w *failoverWorld) {
		t := w.t // of the bubble
		var (
			confirming         sync.WaitGroup
			inFlight, promoted = make(chan struct{}), make(chan struct{})
			answers            = map[string]error{} // by address
			cut                = &hstock.Error{Action: "add", Kind: hstock.OutcomeUnknown, Err: errors.New("cut off")}
		)
		in := w.process(&adder{Client: w.client, add: func(ctx context.Context, key redact.Secret, request hstock.AddRequest) (string, error) {
			id, err := w.client.Add(ctx, key, request)
			inFlight <- struct{}{}
			<-promoted
			return id, errors.Join(err, answers[request.Link])
		}}, nil)
		kept, unknown, late := w.draft(in, w.join(in)), w.draft(in, w.join(in)), w.join(in)
		w.pair.CatchUp()
		w.pair.Hold()
		gone := w.draft(in, late)
		answers[unknown.Link], answers[gone.Link] = cut, cut
		for _, test := range []struct {
			p    storage.Purchase
			want orders.Result
		}{{kept, orders.Placed}, {unknown, orders.OutcomeUnknown}, {gone, orders.OutcomeUnknown}} {
			confirming.Go(func() {
				if outcome := w.confirm(in, test.p); outcome.Result != test.want {
					t.Errorf("person %d: the outcome is %v, want %v", test.p.UserID, outcome.Result, test.want)
				}
			})
			<-inFlight
		}
		w.pair.FailOver()
		close(promoted)
		confirming.Wait()
		next := w.takeOver()
		w.wantUnknown(next, unknown)
		w.wantUnknown(next, gone)
		if outcome := w.confirm(next, kept); outcome.Result != orders.Placed || len(outcome.Orders) != 1 {
			t.Errorf("placed: %+v", outcome)
		}
		if n := w.Market.Count("add"); n != 3 {
			t.Errorf("%d purchases were sent", n)
		}
	})
}

// TestLostPurchasesUnderLoad: the process and the server die while people buy, and the
// standby lacks a part of it. Then each person taps on Confirm again.
func TestLostPurchasesUnderLoad(t *testing.T) {
	purchases := 60
	if text := os.Getenv(envPurchases); text != "" {
		var err error
		purchases, err = strconv.Atoi(text)
		testworld.Must(t, err)
	}
	inFailover(t, func(w *failoverWorld) {
		t := w.t // of the bubble
		var (
			sending    atomic.Int64
			held, dead = make(chan struct{}), make(chan struct{})
			ending     atomic.Bool
			mu         sync.Mutex
			drafts     []storage.Purchase
		)
		testworld.Must(t, w.Market.SetStock(market.GmailUSA, 1_000_000))
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Slow, Delay: 20 * time.Millisecond, Times: market.Always})
		in := w.process(w.client, func(at string) {
			if at != "sending" {
				return
			}
			switch sending.Add(1) {
			case int64(purchases / 2):
				close(held)
			case int64(purchases):
				close(dead)
			}
		})
		const atOnce = 12
		users := make(chan int64, purchases+atOnce)
		for range cap(users) {
			users <- w.join(in)
		}
		close(users)
		var people sync.WaitGroup
		for range atOnce {
			people.Go(func() {
				for user := range users {
					if ending.Load() {
						return
					}
					p := w.draft(in, user)
					mu.Lock()
					drafts = append(drafts, p)
					mu.Unlock()
					_, _ = in.Confirm(w.t.Context(), p.UserID, p.ID, "en") // it may die
				}
			})
		}
		<-held
		w.pair.Hold()
		<-dead
		ending.Store(true)
		ended, cancel := context.WithCancel(w.t.Context())
		cancel()
		_ = in.db.Close(ended) // it writes nothing more
		w.pair.FailOver()
		people.Wait()

		adds := w.Market.Count("add")
		next := w.takeOver()
		restoration, err := next.db.Restoration(w.t.Context())
		testworld.Must(t, err)
		testworld.Must(t, next.db.EndRestoration(w.t.Context(), restoration.At, storage.AuditEntry{AdminID: 1, Action: "x", At: time.Now()}))
		results := map[orders.Result]int{}
		for _, p := range drafts {
			outcome, err := next.Confirm(w.t.Context(), p.UserID, p.ID, "en")
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				t.Error(err)
			}
			bought := w.bought(p)
			results[outcome.Result]++
			switch outcome.Result {
			case 0, orders.OutcomeUnknown: // gone
			case orders.Placed:
				if bought != 1 {
					t.Errorf("placed, and the marketplace has %d orders", bought)
				}
			case orders.Redrawn:
				if !outcome.Quote.Restored {
					t.Error("drawn again without a word")
				}
			case orders.Rejected:
				if bought != 0 {
					t.Errorf("told that nothing was bought: %+v", outcome.Purchase)
				}
			default:
				t.Errorf("the outcome is %v", outcome.Result)
			}
		}
		if n := w.Market.Count("add"); n != adds {
			t.Errorf("%d purchases were sent again", n-adds)
		}
		t.Logf("%d purchases, %d sent; by outcome: %v", len(drafts), adds, results)
		if results[orders.Redrawn]+results[0] == 0 || results[orders.Placed] == 0 {
			t.Error("nothing was lost, or nothing was kept")
		}
	})
}
