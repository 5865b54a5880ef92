package orders_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestStatementOfACardThatFails is TestStatementThatFails for what draws a card.
func TestStatementOfACardThatFails(t *testing.T) {
	priceOf := func(w *world, b storage.Basket) tap {
		items := w.items()
		return func(ctx context.Context) (string, error) {
			q, err := w.service.PriceBasket(ctx, b, items, "en")
			running, repeated := 0, 0
			for _, warning := range q.Warnings {
				running, repeated = running+min(int(warning.Running.Purchase), 1), repeated+min(int(warning.Repeated.Purchase), 1)
			}
			key, keyErr := w.db.ActiveKey(w.t.Context(), anna)
			testworld.Must(w.t, keyErr)
			return fmt.Sprint(q.ID == b.ID, q.Total, q.OtherTotal.Valid, q.Choice, running, repeated, key.Invalid), err
		}
	}
	draw := func(w *world, user, service int64) tap {
		item := w.item(service)
		return func(ctx context.Context) (string, error) {
			q, err := w.service.Draft(ctx, orders.Intent{UserID: user, Item: item, Quantity: 1000, Link: "https://instagram.com/anna"})
			return fmt.Sprint(q.Purchase.Rate, q.OtherTotal.Valid, q.Allowance.UserID != 0, q.Running.Purchase != 0, q.Repeated.Purchase != 0, q.Choice), err
		}
	}
	bought := func(w *world) { // a charge has confirmed what the SMM rate is for, and the order still runs
		w.addHouse(anna)
		w.addUser(anna, testworld.AnnaKey) // the key that was given last pays
		testworld.Must(w.t, w.Market.Hold(market.InstagramFollowers, true))
		w.buy(market.InstagramFollowers, 1000)
		testworld.Pass(time.Minute)
	}
	failStatements(t, map[string]statementCase{
		"price on a card of an allowance": {
			begin: func(w *world) func() tap {
				w.addHouse(clara)
				return always(func(ctx context.Context) (string, error) {
					quote, err := w.service.Draft(ctx, orders.Intent{UserID: clara, Item: w.item(market.GmailUSA), Quantity: 1})
					if err != nil {
						return "", err
					}
					return fmt.Sprint(quote.Purchase.Shown(), quote.Allowance.Amount), nil
				})
			},
			want: []string{"1.38 20"},
		},
		"drawing the card of a basket": {
			begin: func(w *world) func() tap {
				bought(w)
				w.fillBasket(goods(1), likes("https://instagram.com/anna"))
				return func() tap {
					b, err := w.db.Basket(w.t.Context(), anna, 0)
					testworld.Must(w.t, err)
					return priceOf(w, b)
				}
			},
			want: []string{"true 1.75 false true 1 1 false"},
		},
		"drawing the card of a basket that has changed": {
			begin: func(w *world) func() tap {
				older := w.fillBasket(goods(1)).Basket
				w.fillBasket(likes(basketLinks[0]))
				return always(priceOf(w, older))
			},
			want: []string{"true 0 false false 0 0 false"},
		},
		"drawing the card of a basket in maintenance": {
			begin: func(w *world) func() tap {
				b := w.fillBasket(goods(1)).Basket
				testworld.Must(w.t, w.db.SetMaintenance(w.t.Context(), time.Now(), storage.AuditEntry{AdminID: olga}))
				return always(priceOf(w, b))
			},
			err: orders.ErrMaintenance, never: "add",
		},
		"drawing the card of a basket with a key that was refused": {
			begin: func(w *world) func() tap {
				w.fillBasket(goods(1))
				return func() tap {
					w.Exec(`UPDATE api_keys SET invalid = 1`)
					b, err := w.db.Basket(w.t.Context(), anna, 0)
					testworld.Must(w.t, err)
					return priceOf(w, b)
				}
			},
			want: []string{"true 1.25 false false 0 0 false"},
		},
		"drawing a card": {
			begin: func(w *world) func() tap {
				bought(w)
				return always(draw(w, anna, market.InstagramFollowers))
			},
			want: []string{"0.5 false false true true true"},
		},
		"drawing a card of an allowance": {
			begin: func(w *world) func() tap {
				w.addHouse(clara)
				w.give(clara, "1000")
				return always(draw(w, clara, market.InstagramFollowers))
			},
			want: []string{"0.5 true true false false false"},
		},
		"drawing a card in maintenance": {
			begin: func(w *world) func() tap {
				testworld.Must(w.t, w.db.SetMaintenance(w.t.Context(), time.Now(), storage.AuditEntry{AdminID: olga}))
				return always(draw(w, anna, market.GmailUSA))
			},
			err: orders.ErrMaintenance, never: "inventory",
		},
		"drawing anew what was drawn before a restoration": {
			begin: func(w *world) func() tap {
				return func() tap {
					p := w.draft(market.GmailUSA, 1)
					w.raiseEpoch()
					return func(ctx context.Context) (string, error) {
						quote, err := w.service.DraftAgain(ctx, p, "en")
						return fmt.Sprint(quote.Restored), err
					}
				}
			},
			want: []string{"true"},
		},
		"showing what is too dear, after a restoration": {
			begin: func(w *world) func() tap {
				testworld.Must(w.t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "1"))
				return func() tap {
					p := w.draft(market.GmailUSA, 1)
					testworld.Must(w.t, w.db.SetBalanceWatch(w.t.Context(), storage.BalanceWatch{UserID: anna, Kind: storage.BalanceTopUp, PurchaseID: p.ID, StartedAt: time.Now(), NextAt: time.Now()}))
					w.raiseEpoch()
					return func(ctx context.Context) (string, error) {
						quote, err := w.service.QuoteOf(ctx, anna, p.ID)
						return fmt.Sprint(quote.Blocked(), !quote.AwaitedSince.IsZero(), quote.Restored), err
					}
				}
			},
			want: []string{"true true true"},
		},
	})
}
