package watches_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/internal/watches"
	"hstockbot/storage"
)

func TestRestockFiresOnceUntilSoldOutAgain(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		w.watchRestock(anna, market.SoldOut)
		passRounds(2)
		w.want()
		w.setStock(market.SoldOut, 5)
		passRounds(1)
		w.want("1001 restock 5")
		w.setStock(market.SoldOut, 3)
		passRounds(3)
		w.want("1001 restock 5")
		w.setStock(market.SoldOut, 0)
		passRounds(1)
		w.setStock(market.SoldOut, 1)
		passRounds(3)
		w.want("1001 restock 5", "1001 restock 5")
		w.removeWatch(anna, market.SoldOut)
		w.setStock(market.SoldOut, 0)
		passRounds(1)
		w.setStock(market.SoldOut, 1)
		passRounds(1)
		w.want("1001 restock 5", "1001 restock 5")
		if w.wakes != 2 {
			w.T.Errorf("the outbox was woken %d times, want 2", w.wakes)
		}
	})
}

func TestStockBelowTheMinimumIsSoldOut(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		w.setStock(market.MinimumTen, 0)
		w.watchRestock(anna, market.MinimumTen)
		w.setStock(market.MinimumTen, 9)
		passRounds(1)
		w.want()
		w.setStock(market.MinimumTen, 10)
		passRounds(1)
		w.want("1001 restock 13")
	})
}

func TestPriceFiresOnceAtTheTargetAndInStock(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		w.watchPrice(anna, market.GmailUSA, "1.00")
		w.watchPrice(boris, market.GmailUSA, "0.9999")
		passRounds(1)
		w.setStock(market.GmailUSA, 0)
		w.setRate(market.GmailUSA, "0.50")
		passRounds(2)
		w.want()
		w.setStock(market.GmailUSA, 7)
		w.setRate(market.GmailUSA, "1.00")
		passRounds(2)
		w.want("1001 price 2")
		w.setRate(market.GmailUSA, "1.25")
		passRounds(1)
		w.setRate(market.GmailUSA, "0.90")
		passRounds(2)
		w.want("1001 price 2", "1002 price 2")
	})
}

// TestPriceWithAMarkup: a target is reached by what the person would pay, with the markup
// of their allowance while that pays.
func TestPriceWithAMarkup(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		w.must(w.db.SetOperatorKey(w.T.Context(), testworld.OperatorKey, nil))
		for _, person := range []int64{anna, boris} {
			terms := storage.AllowanceTerms{Amount: decimal.NewFromInt(20), Currency: "USD", Markup: decimal.NewFromInt(10)}
			_, err := w.db.GiveAllowance(w.T.Context(), person, terms, storage.AuditEntry{AdminID: 1, Action: "allowance", At: time.Now()})
			w.must(err)
		}
		_, err := w.db.SaveKey(w.T.Context(), boris, testworld.AnnaKey) // pays from now on
		w.must(err)
		w.watchPrice(anna, market.GmailUSA, "1.00")
		w.watchPrice(boris, market.GmailUSA, "1.00")
		w.setRate(market.GmailUSA, "1.00")
		passRounds(2)
		w.want("1002 price 2")
		w.setRate(market.GmailUSA, "0.90")
		passRounds(2)
		w.want("1001 price 2", "1002 price 2")
		for _, message := range w.recorder.Sent() {
			if fired, err := watches.DecodeNotification(message); err != nil || message.UserID == anna && fired.Rate.String() != "0.99" {
				w.T.Errorf("the message says %s (%v)", fired.Rate, err)
			}
		}
	})
}

// TestPricesAreComparedInOneCurrency: a target of 30,000 dong is not reached by 1.25
// dollars, but by 1.20 dollars with a key whose prices are in dong.
func TestPricesAreComparedInOneCurrency(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		dongKey := redact.Secret("canary-key-in-dong-0123456789")
		w.join(boris, dongKey)
		w.Market.AddKey(dongKey.Reveal(), "5000000", "VND")
		w.must(w.Market.SetPriceFactor(dongKey.Reveal(), "25000"))
		w.must(w.db.SetWatch(w.T.Context(), storage.Watch{
			UserID: boris, Service: market.GmailUSA, Name: "Name", Kind: storage.WatchPrice, Price: decimal.NewFromInt(30_000), Currency: "VND",
		}, 1000))
		w.watchPrice(anna, market.GmailUSA, "1.20")
		passRounds(2)
		w.want()
		w.setRate(market.GmailUSA, "1.20")
		passRounds(2)
		w.want("1001 price 2", "1002 price 2")
		for _, message := range w.recorder.Sent() {
			fired, err := watches.DecodeNotification(message)
			w.must(err)
			want := "1.2 USD"
			if message.UserID == boris {
				want = "30000 VND"
			}
			if got := fired.Rate.String() + " " + fired.Currency; got != want {
				w.T.Errorf("person %d gets %s, want %s", message.UserID, got, want)
			}
		}
	})
}

// SMM services can't be asked for by id.
func TestSMMServicesAreWatched(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		w.setStock(market.TikTokLikes, 0)
		w.watchRestock(anna, market.TikTokLikes)
		passRounds(1)
		w.setStock(market.TikTokLikes, 1000)
		passRounds(2)
		w.want("1001 restock 18")
		if n := w.Market.Count("products"); n != 0 {
			w.T.Errorf("%d calls for products, which nobody watches", n)
		}
	})
}

func TestOutageNeitherFiresNorRearmsAndIsLoggedOnce(t *testing.T) {
	for _, kind := range []market.FaultKind{market.HTML502, market.Empty, market.Garbage, market.Cut, market.TooMany, market.Refuse} {
		t.Run(string(kind), func(t *testing.T) {
			run(t, testworld.OperatorKey, func(w *world) {
				w.watchRestock(anna, market.SoldOut)
				w.watchRestock(boris, market.GmailUSA)
				passRounds(1) // fires for Boris
				w.Market.Fault(market.Fault{Kind: kind, Times: market.Always})
				passRounds(5)
				w.setStock(market.SoldOut, 5)
				passRounds(2)
				w.want("1002 restock 2")
				w.Market.ClearFaults()
				passRounds(2)
				w.want("1001 restock 5", "1002 restock 2")
				for _, line := range []string{"watch round failed", "watch round recovered"} {
					if n := strings.Count(w.Log.String(), line); n != 1 {
						w.T.Errorf("%q is logged %d times:\n%s", line, n, w.Log)
					}
				}
			})
		})
	}
}

func TestMissingServiceIsSoldOutUnlessTheAnswerIsEmpty(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		w.watchRestock(anna, market.OneLeft)
		w.watchRestock(boris, market.GmailUSA)
		passRounds(1)
		w.want("1001 restock 14", "1002 restock 2")
		w.must(w.Market.Remove(market.OneLeft))
		passRounds(1)
		if !w.armed(anna, market.OneLeft) {
			w.T.Error("the watch of a removed service was not re-armed")
		}
		w.must(w.Market.Remove(market.GmailUSA)) // no watched service is left
		passRounds(2)
		if w.armed(boris, market.GmailUSA) {
			w.T.Error("an empty answer re-armed a watch")
		}
		w.want("1001 restock 14", "1002 restock 2")
	})
}

func TestThousandWatchersShareTwoCallsPerRound(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		var services []int64
		for _, row := range w.Market.Rows() {
			if row.EntityType == market.Product && len(services) < 150 {
				services = append(services, row.Service)
				w.setStock(row.Service, 0)
			}
		}
		var joining sync.WaitGroup // in parallel, to share commits
		for i := range int64(1000) {
			joining.Go(func() {
				w.join(5000+i, "")
				w.watchRestock(5000+i, services[i%150])
				w.watchRestock(5000+i, services[(i*7+1)%150])
			})
		}
		joining.Wait()
		passRounds(1)
		w.want()
		before := w.Market.Count("")
		passRounds(1)
		if calls := w.Market.Count("") - before; calls != 2 {
			w.T.Errorf("a round made %d calls, want 2", calls)
		}
		before = w.Market.Count("")
		for _, service := range services {
			w.setStock(service, 20)
		}
		passRounds(1)
		testworld.Pass(time.Second) // on PostgreSQL writes may be repeated
		if n := len(w.recorder.Sent()); n != 2000 {
			w.T.Errorf("%d messages after one round, want 2000", n)
		}
		passRounds(4)
		if n := len(w.recorder.Sent()); n != 2000 {
			w.T.Errorf("%d messages after five rounds, want 2000", n)
		}
		if calls := w.Market.Count("") - before; calls != 10 {
			w.T.Errorf("five rounds made %d calls, want 10", calls)
		}
	})
}

func TestSeveralProcessesShareTheRounds(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		w.startProcess()
		w.startProcess()
		w.watchRestock(anna, market.SoldOut)
		w.watchRestock(boris, market.SoldOut)
		passRounds(2)
		w.setStock(market.SoldOut, 5)
		before := w.Market.Count("products")
		passRounds(4)
		w.want("1001 restock 5", "1002 restock 5")
		if calls := w.Market.Count("products") - before; calls != 4 {
			w.T.Errorf("four rounds of three processes made %d calls, want 4", calls)
		}
	})
}

func TestWithoutAnOperatorsKeyWatchersKeysAreUsed(t *testing.T) {
	run(t, "", func(w *world) {
		w.watchRestock(anna, market.SoldOut)
		w.setStock(market.SoldOut, 5)
		passRounds(2)
		w.want()
		if n := w.Market.Count(""); n != 0 {
			w.T.Errorf("%d calls without a key", n)
		}
		for i := range int64(4) {
			w.join(3000+i, redact.Secret(fmt.Sprintf("watcher-key-%d-0123456789", i)))
			w.watchRestock(3000+i, market.SoldOut)
		}
		const unrelatedKey = redact.Secret("unrelated-key-0123456789")
		w.join(4000, unrelatedKey) // watches nothing
		passRounds(40)
		w.want("1001 restock 5", "3000 restock 5", "3001 restock 5", "3002 restock 5", "3003 restock 5")
		used := map[string]int{}
		for _, call := range w.Market.Calls() {
			used[call.Fields.Get("key")]++
		}
		if len(used) != 4 || used[unrelatedKey.Reveal()] != 0 {
			w.T.Errorf("calls by key: %v", used)
		}
	})
}

func TestRefusedOperatorsKeyFallsBackToAWatchersKey(t *testing.T) {
	run(t, "an-operators-key-that-was-changed", func(w *world) {
		w.join(3000, "watcher-key-0123456789")
		w.watchRestock(3000, market.SoldOut)
		passRounds(1)
		w.setStock(market.SoldOut, 5)
		passRounds(1)
		w.want("3000 restock 5")
	})
}

func TestUnreachablePersonsWatchesAreSkippedUntilTheyReturn(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		w.watchRestock(anna, market.SoldOut)
		w.must(w.db.SetUnreachable(w.T.Context(), anna))
		w.setStock(market.SoldOut, 5)
		passRounds(2)
		w.want()
		if n := w.Market.Count(""); n != 0 {
			w.T.Errorf("%d calls without a reachable watcher", n)
		}
		w.join(anna, "")
		passRounds(1)
		w.want("1001 restock 5")
	})
}

func TestBlockedPersonsWatchesAreSkippedUntilUnblocked(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		setBlocked := func(blocked bool) {
			_, err := w.db.SetBlocked(w.T.Context(), anna, blocked, storage.AuditEntry{Action: "block", At: time.Now()})
			w.must(err)
		}
		w.watchRestock(anna, market.SoldOut)
		setBlocked(true)
		w.setStock(market.SoldOut, 5)
		passRounds(2)
		w.want()
		setBlocked(false)
		passRounds(1)
		w.want("1001 restock 5")
	})
}

func TestWatchIsUnchangedWhenTheMessageCantBeStored(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		w.watchRestock(anna, market.SoldOut)
		w.watchPrice(anna, market.SoldOut, "5.00")
		accept := w.Refuse(`INSERT ON outbox FOR EACH ROW`)
		w.setStock(market.SoldOut, 5)
		passRounds(2)
		w.want()
		accept()
		passRounds(1)
		w.want("1001 price 5", "1001 restock 5")
	})
}

func TestRoundAfterACancelledOneFires(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		w.watchRestock(anna, market.SoldOut)
		passRounds(1)
		w.setStock(market.SoldOut, 5)
		w.Market.Fault(market.Fault{Action: "products", Kind: market.Slow, Delay: 8 * time.Second})
		passRounds(1)
		w.must(w.processes[0].Stop(w.T.Context()))
		w.want()
		w.startProcess()
		passRounds(1)
		w.want("1001 restock 5")
	})
}

func TestAnswerOlderThanTheWatchDoesNotFire(t *testing.T) {
	run(t, testworld.OperatorKey, func(w *world) {
		w.watchRestock(anna, market.SoldOut)
		w.setStock(market.SoldOut, 5)
		// The answer says 5 and arrives 8 s later.
		w.Market.Fault(market.Fault{Action: "products", Kind: market.Slow, Delay: 8 * time.Second, Commit: true})
		passRounds(1)
		w.setStock(market.SoldOut, 0)
		w.removeWatch(anna, market.SoldOut)
		w.watchRestock(anna, market.SoldOut)
		w.watchRestock(boris, market.SoldOut)
		passRounds(3)
		w.want()
	})
}

// Random changes of the stock, outages and restarts: the number of messages is
// that of a simple model.
func TestFiresOncePerObservedRestock(t *testing.T) {
	for seed := range 15 {
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"out", "in", "more", "down", "restart"}), 25, 25).Example(seed)
		run(t, testworld.OperatorKey, func(w *world) {
			w.watchRestock(anna, market.SoldOut)
			stock, down, armed, want := int64(0), false, true, 0
			for _, step := range steps {
				switch step {
				case "out":
					stock = 0
				case "in":
					stock = 3
				case "more":
					stock += 2
				case "down":
					if down = !down; down {
						w.Market.Fault(market.Fault{Kind: market.Refuse, Times: market.Always})
					} else {
						w.Market.ClearFaults()
					}
				case "restart":
					w.must(w.processes[0].Stop(w.T.Context()))
					w.processes = w.processes[1:]
					w.startProcess()
				}
				w.setStock(market.SoldOut, stock)
				passRounds(1)
				switch {
				case down:
				case armed && stock > 0:
					armed, want = false, want+1
				case !armed && stock == 0:
					armed = true
				}
				if got := len(w.recorder.Sent()); got != want {
					w.T.Fatalf("after %q: %d messages, want %d", step, got, want)
				}
			}
		})
	}
}
