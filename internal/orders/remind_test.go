package orders_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

func TestEligibleAfter(t *testing.T) {
	now := time.Date(2026, 6, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-06-23T12:30:00.000Z":      "2026-06-23T12:30:00Z",
		"2026-06-23T14:30:00+02:00":     "2026-06-23T12:30:00Z",
		"2026-06-23T12:00:00.000Z":      "", // now
		"2026-06-23T11:59:59.999Z":      "",
		"2026-06-23 12:30":              "",
		"1782217800":                    "",
		"":                              "",
		"tomorrow":                      "",
		"2026-13-45T99:99:99.000Z":      "",
		"2026-06-23T12:30:00.000Z; sic": "",
	} {
		got := ""
		if at, ok := orders.EligibleAfter(hstock.CancelAllowance{EligibleAfter: text}, now); ok {
			got = at.UTC().Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestReminder: it is sent once, although two processes run.
func TestReminder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		w.Market.SetCancelAfter(time.Hour)
		order := w.buy(market.GmailUSA, 1)
		testworld.Pass(5 * time.Second)
		r, err := w.service.Remind(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if r.At.IsZero() || r.Allowance.Allowed {
			t.Fatalf("got %+v", r)
		}
		other := w.newService(w.client) // another replica
		other.Start()
		testworld.Pass(59 * time.Minute)
		if n := w.count(orders.MessageReminder); n != 0 {
			t.Fatalf("%d reminders before the time", n)
		}
		testworld.Pass(time.Hour)
		if n := w.count(orders.MessageReminder); n != 1 {
			t.Errorf("%d reminders, want 1", n)
		}
		testworld.Must(t, other.Stop(t.Context()))
		if r, err := w.service.Remind(t.Context(), anna, order.ID); err != nil || !r.At.IsZero() || !r.Allowance.Allowed {
			t.Errorf("when it can be cancelled: %+v, %v", r, err)
		}
		if _, err := w.service.Remind(t.Context(), boris, order.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("another person's: %v", err)
		}
	})
}

// dateless is a marketplace whose answers do not say when they were made.
type dateless struct{ *hstock.Client }

func (m dateless) AllowCancel(ctx context.Context, key redact.Secret, externalIDs []string) ([]hstock.CancelAllowance, error) {
	allowances, err := m.Client.AllowCancel(ctx, key, externalIDs)
	for i := range allowances {
		allowances[i].AnsweredAt = time.Time{}
	}
	return allowances, err
}

// TestReminderAfterAStepOfTheClock: it is sent when the marketplace allows the cancel,
// at the latest a pause between two questions later if the marketplace sends no time.
func TestReminderAfterAStepOfTheClock(t *testing.T) {
	for _, step := range clockSteps {
		for name, restarted := range map[string]bool{"running": false, "restarted": true} {
			for date, late := range map[string]time.Duration{"": 30 * time.Second, " without Date": 11 * time.Minute} {
				if date != "" && restarted {
					continue
				}
				t.Run(step.String()+" "+name+date, func(t *testing.T) {
					inWorld(t, func(t *testing.T, w *world) {
						var m orders.Market = w.client
						if date != "" {
							m = dateless{w.client}
							w.restart(m, 0)
						}
						testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
						w.Market.SetCancelAfter(time.Hour)
						order := w.buy(market.GmailUSA, 1)
						testworld.Pass(20 * time.Minute)
						_, err := w.service.Remind(t.Context(), anna, order.ID)
						testworld.Must(t, err)
						if restarted {
							testworld.Must(t, w.service.Stop(t.Context()))
						}
						w.stepClock(step)
						if restarted {
							w.service = w.newService(m)
							w.service.Start()
						}
						testworld.Pass(39 * time.Minute)
						if n := w.count(orders.MessageReminder); n != 0 {
							t.Fatalf("%d reminders before the time", n)
						}
						testworld.Pass(time.Minute + late)
						if n := w.count(orders.MessageReminder); n != 1 {
							t.Errorf("%d reminders %v after the time, want 1", n, late)
						}
						if n := w.Market.Count("allowcancel"); n > 15 {
							t.Errorf("the marketplace was asked %d times", n)
						}
					})
				})
			}
		}
	}
}

// TestReminderWithAWrongClock: the bot's clock is wrong from the beginning.
func TestReminderWithAWrongClock(t *testing.T) {
	for _, step := range clockSteps {
		t.Run(step.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.stepClock(step)
				testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
				w.Market.SetCancelAfter(time.Hour)
				order := w.buy(market.GmailUSA, 1)
				testworld.Pass(20 * time.Minute)
				r, err := w.service.Remind(t.Context(), anna, order.ID)
				testworld.Must(t, err)
				if r.At.IsZero() {
					t.Fatal("no reminder is set")
				}
				testworld.Pass(39 * time.Minute)
				if n := w.count(orders.MessageReminder); n != 0 {
					t.Fatalf("%d reminders before the time", n)
				}
				testworld.Pass(time.Minute + 30*time.Second)
				if n := w.count(orders.MessageReminder); n != 1 {
					t.Errorf("%d reminders, want 1", n)
				}
			})
		})
	}
}

// TestReminderWaitsForTheMarketplace: until it answers, and while it says that the order
// can't be cancelled yet although it named an earlier time.
func TestReminderWaitsForTheMarketplace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		w.Market.SetCancelAfter(time.Hour)
		order := w.buy(market.GmailUSA, 1)
		_, err := w.service.Remind(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		w.Market.Fault(market.Fault{Action: "allowcancel", Kind: market.HTML502, Times: market.Always})
		testworld.Pass(70 * time.Minute)
		if n := w.count(orders.MessageReminder); n != 0 {
			t.Fatalf("%d reminders without an answer", n)
		}
		w.Market.SetCancelAfter(3 * time.Hour)
		w.Market.SetEligibleWord("2000-01-01T00:00:00.000Z")
		w.Market.ClearFaults()
		asked := w.Market.Count("allowcancel")
		testworld.Pass(109 * time.Minute)
		if n := w.count(orders.MessageReminder); n != 0 {
			t.Fatalf("%d reminders although the order can't be cancelled", n)
		}
		if n := w.Market.Count("allowcancel") - asked; n < 9 || n > 15 {
			t.Errorf("the marketplace was asked %d times in 109 minutes, want about one in 10 minutes", n)
		}
		testworld.Pass(12 * time.Minute)
		if n := w.count(orders.MessageReminder); n != 1 {
			t.Errorf("%d reminders, want 1", n)
		}
	})
}

// TestNoReminderAfterTheCode: the phone is still polled, but can no longer be cancelled.
func TestNoReminderAfterTheCode(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Market.SetCancelAfter(5 * time.Minute)
		order := w.rent(1)[0]
		testworld.Pass(5 * time.Second)
		r, err := w.service.Remind(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if r.At.IsZero() {
			t.Fatalf("got %+v", r)
		}
		testworld.Must(t, w.Market.SendSMS(number(order), "3", "code 3"))
		testworld.Pass(6 * time.Minute)
		if got := w.order(order.ID); !got.Open() || got.State != storage.OrderDelivered {
			t.Fatalf("the phone is %s", got.State)
		}
		if n := w.count(orders.MessageReminder); n != 0 {
			t.Errorf("%d reminders", n)
		}
		w.wantReminder(order, false)
	})
}

// TestEndsBefore: only a rental has an end, and one from before its start says nothing.
func TestEndsBefore(t *testing.T) {
	start := time.Date(2026, 6, 23, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name string
		end  time.Duration // after the start; 0: none
		want bool
	}{
		{"no end", 0, false}, {"before the start", -time.Hour, false}, {"earlier", 20 * time.Minute, true}, {"then", time.Hour, true}, {"later", 2 * time.Hour, false},
	} {
		order := storage.Order{CreatedAt: start}
		if test.end != 0 {
			order.ExpiresAt = start.Add(test.end)
		}
		if got := orders.EndsBefore(order, start.Add(time.Hour)); got != test.want {
			t.Errorf("%s: %t, want %t", test.name, got, test.want)
		}
	}
}

// remindOf lets a held order of goods be cancelled after an hour, and sets a reminder of it.
func (w *world) remindOf() storage.Order {
	w.t.Helper()
	testworld.Must(w.t, w.Market.Hold(market.GmailUSA, true))
	w.Market.SetCancelAfter(time.Hour)
	order := w.buy(market.GmailUSA, 1)
	r, err := w.service.Remind(w.t.Context(), anna, order.ID)
	testworld.Must(w.t, err)
	if r.At.IsZero() {
		w.t.Fatalf("got %+v", r)
	}
	return order
}

// wantReminder checks whether a reminder of an order is stored.
func (w *world) wantReminder(order storage.Order, want bool) {
	w.t.Helper()
	at, err := w.db.ReminderOf(w.t.Context(), anna, order.ID)
	testworld.Must(w.t, err)
	if at.IsZero() == want {
		w.t.Errorf("a reminder is due at %s, want one: %t", at, want)
	}
}

// TestReminderSoonAfterAnOutage: the marketplace is asked every half a minute while it can't be
// reached, or says nothing that can be read, and every ten minutes while it refuses to tell.
func TestReminderSoonAfterAnOutage(t *testing.T) {
	for name, test := range map[string]struct {
		fault       market.Fault
		least, most int // how often it is asked in 15 minutes
		late        time.Duration
	}{
		"not reached": {market.Fault{Kind: market.HTML502}, 20, 40, 40 * time.Second},
		"not read":    {market.Fault{Kind: market.Garbage}, 20, 40, 40 * time.Second},
		"refused":     {market.Fault{Kind: market.Refuse, Message: "Try again later"}, 2, 3, 11 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.remindOf()
				testworld.Pass(50 * time.Minute)
				test.fault.Action, test.fault.Times = "allowcancel", market.Always
				w.Market.Fault(test.fault)
				asked := w.Market.Count("allowcancel")
				testworld.Pass(25 * time.Minute)
				if n := w.Market.Count("allowcancel") - asked; n < test.least || n > test.most {
					t.Errorf("asked %d times, want %d to %d", n, test.least, test.most)
				}
				w.Market.ClearFaults()
				testworld.Pass(test.late)
				if n := w.count(orders.MessageReminder); n != 1 {
					t.Errorf("%d reminders, want 1", n)
				}
			})
		})
	}
}

// TestReminderAfterAStepWhileTheDatabaseRefuses: its time is corrected when it accepts that.
func TestReminderAfterAStepWhileTheDatabaseRefuses(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.remindOf()
		testworld.Pass(20 * time.Minute)
		w.stepClock(-24 * time.Hour)
		accept := w.Refuse(`UPDATE ON reminders FOR EACH ROW`)
		testworld.Pass(2 * time.Minute)
		accept()
		testworld.Pass(38*time.Minute + 30*time.Second)
		if n := w.count(orders.MessageReminder); n != 1 {
			t.Errorf("%d reminders, want 1", n)
		}
	})
}

// TestReminderWithoutATime: none is set where the marketplace names no time. One that was set
// before is asked about every ten minutes, not all the time, and comes in the end.
func TestReminderWithoutATime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.remindOf()
		other := w.buy(market.GmailUSA, 1)
		w.Market.SetEligibleWord("tomorrow")
		r, err := w.service.Remind(t.Context(), anna, other.ID)
		testworld.Must(t, err)
		if !r.At.IsZero() || r.Allowance.EligibleAfter != "tomorrow" {
			t.Errorf("got %+v", r)
		}
		w.wantReminder(other, false)
		asked := w.Market.Count("allowcancel")
		testworld.Pass(55 * time.Minute)
		if n := w.Market.Count("allowcancel") - asked; n < 4 || n > 7 {
			t.Errorf("asked %d times in 55 minutes, want about 5", n)
		}
		w.wantReminder(order, true)
		testworld.Pass(16 * time.Minute)
		if n := w.count(orders.MessageReminder); n != 1 {
			t.Errorf("%d reminders, want 1", n)
		}
	})
}

// TestNoReminderOfWhatCanBeCancelledNow, although a later time is named.
func TestNoReminderOfWhatCanBeCancelledNow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
		order := w.buy(market.GmailUSA, 1)
		w.answers("allowcancel", `[{"order":`+order.ExternalID+`,"allowcancel":1,"refundAmount":1.25,"eligibleAfter":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}]`)
		r, err := w.service.Remind(t.Context(), anna, order.ID)
		testworld.Must(t, err)
		if !r.Allowance.Allowed || !r.At.IsZero() {
			t.Errorf("got %+v", r)
		}
		w.wantReminder(order, false)
	})
}

// TestReminderThatCanNotBeSet: the person does not read that it is set where the order has ended
// while the marketplace was asked, or the database refuses it.
func TestReminderThatCanNotBeSet(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(w *world, order storage.Order)
		closed    bool
	}{
		"ended": {func(w *world, order storage.Order) {
			w.Exec(`UPDATE orders SET closed_at = ? WHERE id = ?`, time.Now().UnixMilli(), order.ID)
		}, true},
		"refused": {func(w *world, _ storage.Order) { w.Refuse(`INSERT ON reminders FOR EACH ROW`) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				testworld.Must(t, w.Market.Hold(market.GmailUSA, true))
				w.Market.SetCancelAfter(time.Hour)
				order := w.buy(market.GmailUSA, 1)
				w.restart(meanwhile{w.client, func() { test.meanwhile(w, order) }}, 0)
				r, err := w.service.Remind(t.Context(), anna, order.ID)
				if err == nil || errors.Is(err, orders.ErrOrderClosed) != test.closed || !r.At.IsZero() {
					t.Errorf("got %+v, %v", r, err)
				}
				w.wantReminder(order, false)
			})
		})
	}
}

// meanwhile is a marketplace that is asked whether orders can be cancelled while something happens.
type meanwhile struct {
	*hstock.Client
	happens func()
}

func (m meanwhile) AllowCancel(ctx context.Context, key redact.Secret, externalIDs []string) ([]hstock.CancelAllowance, error) {
	m.happens()
	return m.Client.AllowCancel(ctx, key, externalIDs)
}

// TestReminderEndsWithItsOrder: nobody is reminded of one that has ended or that is being
// cancelled, and the marketplace is not asked about it for ever.
func TestReminderEndsWithItsOrder(t *testing.T) {
	for name, end := range map[string]func(w *world, order storage.Order){
		"refunded": func(w *world, order storage.Order) { testworld.Must(w.t, w.Market.Refund(number(order))) },
		"being cancelled": func(w *world, order storage.Order) {
			w.Exec(`UPDATE orders SET cancel_sent_at = ? WHERE id = ?`, time.Now().UnixMilli(), order.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.remindOf()
				testworld.Pass(30 * time.Minute)
				end(w, order)
				testworld.Pass(20 * time.Minute) // until the poll at the latest
				asked := w.Market.Count("allowcancel")
				testworld.Pass(2 * time.Hour)
				if n, calls := w.count(orders.MessageReminder), w.Market.Count("allowcancel")-asked; n != 0 || calls != 0 {
					t.Errorf("%d reminders, asked %d times", n, calls)
				}
				w.wantReminder(order, false)
			})
		})
	}
}
