package orders_test

import (
	"fmt"
	"hstockbot/internal/orders"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestACodeArrives within the interval of the polls, once, byte for byte.
func TestACodeArrives(t *testing.T) {
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
				testworld.Must(t, w.Market.SendSMS(order.ExternalID, "40312", text))
				testworld.Pass(3600 * time.Millisecond)
				if got, want := w.codes(), []string{"40312|" + text}; !slices.Equal(got, want) {
					t.Fatalf("arrived %q, want %q", got, want)
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

// TestTheMessageOfANumberIsRemembered, so that it can be drawn again.
func TestTheMessageOfANumberIsRemembered(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(10 * time.Second)
		if got := w.order(order.ID).MessageID; got != 2 {
			t.Errorf("message %d shows the number, want the second that was sent", got)
		}
	})
}

func TestSeveralNumbers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		rented := w.rent(3)
		testworld.Pass(20 * time.Second)
		if got := w.count(orders.MessageRental); got != 3 {
			t.Errorf("%d messages for three numbers", got)
		}
		var want []string
		for _, i := range []int{2, 0, 1} {
			code := fmt.Sprint(1000 + i)
			testworld.Must(t, w.Market.SendSMS(rented[i].ExternalID, code, "SMS "+code))
			testworld.Pass(10 * time.Second)
			want = append(want, code+"|SMS "+code)
		}
		if got := w.codes(); !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
	})
}

func TestFewerNumbersThanAsked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		testworld.Must(t, w.Market.SetNumbers(market.ProjectTelegram, market.CountryUS, 2))
		if rented := w.rent(5); len(rented) != 2 {
			t.Errorf("%d numbers, want 2", len(rented))
		}
		if got := w.Market.Balance(testworld.AnnaKey.Reveal()).String(); got != "98.2" {
			t.Errorf("the balance is %s, want 98.2", got)
		}
	})
}

// TestASecondCode is another SMS, and the first one is not sent again.
func TestASecondCode(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Must(t, w.Market.SendSMS(order.ExternalID, "1111", "first 1111"))
		testworld.Pass(time.Minute)
		testworld.Must(t, w.Market.SendSMS(order.ExternalID, "2222", "second 2222"))
		testworld.Pass(2 * time.Minute)
		if got, want := w.codes(), []string{"1111|first 1111", "2222|second 2222"}; !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
	})
}

// TestALateCode is pushed during the grace by itself, after it when a person asks.
func TestALateCode(t *testing.T) {
	for _, late := range []time.Duration{4 * time.Minute, 10 * time.Minute} {
		t.Run(late.String(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				order := w.rent(1)[0]
				testworld.Pass(20*time.Minute + late)
				if got := w.count(orders.MessageEnded); got != 1 {
					t.Errorf("the end was told %d times", got)
				}
				if got := w.order(order.ID); got.State != storage.OrderExpired || got.Charge.Decimal.Sign() != 0 {
					t.Errorf("the order is %s, charged %s", got.State, got.Charge.Decimal)
				}
				testworld.Must(t, w.Market.SendSMS(order.ExternalID, "7777", "late 7777"))
				testworld.Pass(time.Minute)
				if late > 5*time.Minute {
					if got := w.codes(); len(got) > 0 {
						t.Errorf("somebody still asks: %q", got)
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

// TestItsMessageIsDrawnAgainAtUsefulMoments, and at no others.
func TestItsMessageIsDrawnAgainAtUsefulMoments(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.rent(1)
		testworld.Pass(5 * time.Second)
		want := w.count(orders.MessageRedraw)
		for _, step := range []struct {
			pass  time.Duration
			drawn int
		}{
			{9*time.Minute + 40*time.Second, 0}, {35 * time.Second, 1}, // half of it
			{7*time.Minute + 20*time.Second, 0}, {40 * time.Second, 1}, // two minutes left
			{90 * time.Second, 0}, {50 * time.Second, 1}, // over
			{10 * time.Minute, 0},
		} {
			testworld.Pass(step.pass)
			want += step.drawn
			if got := w.count(orders.MessageRedraw); got != want {
				t.Fatalf("drawn again %d times after %s more, want %d", got, step.pass, want)
			}
		}
	})
}

// TestCadenceOfNumbers: every 2 to 3.5 s while it is young, then 0.5·√age s up to
// 15 s; sms_status at first, at the very end, and at the end of the grace.
func TestCadenceOfNumbers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(30 * time.Minute)
		got := w.order(order.ID)
		const turn = 100 * time.Millisecond // of the loop, twice
		grace := got.ExpiresAt.Add(5 * time.Minute)
		var asked, statuses []time.Time
		for _, call := range w.Market.Calls() {
			switch call.Action {
			case "sms_code":
				asked = append(asked, call.At)
			case "sms_status":
				statuses = append(statuses, call.At)
			}
		}
		for i := 1; i < len(asked); i++ {
			age, gap := asked[i-1].Sub(got.CreatedAt), asked[i].Sub(asked[i-1])
			shortest, longest := 2*time.Second, 3500*time.Millisecond
			if age >= 2*time.Minute {
				pause := min(0.5*math.Sqrt(age.Seconds()), 15)
				shortest, longest = time.Duration(0.9*pause*1e9), time.Duration(1.1*pause*1e9)
			}
			for _, end := range []time.Time{got.ExpiresAt, grace} {
				if asked[i-1].Before(end) && !asked[i].Before(end) {
					shortest = 0 // that moment is not passed over
				}
			}
			if gap < shortest || gap > longest+turn {
				t.Errorf("asked %s after the last time, at the age of %s; want %s to %s", gap, age, shortest, longest)
			}
		}
		// 120 s / 2.75 s, then 4·(√900 − √120), then a call in 15 s until 25 minutes.
		if n := len(asked); n < 150 || n > 175 {
			t.Errorf("asked %d times, want about 160", n)
		}
		want := []time.Time{got.CreatedAt, got.ExpiresAt, grace}
		if !slices.EqualFunc(statuses, want, func(a, b time.Time) bool { return !a.Before(b) && a.Sub(b) <= turn }) {
			t.Errorf("sms_status was asked at %s, want %s", statuses, want)
		}
		if last := asked[len(asked)-1]; last.Sub(grace) > turn {
			t.Errorf("still asked %s after the grace", last.Sub(grace))
		}
	})
}

// TestAnOutageOfTheMarketplace delays a code by no more than half a minute after it.
func TestAnOutageOfTheMarketplace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(10 * time.Second)
		w.Market.Fault(market.Fault{Kind: market.HTML502, Times: market.Always})
		testworld.Must(t, w.Market.SendSMS(order.ExternalID, "5", "code 5"))
		testworld.Pass(3 * time.Minute)
		w.Market.ClearFaults()
		testworld.Pass(40 * time.Second)
		if len(w.codes()) != 1 {
			t.Errorf("codes %q", w.codes())
		}
	})
}

// TestTooManyRequests leaves the key alone, longer each time.
func TestTooManyRequests(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.rent(5)
		testworld.Pass(10 * time.Second)
		w.Market.Fault(market.Fault{Kind: market.TooMany, Times: market.Always})
		before := w.Market.Count("")
		testworld.Pass(5 * time.Minute)
		if calls := w.Market.Count("") - before; calls > 40 { // five numbers would be asked for 500 times
			t.Errorf("%d calls although there were too many", calls)
		}
		w.Market.ClearFaults()
		before = w.Market.Count("")
		testworld.Pass(2 * time.Minute)
		if calls := w.Market.Count("") - before; calls < 20 {
			t.Errorf("only %d calls after it was over", calls)
		}
	})
}

// TestARefusedKeyPausesItsNumbers: told once, no more calls, and the code comes
// when the marketplace takes the key again.
func TestARefusedKeyPausesItsNumbers(t *testing.T) {
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
			t.Errorf("told %d times that the key is refused", n)
		}
		w.Market.AddKey(testworld.AnnaKey.Reveal(), "50.00", "USD")
		testworld.Must(t, w.Market.SendSMS(order.ExternalID, "4", "code 4"))
		testworld.Pass(time.Hour) // the sweep tries it
		if got, want := w.codes(), []string{"4|code 4"}; !slices.Equal(got, want) {
			t.Errorf("arrived %q, want %q", got, want)
		}
	})
}

// TestANumberAfterARestart: another process goes on where the first one ended.
func TestANumberAfterARestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		order := w.rent(1)[0]
		testworld.Pass(10 * time.Second)
		testworld.Must(t, w.service.Stop(t.Context()))
		testworld.Must(t, w.Market.SendSMS(order.ExternalID, "6", "code 6"))
		testworld.Pass(time.Minute)
		w.service = w.newService(w.client)
		w.service.Start()
		testworld.Pass(5 * time.Second)
		if len(w.codes()) != 1 {
			t.Errorf("codes %q", w.codes())
		}
	})
}

// TestYoungCodesArriveInTime: within the longest interval, and two turns of the
// loop for taking the poll and sending what it heard.
func TestYoungCodesArriveInTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		arrived := map[int64]time.Time{} // by order
		w.recorder.FailWith(func(message storage.Message) error {
			if message.Kind == orders.MessageCode {
				arrived[message.OrderID] = time.Now()
			}
			return nil
		})
		rented := w.rent(4) // so many as a key may ask for without stretching
		for i, at := range []time.Duration{500 * time.Millisecond, 20 * time.Second, 70 * time.Second, 115 * time.Second} {
			testworld.Pass(time.Until(rented[0].CreatedAt.Add(at)))
			came := time.Now()
			testworld.Must(t, w.Market.SendSMS(rented[i].ExternalID, "1", "code 1"))
			testworld.Pass(10 * time.Second)
			late := arrived[rented[i].ID].Sub(came)
			if late < 0 || late > 3600*time.Millisecond {
				t.Errorf("at the age of %s: %s after it came", at, late)
			}
		}
	})
}
