package orders_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/storage"
)

// What one person, one row or one moment has wrong is nobody else's trouble.

const borisKey = redact.Secret("boris-key-0123456789abcdef")

func (w *world) addBoris() {
	w.t.Helper()
	w.market.AddKey(borisKey.Reveal(), "100.00", "USD")
	w.addUser(boris, borisKey)
}

// draftOf stores a draft of one account for somebody.
func (w *world) draftOf(user int64) storage.Purchase {
	w.t.Helper()
	quote, err := w.service.Draft(w.t.Context(), orders.Intent{UserID: user, Row: w.row(market.GmailUSA), Quantity: 1})
	must(w.t, err)
	return quote.Purchase
}

// damage changes the database behind everybody's back.
func (w *world) damage(query string, args ...any) {
	w.t.Helper()
	raw, err := sql.Open("sqlite", "file:"+w.path+"?_pragma=busy_timeout(5000)")
	must(w.t, err)
	_, err = raw.ExecContext(w.t.Context(), query, args...)
	must(w.t, err)
	must(w.t, raw.Close())
}

// toldTo reports whether somebody was told something of that kind.
func (w *world) toldTo(user int64, kind string) bool {
	w.told()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.sent, func(m storage.Message) bool { return m.UserID == user && m.Kind == kind })
}

const unreadable = "v1.00000000.AAAA" // sealed with a key that nobody has

func TestADamagedMessageHoldsUpNobody(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addBoris()
		w.sending = func(storage.Message) error { return errors.New("telegram is down") }
		w.confirm(w.draftOf(anna))
		w.confirm(w.draftOf(boris))
		pass(time.Minute)
		w.damage(`UPDATE outbox SET body_sealed = ? WHERE user_id = ?`, unreadable, anna)
		w.damage(`UPDATE outbox SET next_try_at = 1, lease_until = 0`) // both at once
		w.mu.Lock()
		w.sending = nil
		w.mu.Unlock()
		pass(20 * time.Minute)
		if !w.toldTo(boris, orders.MessageGoods) {
			t.Error("Boris's goods never arrive")
		}
	})
}

func TestADamagedPurchaseHoldsUpNobody(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addBoris()
		w.market.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose, Times: 2})
		w.confirm(w.draftOf(anna))
		w.confirm(w.draftOf(boris))
		w.damage(`UPDATE purchases SET link_sealed = ? WHERE user_id = ?`, unreadable, anna)
		pass(20 * time.Minute)
		if !w.toldTo(boris, orders.MessageVerdict) {
			t.Error("Boris never gets a verdict")
		}
	})
}

func TestADamagedKeyHoldsUpNobody(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addBoris()
		must(t, w.market.Hold(market.GmailUSA, true))
		w.confirm(w.draftOf(anna))
		w.confirm(w.draftOf(boris))
		w.damage(`UPDATE api_keys SET secret_sealed = ? WHERE user_id = ?`, unreadable, anna)
		w.damage(`UPDATE orders SET next_poll_at = (SELECT MIN(next_poll_at) FROM orders)`)
		must(t, w.market.Finish(market.FirstOrder+1))
		pass(20 * time.Minute)
		if !w.toldTo(boris, orders.MessageGoods) {
			t.Error("Boris's goods never come")
		}
	})
}

// TestAPanicIsOneMessagesTrouble: it is tried again like any failure.
func TestAPanicIsOneMessagesTrouble(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.addBoris()
		w.sending = func(m storage.Message) error {
			if m.UserID == anna && m.Tries < 3 {
				defer w.mu.Lock() // send holds it; a panic must not keep it
				w.mu.Unlock()
				panic("a template")
			}
			return nil
		}
		w.confirm(w.draftOf(anna))
		w.confirm(w.draftOf(boris))
		pass(5 * time.Minute)
		if !w.toldTo(boris, orders.MessageGoods) || !w.toldTo(anna, orders.MessageGoods) {
			t.Errorf("told %q", w.told())
		}
	})
}

// TestSlowSendingRepeatsNothing: the lease lasts as long as somebody is served.
func TestSlowSendingRepeatsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.sending = func(storage.Message) error {
			w.mu.Unlock()
			defer w.mu.Lock()
			time.Sleep(25 * time.Second)
			return nil
		}
		must(t, w.market.Hold(market.GmailUSA, true))
		for i := range int64(8) {
			w.buy(market.GmailUSA, 1)
			must(t, w.market.Finish(market.FirstOrder+i))
		}
		other := w.newService() // another process on the same database
		other.Start()
		pass(20 * time.Minute)
		must(t, other.Stop(t.Context()))
		if got := len(w.accounts()); got != 8 {
			t.Errorf("8 accounts arrived %d times", got)
		}
	})
}

// TestASlipOfTheMarketplacesLogin: a key refused once is not refused for good.
func TestASlipOfTheMarketplacesLogin(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 1)
		w.market.Fault(market.Fault{Action: "status", Kind: market.Refuse, Message: "Invalid API key"})
		pass(time.Minute)
		w.wantTold(orders.MessageInvalidKey)
		must(t, w.market.Finish(order.ExternalID))
		pass(2 * time.Hour) // without anybody doing anything
		w.wantTold(orders.MessageInvalidKey, orders.MessageGoods)

		w.market.Fault(market.Fault{Action: "balance", Kind: market.Refuse, Message: "Invalid API key"})
		if outcome := w.confirm(w.draftOrRetry()); outcome.Result != orders.Placed {
			t.Errorf("buying after a slip came to %v", outcome.Result)
		}
		must(t, w.market.Finish(market.FirstOrder+1))
		pass(10 * time.Minute)
		w.wantTold(orders.MessageInvalidKey, orders.MessageGoods, orders.MessageInvalidKey, orders.MessageGoods)
	})
}

// draftOrRetry drafts again after a first failure, as a person does.
func (w *world) draftOrRetry() storage.Purchase {
	w.t.Helper()
	intent := orders.Intent{UserID: anna, Row: w.row(market.GmailUSA), Quantity: 1}
	if _, err := w.service.Draft(w.t.Context(), intent); err == nil {
		w.t.Fatal("the slip did not show")
	}
	quote, err := w.service.Draft(w.t.Context(), intent)
	must(w.t, err)
	return quote.Purchase
}

// cheap is a marketplace whose balance is in cents and whose goods cost less.
type cheap struct {
	*hstock.Client
	answer error
	bought int64
}

func (c *cheap) Inventory(_ context.Context, _ redact.Secret, service int64, _ string) (hstock.Inventory, error) {
	return hstock.Inventory{Service: service, Stock: 50, Available: true, Rate: decimal.RequireFromString("0.0040"), Min: 1, Max: 50}, nil
}

func (c *cheap) Balance(context.Context, redact.Secret) (hstock.Balance, error) {
	exact := decimal.RequireFromString("100.00").Sub(decimal.New(4, -3).Mul(decimal.NewFromInt(c.bought)))
	return hstock.Balance{Amount: exact.Round(2), Currency: "USD"}, nil
}

func (c *cheap) Add(context.Context, redact.Secret, hstock.AddRequest) (int64, error) {
	c.bought++
	return 0, c.answer
}

// TestASumTooSmallForTheBalance: that it did not fall proves nothing.
func TestASumTooSmallForTheBalance(t *testing.T) {
	for name, answer := range map[string]*hstock.Error{
		"lost":    {Action: "add", Kind: hstock.OutcomeUnknown},
		"refused": {Action: "add", Kind: hstock.RefusedOther, Refusal: "Look at your orders", Status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				must(t, w.service.Stop(t.Context()))
				w.service = orders.New(orders.Options{
					DB: w.db, Market: &cheap{Client: w.client, answer: answer}, SMMRatePer: 1000, Rate: 20, Send: w.send, Log: discard,
				})
				w.service.Start()
				p := w.draftOf(anna)
				if outcome := w.confirm(p); outcome.Result != orders.Unknown {
					t.Errorf("got %v, want Unknown", outcome.Result)
				}
				pass(10 * time.Minute)
				p, err := w.db.Purchase(t.Context(), anna, p.ID)
				must(t, err)
				if p.Verdict != storage.VerdictUnclear {
					t.Errorf("verdict %q, want unclear", p.Verdict)
				}
			})
		})
	}
}

// interrupting is a marketplace during whose answer something happens.
type interrupting struct {
	*hstock.Client
	then func()
}

func (i *interrupting) Add(ctx context.Context, key redact.Secret, request hstock.AddRequest) (int64, error) {
	number, err := i.Client.Add(ctx, key, request)
	i.then()
	return number, err
}

// TestANumberIsKeptUntilTheDatabaseTakesIt, and told of then.
func TestANumberIsKeptUntilTheDatabaseTakesIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		must(t, w.service.Stop(t.Context()))
		w.service = orders.New(orders.Options{
			DB: w.db, SMMRatePer: 1000, Rate: 20, Send: w.send, Log: discard,
			Market: &interrupting{Client: w.client, then: func() {
				w.damage(`CREATE TRIGGER full BEFORE INSERT ON orders BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
			}},
		})
		w.service.Start()
		p := w.draftOf(anna)
		if outcome := w.confirm(p); outcome.Result != orders.InProgress {
			t.Errorf("got %v, want InProgress", outcome.Result)
		}
		w.damage(`DROP TRIGGER full`)
		pass(10 * time.Minute)
		if again := w.confirm(p); again.Result != orders.Placed {
			t.Errorf("later: %v, want Placed", again.Result)
		}
		if !w.toldTo(anna, orders.MessageOutcome) || !w.toldTo(anna, orders.MessageGoods) {
			t.Errorf("told %q", w.told())
		}
		w.wantAdds(1)
	})
}

// TestADismissedPurchasesNumberStillWins, whatever became of its key.
func TestADismissedPurchasesNumberStillWins(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.unknown(market.GmailUSA, true)
		must(t, w.service.Dismiss(t.Context(), anna, p.ID))
		w.market.AddKey("anna-second-key-0123456789", "5.00", "USD")
		_, err := w.db.SaveKey(t.Context(), anna, "anna-second-key-0123456789")
		must(t, err)
		_, err = w.service.Adopt(t.Context(), anna, p.ID, market.FirstOrder)
		must(t, err)
	})
}

// TestAnotherCurrencyIsAskedAgain: the sum on the card is not the one to be paid.
func TestAnotherCurrencyIsAskedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.draft(market.GmailUSA, 1)
		w.market.AddKey(annaKey.Reveal(), "100.00", "EUR")
		if outcome := w.confirm(p); outcome.Result != orders.Redrawn || outcome.Changes[0] != orders.ChangeCurrency {
			t.Errorf("got %+v, want the card redrawn because of the currency", outcome)
		}
		w.wantAdds(0)
	})
}
