package watches_test

import (
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/memnet"
	"hstockbot/internal/watches"
	"hstockbot/storage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	anna          = int64(1001)
	boris         = int64(1002)
	operatorKey   = redact.Secret("operator-key-0123456789abcdef")
	testSecretKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // of the tests only
)

// world is the alerts with a marketplace that is an HTTP server and a database
// that is a file; the outbox is read where it stands.
type world struct {
	t         *testing.T
	market    *market.Server
	client    *hstock.Client
	db        *storage.DB
	path      string
	key       redact.Secret // the operator's
	wakes     int
	log       *strings.Builder
	processes []*watches.Service
}

// inWorld runs a test in a bubble of simulated time, with one process that
// watches with the operator's key, if there is one.
func inWorld(t *testing.T, key redact.Secret, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New()
		w := &world{t: t, market: market.New(market.Options{}), key: key, path: filepath.Join(t.TempDir(), "bot.db"), log: &strings.Builder{}}
		url, closeServer := net.Serve("market", w.market)
		w.market.AddKey(operatorKey.Reveal(), "100.00", "USD")
		var err error
		w.client, err = hstock.New(hstock.Options{URL: url, Dial: net.Dial})
		must(t, err)
		keys, err := storage.ParseKeys(testSecretKey)
		must(t, err)
		w.db, err = storage.Open(t.Context(), storage.Options{URL: "sqlite:" + w.path, Keys: keys})
		must(t, err)
		w.join(anna, "")
		w.join(boris, "")
		w.process()
		synctest.Wait() // the first round finds nothing that is watched

		test(t, w)

		for _, service := range w.processes {
			must(t, service.Stop(t.Context()))
		}
		must(t, w.db.Close(t.Context()))
		w.client.Close()
		closeServer()
		w.market.Close()
		if violations := w.market.Violations(); len(violations) > 0 {
			t.Errorf("the marketplace was asked what the document does not allow: %q", violations)
		}
	})
}

// process starts one more process on the same database.
func (w *world) process() {
	service := watches.New(watches.Options{
		DB: w.db, Market: w.client, OperatorKey: w.key, Log: slog.New(slog.NewTextHandler(w.log, nil)), Wake: func() { w.wakes++ },
	})
	service.Start()
	w.processes = append(w.processes, service)
}

func (w *world) join(id int64, key redact.Secret) {
	w.t.Helper()
	_, _, err := w.db.TouchUser(w.t.Context(), id, "Somebody", "en", true)
	must(w.t, err)
	if key != "" {
		w.market.AddKey(key.Reveal(), "100.00", "USD")
		_, err = w.db.SaveKey(w.t.Context(), id, key)
		must(w.t, err)
	}
}

func (w *world) watch(user, service int64) {
	w.t.Helper()
	row, _ := w.market.Row(service)
	must(w.t, w.db.SetWatch(w.t.Context(), storage.Watch{
		UserID: user, Service: service, SMM: row.EntityType == market.SMM, Name: "As it was called", Kind: storage.WatchRestock, Currency: "USD",
	}, 1000))
}

func (w *world) watchPrice(user, service int64, price string) {
	w.t.Helper()
	must(w.t, w.db.SetWatch(w.t.Context(), storage.Watch{
		UserID: user, Service: service, Name: "As it was called", Kind: storage.WatchPrice, Price: decimal.RequireFromString(price), Currency: "USD",
	}, 1000))
}

func (w *world) setStock(service, n int64) {
	w.t.Helper()
	must(w.t, w.market.SetStock(service, n))
}

// told returns what is in the outbox, as "user kind service" in order.
func (w *world) told() []string {
	w.t.Helper()
	messages, err := w.db.ClaimMessages(w.t.Context(), "test", time.Now(), time.Now(), 100_000)
	must(w.t, err)
	var all []string
	for _, m := range messages {
		news, err := watches.DecodeNotification(m)
		must(w.t, err)
		all = append(all, fmt.Sprint(m.UserID, " ", m.Kind, " ", news.Service))
	}
	slices.Sort(all)
	return all
}

func (w *world) wantTold(want ...string) {
	w.t.Helper()
	if got := w.told(); !slices.Equal(got, want) {
		w.t.Errorf("told %q, want %q", got, want)
	}
}

// rounds lets so many rounds pass.
func rounds(n int) {
	time.Sleep(time.Duration(n) * watches.Every) // in a bubble: no real time
	synctest.Wait()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestOncePerRestock: told once, again only after it was sold out once more.
func TestOncePerRestock(t *testing.T) {
	inWorld(t, operatorKey, func(_ *testing.T, w *world) {
		w.watch(anna, market.SoldOut)
		rounds(2)
		w.wantTold()
		w.setStock(market.SoldOut, 5)
		rounds(1)
		w.wantTold("1001 restock 5")
		w.setStock(market.SoldOut, 3)
		rounds(3)
		w.wantTold("1001 restock 5")
		w.setStock(market.SoldOut, 0)
		rounds(1)
		w.setStock(market.SoldOut, 1)
		rounds(3)
		w.wantTold("1001 restock 5", "1001 restock 5")
		must(w.t, w.db.RemoveWatch(w.t.Context(), anna, market.SoldOut, storage.WatchRestock))
		w.setStock(market.SoldOut, 0)
		rounds(1)
		w.setStock(market.SoldOut, 1)
		rounds(1)
		w.wantTold("1001 restock 5", "1001 restock 5")
		if w.wakes != 2 {
			w.t.Errorf("the outbox was woken %d times", w.wakes)
		}
	})
}

// TestFewerThanAreSoldAtATime is still sold out.
func TestFewerThanAreSoldAtATime(t *testing.T) {
	inWorld(t, operatorKey, func(_ *testing.T, w *world) {
		w.setStock(market.MinimumTen, 0)
		w.watch(anna, market.MinimumTen)
		w.setStock(market.MinimumTen, 9)
		rounds(1)
		w.wantTold()
		w.setStock(market.MinimumTen, 10)
		rounds(1)
		w.wantTold("1001 restock 13")
	})
}

// TestAPriceIsToldOnce, at the price that was named or under it, and only of
// what can be had.
func TestAPriceIsToldOnce(t *testing.T) {
	inWorld(t, operatorKey, func(_ *testing.T, w *world) {
		w.watchPrice(anna, market.GmailUSA, "1.00")
		w.watchPrice(boris, market.GmailUSA, "0.9999")
		rounds(1)
		w.setStock(market.GmailUSA, 0)
		must(w.t, w.market.SetRate(market.GmailUSA, "0.50"))
		rounds(2)
		w.wantTold()
		w.setStock(market.GmailUSA, 7)
		must(w.t, w.market.SetRate(market.GmailUSA, "1.00"))
		rounds(2)
		w.wantTold("1001 price 2")
		must(w.t, w.market.SetRate(market.GmailUSA, "1.25"))
		rounds(1)
		must(w.t, w.market.SetRate(market.GmailUSA, "0.90"))
		rounds(2)
		w.wantTold("1001 price 2", "1002 price 2")
	})
}

// TestSMMServices are watched, too, though they can't be asked for by number.
func TestSMMServices(t *testing.T) {
	inWorld(t, operatorKey, func(_ *testing.T, w *world) {
		w.setStock(market.TikTokLikes, 0)
		w.watch(anna, market.TikTokLikes)
		rounds(1)
		w.setStock(market.TikTokLikes, 1000)
		rounds(2)
		w.wantTold("1001 restock 18")
		if n := w.market.Count("products"); n != 0 {
			w.t.Errorf("%d calls for products that nobody watches", n)
		}
	})
}

// TestTheMarketplaceIsDown: nothing is told, nothing is armed, and it is said once
// in the log.
func TestTheMarketplaceIsDown(t *testing.T) {
	for _, kind := range []market.FaultKind{market.HTML502, market.Empty, market.Garbage, market.Cut, market.TooMany, market.Refuse} {
		t.Run(string(kind), func(t *testing.T) {
			inWorld(t, operatorKey, func(_ *testing.T, w *world) {
				w.watch(anna, market.SoldOut) // waits for a restock
				w.watch(boris, market.GmailUSA)
				rounds(1) // Boris is told, and waits
				w.market.Fault(market.Fault{Kind: kind, Times: market.Always})
				rounds(5)
				w.setStock(market.SoldOut, 5)
				rounds(2)
				w.wantTold("1002 restock 2")
				w.market.ClearFaults()
				rounds(2)
				w.wantTold("1001 restock 5", "1002 restock 2")
				if n := strings.Count(w.log.String(), "round of alerts failed"); n != 1 {
					w.t.Errorf("said %d times:\n%s", n, w.log)
				}
			})
		})
	}
}

// TestWhatIsMissing is sold out where the rest of the answer is there, and unknown
// where nothing is.
func TestWhatIsMissing(t *testing.T) {
	inWorld(t, operatorKey, func(_ *testing.T, w *world) {
		w.watch(anna, market.OneLeft)
		w.watch(boris, market.GmailUSA)
		rounds(1)
		w.wantTold("1001 restock 14", "1002 restock 2")
		must(w.t, w.market.Remove(market.OneLeft))
		rounds(1)
		if a := w.alert(anna, market.OneLeft); !a.Armed {
			w.t.Error("what has gone from the shelves can't come back")
		}
		must(w.t, w.market.Remove(market.GmailUSA)) // nothing that is watched is left
		rounds(2)
		if a := w.alert(boris, market.GmailUSA); a.Armed {
			w.t.Error("an empty answer armed an alert")
		}
		w.wantTold("1001 restock 14", "1002 restock 2")
	})
}

func (w *world) alert(user, service int64) storage.Watch {
	w.t.Helper()
	all, err := w.db.Watches(w.t.Context(), user, service)
	must(w.t, err)
	if len(all) != 1 {
		w.t.Fatalf("%d alerts", len(all))
	}
	return all[0]
}

// TestAThousandPeople watch 150 products in at most two calls a round.
func TestAThousandPeople(t *testing.T) {
	inWorld(t, operatorKey, func(_ *testing.T, w *world) {
		var services []int64
		for _, row := range w.market.Rows() {
			if row.EntityType == market.Product && len(services) < 150 {
				services = append(services, row.Service)
				w.setStock(row.Service, 0)
			}
		}
		var people sync.WaitGroup // side by side, they share commits
		for i := range int64(1000) {
			people.Go(func() {
				w.join(5000+i, "")
				w.watch(5000+i, services[i%150])
				w.watch(5000+i, services[(i*7+1)%150])
			})
		}
		people.Wait()
		rounds(1)
		w.wantTold()
		before := w.market.Count("")
		rounds(1)
		if calls := w.market.Count("") - before; calls != 2 {
			w.t.Errorf("a round made %d calls, want 2", calls)
		}
		before = w.market.Count("")
		for _, service := range services {
			w.setStock(service, 20)
		}
		rounds(1)
		if n := len(w.told()); n != 2000 {
			w.t.Errorf("%d messages, want 2000", n)
		}
		rounds(4)
		if n := len(w.told()); n != 2000 {
			w.t.Errorf("%d messages in the end, want 2000", n)
		}
		if calls := w.market.Count("") - before; calls != 10 {
			w.t.Errorf("five rounds made %d calls, want 10", calls)
		}
	})
}

// TestSeveralProcesses tell nobody twice, and make one process's calls.
func TestSeveralProcesses(t *testing.T) {
	inWorld(t, operatorKey, func(_ *testing.T, w *world) {
		w.process()
		w.process()
		w.watch(anna, market.SoldOut)
		w.watch(boris, market.SoldOut)
		rounds(2)
		w.setStock(market.SoldOut, 5)
		before := w.market.Count("products")
		rounds(4)
		w.wantTold("1001 restock 5", "1002 restock 5")
		if calls := w.market.Count("products") - before; calls != 4 {
			w.t.Errorf("four rounds of three processes made %d calls", calls)
		}
	})
}

// TestWithoutTheOperatorsKey those who watch lend theirs, by turns; who has none is
// told all the same. Without any, nothing is known.
func TestWithoutTheOperatorsKey(t *testing.T) {
	inWorld(t, "", func(_ *testing.T, w *world) {
		w.watch(anna, market.SoldOut)
		w.setStock(market.SoldOut, 5)
		rounds(2)
		w.wantTold()
		if n := w.market.Count(""); n != 0 {
			w.t.Errorf("%d calls without a key", n)
		}
		for i := range int64(4) {
			w.join(3000+i, redact.Secret(fmt.Sprintf("watcher-key-%d-0123456789", i)))
			w.watch(3000+i, market.SoldOut)
		}
		w.join(4000, "somebody-elses-key-0123456789") // watches nothing, and is not asked with
		rounds(40)
		w.wantTold("1001 restock 5", "3000 restock 5", "3001 restock 5", "3002 restock 5", "3003 restock 5")
		used := map[string]int{}
		for _, call := range w.market.Calls() {
			used[call.Fields.Get("key")]++
		}
		if len(used) != 4 || used["somebody-elses-key-0123456789"] != 0 {
			w.t.Errorf("calls by key: %v", used)
		}
	})
}

// TestARefusedKey gives way to another one.
func TestARefusedKey(t *testing.T) {
	inWorld(t, "an-operators-key-that-was-changed", func(_ *testing.T, w *world) {
		w.join(3000, "watcher-key-0123456789")
		w.watch(3000, market.SoldOut)
		rounds(1)
		w.setStock(market.SoldOut, 5)
		rounds(1)
		w.wantTold("3000 restock 5")
	})
}

// TestWhoHasBlockedTheBot is asked for when they are back.
func TestWhoHasBlockedTheBot(t *testing.T) {
	inWorld(t, operatorKey, func(_ *testing.T, w *world) {
		w.watch(anna, market.SoldOut)
		must(w.t, w.db.SetUnreachable(w.t.Context(), anna))
		w.setStock(market.SoldOut, 5)
		rounds(2)
		w.wantTold()
		if n := w.market.Count(""); n != 0 {
			w.t.Errorf("%d calls for nobody", n)
		}
		w.join(anna, "")
		rounds(1)
		w.wantTold("1001 restock 5")
	})
}

// TestWhoWasBlocked by an admin is not asked for until they are unblocked.
func TestWhoWasBlocked(t *testing.T) {
	inWorld(t, operatorKey, func(_ *testing.T, w *world) {
		block := func(blocked bool) {
			_, err := w.db.SetBlocked(w.t.Context(), anna, blocked, storage.AuditEntry{Action: "block", At: time.Now()})
			must(w.t, err)
		}
		w.watch(anna, market.SoldOut)
		block(true)
		w.setStock(market.SoldOut, 5)
		rounds(2)
		w.wantTold()
		block(false)
		rounds(1)
		w.wantTold("1001 restock 5")
	})
}

// TestTheMessageCantBeStored: then the alert is as if nothing was seen.
func TestTheMessageCantBeStored(t *testing.T) {
	inWorld(t, operatorKey, func(_ *testing.T, w *world) {
		w.watch(anna, market.SoldOut)
		w.watchPrice(anna, market.SoldOut, "5.00")
		w.exec(`CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`)
		w.setStock(market.SoldOut, 5)
		rounds(2)
		w.wantTold()
		w.exec(`DROP TRIGGER full`)
		rounds(1)
		w.wantTold("1001 price 5", "1001 restock 5")
	})
}

// exec changes the database behind everybody's back.
func (w *world) exec(query string) {
	w.t.Helper()
	raw, err := sql.Open("sqlite", "file:"+w.path+"?_pragma=busy_timeout(5000)")
	must(w.t, err)
	_, err = raw.ExecContext(w.t.Context(), query)
	must(w.t, err)
	must(w.t, raw.Close())
}

// TestARoundCutOff is made again, and tells what the first one did not come to.
func TestARoundCutOff(t *testing.T) {
	inWorld(t, operatorKey, func(t *testing.T, w *world) {
		w.watch(anna, market.SoldOut)
		rounds(1)
		w.setStock(market.SoldOut, 5)
		w.market.Fault(market.Fault{Action: "products", Kind: market.Slow, Delay: 8 * time.Second})
		rounds(1)
		must(t, w.processes[0].Stop(t.Context()))
		w.wantTold()
		w.process() // the next start
		rounds(1)
		w.wantTold("1001 restock 5")
	})
}

// TestAnAlertSetWhileTheAnswerIsOnItsWay is not told by it: the answer is older.
func TestAnAlertSetWhileTheAnswerIsOnItsWay(t *testing.T) {
	inWorld(t, operatorKey, func(t *testing.T, w *world) {
		w.watch(anna, market.SoldOut)
		w.setStock(market.SoldOut, 5)
		// The answer says 5, and comes late.
		w.market.Fault(market.Fault{Action: "products", Kind: market.Slow, Delay: 8 * time.Second, Commit: true})
		rounds(1)
		w.setStock(market.SoldOut, 0)
		must(t, w.db.RemoveWatch(t.Context(), anna, market.SoldOut, storage.WatchRestock))
		w.watch(anna, market.SoldOut)
		w.watch(boris, market.SoldOut)
		rounds(3)
		w.wantTold()
	})
}

// TestEveryRestockIsToldOnce, whatever stock, outages and restarts come: as many
// messages as a plain count of what the rounds have seen says.
func TestEveryRestockIsToldOnce(t *testing.T) {
	for seed := range 15 {
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"out", "in", "more", "down", "restart"}), 25, 25).Example(seed)
		inWorld(t, operatorKey, func(t *testing.T, w *world) {
			w.watch(anna, market.SoldOut)
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
						w.market.Fault(market.Fault{Kind: market.Refuse, Times: market.Always})
					} else {
						w.market.ClearFaults()
					}
				case "restart":
					must(t, w.processes[0].Stop(t.Context()))
					w.processes = w.processes[1:]
					w.process()
				}
				w.setStock(market.SoldOut, stock)
				rounds(1)
				switch {
				case down:
				case armed && stock > 0:
					armed, want = false, want+1
				case !armed && stock == 0:
					armed = true
				}
				if got := len(w.told()); got != want {
					t.Fatalf("after %q: told %d times, want %d", step, got, want)
				}
			}
		})
	}
}
