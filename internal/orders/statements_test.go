package orders_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// oneFails is a context with which one statement of the database fails.
type oneFails struct {
	context.Context
	left atomic.Int64 // statements, until it is 0
}

// Done implements context.Context. database/sql looks before each statement; others look, too.
func (c *oneFails) Done() <-chan struct{} {
	if byStatement() && c.left.Add(-1) == 0 {
		over := make(chan struct{})
		close(over)
		return over
	}
	return c.Context.Done()
}

// Err implements context.Context. A statement asks only when it has seen that Done is closed.
func (c *oneFails) Err() error {
	if byStatement() {
		return context.Canceled
	}
	return c.Context.Err()
}

// byStatement reports whether the caller's caller is about to make a statement.
func byStatement() bool {
	caller, _, _, _ := runtime.Caller(2)
	return runtime.FuncForPC(caller).Name() == "database/sql.(*DB).conn"
}

// tap is what a person does, and what it says.
type tap func(ctx context.Context) (string, error)

// statementCase is a tap that needs statements of the database.
type statementCase struct {
	begin func(w *world) func() tap // what prepares each tap
	want  []string                  // what it says
	err   error                     // how it fails, whatever else fails
	never string                    // the request that is not sent
}

// always prepares nothing.
func always(do tap) func() tap { return func() tap { return do } }

// raiseEpoch makes the database a restored one: what was drawn before is of another epoch.
func (w *world) raiseEpoch() {
	w.Exec(`INSERT INTO settings (name, value) VALUES ('epoch', '1') ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(settings.value AS BIGINT) + 1 AS TEXT)`)
}

// failStatements lets the statements of each tap fail, one after the other.
func failStatements(t *testing.T, cases map[string]statementCase) {
	t.Helper()
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(_ *testing.T, w *world) {
				next := test.begin(w)
				for nth := int64(1); ; nth++ {
					do := next()
					ctx := &oneFails{Context: w.t.Context()}
					ctx.left.Store(nth)
					got, err := do(ctx)
					failed := ctx.left.Load() <= 0
					if errors.Is(err, test.err) == (failed && errors.Is(err, context.Canceled)) || err == nil && !slices.Contains(test.want, got) {
						w.t.Errorf("statement %d: %q, %v", nth, got, err)
					}
					if !failed {
						break
					}
				}
				if test.never != "" {
					w.wantCalls(test.never, 0)
				}
			})
		})
	}
}

// TestStatementThatFails: one after the other, each statement of the database fails that a tap
// needs. The tap ends with that error then, or as if it had not failed.
func TestStatementThatFails(t *testing.T) {
	confirm := func(w *world, p storage.Purchase) tap {
		return func(ctx context.Context) (string, error) {
			o, err := w.service.Confirm(ctx, p.UserID, p.ID, "en")
			return fmt.Sprint(o.Result, o.Changes, o.Quote.Purchase.ID != 0), err
		}
	}
	outcomeOf := func(w *world, p storage.Purchase) tap {
		return func(ctx context.Context) (string, error) {
			o, err := w.service.Outcome(ctx, p.UserID, p.ID)
			return fmt.Sprint(o.Result, len(o.Orders), o.Quote.Purchase.ID == p.ID, o.Quote.Restored), err
		}
	}
	lookUp := func(w *world, p storage.Purchase, externalID string) tap {
		return func(ctx context.Context) (string, error) {
			found, err := w.service.LookUp(ctx, p.UserID, p.ID, externalID)
			return found.Order.ExternalID, err
		}
	}
	cancel := func(w *world, order storage.Order) tap {
		return func(ctx context.Context) (string, error) {
			o, err := w.service.Cancel(ctx, order.UserID, order.ID)
			return fmt.Sprint(o.Done, o.Uncertain), err
		}
	}
	swapState := func(w *world, o orders.SwapOffer) storage.SwapState {
		swap, err := w.db.Swap(w.t.Context(), o.Order.UserID, o.Swap.PurchaseID)
		if !errors.Is(err, storage.ErrNotFound) {
			testworld.Must(w.t, err)
		}
		return swap.State
	}
	phone := func(w *world, order storage.Order) tap {
		order = w.order(order.ID)
		return func(ctx context.Context) (string, error) {
			p, err := w.service.Phone(ctx, order)
			return fmt.Sprintf("%s %v %v %s %v", p.Swap.State, p.CanSwap, p.SwapLimit, p.New.State, p.NewPhone != ""), err
		}
	}
	offer := func(w *world, order storage.Order) tap {
		return func(ctx context.Context) (string, error) {
			o, err := w.service.OfferSwap(ctx, order.UserID, order.ID, 0, "en")
			return fmt.Sprintf("%s %v %s", o.Swap.Refund, o.Short.IsNegative(), swapState(w, o)), err
		}
	}
	swap := func(w *world, order storage.Order) tap {
		o := w.mustOffer(order)
		return func(ctx context.Context) (string, error) {
			_, started, err := w.service.StartSwap(ctx, order.UserID, o.Swap.PurchaseID)
			return fmt.Sprintf("%v %s", started, swapState(w, o)), err
		}
	}
	lastSwapped := func(w *world) storage.Order { // after too many swaps
		w.startSwap(w.mustOffer(w.rentAWhileAgo()))
		testworld.Pass(3 * time.Minute)
		w.Exec(`UPDATE swaps SET place = ?`, orders.MaxSwaps)
		open, err := w.db.Orders(w.t.Context(), anna, storage.FilterOpen, 1, 0)
		testworld.Must(w.t, err)
		return open[0]
	}
	const asDrawn = " [] false"
	failStatements(t, map[string]statementCase{
		"buying": {
			begin: func(w *world) func() tap {
				return func() tap {
					testworld.Pass(90 * time.Second) // the last one is settled
					return confirm(w, w.draft(market.GmailUSA, 1))
				}
			},
			want: []string{fmt.Sprint(orders.Placed) + asDrawn, fmt.Sprint(orders.Rejected) + asDrawn},
		},
		"buying in maintenance": {
			begin: func(w *world) func() tap {
				p := w.draft(market.GmailUSA, 1)
				testworld.Must(w.t, w.db.SetMaintenance(w.t.Context(), time.Now(), storage.AuditEntry{AdminID: olga}))
				return always(confirm(w, p))
			},
			err: orders.ErrMaintenance, never: "add",
		},
		"buying what was drawn before a restoration": {
			begin: func(w *world) func() tap {
				return func() tap {
					p := w.draft(market.GmailUSA, 1)
					w.raiseEpoch()
					return confirm(w, p)
				}
			},
			want: []string{fmt.Sprint(orders.Redrawn, []orders.Change{}, true)}, never: "add",
		},
		"buying what is dearer now": {
			begin: func(w *world) func() tap {
				return func() tap {
					testworld.Pass(90 * time.Second)
					testworld.Must(w.t, w.Market.SetRate(market.GmailUSA, "1.00"))
					p := w.draft(market.GmailUSA, 1)
					testworld.Must(w.t, w.Market.SetRate(market.GmailUSA, "1.10"))
					return confirm(w, p)
				}
			},
			want: []string{fmt.Sprint(orders.Redrawn, []orders.Change{orders.ChangePrice}, true), fmt.Sprint(orders.Rejected) + asDrawn}, never: "add",
		},
		"buying before those who wait for their turn": {
			begin: func(w *world) func() tap {
				w.addHouse(clara, dora)
				first, p := w.draftFor(clara, market.GmailUSA, 1), w.draftFor(dora, market.GmailUSA, 1)
				testworld.Must(w.t, w.service.Stop(w.t.Context())) // their turn does not come
				_, err := w.db.QueuePurchase(w.t.Context(), clara, first.ID, time.Now())
				testworld.Must(w.t, err)
				return always(confirm(w, p))
			},
			want: []string{fmt.Sprint(orders.Waiting, []orders.Change(nil), true)}, never: "add",
		},
		"outcome of a draft": {
			begin: func(w *world) func() tap { return always(outcomeOf(w, w.draft(market.GmailUSA, 1))) },
			want:  []string{fmt.Sprint(orders.Drafted, 0, true, false)},
		},
		"outcome of an order": {
			begin: func(w *world) func() tap {
				p := w.draft(market.GmailUSA, 1)
				w.confirm(p)
				return always(outcomeOf(w, p))
			},
			want: []string{fmt.Sprint(orders.Placed, 1, false, false)},
		},
		"outcome of a card of before a restoration": {
			begin: func(w *world) func() tap {
				p := w.draft(market.GmailUSA, 1)
				w.raiseEpoch()
				w.confirm(p)
				return always(outcomeOf(w, p))
			},
			want: []string{fmt.Sprint(orders.Gone, 0, false, true)},
		},
		"outcome of what waits for its turn": {
			begin: func(w *world) func() tap {
				w.addHouse(clara)
				p := w.draftFor(clara, market.GmailUSA, 1)
				testworld.Must(w.t, w.service.Stop(w.t.Context())) // its turn does not come
				_, err := w.db.QueuePurchase(w.t.Context(), clara, p.ID, time.Now())
				testworld.Must(w.t, err)
				return always(outcomeOf(w, p))
			},
			want: []string{fmt.Sprint(orders.Waiting, 0, true, false)},
		},
		"evidence of a purchase before another one": {
			begin: func(w *world) func() tap {
				p := w.unresolved(market.GmailUSA, true)
				w.buy(market.GmailUSA, 1)
				testworld.Must(w.t, w.Market.SetBalance(testworld.AnnaKey.Reveal(), "97.50")) // as if it were the first that cost
				return always(func(ctx context.Context) (string, error) {
					evidence, err := w.service.Evidence(ctx, anna, p.ID)
					return string(evidence.Verdict), err
				})
			},
			want: []string{string(storage.VerdictUnclear)},
		},
		"looking up an order that is known": {
			begin: func(w *world) func() tap {
				return always(lookUp(w, w.unresolved(market.GmailUSA, false), w.buy(market.GmailUSA, 1).ExternalID))
			},
			err: storage.ErrExternalIDTaken,
		},
		"looking up for a purchase that is settled": {
			begin: func(w *world) func() tap {
				p := w.draftRentals(telegramUS, 1)
				w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
				w.confirm(p)
				_, err := w.service.Adopt(w.t.Context(), anna, p.ID, idOf(market.FirstOrder))
				testworld.Must(w.t, err)
				return always(lookUp(w, p, idOf(market.FirstOrder)))
			},
			err: orders.ErrOutcomeKnown,
		},
		"looking up a phone that is missing": {
			begin: func(w *world) func() tap {
				p := w.draftRentals(telegramUS, 2)
				w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
				w.confirm(p)
				_, err := w.service.Adopt(w.t.Context(), anna, p.ID, idOf(market.FirstOrder))
				testworld.Must(w.t, err)
				return always(lookUp(w, p, idOf(w.Market.Numbers()[1].Number)))
			},
			want: []string{idOf(market.FirstOrder + 1)},
		},
		"counting the phones that are missing": {
			begin: func(w *world) func() tap {
				p := w.draftRentals(telegramUS, 3)
				w.Market.Fault(market.Fault{Action: "add_sms", Kind: market.CommitThenLose})
				w.confirm(p)
				_, err := w.service.Adopt(w.t.Context(), anna, p.ID, idOf(market.FirstOrder))
				testworld.Must(w.t, err)
				return always(func(ctx context.Context) (string, error) {
					n, err := w.service.CountMissing(ctx, anna, p.ID)
					return fmt.Sprint(n), err
				})
			},
			want: []string{"2"},
		},
		"adopting": {
			begin: func(w *world) func() tap {
				var p storage.Purchase
				adopted := true
				return func() tap {
					if adopted {
						p = w.unresolved(market.GmailUSA, true)
					}
					made := w.Market.Orders()
					return func(ctx context.Context) (string, error) {
						order, err := w.service.Adopt(ctx, anna, p.ID, idOf(made[len(made)-1].Number))
						adopted = err == nil
						return string(order.State), err
					}
				}
			},
			want: []string{string(storage.OrderOpen)},
		},
		"dismissing what the operator's key has paid": {
			begin: func(w *world) func() tap {
				w.addHouse(clara)
				w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
				p := w.confirm(w.draftFor(clara, market.GmailUSA, 1)).Purchase
				return always(func(ctx context.Context) (string, error) { return "", w.service.Dismiss(ctx, clara, p.ID) })
			},
			err: orders.ErrAdminsDecide,
		},
		"cancelling": {
			begin: func(w *world) func() tap {
				testworld.Must(w.t, w.Market.Hold(market.GmailUSA, true))
				return func() tap {
					order := w.buy(market.GmailUSA, 1)
					testworld.Pass(5 * time.Second)
					return cancel(w, order)
				}
			},
			want: []string{"true false", "false true"},
		},
		"cancelling one of two orders of one id": {
			begin: func(w *world) func() tap { return always(cancel(w, w.sharedID())) },
			err:   orders.ErrExternalIDShared, never: "cancel",
		},
		"cancelling all": {
			begin: func(w *world) func() tap {
				shared := w.sharedID()
				return always(func(ctx context.Context) (string, error) {
					outcomes, err := w.service.CancelAll(ctx, anna, []int64{shared.ID})
					return fmt.Sprint(len(outcomes)), err
				})
			},
			want: []string{"0"}, never: "cancel",
		},
		"asking what can be cancelled": {
			begin: func(w *world) func() tap {
				w.sharedID()
				w.rent(1)
				return always(func(ctx context.Context) (string, error) {
					checks, err := w.service.CancelAllowances(ctx, anna, false)
					n := len(slices.DeleteFunc(checks, func(c orders.CancelCheck) bool { return c.Err != nil }))
					return fmt.Sprint(len(checks), n), err
				})
			},
			want: []string{"3 1"},
		},
		"offering a swap": {
			begin: func(w *world) func() tap {
				order := w.rentAWhileAgo()
				return always(offer(w, order))
			},
			want: []string{"0.9 true offered"},
		},
		"offering a swap that an allowance pays": {
			begin: func(w *world) func() tap {
				w.annaPaysWithAllowance("1.20")
				order := w.rentAWhileAgo()
				return always(offer(w, order))
			},
			want: []string{"0.9 true offered"},
		},
		"offering a swap of a number whose charge is not known": {
			begin: func(w *world) func() tap {
				order := w.rentAWhileAgo()
				testworld.Must(w.t, w.service.Stop(w.t.Context())) // no poll reads it
				w.Exec(`UPDATE orders SET charge = NULL`)
				return always(offer(w, order))
			},
			want: []string{"0.9 true offered"},
		},
		"offering a swap with another key": {
			begin: func(w *world) func() tap {
				order := w.rentAWhileAgo()
				w.addUser(anna, borisKey)
				return always(offer(w, order))
			},
			err: orders.ErrOtherKey,
		},
		"offering a swap too many": {
			begin: func(w *world) func() tap { return always(offer(w, lastSwapped(w))) },
			err:   orders.ErrTooManySwaps,
		},
		"swapping": {
			begin: func(w *world) func() tap {
				order := w.rentAWhileAgo()
				testworld.Must(w.t, w.service.Stop(w.t.Context())) // it is started only
				return func() tap {
					w.Exec(`DELETE FROM swaps`)
					return swap(w, order)
				}
			},
			want: []string{"true armed"},
		},
		"swapping what an allowance pays": {
			begin: func(w *world) func() tap {
				w.annaPaysWithAllowance("1.20")
				order := w.rentAWhileAgo()
				testworld.Must(w.t, w.service.Stop(w.t.Context())) // it is started only
				return func() tap {
					w.Exec(`DELETE FROM swaps`)
					return swap(w, order)
				}
			},
			want: []string{"true armed"},
		},
		"swapping what the allowance no longer pays": {
			begin: func(w *world) func() tap {
				w.annaPaysWithAllowance("1.20")
				order := w.rentAWhileAgo()
				return func() tap {
					w.give(anna, "1.20")
					do := swap(w, order)
					w.give(anna, "0.98")
					return do
				}
			},
			want: []string{"false offered"}, never: "cancel",
		},
		"ending a swap": {
			begin: func(w *world) func() tap {
				w.Market.SetCancelAfter(5 * time.Minute)
				o := w.mustOffer(w.rentAWhileAgo())
				w.startSwap(o)
				return func() tap {
					w.Exec(`UPDATE swaps SET state = 'armed'`)
					return func(ctx context.Context) (string, error) {
						_, ended, err := w.service.EndSwap(ctx, anna, o.Swap.PurchaseID)
						return fmt.Sprintf("%v %s", ended, swapState(w, o)), err
					}
				}
			},
			want: []string{"true stopped"},
		},
		"looking at a number after too many swaps": {
			begin: func(w *world) func() tap { return always(phone(w, lastSwapped(w))) },
			want:  []string{" false true  false"},
		},
		"looking at a number that was swapped": {
			begin: func(w *world) func() tap {
				order := w.rentAWhileAgo()
				w.startSwap(w.mustOffer(order))
				testworld.Pass(time.Minute)
				return always(phone(w, order))
			},
			want: []string{"renting false false placed true"},
		},
		"swapping what was drawn before a restoration": {
			begin: func(w *world) func() tap {
				order := w.rentAWhileAgo()
				return func() tap {
					do := swap(w, order)
					w.raiseEpoch()
					return do
				}
			},
			want: []string{"false offered"}, never: "cancel",
		},
		"starting a basket": {
			begin: func(w *world) func() tap {
				quote := w.fillBasket(goods(1))
				testworld.Must(w.t, w.service.Stop(w.t.Context()))
				return func() tap {
					w.Exec(`UPDATE baskets SET state = 'open'`)
					return func(ctx context.Context) (string, error) {
						started, err := w.service.StartBasket(ctx, anna, quote.ID, quote.Revision, 0, 0)
						return fmt.Sprint(started), err
					}
				}
			},
			want: []string{"true"},
		},
		"storing the card of what waits for its turn": {
			begin: func(w *world) func() tap {
				w.addHouse(clara)
				p := w.draftFor(clara, market.GmailUSA, 1)
				testworld.Must(w.t, w.service.Stop(w.t.Context())) // its turn does not come
				_, err := w.db.QueuePurchase(w.t.Context(), clara, p.ID, time.Now())
				testworld.Must(w.t, err)
				return always(func(ctx context.Context) (string, error) {
					err := w.service.SetTurnCard(ctx, clara, p.ID, 77)
					testworld.Pass(time.Second)
					w.wantNotified() // it is not settled yet
					turn, turnErr := w.db.Turn(w.t.Context(), clara, p.ID)
					testworld.Must(w.t, turnErr)
					return fmt.Sprint(turn.MessageID), err
				})
			},
			want: []string{"77"},
		},
		"looking for an order that was placed outside": {
			begin: func(w *world) func() tap {
				id := w.addExternal(market.GmailUSA, 1, "")
				return always(func(ctx context.Context) (string, error) {
					found, err := w.service.FindExternal(ctx, anna, id)
					return string(found.Kind), err
				})
			},
			want: []string{string(storage.KindProduct)},
		},
		"looking for an order with the operator's key": {
			begin: func(w *world) func() tap {
				w.addHouse(clara)
				return always(func(ctx context.Context) (string, error) {
					_, err := w.service.FindExternal(ctx, clara, "77")
					return "", err
				})
			},
			err: hstock.ErrOrderNotFound, never: "status",
		},
		"starting a basket in maintenance": {
			begin: func(w *world) func() tap {
				quote := w.fillBasket(goods(1))
				testworld.Must(w.t, w.db.SetMaintenance(w.t.Context(), time.Now(), storage.AuditEntry{AdminID: olga}))
				return always(func(ctx context.Context) (string, error) {
					_, err := w.service.StartBasket(ctx, anna, quote.ID, quote.Revision, 0, 0)
					return "", err
				})
			},
			err: orders.ErrMaintenance,
		},
		"stopping a basket": {
			begin: func(w *world) func() tap {
				quote := w.fillBasket(goods(1))
				testworld.Must(w.t, w.service.Stop(w.t.Context()))
				return func() tap {
					w.Exec(`UPDATE baskets SET state = 'running', stopping = 0`)
					return func(ctx context.Context) (string, error) {
						err := w.service.StopBasket(ctx, anna, quote.ID)
						b, readErr := w.db.Basket(w.t.Context(), anna, quote.ID)
						testworld.Must(w.t, readErr)
						return fmt.Sprint(b.Stopping), err
					}
				}
			},
			want: []string{"true"},
		},
		"moving a draft to the basket": {
			begin: func(w *world) func() tap {
				return func() tap {
					p := w.draft(market.GmailUSA, 1)
					return func(ctx context.Context) (string, error) { return "", w.service.MoveToBasket(ctx, anna, p.ID) }
				}
			},
			want: []string{""},
		},
		"refreshing an order": {
			begin: func(w *world) func() tap {
				order := w.buy(market.GmailUSA, 1)
				return func() tap {
					testworld.Pass(5 * time.Second)
					return func(ctx context.Context) (string, error) {
						order, err := w.service.Refresh(ctx, anna, order.ID)
						return string(order.State), err
					}
				}
			},
			want: []string{string(storage.OrderDelivered)},
		},
	})
}
