package orders_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestSumBelowTheBalancesDecimals(t *testing.T) {
	noAnswer := &hstock.Error{Action: "add", Kind: hstock.OutcomeUnknown}
	refused := &hstock.Error{Action: "add", Kind: hstock.RefusedOther, Refusal: "Look at your orders", Status: 200}
	for name, test := range map[string]struct {
		price    string
		quantity int64
		answer   *hstock.Error
		want     orders.Result
	}{
		"no answer":               {"0.0040", 1, noAnswer, orders.OutcomeUnknown},
		"refused":                 {"0.0040", 1, refused, orders.OutcomeUnknown},
		"refused, one for a cent": {"0.0100", 1, refused, orders.Rejected},
		"refused, two for a cent": {"0.0060", 2, refused, orders.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				price, balance := decimal.RequireFromString(test.price), decimal.RequireFromString("100.00")
				w.restart(&stub{
					Client: w.client,
					inventory: func(service int64) (hstock.Inventory, error) {
						return hstock.Inventory{Service: service, Stock: 50, Available: true, Rate: price, Min: 1, Max: 50}, nil
					},
					balance: func() (hstock.Balance, error) { return hstock.Balance{Amount: balance.Round(2), Currency: "USD"}, nil },
					add: func(context.Context, redact.Secret, hstock.AddRequest) (string, error) {
						if test.want == orders.OutcomeUnknown {
							balance = balance.Sub(price)
						}
						return "", test.answer
					},
				}, 0)
				p := w.draft(market.GmailUSA, test.quantity)
				if outcome := w.confirm(p); outcome.Result != test.want {
					t.Errorf("got %v, want %v", outcome.Result, test.want)
				}
				if test.want == orders.Rejected {
					return
				}
				testworld.Pass(10 * time.Minute)
				p, err := w.db.Purchase(t.Context(), anna, p.ID)
				testworld.Must(t, err)
				if p.Verdict != storage.VerdictUnclear {
					t.Errorf("verdict %q, want unclear", p.Verdict)
				}
			})
		})
	}
}

func TestOnePhoneBelowTheBalancesDecimals(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.restart(&stub{Client: w.client, balance: func() (hstock.Balance, error) {
			return hstock.Balance{Amount: decimal.New(100, 0), Currency: "USD"}, nil
		}}, 0)
		p := w.draftRentals(telegramUS, 3) // for 0.90 each
		w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CutBefore})
		if outcome := w.confirm(p); outcome.Result != orders.OutcomeUnknown {
			t.Fatalf("got %v", outcome.Result)
		}
		if evidence, err := w.service.Evidence(t.Context(), anna, p.ID); err != nil || evidence.Verdict != storage.VerdictUnclear {
			t.Errorf("verdict %q, want unclear, %v", evidence.Verdict, err)
		}
	})
}

func TestUndocumentedRefusalAndABalanceThatFallsLater(t *testing.T) {
	for name, test := range map[string]struct {
		charged  bool
		currency string // of the second reading
		givenUp  bool   // before it
		want     orders.Result
	}{
		"charged after 5 s": {true, "USD", false, orders.OutcomeUnknown},
		"not charged":       {false, "USD", false, orders.Rejected},
		"another currency":  {false, "EUR", false, orders.OutcomeUnknown},
		"given up":          {false, "USD", true, orders.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				var refusedAt time.Time
				w.restart(&stub{
					Client: w.client,
					balance: func() (hstock.Balance, error) {
						amount, currency := decimal.RequireFromString("100.00"), "USD"
						if !refusedAt.IsZero() && time.Since(refusedAt) > 5*time.Second {
							currency = test.currency
							if test.charged {
								amount = decimal.RequireFromString("98.75")
							}
						}
						return hstock.Balance{Amount: amount, Currency: currency}, nil
					},
					add: func(context.Context, redact.Secret, hstock.AddRequest) (string, error) {
						refusedAt = time.Now()
						return "", &hstock.Error{Action: "add", Kind: hstock.RefusedOther, Refusal: "Temporary problem", Status: 200}
					},
				}, 0)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.givenUp {
					time.AfterFunc(5*time.Second, cancel)
				}
				outcome, err := w.service.Confirm(ctx, anna, w.draft(market.GmailUSA, 1).ID, "en")
				if err != nil || outcome.Result != test.want {
					t.Errorf("got %v, %v; want %v", outcome.Result, err, test.want)
				}
			})
		})
	}
}

func TestUndocumentedRefusalAfterAnUnknownOutcome(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.unresolved(market.GmailUSA, false)
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Supplier is asleep"})
		if outcome := w.confirm(w.draft(market.GmailUSA, 1)); outcome.Result != orders.OutcomeUnknown {
			t.Errorf("got %v, want OutcomeUnknown", outcome.Result)
		}
	})
}

// TestNoVerdictWithoutTheDatabase: what the database does not tell proves nothing, neither that the
// key was removed nor that nothing else has moved the balance. The readings are made later.
func TestNoVerdictWithoutTheDatabase(t *testing.T) {
	for table, test := range map[string]struct{ column, logged string }{
		"api_keys": {"secret_sealed", "read key"},
		"orders":   {"closed_at", "look for other changes of the balance"},
	} {
		t.Run(table, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				p := w.unresolved(market.GmailUSA, true)
				w.Exec(`ALTER TABLE ` + table + ` RENAME COLUMN ` + test.column + ` TO hidden`)
				testworld.Pass(10 * time.Minute)
				got, err := w.db.Purchase(t.Context(), anna, p.ID)
				testworld.Must(t, err)
				if got.Verdict != storage.VerdictNone || got.Checks != 0 || !strings.Contains(w.Log.String(), test.logged) {
					t.Errorf("verdict %q after %d readings; logged: %s", got.Verdict, got.Checks, w.Log.String())
				}
				if evidence, err := w.service.Evidence(t.Context(), anna, p.ID); err == nil {
					t.Errorf("asked: got verdict %q", evidence.Verdict)
				}
				w.Exec(`ALTER TABLE ` + table + ` RENAME COLUMN hidden TO ` + test.column)
				testworld.Pass(10 * time.Minute)
				got, err = w.db.Purchase(t.Context(), anna, p.ID)
				testworld.Must(t, err)
				if got.Verdict != storage.VerdictBought {
					t.Errorf("at last the verdict is %q, want bought", got.Verdict)
				}
				w.wantNotified(orders.MessageOutcomeUnknown, orders.MessageVerdict)
			})
		})
	}
}

// TestUndocumentedRefusalWithoutTheDatabase: what can't be read proves nothing.
func TestUndocumentedRefusalWithoutTheDatabase(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.Fault(market.Fault{Action: "add", Kind: market.Refuse, Message: "Supplier is asleep"})
		w.at("answered", func() { w.Exec(`ALTER TABLE orders RENAME COLUMN closed_at TO hidden`) })
		outcome := w.confirm(w.draft(market.GmailUSA, 1))
		w.Exec(`ALTER TABLE orders RENAME COLUMN hidden TO closed_at`)
		if outcome.Result != orders.OutcomeUnknown {
			t.Errorf("got %v, want OutcomeUnknown", outcome.Result)
		}
	})
}
