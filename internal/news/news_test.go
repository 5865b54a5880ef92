package news_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/news"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestFirstComparisonIsNoNews(t *testing.T) {
	run(t, func(w *world) {
		w.want()
		if n := strings.Count(w.catalogue(), "\n") + 1; n != len(w.Market.Rows()) {
			w.T.Errorf("%d services are stored, want %d", n, len(w.Market.Rows()))
		}
		passRounds(3)
		w.want()
	})
}

func TestWithoutAKeyThereAreNoRounds(t *testing.T) {
	testworld.Run(t, func(base *testworld.World) {
		w := &world{World: base, db: base.OpenDB()}
		w.start()
		passRounds(3)
		if n := w.Market.Count(""); n != 0 {
			w.T.Errorf("%d calls without a key", n)
		}
		w.stop()
		w.must(w.db.Close(w.T.Context()))
	})
}

func TestRestocksDropsAndNewGoods(t *testing.T) {
	run(t, func(w *world) {
		w.must(w.Market.Remove(market.Plain)) // is new after 14 days
		passRounds(1)
		w.Exec(`DELETE FROM catalogue WHERE service = ?`, market.Plain)
		w.setStock(market.SoldOut, 5)
		w.setRate(market.GmailUSA, "1.00")
		w.setRate(market.TikTokLikes, "0.0300")
		w.setRate(market.OutlookByHand, "0.79") // less than 10 %
		w.setRate(market.ChatGPTPlus, "7.50")
		w.must(w.Market.Return(market.Plain))
		passRounds(1)
		all := []string{"restock 5", "drop 2 1.25→1 USD", "drop 18 0.036→0.03 USD", "new 22"}
		w.want(all...)
		passRounds(3)
		w.want(all...)
	})
}

// TestSelection: only what admins have selected is in the news.
func TestSelection(t *testing.T) {
	run(t, func(w *world) {
		w.must(w.Market.Remove(market.Plain))
		w.must(w.Market.Remove(market.SteamCard))
		passRounds(1)
		w.Exec(`DELETE FROM catalogue WHERE service IN (?, ?)`, market.Plain, market.SteamCard)
		var category string
		w.selectNews(func(s *news.Selection) {
			row, _ := w.Market.Row(market.ChatGPTPlus)
			category = row.Category
			s.Restocks, s.Drop, s.AllNew = false, 30, false
		})
		w.setStock(market.SoldOut, 5)
		w.setRate(market.GmailUSA, "1.00")
		w.setRate(market.OneLeft, "8.40") // 30 %
		w.must(w.Market.Return(market.Plain))
		w.must(w.Market.Return(market.SteamCard))
		passRounds(1)
		w.want("drop 14 12→8.4 USD")
		w.Exec(`DELETE FROM catalogue WHERE service IN (?, ?)`, market.Plain, market.SteamCard)
		w.Select(new([]string), `SELECT category FROM catalogue WHERE service = 19`)
		w.selectNews(func(s *news.Selection) {
			s.Categories = []string{w.categoryOf(market.ChatGPTPlus), "Steam Wallet", category}
		})
		passRounds(1)
		w.want("drop 14 12→8.4 USD")
		w.Exec(`DELETE FROM catalogue WHERE service IN (?, ?)`, market.Plain, market.ChatGPTPlus)
		passRounds(1)
		w.want("drop 14 12→8.4 USD", "new 19")
	})
}

// categoryOf returns the category of a service as the marketplace lists it.
func (w *world) categoryOf(service int64) string {
	w.T.Helper()
	var categories []string
	w.Select(&categories, `SELECT category FROM catalogue WHERE service = ?`, service)
	return categories[0]
}

func TestStockThatFlapsIsNewsOnceInSixHours(t *testing.T) {
	run(t, func(w *world) {
		flap := func() {
			for range 4 {
				w.setStock(market.SoldOut, 5)
				w.setRate(market.GmailUSA, "1.00")
				passRounds(1)
				w.setStock(market.SoldOut, 0)
				w.setRate(market.GmailUSA, "1.25")
				passRounds(1)
			}
		}
		flap()
		once := []string{"restock 5", "drop 2 1.25→1 USD"}
		w.want(once...)
		testworld.Pass(6 * time.Hour)
		flap()
		w.want(append(once, once...)...)
	})
}

// TestWhatVanishesForLessThanAnHourIsSilent: it is as if it had been there.
func TestWhatVanishesForLessThanAnHourIsSilent(t *testing.T) {
	run(t, func(w *world) {
		w.must(w.Market.Remove(market.GmailUSA))
		passRounds(11)
		w.must(w.Market.Return(market.GmailUSA))
		passRounds(1)
		w.want()
		w.must(w.Market.Remove(market.GmailUSA))
		passRounds(14)
		w.must(w.Market.Return(market.GmailUSA))
		passRounds(1)
		w.want("restock 2")
	})
}

// TestWhatTheBotCantOrderIsNoNews: SMM services that need more than a link.
func TestWhatTheBotCantOrderIsNoNews(t *testing.T) {
	run(t, func(w *world) {
		w.must(w.Market.SetType(market.TikTokLikes, "Poll"))
		passRounds(1)
		w.setRate(market.TikTokLikes, "0.0100")
		passRounds(1)
		w.want()
	})
}

// TestBadAnswersChangeNothing: the next good answer is compared with the one before.
func TestBadAnswersChangeNothing(t *testing.T) {
	row := func(service int) string {
		return fmt.Sprintf(`{"service":%d,"name":"A","category":"B","rate":"0.0100","min":1,"max":9,"stock":5}`, service)
	}
	var rows []string // as many as there are
	for service := range len(market.New(market.Options{}).Rows()) {
		rows = append(rows, row(service+1))
	}
	faults := map[string]market.Fault{
		"no services":             {Action: "services", Kind: market.Answer, Body: `{"services":[],"total":0}`},
		"fewer than it counts":    {Action: "services", Kind: market.Answer, Body: fmt.Sprintf(`{"services":[%s],"total":%d,"total_pages":1}`, strings.Join(rows, ","), len(rows)+1)},
		"less than half":          {Action: "services", Kind: market.Answer, Body: `{"services":[` + row(2) + `,` + row(5) + `],"total":2}`},
		"a service without price": {Action: "services", Kind: market.Answer, Body: `[` + strings.Join(rows, ",") + `,{"service":5}]`},
		"another currency":        {Action: "balance", Kind: market.Answer, Body: `{"balance":"5","currency":"EUR"}`},
	}
	for _, kind := range []market.FaultKind{market.HTML502, market.Empty, market.Garbage, market.Cut, market.TooMany, market.Refuse} {
		faults[string(kind)] = market.Fault{Kind: kind}
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				before := w.catalogue()
				fault.Times = market.Always
				if fault.Action == "balance" {
					fault.Times = 1 // of the two that a round makes
				}
				w.setStock(market.SoldOut, 5)
				w.Market.Fault(fault)
				rounds := 5
				if fault.Action == "balance" {
					rounds = 1
				}
				passRounds(rounds)
				w.want()
				if w.catalogue() != before {
					w.T.Error("the stored catalogue has changed")
				}
				w.Market.ClearFaults()
				passRounds(1)
				w.want("restock 5")
				for _, line := range []string{"news round failed", "news round recovered"} {
					if n := strings.Count(w.Log.String(), line); n != 1 {
						w.T.Errorf("%q is logged %d times:\n%s", line, n, w.Log)
					}
				}
			})
		})
	}
}

// TestAnotherAccountIsANewBase: prices in another currency, or of another account, are not
// compared.
func TestAnotherAccountIsANewBase(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"currency": func(w *world) {
			w.must(w.Market.SetPriceFactor(string(testworld.OperatorKey), "0.01"))
			w.Market.AddKey(string(testworld.OperatorKey), "100", "BTC")
			w.must(w.Market.SetPriceFactor(string(testworld.OperatorKey), "0.01"))
			passRounds(1)
		},
		"key": func(w *world) {
			w.key = "another-operators-key-0123456789"
			w.Market.AddKey(string(w.key), "100", "USD")
			w.must(w.Market.SetPriceFactor(string(w.key), "0.5"))
			w.restart(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				w.setStock(market.SoldOut, 5)
				change(w)
				w.want()
				w.setStock(market.ChatGPTPlus, 0)
				passRounds(1)
				w.setStock(market.ChatGPTPlus, 5)
				passRounds(1)
				w.want("restock 19")
			})
		})
	}
}

func TestRestartsAndLongPauses(t *testing.T) {
	for name, test := range map[string]struct {
		pause time.Duration
		want  []string
	}{
		"at once":         {0, []string{"restock 5", "drop 2 1.25→1 USD"}},
		"after 23 hours":  {23 * time.Hour, []string{"restock 5", "drop 2 1.25→1 USD"}},
		"after 25 hours":  {25 * time.Hour, nil},
		"after two weeks": {15 * 24 * time.Hour, nil},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				w.setStock(market.SoldOut, 5)
				w.setRate(market.GmailUSA, "1.00")
				w.must(w.Market.Remove(market.Plain))
				w.restart(test.pause)
				w.want(test.want...)
				w.must(w.Market.Return(market.Plain))
				passRounds(1)
				if len(test.want) == 0 { // the base did not have it
					test.want = []string{"new 22"}
				}
				w.want(test.want...)
			})
		})
	}
}

// TestRoundThatIsCutOff: what it has not stored is news of the next round.
func TestRoundThatIsCutOff(t *testing.T) {
	run(t, func(w *world) {
		w.setStock(market.SoldOut, 5)
		accept := w.Refuse(`INSERT ON news FOR EACH ROW`)
		passRounds(1)
		w.want()
		accept()
		passRounds(1)
		w.want("restock 5")
	})
	testworld.Run(t, func(base *testworld.World) { // the first one
		w := &world{World: base, db: base.OpenDB(), key: testworld.OperatorKey}
		accept := w.Refuse(`INSERT ON catalogue FOR EACH ROW WHEN NEW.service = 22`)
		w.start()
		passRounds(1)
		accept()
		passRounds(2)
		w.want()
		w.stop()
		w.must(w.db.Close(w.T.Context()))
	})
}

// TestOneOfTwoProcessesStores: during a failover two may make rounds.
func TestOneOfTwoProcessesStores(t *testing.T) {
	run(t, func(w *world) {
		w.setStock(market.SoldOut, 5)
		current, err := w.db.ChangeCatalogue(w.T.Context(), "news_round", "of another process", []storage.CatalogueChange{{Item: storage.CatalogueItem{Service: 999}}})
		if err != nil || current || strings.Contains(w.catalogue(), "999") {
			w.T.Errorf("a process that was overtaken has stored a service: %t, %v", current, err)
		}
		first := w.process
		w.start()
		passRounds(4)
		w.want("restock 5")
		w.must(first.Stop(w.T.Context()))
	})
}

// TestNamesAreInTheLanguageOfTheNews, and in English while the marketplace can't tell them.
func TestNamesAreInTheLanguageOfTheNews(t *testing.T) {
	run(t, func(w *world) {
		w.lang = "ru"
		w.setStock(market.SoldOut, 5)
		passRounds(1)
		w.lang = ""
		w.setRate(market.TelegramMembers, "0.50")
		passRounds(1)
		w.want("restock 5", "drop 16 1.2→0.5 USD")
		var names []string
		w.Select(&names, `SELECT name FROM news ORDER BY at`)
		row, _ := w.Market.Row(market.TelegramMembers)
		if len(names) != 2 || !strings.ContainsAny(names[0], "абвгдежзиклмнопрст") || names[1] != row.Name {
			w.T.Errorf("the names are %q", names)
		}
	})
}

// TestUnchangedServicesAreNotWritten: a round without changes writes its state only.
func TestUnchangedServicesAreNotWritten(t *testing.T) {
	run(t, func(w *world) {
		accept := w.Refuse(`UPDATE ON catalogue FOR EACH ROW`)
		w.setStock(market.GmailUSA, 7) // is in stock as before
		passRounds(2)
		accept()
		if strings.Contains(w.Log.String(), "news round failed") {
			w.T.Errorf("a round has written:\n%s", w.Log)
		}
	})
}
