package orders_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/links"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// items are the goods of the catalogue.
func (w *world) items() map[int64]hstock.Item {
	w.t.Helper()
	items := map[int64]hstock.Item{}
	for _, row := range w.Market.Rows() {
		items[row.Service] = w.item(row.Service)
	}
	return items
}

// variants is a line whose goods are of more than one kind.
func variants() orders.Intent {
	return orders.Intent{Item: hstock.Item{Service: market.NetflixVariants, Name: "Netflix", EntityType: hstock.EntityProduct}, Quantity: 1}
}

// TestPriceOfBasket: the sum, whether it is only likely, and what the balance lacks. SMM has an
// estimated price, so a low balance does not block it.
func TestPriceOfBasket(t *testing.T) {
	for name, test := range map[string]struct {
		lines        []orders.Intent
		balance      string
		total, other string // other: the other reading of the SMM rate, "" where there is none
		short        string
		estimate     bool
		blocked      bool
	}{
		"goods":                   {lines: []orders.Intent{goods(2), goods(1)}, balance: "100", total: "3.75", short: "-96.25"},
		"the last money":          {lines: []orders.Intent{goods(2), goods(1)}, balance: "3.75", total: "3.75", short: "0"},
		"a cent too little":       {lines: []orders.Intent{goods(2), goods(1)}, balance: "3.74", total: "3.75", short: "0.01", blocked: true},
		"variants":                {lines: []orders.Intent{goods(1), variants()}, balance: "4.75", total: "4.75", short: "0", estimate: true},
		"variants, then goods":    {lines: []orders.Intent{variants(), goods(1)}, balance: "4.74", total: "4.75", short: "0.01", estimate: true, blocked: true},
		"SMM":                     {lines: []orders.Intent{likes(basketLinks[0])}, balance: "0.40", total: "0.5", other: "500", short: "0.1", estimate: true},
		"SMM and goods":           {lines: []orders.Intent{likes(basketLinks[0]), goods(1)}, balance: "1.25", total: "1.75", other: "501.25", short: "0.5", estimate: true},
		"goods that are too dear": {lines: []orders.Intent{goods(1), likes(basketLinks[0])}, balance: "1.24", total: "1.75", other: "501.25", short: "0.51", estimate: true, blocked: true},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), test.balance))
				quote := w.fillBasket(test.lines...)
				other := ""
				if quote.OtherTotal.Valid {
					other = quote.OtherTotal.Decimal.String()
				}
				if !quote.Total.Equal(dec(test.total)) || other != test.other || !quote.Short.Equal(dec(test.short)) || quote.Estimate != test.estimate || quote.Blocked != test.blocked {
					t.Errorf("total %s, other %q, short %s, estimate %v, blocked %v", quote.Total, other, quote.Short, quote.Estimate, quote.Blocked)
				}
				if !quote.Balance.Equal(dec(test.balance)) || quote.Currency != "USD" || quote.Choice {
					t.Errorf("%s %s, a choice: %v", quote.Balance, quote.Currency, quote.Choice)
				}
			})
		})
	}
}

// TestBasketAfterACharge: a charge has confirmed what the SMM rate is for, so one sum is left.
// Who has an allowance, too, can choose what pays.
func TestBasketAfterACharge(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.buy(market.InstagramFollowers, 1000)
		testworld.Pass(time.Minute)
		w.addHouse(anna)
		w.addUser(anna, testworld.AnnaKey) // the key that was given last pays
		if quote := w.fillBasket(likes(basketLinks[0])); quote.OtherTotal.Valid || !quote.Choice || quote.Allowance.UserID != 0 {
			t.Errorf("other total %v, choice %v, allowance %+v", quote.OtherTotal, quote.Choice, quote.Allowance)
		}
	})
}

// TestWarningsOfBasket: a link that does not suit, a line that is there already, an order that
// still runs on the link, and a purchase of the very same a moment ago.
func TestWarningsOfBasket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.InstagramFollowers, true))
		running := w.buy(market.InstagramFollowers, 500) // on https://instagram.com/anna
		misfit, few := likes(basketLinks[0]), likes(basketLinks[1])
		misfit.Misfit, few.Quantity = links.MisfitPost, 200
		quote := w.fillBasket(misfit, likes(basketLinks[1]), few, likes("https://www.instagram.com/two/"), likes(basketLinks[1]),
			likes("https://instagram.com/anna"), goods(1), variants(), goods(1))
		for i, want := range []orders.LineWarnings{
			0: {Misfit: links.MisfitPost},
			3: {Twin: 2}, // spelled in another way
			4: {Twin: 2}, // the first of them
			5: {Running: storage.Earlier{Purchase: running.PurchaseID, ExternalID: running.ExternalID, Quantity: 500}},
			8: {Twin: 7},
		} {
			got := quote.Warnings[quote.Lines[i].ID]
			got.Running.Remains = nil
			if got != want || got.Any() != (want != orders.LineWarnings{}) {
				t.Errorf("line %d: %+v, want %+v", i+1, got, want)
			}
		}
	})
}

// TestLinesThatCannotBeBought are said, and count for nothing.
func TestLinesThatCannotBeBought(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *world, items map[int64]hstock.Item)
		line   orders.Intent
		alone  bool // with no other line
		fault  string
	}{
		"too few":       {line: likesOf(99), fault: orders.FaultLimits},
		"too many":      {line: likesOf(10_001), fault: orders.FaultLimits},
		"the most":      {line: likesOf(10_000)},
		"none are left": {line: goods(1), fault: orders.FaultSoldOut, change: func(w *world, _ map[int64]hstock.Item) { testworld.Must(w.t, w.Market.SetStock(market.GmailUSA, 0)) }},
		"not in the catalogue": {line: goods(1), fault: orders.FaultGone, change: func(_ *world, items map[int64]hstock.Item) {
			delete(items, market.GmailUSA)
		}},
		"not in the marketplace": {line: goods(1), fault: orders.FaultGone, change: func(w *world, _ map[int64]hstock.Item) { testworld.Must(w.t, w.Market.Remove(market.GmailUSA)) }},
		"needs more than a link": {line: likesOf(1000), fault: orders.FaultNeedsMore, change: func(_ *world, items map[int64]hstock.Item) {
			item := items[market.InstagramFollowers]
			item.Type = "Custom Comments"
			items[market.InstagramFollowers] = item
		}},
		"goods by now": {line: orders.Intent{Item: hstock.Item{Service: market.GmailUSA, EntityType: hstock.EntitySMM}, Link: basketLinks[0], Quantity: 1}, fault: orders.FaultGone},
		"SMM by now":   {line: orders.Intent{Item: hstock.Item{Service: market.InstagramFollowers, EntityType: hstock.EntityProduct}, Quantity: 1000}, fault: orders.FaultGone},
		"a list that does not say what it is": {line: likesOf(1000), change: func(_ *world, items map[int64]hstock.Item) {
			item := items[market.InstagramFollowers]
			item.EntityType = ""
			items[market.InstagramFollowers] = item
		}},
		"goods in a list of SMM": {line: goods(1), change: func(_ *world, items map[int64]hstock.Item) {
			item := items[market.GmailUSA]
			item.EntityType = hstock.EntitySMM // the stock is right
			items[market.GmailUSA] = item
		}},
		"a stock that does not say what it is": {line: likesOf(1000), alone: true, change: func(w *world, _ map[int64]hstock.Item) {
			w.untypedStock(`{"service":1,"stock":10000,"available":true,"rate":"0.50","min":100,"max":10000}`)
		}},
		"goods, if the list says SMM and the stock nothing": {line: goods(1), alone: true, fault: orders.FaultGone, change: func(w *world, items map[int64]hstock.Item) {
			item := items[market.GmailUSA]
			item.EntityType = hstock.EntitySMM
			items[market.GmailUSA] = item
			w.untypedStock(`{"service":2,"stock":50,"available":true,"rate":"1.25","min":1,"max":50}`)
		}},
		"a link that can't be read": {line: likesOf(1000), fault: orders.FaultGone, change: func(w *world, _ map[int64]hstock.Item) {
			w.Exec(`UPDATE basket_lines SET link_sealed = ? WHERE quantity = 1000`, unreadable)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				items := w.items()
				testworld.Must(t, w.service.AddToBasket(t.Context(), anna, w.nextUpdate(), []orders.Intent{variants(), test.line}))
				if test.alone {
					w.Exec(`DELETE FROM basket_lines WHERE service = ?`, market.NetflixVariants)
				}
				if test.change != nil {
					test.change(w, items)
				}
				b, err := w.db.Basket(t.Context(), anna, 0)
				testworld.Must(t, err)
				before := slices.Clone(b.Lines)
				quote, err := w.service.PriceBasket(t.Context(), b, items, "en")
				testworld.Must(t, err)
				total := decimal.Zero
				for _, line := range quote.Lines {
					want := ""
					if line.Service == test.line.Item.Service {
						want = test.fault
					}
					if line.Fault != want {
						t.Errorf("the fault of %s is %q, want %q", line.Name, line.Fault, want)
					}
					if want == "" {
						total = total.Add(quote.Shown(line))
					}
				}
				if !quote.Total.Equal(total) {
					t.Errorf("the total is %s, want %s", quote.Total, total)
				}
				if !slices.Equal(b.Lines, before) {
					t.Error("the caller's basket is changed")
				}
			})
		})
	}
}

// untypedStock makes the next stock one that is of neither kind.
func (w *world) untypedStock(body string) {
	w.Market.Fault(market.Fault{Action: "inventory", Kind: market.Answer, Body: body})
}

func likesOf(quantity int64) orders.Intent {
	intent := likes(basketLinks[0])
	intent.Quantity = quantity
	return intent
}

// TestNoCardOfBasket: nothing is priced where nothing can be bought.
func TestNoCardOfBasket(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *world)
		is     func(err error) bool
	}{
		"maintenance": {
			func(w *world) {
				testworld.Must(w.t, w.db.SetMaintenance(w.t.Context(), time.Now(), storage.AuditEntry{AdminID: olga}))
			},
			func(err error) bool { return errors.Is(err, orders.ErrMaintenance) },
		},
		"a restored database that no admin has looked at": {
			func(w *world) { testworld.Must(w.t, w.db.SetSetting(w.t.Context(), "restored", "1 1 backup")) },
			func(err error) bool { return errors.Is(err, storage.ErrRestored) },
		},
		"no key": {
			func(w *world) { testworld.Must(w.t, w.db.RemoveKey(w.t.Context(), anna)) },
			func(err error) bool { return errors.Is(err, orders.ErrNoKey) },
		},
		"another currency": {
			func(w *world) {
				w.answers("inventory", `{"service":2,"stock":50,"available":true,"rate":"1.25 EUR","min":1,"max":50,"entityType":"product"}`)
			},
			func(err error) bool { kind, _ := hstock.KindOf(err); return kind == hstock.Unreadable },
		},
		"a stock that can't be read": {
			func(w *world) {
				w.Market.Fault(market.Fault{Action: "inventory", Kind: market.HTML502, Times: market.Always})
			},
			func(err error) bool { return err != nil && !errors.Is(err, hstock.ErrServiceNotFound) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				before := w.fillBasket(goods(1)).Basket
				test.change(w)
				if _, err := w.service.PriceBasket(t.Context(), before, w.items(), "en"); !test.is(err) {
					t.Errorf("got %v", err)
				}
				if after, err := w.db.Basket(t.Context(), anna, 0); err != nil || after.Revision != before.Revision {
					t.Errorf("revision %d, want %d, %v", after.Revision, before.Revision, err)
				}
			})
		})
	}
}

// TestBasketWithRefusedKey: the person is told, and the key is used again when the marketplace
// accepts it.
func TestBasketWithRefusedKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		b := w.fillBasket(goods(1)).Basket
		w.Market.RemoveKey(testworld.AnnaKey.Reveal())
		if _, err := w.service.PriceBasket(t.Context(), b, w.items(), "en"); !errors.Is(err, hstock.ErrInvalidKey) {
			t.Errorf("got %v, want ErrInvalidKey", err)
		}
		testworld.Pass(time.Second)
		if key, err := w.db.ActiveKey(t.Context(), anna); err != nil || !key.Invalid || !w.notified(anna, orders.MessageInvalidKey) {
			t.Errorf("refused %v, %v, told %v", key.Invalid, err, w.notified(anna, orders.MessageInvalidKey))
		}
		w.Market.AddKey(testworld.AnnaKey.Reveal(), "100.00", "USD")
		quote := w.priceBasket()
		if key, err := w.db.ActiveKey(t.Context(), anna); err != nil || key.Invalid {
			t.Errorf("refused %v, %v", key.Invalid, err)
		}
		w.startBasket(quote)
		testworld.Pass(time.Minute)
		w.wantBasket(quote.ID, "", 1, 0)
	})
}

// TestBasketThatHasChangedMeanwhile is returned as it is, without prices: those were read for
// other lines. So is one that runs, for which nothing is read.
func TestBasketThatHasChangedMeanwhile(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		older := w.fillBasket(goods(1)).Basket
		newer := w.fillBasket(goods(2))
		quote, err := w.service.PriceBasket(t.Context(), older, w.items(), "en")
		if err != nil || quote.Priced() || quote.Revision != newer.Revision || len(quote.Lines) != 2 || !newer.Priced() {
			t.Errorf("got %+v, %v", quote, err)
		}
		w.startBasket(newer)
		running, err := w.db.Basket(t.Context(), anna, 0)
		testworld.Must(t, err)
		calls := w.Market.Count("balance")
		if quote, err = w.service.PriceBasket(t.Context(), running, w.items(), "en"); err != nil || quote.Priced() || quote.State != storage.BasketRunning {
			t.Errorf("got %+v, %v", quote, err)
		}
		w.wantCalls("balance", calls)
		testworld.Pass(time.Minute)
		w.wantBasket(newer.ID, "", 2, 0)
	})
}

// TestBasketReadsEachStockOnce, however many of its lines are of one service.
func TestBasketReadsEachStockOnce(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world) {
		w.fillBasket(goods(1), likes(basketLinks[0]), goods(2), likes(basketLinks[1]))
		w.wantCalls("inventory", 2)
		w.wantCalls("balance", 1)
	})
}
