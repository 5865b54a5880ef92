package orders_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/outbox"
	"hstockbot/internal/redact"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// TestCodeArrives: within the interval of the polls, once, and byte for byte.
func TestCodeArrives(t *testing.T) {
	for name, text := range map[string]string{
		"plain":         "Your code is 40312",
		"markup":        "<b>40312</b> &amp; \"quoted\"",
		"right to left": "رمز التحقق 40312",
		"long":          strings.Repeat("0123456789", 100),
		"no code in it": "Call us back",
		"odd":           " \x00\t\u202e{\"error\":\"Order not found\"}\\u0041\ufffd\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				testworld.Pass(30 * time.Second)
				w.wantNotified(orders.MessageRedraw, orders.MessageRental)
				if got := w.order(order.ID); got.State != storage.OrderOpen || got.ExpiresAt.Sub(got.CreatedAt).Round(time.Second) != 20*time.Minute {
					t.Errorf("the order is %s, until %s", got.State, got.ExpiresAt)
				}
				testworld.Must(t, w.Market.SendSMS(number(order), "40312", text))
				testworld.Pass(3600 * time.Millisecond)
				if got, want := w.codes(), []string{"40312|" + text}; !slices.Equal(got, want) {
					t.Fatalf("arrived %q, want %q", got, want)
				}
				if got := w.messages(orders.MessageCode)[0].Priority; got != outbox.PriorityCode {
					t.Errorf("the code has priority %d", got)
				}
				testworld.Pass(30 * time.Minute)
				if got := w.order(order.ID); got.State != storage.OrderDelivered || got.Open() || got.Delivered != 1 {
					t.Errorf("in the end the order is %+v", got)
				}
				w.wantNotified(orders.MessageRedraw, orders.MessageRental, orders.MessageCode, orders.MessageRedraw)
			})
		})
	}
}

// TestMessageOfPhoneIsStored, so that it can be redrawn.
func TestMessageOfPhoneIsStored(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(10 * time.Second)
		if got := w.order(order.ID).MessageID; got != 2 {
			t.Errorf("message %d shows the phone, want the second that was sent", got)
		}
	})
}

func TestSeveralPhones(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		rented := w.rent(3)
		testworld.Pass(20 * time.Second)
		if got := w.count(orders.MessageRental); got != 3 {
			t.Errorf("%d messages for three phones", got)
		}
		var want []string
		for _, i := range []int{2, 0, 1} {
			code := fmt.Sprint(1000 + i)
			testworld.Must(t, w.Market.SendSMS(number(rented[i]), code, "SMS "+code))
			testworld.Pass(10 * time.Second)
			want = append(want, code+"|SMS "+code)
		}
		if got := w.codes(); !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
	})
}

func TestFewerPhonesThanAsked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, 2))
		if rented := w.rent(5); len(rented) != 2 {
			t.Errorf("%d phones, want 2", len(rented))
		}
		if got := w.Market.Balance(testworld.AnnaKey.Reveal()).String(); got != "98.2" {
			t.Errorf("the balance is %s, want 98.2", got)
		}
	})
}

// TestSecondCode: it arrives, and the first one is not repeated.
func TestSecondCode(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Must(t, w.Market.SendSMS(number(order), "1111", "first 1111"))
		testworld.Pass(time.Minute)
		testworld.Must(t, w.Market.SendSMS(number(order), "2222", "second 2222"))
		testworld.Pass(2 * time.Minute)
		if got, want := w.codes(), []string{"1111|first 1111", "2222|second 2222"}; !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
	})
}

// TestLateCode: it arrives during the grace by itself, and later after a Refresh.
func TestLateCode(t *testing.T) {
	for _, late := range []time.Duration{4 * time.Minute, 10 * time.Minute} {
		t.Run(late.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				testworld.Pass(20*time.Minute + late)
				if got := w.count(orders.MessageEnded); got != 1 {
					t.Errorf("%d messages about the end", got)
				}
				if got := w.order(order.ID); got.State != storage.OrderExpired || got.Charge.Decimal.Sign() != 0 {
					t.Errorf("the order is %s, charged %s", got.State, got.Charge.Decimal)
				}
				testworld.Must(t, w.Market.SendSMS(number(order), "7777", "late 7777"))
				testworld.Pass(time.Minute)
				if late > 5*time.Minute {
					if got := w.codes(); len(got) > 0 {
						t.Errorf("it is still polled: %q", got)
					}
					_, err := w.service.Refresh(t.Context(), anna, order.ID)
					testworld.Must(t, err)
				}
				if got, want := w.codes(), []string{"7777|late 7777"}; !slices.Equal(got, want) {
					t.Errorf("arrived %q, want %q", got, want)
				}
			})
		})
	}
}

// TestMessageOfPhoneIsRedrawn, when a swap is offered, at half time, two minutes before the end, and at the end.
func TestMessageOfPhoneIsRedrawn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.rent(1)
		testworld.Pass(5 * time.Second)
		want := w.count(orders.MessageRedraw)
		for _, step := range []struct {
			pass  time.Duration
			drawn int
		}{
			{time.Minute + 50*time.Second, 0}, {10 * time.Second, 1}, // a swap is offered
			{7*time.Minute + 40*time.Second, 0}, {35 * time.Second, 1}, // at half time
			{7*time.Minute + 20*time.Second, 0}, {40 * time.Second, 1}, // two minutes left
			{90 * time.Second, 0}, {50 * time.Second, 1}, // at the end
			{10 * time.Minute, 0},
		} {
			testworld.Pass(step.pass)
			want += step.drawn
			if got := w.count(orders.MessageRedraw); got != want {
				t.Fatalf("redrawn %d times after %s more, want %d", got, step.pass, want)
			}
		}
	})
}

// TestPollTimesOfPhones: every 2 to 3.5 s for two minutes, then every 0.5·√age s up to
// 15 s. sms_status is called first, at the end, and at the end of the grace.
func TestPollTimesOfPhones(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(30 * time.Minute)
		got := w.order(order.ID)
		const roundTrip = 100 * time.Millisecond // two rounds of the loop
		grace := got.ExpiresAt.Add(5 * time.Minute)
		var polledAt, statuses []time.Time
		for _, call := range w.Market.Calls() {
			switch call.Action {
			case "sms_code":
				polledAt = append(polledAt, call.At)
			case "sms_status":
				statuses = append(statuses, call.At)
			}
		}
		for i := 1; i < len(polledAt); i++ {
			age, gap := polledAt[i-1].Sub(got.CreatedAt), polledAt[i].Sub(polledAt[i-1])
			shortest, longest := 2*time.Second, 3500*time.Millisecond
			if age >= 2*time.Minute {
				pause := min(0.5*math.Sqrt(age.Seconds()), 15)
				shortest, longest = time.Duration(0.9*pause*1e9), time.Duration(1.1*pause*1e9)
			}
			for _, end := range []time.Time{got.ExpiresAt, grace} {
				if polledAt[i-1].Before(end) && !polledAt[i].Before(end) {
					shortest = 0 // polls happen at these moments
				}
			}
			const rounding = time.Millisecond // of stored times
			if gap < shortest-rounding || gap > longest+roundTrip {
				t.Errorf("polled %s after the last time, at the age of %s; want %s to %s", gap, age, shortest, longest)
			}
		}
		// 120 s / 2.75 s, then 4·(√900 − √120), then a call in 15 s until 25 minutes.
		if n := len(polledAt); n < 150 || n > 175 {
			t.Errorf("polled %d times, want about 160", n)
		}
		want := []time.Time{got.CreatedAt, got.ExpiresAt, grace}
		if !slices.EqualFunc(statuses, want, func(a, b time.Time) bool { return !a.Before(b) && a.Sub(b) <= roundTrip }) {
			t.Errorf("sms_status was called at %s, want %s", statuses, want)
		}
		if last := polledAt[len(polledAt)-1]; last.Sub(grace) > roundTrip {
			t.Errorf("still polled %s after the grace", last.Sub(grace))
		}
	})
}

// lateCodes is a marketplace whose answers about an order's codes are long on their way.
type lateCodes struct {
	orders.Market
	order string
	late  time.Duration
}

func (m lateCodes) SMSCode(ctx context.Context, key redact.Secret, order string) (hstock.SMSCode, error) {
	code, err := m.Market.SMSCode(ctx, key, order)
	if order == m.order {
		time.Sleep(m.late) // in a poll: only the test itself may wait for the others
	}
	return code, err
}

// TestPhoneEndsDuringAPoll: the answer was given before the end, or before that of the grace.
// What became of the phone is asked as soon as it has come, also where other polls were made and
// so what was due at the end was read long before.
func TestPhoneEndsDuringAPoll(t *testing.T) {
	for name, test := range map[string]struct{ grace, stopped time.Duration }{
		"its time":                    {stopped: 28 * time.Second},
		"its time, after a long stop": {stopped: 10 * time.Minute},
		"the grace":                   {grace: 5 * time.Minute, stopped: 28 * time.Second},
	} {
		for _, late := range []time.Duration{4 * time.Second, 12 * time.Second} {
			t.Run(name+" "+late.String(), func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					order := w.rent(1)[0]
					testworld.Pass(time.Minute)
					end := w.order(order.ID).ExpiresAt.Add(test.grace)
					testworld.Pass(time.Until(end) - 2*time.Second - test.stopped)
					before := len(w.callsOf(order, "sms_status"))
					w.restart(lateCodes{w.client, order.ExternalID, late}, test.stopped)
					testworld.Pass(0)
					w.rent(1)
					testworld.Pass(late + time.Second)
					if ages := w.callsOf(order, "sms_status"); len(ages) != before+1 {
						t.Errorf("sms_status was called after %s; the end was after %s", ages, end.Sub(order.CreatedAt))
					}
				})
			})
		}
	}
}

// TestPauseAfterALateAnswer: the pause between two polls begins with the answer, so that a slow
// marketplace is not asked without one.
func TestPauseAfterALateAnswer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const late = 12 * time.Second
		order := w.rent(1)[0]
		testworld.Pass(20 * time.Second)
		before := len(w.callsOf(order, "sms_code"))
		w.restart(lateCodes{w.client, order.ExternalID, late}, 5*time.Second)
		testworld.Pass(time.Minute)
		ages := w.callsOf(order, "sms_code")[before:]
		for i := range len(ages) - 1 {
			if pause := ages[i+1] - ages[i] - late; pause < 2*time.Second || pause > 4*time.Second {
				t.Errorf("a pause of %s", pause)
			}
		}
		if len(ages) < 4 {
			t.Errorf("sms_code was called after %s", ages)
		}
	})
}

// TestCodeAfterAnOutage: it arrives at most 40 s after the marketplace answers again.
func TestCodeAfterAnOutage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(10 * time.Second)
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		testworld.Must(t, w.Market.SendSMS(number(order), "5", "code 5"))
		testworld.Pass(3 * time.Minute)
		w.Market.ClearFaults()
		testworld.Pass(40 * time.Second)
		if len(w.codes()) != 1 {
			t.Errorf("codes %q", w.codes())
		}
	})
}

// TestTooManyRequests: the key pauses, longer each time.
func TestTooManyRequests(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.rent(5)
		testworld.Pass(10 * time.Second)
		w.Market.Fault(market.Fault{Kind: market.TooMany, Times: market.Always})
		before := w.Market.Count("")
		testworld.Pass(5 * time.Minute)
		if calls := w.Market.Count("") - before; calls > 40 { // five phones would be polled 500 times
			t.Errorf("%d calls although there were too many", calls)
		}
		w.Market.ClearFaults()
		before = w.Market.Count("")
		testworld.Pass(4 * time.Minute) // the last pause may have begun just before
		if calls := w.Market.Count("") - before; calls < 20 {
			t.Errorf("only %d calls after it was over", calls)
		}
	})
}

// TestRefusedKeyPausesItsPhones: the owner is notified once, no calls are made, and the
// code arrives after the marketplace accepts the key again.
func TestRefusedKeyPausesItsPhones(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(3)[0]
		testworld.Pass(10 * time.Second)
		w.Market.RemoveKey(testworld.AnnaKey.Reveal())
		testworld.Pass(10 * time.Second)
		before := w.Market.Count("sms_code")
		testworld.Pass(5 * time.Minute)
		if calls := w.Market.Count("sms_code") - before; calls > 0 {
			t.Errorf("%d calls with a refused key", calls)
		}
		if n := w.count(orders.MessageInvalidKey); n != 1 {
			t.Errorf("notified %d times that the key is refused", n)
		}
		w.Market.AddKey(testworld.AnnaKey.Reveal(), "50.00", "USD")
		testworld.Must(t, w.Market.SendSMS(number(order), "4", "code 4"))
		testworld.Pass(time.Hour) // the key is tried again
		if got, want := w.codes(), []string{"4|code 4"}; !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
	})
}

func TestPhoneAfterRestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(10 * time.Second)
		testworld.Must(t, w.service.Stop(t.Context()))
		testworld.Must(t, w.Market.SendSMS(number(order), "6", "code 6"))
		testworld.Pass(time.Minute)
		w.service = w.newService(w.client)
		w.service.Start()
		testworld.Pass(5 * time.Second)
		if len(w.codes()) != 1 {
			t.Errorf("codes %q", w.codes())
		}
	})
}

// TestDelayOfEarlyCodes: at most the longest interval and two rounds of the loop.
func TestDelayOfEarlyCodes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		arrived := map[int64]time.Time{} // by order
		w.recorder.FailWith(func(message storage.Message) error {
			if message.Kind == orders.MessageCode {
				arrived[message.OrderID] = time.Now()
			}
			return nil
		})
		rented := w.rent(4) // as many as a key can poll at the full rate
		for i, at := range []time.Duration{500 * time.Millisecond, 20 * time.Second, 70 * time.Second, 115 * time.Second} {
			testworld.Pass(time.Until(rented[0].CreatedAt.Add(at)))
			receivedAt := time.Now()
			testworld.Must(t, w.Market.SendSMS(number(rented[i]), "1", "code 1"))
			testworld.Pass(10 * time.Second)
			late := arrived[rented[i].ID].Sub(receivedAt)
			if late < 0 || late > 3600*time.Millisecond {
				t.Errorf("at the age of %s: %s late", at, late)
			}
		}
	})
}
